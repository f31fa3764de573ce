#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/country211.h>
#include <optotorch/trainers/datasets/dtd.h>
#include <optotorch/trainers/datasets/fgvc_aircraft.h>
#include <optotorch/trainers/datasets/flowers102.h>
#include <optotorch/trainers/datasets/food101.h>
#include <optotorch/trainers/datasets/gtsrb.h>
#include <optotorch/trainers/datasets/image_folder.h>
#include <optotorch/trainers/datasets/imagenet.h>
#include <optotorch/trainers/datasets/imagenette.h>
#include <optotorch/trainers/datasets/load_file_sets.h>
#include <optotorch/trainers/datasets/oxford_iiit_pet.h>
#include <optotorch/trainers/datasets/rendered_sst2.h>

#include <filesystem>
#include <utility>

namespace optotorch {
namespace {

using Mode = ImageSet::Mode;
using LoadFileSet = ImageFileSet (*)(const std::string& root, bool train);

ImageFileSet load_image_folder(const std::string& root, bool train) {
  const std::filesystem::path folder(root);
  std::error_code ignored;
  const bool has_val = std::filesystem::is_directory(folder / "val", ignored);
  return ImageFolder(folder / (train ? "train" : has_val ? "val" : "test"));
}

/// By torchvision's words for the two splits.
template <typename Set>
ImageFileSet with_val(const std::string& root, bool train) {
  return Set(root, train ? "train" : "val");
}
template <typename Set>
ImageFileSet with_test(const std::string& root, bool train) {
  return Set(root, train ? "train" : "test");
}
template <typename Set>
ImageFileSet with_trainval(const std::string& root, bool train) {
  return Set(root, train ? "trainval" : "test");
}

const std::vector<std::pair<std::string, LoadFileSet>>& known_file_sets() {
  static const std::vector<std::pair<std::string, LoadFileSet>> known = {
      {"image-folder", load_image_folder},
      {"imagenet", with_val<ImageNet>},
      {"imagenette", with_val<Imagenette>},
      {"food101", with_test<Food101>},
      {"dtd", with_test<DTD>},
      {"flowers102", with_test<Flowers102>},
      {"oxford-iiit-pet", with_trainval<OxfordIIITPet>},
      {"fgvc-aircraft", with_trainval<FGVCAircraft>},
      {"country211", with_test<Country211>},
      {"rendered-sst2", with_test<RenderedSST2>},
      {"gtsrb", with_test<GTSRB>},
  };
  return known;
}

}  // namespace

std::vector<std::string> file_set_names() {
  std::vector<std::string> names;
  for (const auto& [name, load] : known_file_sets()) {
    names.push_back(name);
  }
  return names;
}

ImageFileSet load_file_set(const std::string& name, const std::string& root, Mode mode) {
  for (const auto& [known, load] : known_file_sets()) {
    if (known == name) {
      return load(root, mode == Mode::train);
    }
  }
  const auto names = file_set_names();
  const auto nearest = nearest_name(name, names);
  reject({.where = "load_file_set",
          .argument = "name",
          .expected = "one of " + c10::Join(", ", names),
          .got = "'" + name + "'",
          .remedy = nearest.empty() ? "" : "Did you mean '" + nearest + "'?"});
}

ImageFileSetPair load_file_sets(const std::string& name, const std::string& root) {
  ImageFileSetPair sets{load_file_set(name, root, Mode::train), load_file_set(name, root, Mode::test)};
  OPTOTORCH_CHECK(
      sets.train.class_names() == sets.test.class_names(), .where = sets.test.name(), .argument = "classes",
      .expected = c10::str("the ", sets.train.classes(), " classes of the training set"),
      .got = c10::str(sets.test.classes(), " classes, or others"), .remedy = "Give both the same folders");
  return sets;
}

}  // namespace optotorch
