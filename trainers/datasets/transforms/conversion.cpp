#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/conversion.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_conversion.h>

#include <algorithm>

namespace optotorch::transforms {

namespace {

/// An at::ScalarType, as the visitor wants enums: counted from 0, with words.
enum class Dtype { uint8, int8, int16, int32, int64, float32, float64 };

const std::vector<at::ScalarType> known_types{at::kByte, at::kChar,  at::kShort, at::kInt,
                                              at::kLong, at::kFloat, at::kDouble};

const std::vector<std::string>& words(Dtype) {
  static const std::vector<std::string> all{"uint8", "int8", "int16", "int32", "int64", "float32", "float64"};
  return all;
}

const RegisteredTransform convert_image_dtype_type(
    transform_type<ConvertImageDtype>("ConvertImageDtype", ConvertImageDtypeOptions()));
const RegisteredTransform normalize_type(transform_type<Normalize>("Normalize", NormalizeOptions({}, {}),
                                                                   /*required=*/2));

}  // namespace

void ConvertImageDtypeOptions::fields(FieldVisitor& visit) {
  auto dtype =
      static_cast<Dtype>(std::find(known_types.begin(), known_types.end(), dtype_) - known_types.begin());
  visit("dtype", dtype);
  dtype_ = known_types.at(static_cast<size_t>(dtype));
}

ConvertImageDtype::ConvertImageDtype(ConvertImageDtypeOptions options) : OptionsTransform(options) {
  OPTOTORCH_CHECK(is_known_dtype(options.dtype()), .where = "ConvertImageDtype", .argument = "dtype",
                  .expected = "uint8, a signed integer type, float32 or float64",
                  .got = type_name(options.dtype()));
}

at::Tensor ConvertImageDtype::transform(const at::Tensor& image, Draws& /*draws*/) const {
  return convert_dtype(image, options().dtype());
}

Normalize::Normalize(NormalizeOptions given) : OptionsTransform(std::move(given)) {
  check_numbers("Normalize", "mean", options().mean());
  check_numbers("Normalize", "std", options().std());
  OPTOTORCH_CHECK(!options().mean().empty(), .where = "Normalize", .argument = "mean",
                  .expected = "at least one number", .got = "none");
  const bool fits =
      !options().std().empty() && std::all_of(options().std().begin(), options().std().end(),
                                              [](double each) { return static_cast<float>(each) != 0; });
  OPTOTORCH_CHECK(fits, .where = "Normalize", .argument = "std", .expected = "numbers other than 0",
                  .got = text_of(options().std()));
}

at::Tensor Normalize::transform(const at::Tensor& image, Draws& /*draws*/) const {
  OPTOTORCH_CHECK(image.is_floating_point(), .where = "Normalize", .argument = "image",
                  .expected = "float32 or float64", .got = describe(image),
                  .remedy = "Put ConvertImageDtype before it");
  check_per_channel("Normalize", "mean", options().mean(), image);
  check_per_channel("Normalize", "std", options().std(), image);
  return normalize(image, options().mean(), options().std());
}

}  // namespace optotorch::transforms
