#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/image_file_set.h>

#include <utility>

namespace optotorch {
namespace {

void check_indices(const std::string& where, const std::string& argument, const at::Tensor& tensor,
                   int64_t count) {
  OPTOTORCH_CHECK(tensor.defined() && tensor.scalar_type() == at::kLong && tensor.dim() == 1 &&
                      tensor.numel() > 0 && tensor.is_cpu(),
                  .where = where, .argument = argument, .expected = "int64 [N] on the CPU, N at least 1",
                  .got = describe(tensor));
  const auto [least, most] = tensor.aminmax();
  const auto low = least.item<int64_t>(), high = most.item<int64_t>();
  OPTOTORCH_CHECK(low >= 0 && high < count, .where = where, .argument = argument,
                  .expected = c10::str("values from 0 to ", count - 1),
                  .got = c10::str(low < 0 ? low : high));
}

}  // namespace

ImageFileSet::ImageFileSet(std::string name, std::vector<std::string> paths, at::Tensor targets,
                           std::vector<std::string> class_names, ImageFileMode mode)
    : name_(std::move(name)),
      paths_(std::make_shared<const std::vector<std::string>>(std::move(paths))),
      class_names_(std::make_shared<const std::vector<std::string>>(std::move(class_names))),
      mode_(mode) {
  check_indices(name_, "targets", targets, classes());
  OPTOTORCH_CHECK(targets.numel() == static_cast<int64_t>(paths_->size()), .where = name_,
                  .argument = "targets", .expected = c10::str("one for each of ", paths_->size(), " files"),
                  .got = std::to_string(targets.numel()));
  targets_ = targets.contiguous();
}

const std::string& ImageFileSet::path(int64_t index) const {
  OPTOTORCH_CHECK(index >= 0 && index < count(), .where = name_, .argument = "index",
                  .expected = c10::str("0 to ", count() - 1), .got = std::to_string(index));
  return (*paths_)[rows_.defined() ? rows_.const_data_ptr<int64_t>()[index] : index];
}

std::vector<std::string> ImageFileSet::paths() const {
  if (!rows_.defined()) {
    return *paths_;
  }
  std::vector<std::string> paths;
  for (int64_t i = 0; i < count(); ++i) {
    paths.push_back(path(i));
  }
  return paths;
}

at::Tensor ImageFileSet::image(int64_t index) const {
  return read_image_file(path(index), mode_);
}

torch::data::Example<> ImageFileSet::get(size_t index) {
  OPTOTORCH_CHECK(index < static_cast<size_t>(count()), .where = name_, .argument = "index",
                  .expected = c10::str("0 to ", count() - 1), .got = std::to_string(index));
  const auto sample = static_cast<int64_t>(index);
  // The target is a copy: a caller that changes it in place must not change the data set.
  return {image(sample).to(at::kFloat).div_(255), targets_[sample].clone()};
}

std::map<std::string, int64_t> ImageFileSet::class_to_idx() const {
  std::map<std::string, int64_t> index;
  for (size_t i = 0; i < class_names_->size(); ++i) {
    index[(*class_names_)[i]] = static_cast<int64_t>(i);
  }
  return index;
}

ImageFileSet ImageFileSet::select(const at::Tensor& index) const {
  check_indices(name_, "index", index, count());
  ImageFileSet view = *this;
  view.rows_ = rows_.defined() ? rows_.index_select(0, index) : index.clone();
  view.targets_ = targets_.index_select(0, index);
  return view;
}

}  // namespace optotorch
