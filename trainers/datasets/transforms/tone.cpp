#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_color.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_tone.h>
#include <optotorch/trainers/datasets/transforms/tone.h>

namespace optotorch::transforms {
namespace {

void check_byte_input(const char* where, const at::Tensor& image) {
  check_bytes(where, image);
  check_colours(where, image);
}

const RegisteredTransform random_invert_type(transform_type<RandomInvert>("RandomInvert", ToneOptions()));
const RegisteredTransform random_autocontrast_type(transform_type<RandomAutocontrast>("RandomAutocontrast",
                                                                                      ToneOptions()));
const RegisteredTransform random_equalize_type(transform_type<RandomEqualize>("RandomEqualize",
                                                                              ToneOptions()));
const RegisteredTransform random_posterize_type(transform_type<RandomPosterize>("RandomPosterize",
                                                                                RandomPosterizeOptions(8),
                                                                                /*required=*/1));
const RegisteredTransform random_solarize_type(transform_type<RandomSolarize>("RandomSolarize",
                                                                              RandomSolarizeOptions(0),
                                                                              /*required=*/1));

}  // namespace

RandomInvert::RandomInvert(ToneOptions options) : OptionsTransform(options) {
  check_probability("RandomInvert", options.p());
}

at::Tensor RandomInvert::transform(const at::Tensor& image, Draws& draws) const {
  check_usual_image("RandomInvert", image);
  return draws.item_below(options().p()) ? invert(image) : image;
}

RandomAutocontrast::RandomAutocontrast(ToneOptions options) : OptionsTransform(options) {
  check_probability("RandomAutocontrast", options.p());
}

at::Tensor RandomAutocontrast::transform(const at::Tensor& image, Draws& draws) const {
  check_usual_image("RandomAutocontrast", image);
  return draws.item_below(options().p()) ? autocontrast(image) : image;
}

RandomEqualize::RandomEqualize(ToneOptions options) : OptionsTransform(options) {
  check_probability("RandomEqualize", options.p());
}

at::Tensor RandomEqualize::transform(const at::Tensor& image, Draws& draws) const {
  check_byte_input("RandomEqualize", image);
  return draws.item_below(options().p()) ? equalize(image) : image;
}

RandomPosterize::RandomPosterize(RandomPosterizeOptions options) : OptionsTransform(options) {
  OPTOTORCH_CHECK(options.bits() >= 0 && options.bits() <= 8, .where = "RandomPosterize", .argument = "bits",
                  .expected = "0 to 8", .got = std::to_string(options.bits()));
  check_probability("RandomPosterize", options.p());
}

at::Tensor RandomPosterize::transform(const at::Tensor& image, Draws& draws) const {
  check_byte_input("RandomPosterize", image);
  return draws.item_below(options().p()) ? posterize(image, options().bits()) : image;
}

RandomSolarize::RandomSolarize(RandomSolarizeOptions options) : OptionsTransform(options) {
  OPTOTORCH_CHECK(options.threshold() <= 255, .where = "RandomSolarize", .argument = "threshold",
                  .expected = "at most 255", .got = c10::str(options.threshold()));
  check_probability("RandomSolarize", options.p());
}

at::Tensor RandomSolarize::transform(const at::Tensor& image, Draws& draws) const {
  check_usual_image("RandomSolarize", image);
  OPTOTORCH_CHECK(options().threshold() <= bound_of(image), .where = "RandomSolarize",
                  .argument = "threshold",
                  .expected = c10::str("at most ", bound_of(image), " for ", type_name(image.scalar_type())),
                  .got = c10::str(options().threshold()));
  return draws.item_below(options().p()) ? solarize(image, options().threshold()) : image;
}

}  // namespace optotorch::transforms
