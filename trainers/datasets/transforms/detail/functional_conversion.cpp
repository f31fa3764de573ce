#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_conversion.h>

#include <array>

namespace optotorch::transforms {
namespace {

double largest(at::ScalarType type) {
  switch (type) {
    case at::kByte:
      return 255;
    case at::kChar:
      return 127;
    case at::kShort:
      return 32767;
    case at::kInt:
      return 2147483647;
    case at::kLong:
      return 9223372036854775807.0;  // rounded up to 2^63, as Python's float() does
    default:
      return 1;
  }
}

at::Tensor unit_floats(const at::Tensor& bytes) {
  static const auto table = [] {
    std::array<float, 256> values{};
    for (size_t v = 0; v < values.size(); ++v) {
      values[v] = static_cast<float>(v) / 255.0F;
    }
    return values;
  }();
  const at::Tensor from = bytes.contiguous();
  at::Tensor to = at::empty(from.sizes(), at::kFloat);
  const auto* const source = from.const_data_ptr<uint8_t>();
  auto* const target = to.mutable_data_ptr<float>();
  const int64_t count = from.numel();
  for (int64_t i = 0; i < count; ++i) {
    target[i] = table[source[i]];
  }
  return to;
}

template <typename Float>
at::Tensor normalized(const at::Tensor& image, const std::vector<double>& mean,
                      const std::vector<double>& std) {
  const at::Tensor from = image.contiguous();
  at::Tensor to = at::empty(from.sizes(), from.options());
  const int64_t count = from.size(1) * from.size(2);
  for (int64_t c = 0; c < from.size(0); ++c) {
    const auto m = static_cast<Float>(mean[mean.size() == 1 ? 0 : static_cast<size_t>(c)]);
    const auto s = static_cast<Float>(std[std.size() == 1 ? 0 : static_cast<size_t>(c)]);
    const auto* const source = from.const_data_ptr<Float>() + c * count;
    auto* const target = to.mutable_data_ptr<Float>() + c * count;
    for (int64_t i = 0; i < count; ++i) {
      target[i] = (source[i] - m) / s;
    }
  }
  return to;
}

at::Tensor between_integers(const at::Tensor& image, at::ScalarType type) {
  const double from = largest(image.scalar_type()), to = largest(type);
  if (from > to) {
    const auto factor = static_cast<int64_t>((from + 1) / (to + 1));
    return at::div(image, factor, "floor").to(type);
  }
  return image.to(type) * static_cast<int64_t>((to + 1) / (from + 1));
}

}  // namespace

bool is_known_dtype(at::ScalarType type) {
  return type == at::kByte || type == at::kChar || type == at::kShort || type == at::kInt ||
         type == at::kLong || type == at::kFloat || type == at::kDouble;
}

at::ScalarType float_type(const at::Tensor& image) {
  return image.is_floating_point() ? image.scalar_type() : at::kFloat;
}

at::Tensor convert_dtype(const at::Tensor& image, at::ScalarType type) {
  const auto own = image.scalar_type();
  if (own == type) {
    return image;
  }
  const bool is_float = image.is_floating_point(), to_float = at::isFloatingType(type);
  if (is_float && to_float) {
    return image.to(type);
  }
  if (is_float) {
    const bool holds = type != at::kLong && (own == at::kDouble || type != at::kInt);
    OPTOTORCH_CHECK(holds, .where = "ConvertImageDtype", .argument = "image",
                    .expected = "a type whose digits suffice for " + type_name(type), .got = type_name(own));
    return image.mul(largest(type) + 1.0 - 1e-3).to(type);
  }
  if (to_float) {
    return own == at::kByte && type == at::kFloat ? unit_floats(image) : image.to(type) / largest(own);
  }
  return between_integers(image, type);
}

at::Tensor normalize(const at::Tensor& image, const std::vector<double>& mean,
                     const std::vector<double>& std) {
  return image.scalar_type() == at::kDouble ? normalized<double>(image, mean, std)
                                            : normalized<float>(image, mean, std);
}

}  // namespace optotorch::transforms
