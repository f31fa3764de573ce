#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/util/safe_numerics.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/set_files.h>
#include <optotorch/trainers/datasets/fake_data.h>

namespace optotorch {
namespace {

constexpr auto in_fake_data = "FakeData";

void check_options(const FakeDataOptions& options) {
  OPTOTORCH_CHECK(options.size() >= 1, .where = in_fake_data, .argument = "size", .expected = "at least 1",
                  .got = c10::str(options.size()));
  OPTOTORCH_CHECK(options.num_classes() >= 1 && options.num_classes() < 1 << 24, .where = in_fake_data,
                  .argument = "num_classes", .expected = "1 to 2^24 - 1",
                  .got = c10::str(options.num_classes()));
  const auto& size = options.image_size();
  const at::IntArrayRef shown(size);
  OPTOTORCH_CHECK(size[0] >= 1 && size[0] <= 4 && size[1] >= 1 && size[2] >= 1, .where = in_fake_data,
                  .argument = "image_size", .expected = "1 to 4 channels, height and width at least 1",
                  .got = c10::str(shown));
  auto bytes = static_cast<uint64_t>(options.size());
  bool overflow = false;
  for (const int64_t side : size) {
    overflow = c10::mul_overflows(bytes, static_cast<uint64_t>(side), &bytes) || overflow;
  }
  OPTOTORCH_CHECK(!overflow && bytes <= uint64_t{1} << 40, .where = in_fake_data, .argument = "size",
                  .expected = "at most 2^40 bytes of images",
                  .got = c10::str(options.size(), " images of ", shown));
}

ImageSet make(const FakeDataOptions& options) {
  check_options(options);
  const auto& size = options.image_size();
  at::Tensor images = at::empty({options.size(), size[0], size[1], size[2]}, at::kByte);
  at::Tensor targets = at::empty({options.size()}, at::kLong);
  auto* to = images.mutable_data_ptr<uint8_t>();
  auto* target = targets.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < options.size(); ++i) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(i) +
                                                              static_cast<uint64_t>(options.random_offset()));
    const at::Tensor image = at::randn(size, generator, at::kFloat);
    *target++ = at::randint(options.num_classes(), {1}, generator, at::kLong).item<int64_t>();
    const auto* from = image.const_data_ptr<float>();
    for (int64_t k = 0; k < image.numel(); ++k) {
      // By way of int32, as x86 does it: from a float that is negative to uint8 has no meaning in C++.
      *to++ = static_cast<uint8_t>(static_cast<int32_t>(from[k] * 255.0f));
    }
  }
  return {"FakeData", images, targets, numbered_names(options.num_classes())};
}

}  // namespace

FakeData::FakeData(const FakeDataOptions& options) : ImageSet(make(options)) {}

}  // namespace optotorch
