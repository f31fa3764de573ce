#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/detail/deployed_check.h>
#include <optotorch/modules/optics/detail/or_one.h>
#include <optotorch/modules/optics/image_slices.h>

namespace optotorch {
namespace {

void append(const SliceSet& set, int64_t height, int64_t width, std::vector<int64_t>& index) {
  const auto block = [&](int64_t top, int64_t left, int64_t rows, int64_t columns) {
    for (int64_t y = top; y < top + rows; ++y) {
      for (int64_t x = left; x < left + columns; ++x) {
        index.push_back(y * width + x);
      }
    }
  };
  switch (set.kind) {
    case SliceSet::Kind::columns:
      for (int64_t x = 0; x < width; ++x) {
        block(0, x, height, 1);
      }
      break;
    case SliceSet::Kind::rows:
      block(0, 0, height, width);
      break;
    case SliceSet::Kind::patches:
      for (int64_t y = 0; y + set.size <= height; y += set.stride) {
        for (int64_t x = 0; x + set.size <= width; x += set.stride) {
          block(y, x, set.size, set.size);
        }
      }
      break;
  }
}

/// rms(x) of every sample, [batch, 1]; 1 for black images, which stay black.
torch::Tensor root_mean_square(const torch::Tensor& flat) {
  return or_one(flat.square().mean(1, /*keepdim=*/true)).sqrt();
}

}  // namespace

ImageSlicesImpl::ImageSlicesImpl(ImageSlicesOptions options_)
    : CloneableLayer("ImageSlices"), options(std::move(options_)) {
  const int64_t height = options.height(), width = options.width();
  OPTOTORCH_CHECK(height >= 1 && width >= 1 && height <= 4096 && width <= 4096, .where = "ImageSlices",
                  .argument = "height, width", .expected = "1 to 4096", .got = c10::str(height, ", ", width));
  OPTOTORCH_CHECK(!options.sets().empty(), .where = "ImageSlices", .argument = "sets",
                  .expected = "at least one set of slices", .got = "none");
  std::vector<int64_t> index;
  for (const auto& set : options.sets()) {
    const bool whole = set.kind != SliceSet::Kind::patches;
    OPTOTORCH_CHECK(set.copies >= 1 && set.copies <= 4096 &&
                        (whole || (set.size >= 1 && set.size <= std::min(height, width) && set.stride >= 1)),
                    .where = "ImageSlices", .argument = "sets",
                    .expected = c10::str("patches of 1 to ", std::min(height, width),
                                         " pixels, stride and copies of at least 1"),
                    .got = c10::str("size ", set.size, ", stride ", set.stride, ", copies ", set.copies));
    for (int64_t copy = 0; copy < set.copies; ++copy) {
      append(set, height, width, index);
    }
  }
  index_ = torch::tensor(index, torch::kInt64);
}

void ImageSlicesImpl::check_input(const torch::Tensor& x) const {
  const int64_t height = options.height(), width = options.width();
  bool fits = x.defined() && x.is_floating_point() && x.dim() >= 2;
  if (fits && x.dim() == 2) {
    fits = x.size(1) == height * width;
  } else if (fits) {
    const auto between = x.sizes().slice(1, x.dim() - 3);
    fits = x.size(-2) == height && x.size(-1) == width && c10::multiply_integers(between) == 1;
  }
  OPTOTORCH_CHECK(fits, .where = "ImageSlices", .argument = "input",
                  .expected = c10::str("real images [batch, 1, ", height, ", ", width,
                                       "] or their pixels [batch, ", height * width, "]"),
                  .got = describe(x), .remedy = "Convert the images to float in [0, 1]");
}

torch::Tensor ImageSlicesImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  const int64_t height = options.height(), width = options.width();
  check_when_deployed(
      x,
      c10::str("input.dim() >= 2 and input.numel() == input.size(0) * ", height * width,
               " and (input.dim() == 2 or (input.size(-2) == ", height, " and input.size(-1) == ", width,
               "))"),
      "ImageSlices",
      c10::str("images [batch, 1, ", height, ", ", width, "] or their pixels [batch, ", height * width, "]"));
  auto flat = x.flatten(1);
  if (options.normalized()) {
    flat = flat / root_mean_square(flat);
  }
  const auto slices = flat.index_select(1, index_.to(x.device()));
  return at::complex(slices, at::zeros_like(slices));
}

torch::Tensor ImageSlicesImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  if (!to_input) {
    return {};
  }
  const auto flat = pass.input.flatten(1);
  auto dL_dx = at::zeros_like(flat).index_add(1, index_.to(flat.device()), at::real(dL_dy));
  if (options.normalized()) {
    const auto rms = root_mean_square(flat);
    const auto unit = flat / rms;
    dL_dx = (dL_dx - unit * (dL_dx * unit).mean(1, /*keepdim=*/true)) / rms;
  }
  return dL_dx.reshape(pass.input.sizes());
}

namespace {

const RegisteredPart image_slices_type(part_type<ImageSlicesImpl>("ImageSlices", ImageSlicesOptions(1, 1),
                                                                  2));

}  // namespace
}  // namespace optotorch
