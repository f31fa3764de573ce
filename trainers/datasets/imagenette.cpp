#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/class_folders.h>
#include <optotorch/trainers/datasets/detail/list_files.h>
#include <optotorch/trainers/datasets/imagenette.h>

#include <map>
#include <utility>

namespace optotorch {
namespace {

const std::map<std::string, std::string> imagenette_class_names = {
    {"n01440764", "tench, Tinca tinca"},
    {"n02102040", "English springer, English springer spaniel"},
    {"n02979186", "cassette player"},
    {"n03000684", "chain saw, chainsaw"},
    {"n03028079", "church, church building"},
    {"n03394916", "French horn, horn"},
    {"n03417042", "garbage truck, dustcart"},
    {"n03425413", "gas pump, gasoline pump, petrol pump, island dispenser"},
    {"n03445777", "golf ball"},
    {"n03888257", "parachute, chute"},
};

ImageFileSet read_imagenette(const std::string& root, const std::string& split, const std::string& size) {
  check_choice("Imagenette", "split", split, {"train", "val"});
  check_choice("Imagenette", "size", size, {"full", "320px", "160px"});
  const std::string part = size == "full" ? "" : size == "320px" ? "-320" : "-160";
  const auto folder = join(root, {"imagenette2" + part, split});
  check_folders("Imagenette", {folder}, "root, split='" + split + "', size='" + size + "'");
  const auto wnids = find_class_folders("Imagenette", folder);
  std::vector<std::string> names;
  for (const auto& wnid : wnids) {
    const auto known = imagenette_class_names.find(wnid);
    OPTOTORCH_CHECK(known != imagenette_class_names.end(), .where = "Imagenette", .argument = folder,
                    .expected = "the folders of its ten classes", .got = "'" + wnid + "'");
    names.push_back(known->second);
  }
  return make_set("Imagenette", list_class_files("Imagenette", folder, wnids, ends_in({".jpeg"})),
                  std::move(names), ImageFileMode::rgb);
}

}  // namespace

Imagenette::Imagenette(const std::string& root, const std::string& split, const std::string& size)
    : ImageFileSet(read_imagenette(root, split, size)) {}

}  // namespace optotorch
