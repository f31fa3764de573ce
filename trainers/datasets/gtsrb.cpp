#include <optotorch/trainers/datasets/detail/image_folders.h>
#include <optotorch/trainers/datasets/detail/list_files.h>
#include <optotorch/trainers/datasets/gtsrb.h>

#include <algorithm>
#include <utility>

namespace optotorch {
namespace {

constexpr int64_t signs = 43;

std::vector<std::string> gtsrb_class_names() {
  std::vector<std::string> names;
  for (int64_t sign = 0; sign < signs; ++sign) {
    const auto number = std::to_string(sign);
    names.push_back(std::string(5 - number.size(), '0') + number);
  }
  return names;
}

LabelledFiles read_list(const std::string& list, const std::string& folder) {
  const auto lines = read_lines("GTSRB", list);
  const auto head = split_at(lines.empty() ? "" : lines[0], ';');
  const auto file_at = static_cast<size_t>(std::find(head.begin(), head.end(), "Filename") - head.begin());
  const auto class_at = static_cast<size_t>(std::find(head.begin(), head.end(), "ClassId") - head.begin());
  if (file_at == head.size() || class_at == head.size()) {
    refuse_line("GTSRB", list, 1, "columns with Filename and ClassId among them",
                lines.empty() ? "" : lines[0]);
  }
  LabelledFiles files;
  for (size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) {
      continue;
    }
    const auto values = split_at(lines[i], ';');
    if (values.size() != head.size()) {
      refuse_line("GTSRB", list, i + 1, c10::str(head.size(), " values"), lines[i]);
    }
    const int64_t sign = number_of("GTSRB", list, i + 1, values[class_at]);
    if (sign < 0 || sign >= signs) {
      refuse_line("GTSRB", list, i + 1, c10::str("a class from 0 to ", signs - 1), values[class_at]);
    }
    files.add(inside("GTSRB", list, folder, values[file_at]), sign);
  }
  return files;
}

ImageFileSet read_gtsrb(const std::string& root, const std::string& split) {
  check_choice("GTSRB", "split", split, {"train", "test"});
  const bool train = split == "train";
  const auto folder = join(root, {"gtsrb", "GTSRB", train ? "Training" : "Final_Test/Images"});
  check_folders("GTSRB", {folder}, "root, split='" + split + "'");
  if (train) {
    return read_dataset_folder("GTSRB", folder, DatasetFolderOptions().extensions({".ppm"}));
  }
  auto files = read_list(join(root, {"gtsrb", "GT-final_test.csv"}), folder);
  return make_set("GTSRB", std::move(files), gtsrb_class_names(), ImageFileMode::rgb);
}

}  // namespace

GTSRB::GTSRB(const std::string& root, const std::string& split) : ImageFileSet(read_gtsrb(root, split)) {}

}  // namespace optotorch
