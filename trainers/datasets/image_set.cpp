#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/image_set.h>

#include <utility>

namespace optotorch {
namespace {

/// Throws unless every value of `tensor` (int64, not empty) lies in first ... count - 1. Returns the least.
int64_t check_range(const std::string& where, const std::string& argument, const at::Tensor& tensor,
                    int64_t count, int64_t first = 0) {
  const auto [least, most] = tensor.aminmax();
  const auto low = least.item<int64_t>();
  const auto high = most.item<int64_t>();
  OPTOTORCH_CHECK(low >= first && high < count, .where = where, .argument = argument,
                  .expected = c10::str("values from ", first, " to ", count - 1),
                  .got = c10::str(low < first ? low : high));
  return low;
}

void check_indices(const std::string& where, const std::string& argument, const at::Tensor& tensor) {
  OPTOTORCH_CHECK(tensor.defined() && tensor.scalar_type() == at::kLong && tensor.dim() == 1 &&
                      tensor.numel() > 0 && tensor.is_cpu(),
                  .where = where, .argument = argument, .expected = "int64 [N] on the CPU, N at least 1",
                  .got = describe(tensor));
}

}  // namespace

ImageSet::ImageSet(std::string name, at::Tensor images, at::Tensor targets,
                   std::vector<std::string> class_names, Labels labels)
    : name_(std::move(name)), class_names_(std::move(class_names)) {
  OPTOTORCH_CHECK(images.defined() && images.scalar_type() == at::kByte && images.dim() == 4 &&
                      images.numel() > 0 && images.is_cpu(),
                  .where = name_, .argument = "images",
                  .expected = "uint8 [N, C, H, W] on the CPU, no size 0", .got = describe(images));
  check_indices(name_, "targets", targets);
  OPTOTORCH_CHECK(images.size(0) == targets.size(0), .where = name_, .argument = "targets",
                  .expected = c10::str("one for each of ", images.size(0), " images"),
                  .got = std::to_string(targets.size(0)));
  const int64_t first = labels == Labels::some ? no_label : 0;
  labelled_ = check_range(name_, "targets", targets, classes(), first) != no_label;
  pixels_ = images.contiguous();
  targets_ = targets.contiguous();
}

torch::data::Example<> ImageSet::get(size_t index) {
  OPTOTORCH_CHECK(index < static_cast<size_t>(count()), .where = name_, .argument = "index",
                  .expected = c10::str("0 to ", count() - 1), .got = std::to_string(index));
  const auto sample = static_cast<int64_t>(index);
  // The target is a copy: a caller that changes it in place must not change the data set.
  return {image(sample).to(at::kFloat).div_(255), targets_[sample].clone()};
}

at::Tensor ImageSet::image(int64_t index) const {
  OPTOTORCH_CHECK(index >= 0 && index < count(), .where = name_, .argument = "index",
                  .expected = c10::str("0 to ", count() - 1), .got = std::to_string(index));
  return pixels_[rows_.defined() ? rows_.const_data_ptr<int64_t>()[index] : index];
}

at::Tensor ImageSet::images() const {
  return rows_.defined() ? pixels_.index_select(0, rows_) : pixels_;
}

ImageSet ImageSet::select(const at::Tensor& index) const {
  check_indices(name_, "index", index);
  check_range(name_, "index", index, count());
  ImageSet view = *this;
  view.rows_ = rows_.defined() ? rows_.index_select(0, index) : index.clone();
  view.targets_ = targets_.index_select(0, index);
  view.labelled_ = labelled_ || view.targets_.min().item<int64_t>() != no_label;
  return view;
}

}  // namespace optotorch
