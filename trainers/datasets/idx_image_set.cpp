#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/data_files.h>
#include <optotorch/trainers/datasets/idx.h>
#include <optotorch/trainers/datasets/idx_image_set.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

namespace optotorch {
namespace {

namespace fs = std::filesystem;

bool holds_idx_files(const fs::path& folder) {
  std::error_code error;  // a folder that may not be read counts as one that holds nothing
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto name = entry.path().filename().string();
    if (name.find("-idx") != std::string::npos || name.find(".idx") != std::string::npos) {
      return true;
    }
  }
  return false;
}

std::pair<std::string, std::string> find_files(const std::string& root, const IdxImageFiles& files) {
  const fs::path set = fs::path(root) / files.data_set;
  std::vector<std::string> folders{(set / "raw").string(), set.string(), (fs::path(root) / "raw").string(),
                                   root};
  const std::string own =
      c10::str(c10::Join(", ", std::vector(folders.begin(), folders.end() - 1)), " or ", root);
  // Not where the user has another part: the two might not belong together.
  if (!files.system_folder.empty() && std::none_of(folders.begin(), folders.end(), holds_idx_files)) {
    folders.push_back(files.system_folder);
  }
  std::optional<std::pair<std::string, std::string>> unsound;
  for (const auto& folder : folders) {
    const auto images = find_data_file(folder, files.images), labels = find_data_file(folder, files.labels);
    if (!images || !labels) {
      continue;
    }
    if (is_data_file(*images) && is_data_file(*labels)) {
      return {*images, *labels};
    }
    if (!unsound) {
      unsound = {*images, *labels};
    }
  }
  if (unsound) {
    return *unsound;  // the reader says what is wrong with them
  }
  reject({.where = files.data_set,
          .argument = "root",
          .expected = c10::str(files.images, " and ", files.labels, ", plain or .gz, in ", own,
                               files.system_folder.empty() ? "" : ", or in " + files.system_folder),
          .got = "no such pair of files",
          .remedy = c10::str("Get them with ", files.download)});
}

at::Tensor read_images(const std::string& path) {
  const at::Tensor images = read_idx(path);
  OPTOTORCH_CHECK(
      images.scalar_type() == at::kByte && images.dim() == 3 && images.size(1) == 28 && images.size(2) == 28,
      .where = path, .argument = "images", .expected = "uint8 [N, 28, 28]", .got = describe(images),
      .remedy = images.dim() < 3 ? "This looks like a file of labels: are two files swapped?" : "");
  return images.unsqueeze(1);
}

at::Tensor read_labels(const std::string& path, const IdxImageFiles& files) {
  const at::Tensor labels = read_idx(path);
  const int64_t columns = files.label_columns;
  const bool sound = columns == 0
                         ? labels.scalar_type() == at::kByte && labels.dim() == 1
                         : labels.scalar_type() == at::kInt && labels.dim() == 2 && labels.size(1) == columns;
  OPTOTORCH_CHECK(
      sound, .where = path, .argument = "labels",
      .expected = columns == 0 ? std::string("uint8 [N]") : c10::str("int32 [N, ", columns, "]"),
      .got = describe(labels),
      .remedy = labels.dim() > 2 ? "This looks like a file of images: are two files swapped?" : "");
  const at::Tensor targets = (columns == 0 ? labels : labels.select(1, 0)).to(at::kLong);
  const auto [least, most] = targets.aminmax();
  const auto low = least.item<int64_t>();
  const auto high = most.item<int64_t>();
  const auto classes = static_cast<int64_t>(files.class_names.size());
  OPTOTORCH_CHECK(low >= files.first_label && high < classes, .where = path, .argument = "labels",
                  .expected = c10::str("values from ", files.first_label, " to ", classes - 1),
                  .got = c10::str(low < files.first_label ? low : high),
                  .remedy = "The file is damaged or belongs to another data set");
  return targets;
}

}  // namespace

ImageSet read_idx_image_set(const std::string& root, const IdxImageFiles& files) {
  const auto [images_path, labels_path] = find_files(root, files);
  // The labels first: they are small, and as likely to be wrong.
  at::Tensor targets = read_labels(labels_path, files);
  at::Tensor images = read_images(images_path);
  OPTOTORCH_CHECK(images.size(0) == targets.size(0), .where = images_path, .argument = "images",
                  .expected = c10::str(targets.size(0), ", as many as ", labels_path, " has labels"),
                  .got = std::to_string(images.size(0)),
                  .remedy = "The two files do not belong together; fetch them again");
  return {files.data_set, std::move(images), std::move(targets), files.class_names};
}

IdxImageFiles classic_files(const std::string& data_set, ImageSet::Mode mode,
                            std::vector<std::string> class_names) {
  const std::string part = mode == ImageSet::Mode::train ? "train" : "t10k";
  return {.data_set = data_set,
          .images = part + "-images-idx3-ubyte",
          .labels = part + "-labels-idx1-ubyte",
          .class_names = std::move(class_names),
          .download = c10::str("torchvision.datasets.", data_set, "(root, download=True)")};
}

std::vector<std::string> digit_names() {
  return {"0 - zero", "1 - one", "2 - two",   "3 - three", "4 - four",
          "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine"};
}

}  // namespace optotorch
