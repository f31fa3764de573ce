#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/transforms/all.h>
#include <support/errors.h>

namespace optotorch::transforms {
namespace {

std::string round_trip(const std::string& text) {
  return describe_transform(*build_transform(text));
}

TEST(DescribeTransform, OptionsThatAreUsualAreLeftOut) {
  EXPECT_EQ(describe_transform(RandomCrop(RandomCropOptions({32, 30}).padding({4}))),
            R"({"type":"RandomCrop","size":[32,30],"padding":[4]})");
  EXPECT_EQ(describe_transform(RandomHorizontalFlip()), R"({"type":"RandomHorizontalFlip"})");
  EXPECT_EQ(describe_transform(*compose(ConvertImageDtype(), Normalize({0.5}, {0.25}))),
            R"([{"type":"ConvertImageDtype"},{"type":"Normalize","mean":[0.5],"std":[0.25]}])");
  EXPECT_EQ(describe_transform(AutoAugment(AutoAugmentPolicy::svhn)),
            R"({"type":"AutoAugment","policy":"svhn"})");
  EXPECT_EQ(describe_transform(RandomApply(transform_list(Grayscale()), 0.25)),
            R"({"type":"RandomApply","p":0.25,"transforms":[{"type":"Grayscale"}]})");
}

TEST(DescribeTransform, EveryTypeComesBack) {
  const std::vector<std::string> all{
      R"({"type":"Resize","size":[9],"interpolation":"nearest-exact","max_size":20,"antialias":false})",
      R"({"type":"RandomResizedCrop","size":[9,8],"scale":[0.2,0.3],"ratio":[0.5,2.0],"interpolation":"bicubic"})",
      R"({"type":"CenterCrop","size":[9]})",
      R"({"type":"RandomCrop","size":[9],"padding":[1,2],"pad_if_needed":true,"fill":3.0,"padding_mode":"edge"})",
      R"({"type":"Pad","padding":[9],"fill":2.5,"padding_mode":"reflect"})",
      R"({"type":"RandomHorizontalFlip","p":0.25})",
      R"({"type":"RandomVerticalFlip","p":0.25})",
      R"({"type":"RandomRotation","degrees":[9.0],"interpolation":"bilinear","expand":true,"center":[1.0,2.0],"fill":[7.0]})",
      R"({"type":"RandomAffine","degrees":[9.0],"translate":[0.5,0.25],"scale":[0.5,1.5],"shear":[5.0],"fill":[7.0]})",
      R"({"type":"RandomPerspective","distortion_scale":0.25,"p":0.75})",
      R"({"type":"Grayscale","num_output_channels":3})",
      R"({"type":"RandomGrayscale","p":0.25})",
      R"({"type":"ColorJitter","brightness":[0.5],"hue":[-0.25,0.25]})",
      R"({"type":"GaussianBlur","kernel_size":[3],"sigma":[0.5]})",
      R"({"type":"RandomInvert","p":0.25})",
      R"({"type":"RandomPosterize","bits":3,"p":0.25})",
      R"({"type":"RandomSolarize","threshold":3.5})",
      R"({"type":"RandomAutocontrast"})",
      R"({"type":"RandomEqualize"})",
      R"({"type":"RandomAdjustSharpness","sharpness_factor":2.0})",
      R"({"type":"RandomErasing","value":[1.0,2.0,3.0],"random_value":true})",
      R"({"type":"ConvertImageDtype","dtype":"float64"})",
      R"({"type":"Normalize","mean":[0.5],"std":[0.25]})",
      R"({"type":"AutoAugment","policy":"cifar10","fill":[1.0]})",
      R"({"type":"RandAugment","num_ops":3,"magnitude":4,"num_magnitude_bins":5})",
      R"({"type":"TrivialAugmentWide","num_magnitude_bins":5,"interpolation":"bilinear"})",
      R"({"type":"RandomApply","p":0.25,"transforms":[{"type":"Grayscale"}]})",
      R"([[{"type":"Grayscale"}],[]])",
  };
  auto names = transform_names();  // an array is Compose
  std::erase(names, "Twice");      // of the last test
  EXPECT_EQ(all.size(), names.size());
  for (const auto& text : all) {
    EXPECT_EQ(round_trip(text), text);
  }
}

TEST(DescribeTransform, AbbreviationsAreUnderstood) {
  EXPECT_EQ(round_trip(R"({"type": "CenterCrop", "size": 8})"), R"({"type":"CenterCrop","size":[8]})");
  EXPECT_EQ(round_trip(R"({"type": "Compose", "transforms": []})"), "[]");
  EXPECT_EQ(round_trip(R"({"type": "ColorJitter", "hue": 0.25})"), R"({"type":"ColorJitter","hue":[0.25]})");
}

TEST(DescribeTransform, WrongTextsAreRefusedAtTheirPlace) {
  const auto build = [](const std::string& text) { return build_transform(text); };
  EXPECT_SAYS(
      build("[{\"type\": \"Grayscale\"}, {\"type\": \"RandomCorp\"}]"),
      "transform[1].type: expected a type that is registered, got 'RandomCorp'. Did you mean 'RandomCrop'?");
  EXPECT_SAYS(build(R"({"type": "RandomCrop", "size": 8, "paddding": 4})"), "Did you mean 'padding'?");
  EXPECT_SAYS(build(R"({"type": "RandomCrop", "padding": 4})"),
              "transform: expected 'size', which has no default");
  EXPECT_SAYS(build(R"([{"type": "Pad", "padding": 4, "padding_mode": "reflekt"}])"),
              "transform[0].padding_mode: expected one of constant, edge, reflect, symmetric, got 'reflekt'");
  EXPECT_SAYS(build(R"([{"type": "Pad", "padding": "4"}])"),
              "transform[0].padding: expected a list of whole numbers");
  EXPECT_SAYS(build(R"([{"type": "RandomApply", "transforms": [{"type": "Resize", "size": 0}]}])"),
              "transform[0].transforms[0]: expected options that fit, got Resize: size");
  EXPECT_SAYS(build(R"({"type": "RandomApply", "p": 2, "transforms": []})"), "RandomApply: p");
  EXPECT_SAYS(build(R"({"type": "Compose", "p": 1, "transforms": []})"), "got 'p'");
  EXPECT_SAYS(build(R"({"type": "Compose"})"), "expected a list 'transforms', got none");
  EXPECT_SAYS(build("[3]"), "transform[0]: expected a JSON object, got number");
  EXPECT_SAYS(build("{}"), "expected a 'type', got none");
  EXPECT_SAYS(build("[{]"), "build_transform: transform: expected a description of a transform");
}

struct TwiceOptions {
  TORCH_ARG(int64_t, times) = 2;

 public:
  void fields(FieldVisitor& visit) { visit("times", times_); }
};

class Twice : public OptionsTransform<TwiceOptions> {
 public:
  using OptionsTransform::OptionsTransform;
  at::Tensor transform(const at::Tensor& image, Draws& /*draws*/) const override {
    return image * options().times();
  }
};

TEST(DescribeTransform, OnesOwnCanBeRegistered) {
  EXPECT_SAYS(describe_transform(*compose(Twice(TwiceOptions()))),
              "transform[0]: expected a transform whose type is registered");
  register_transform(transform_type<Twice>("Twice", TwiceOptions()));
  EXPECT_EQ(round_trip(R"({"type":"Twice","times":3})"), R"({"type":"Twice","times":3})");
  EXPECT_SAYS(register_transform(transform_type<Twice>("Thrice", TwiceOptions())), "got that of 'Twice'");
  EXPECT_SAYS(register_transform(transform_type<Twice>("Pad", TwiceOptions())), "got 'Pad'");
}

}  // namespace
}  // namespace optotorch::transforms
