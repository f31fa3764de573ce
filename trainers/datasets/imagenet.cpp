#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/image_folders.h>
#include <optotorch/trainers/datasets/detail/list_files.h>
#include <optotorch/trainers/datasets/imagenet.h>

#include <filesystem>
#include <map>
#include <utility>

namespace optotorch {
namespace {

std::vector<std::string> names_in(const std::string& list, const std::vector<std::string>& wnids) {
  std::map<std::string, std::string> known;
  const auto lines = read_lines("ImageNet", list);
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto space = lines[i].find(' ');
    if (space == std::string::npos) {
      refuse_line("ImageNet", list, i + 1, "a WNID, a space and names", lines[i]);
    }
    known[lines[i].substr(0, space)] = lines[i].substr(space + 1);
  }
  std::vector<std::string> names;
  for (const auto& wnid : wnids) {
    OPTOTORCH_CHECK(known.contains(wnid), .where = "ImageNet", .argument = list,
                    .expected = "a line for each folder of a class", .got = "none for '" + wnid + "'");
    names.push_back(known[wnid]);
  }
  return names;
}

ImageFileSet read_imagenet(const std::string& root, const std::string& split) {
  check_choice("ImageNet", "split", split, {"train", "val"});
  const auto folder = join(root, {split});
  std::error_code error;
  const std::string unpack = "Unpack it with torchvision.datasets.ImageNet(root, split='" + split +
                             "'), from ILSVRC2012's archives in root";
  OPTOTORCH_CHECK(std::filesystem::is_directory(folder, error), .where = "ImageNet", .argument = "root",
                  .expected = "a folder " + folder, .got = "no such folder", .remedy = unpack);
  const auto set =
      read_dataset_folder("ImageNet", folder, DatasetFolderOptions().extensions(image_extensions()), unpack);
  const auto list = join(root, {"LOC_synset_mapping.txt"});
  return std::filesystem::exists(list, error)
             ? ImageFileSet("ImageNet", set.paths(), set.targets(), names_in(list, set.class_names()))
             : set;
}

}  // namespace

ImageNet::ImageNet(const std::string& root, const std::string& split)
    : ImageFileSet(read_imagenet(root, split)) {}

}  // namespace optotorch
