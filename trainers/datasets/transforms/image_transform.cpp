#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/image_transform.h>

namespace optotorch::transforms {

ImageTransform::ImageTransform(std::shared_ptr<const transforms::Transform> transform,
                               std::optional<at::Generator> random)
    : transform_(std::move(transform)), random_(std::move(random)) {
  OPTOTORCH_CHECK(transform_ != nullptr, .where = "ImageTransform", .argument = "transform",
                  .expected = "a transform", .got = "none");
}

ImageTransform::ImageTransform(const std::string& json, std::optional<at::Generator> random)
    : ImageTransform(build_transform(json), std::move(random)) {}

}  // namespace optotorch::transforms
