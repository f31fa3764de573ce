#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/detail/deployed_check.h>
#include <optotorch/modules/optics/patch_stream.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace optotorch {
namespace {

/// [batch, patch rows, patch columns, channels, lines, pixels] as a waveform: the axes in the order that they are sent in.
constexpr std::array<int64_t, 6> sent_as_patches = {0, 1, 2, 3, 4, 5}, sent_as_raster = {0, 1, 3, 4, 2, 5};

at::IntArrayRef sent(StreamOrder order) {
  return order == StreamOrder::patches ? sent_as_patches : sent_as_raster;
}

}  // namespace

int64_t PatchStreamOptions::window() const {
  return image_.at(0) * size_ * size_;
}

std::vector<int64_t> PatchStreamOptions::patches() const {
  const auto along = [&](int64_t pixels) { return (pixels + 2 * padding_ - size_) / stride_ + 1; };
  return {along(image_.at(1)), along(image_.at(2))};
}

PatchStreamImpl::PatchStreamImpl(PatchStreamOptions options_)
    : CloneableLayer("PatchStream"), options(std::move(options_)) {
  constexpr int64_t most = 4096;
  const auto& o = options;
  OPTOTORCH_CHECK(
      o.image().size() == 3 &&
          std::all_of(o.image().begin(), o.image().end(), [](int64_t n) { return n >= 1 && n <= most; }),
      .where = name(), .argument = "image", .expected = c10::str("channels, rows and columns of 1 to ", most),
      .got = c10::str("[", c10::Join(", ", o.image()), "]"));
  OPTOTORCH_CHECK(
      o.size() >= 1 && o.stride() >= 1 && o.stride() <= most && o.padding() >= 0 && o.padding() <= most,
      .where = name(), .argument = "size, stride, padding",
      .expected = c10::str("positive numbers up to ", most, ", or no padding"),
      .got = c10::str(o.size(), ", ", o.stride(), ", ", o.padding()));
  const int64_t least = std::min(o.image()[1], o.image()[2]) + 2 * o.padding();
  OPTOTORCH_CHECK(o.size() <= least, .where = name(), .argument = "size",
                  .expected = c10::str("at most ", least, ", the padded image's shorter side"),
                  .got = std::to_string(o.size()), .remedy = "No window would be left");
  OPTOTORCH_CHECK(o.power() > 0 && std::isfinite(o.power()), .where = name(), .argument = "power",
                  .expected = "a finite number above 0", .got = c10::str(o.power()));
}

void PatchStreamImpl::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(x.defined() && x.is_floating_point() && x.dim() == 4 &&
                      x.sizes().slice(1) == at::IntArrayRef(options.image()),
                  .where = name(), .argument = "input",
                  .expected = c10::str("real images [batch, ", c10::Join(", ", options.image()), "]"),
                  .got = describe(x), .remedy = "Convert the images to float in [0, 1]");
}

torch::Tensor PatchStreamImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  const auto& o = options;
  const auto& image = o.image();
  check_when_deployed(x,
                      c10::str("input.dim() == 4 and input.size(1) == ", image[0],
                               " and input.size(2) == ", image[1], " and input.size(3) == ", image[2]),
                      "PatchStream", c10::str("images [batch, ", c10::Join(", ", image), "]"));
  const auto patches = o.patches();
  const auto columns = at::im2col(x, {o.size(), o.size()}, {1, 1}, {o.padding(), o.padding()},
                                  {o.stride(), o.stride()});  // [batch, channels size size, patches]
  const auto values = columns.transpose(1, 2)
                          .reshape({-1, patches[0], patches[1], image[0], o.size(), o.size()})
                          .permute(sent(o.order()))
                          .reshape({-1, patches[0] * patches[1] * o.window()});
  const auto amplitude = o.encoding() == StreamEncoding::field ? values * std::sqrt(o.power())
                                                               : (values.clamp_min(0) * o.power()).sqrt();
  return at::complex(amplitude, at::zeros_like(amplitude));
}

torch::Tensor PatchStreamImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  if (!to_input) {
    return {};
  }
  const auto& o = options;
  const auto& image = o.image();
  const auto patches = o.patches();
  const std::array<int64_t, 6> whole = {dL_dy.size(0), patches[0], patches[1], image[0], o.size(), o.size()};
  std::array<int64_t, 6> as_sent{}, back{};
  for (size_t axis = 0; axis < whole.size(); ++axis) {
    const auto from = static_cast<size_t>(sent(o.order())[axis]);
    as_sent[axis] = whole[from];
    back[from] = static_cast<int64_t>(axis);
  }
  const auto columns = at::real(dL_dy)
                           .reshape(as_sent)
                           .permute(back)
                           .reshape({dL_dy.size(0), patches[0] * patches[1], o.window()})
                           .transpose(1, 2)
                           .contiguous();
  // A pixel's amplitude is the same in every patch: its slope follows the sum.
  const auto sum = at::col2im(columns, {image[1], image[2]}, {o.size(), o.size()}, {1, 1},
                              {o.padding(), o.padding()}, {o.stride(), o.stride()});
  if (o.encoding() == StreamEncoding::field) {
    return sum * std::sqrt(o.power());
  }
  const auto& x = pass.input;
  const auto slope = (x.clamp_min(1e-12) / o.power()).rsqrt() / 2;
  return at::where(x > 0, sum * slope, at::zeros_like(sum));
}

namespace {

const RegisteredPart patch_stream_type(part_type<PatchStreamImpl>("PatchStream",
                                                                  PatchStreamOptions({1, 4, 4}), 1));

}  // namespace
}  // namespace optotorch
