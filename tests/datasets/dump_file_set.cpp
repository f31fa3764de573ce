// What sets of picture files hold, for folder_sets_test.py. Usage: dump_file_set
//
// Each line of the standard input is JSON, [NAME, ROOT, ARGUMENTS]: ARGUMENTS is an object by the names that
// torchvision gives to the constructor's; "decode": true asks for the images, too. A line of the standard
// output answers it: "classes", "paths", "targets" and, by "decode", "sizes" and "crc32" of [C, H, W]; or
// "error". One process for all of them, as it takes half a second to start.

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <optotorch/trainers/datasets/caltech101.h>
#include <optotorch/trainers/datasets/country211.h>
#include <optotorch/trainers/datasets/dtd.h>
#include <optotorch/trainers/datasets/eurosat.h>
#include <optotorch/trainers/datasets/fgvc_aircraft.h>
#include <optotorch/trainers/datasets/flowers102.h>
#include <optotorch/trainers/datasets/food101.h>
#include <optotorch/trainers/datasets/gtsrb.h>
#include <optotorch/trainers/datasets/image_folder.h>
#include <optotorch/trainers/datasets/imagenet.h>
#include <optotorch/trainers/datasets/imagenette.h>
#include <optotorch/trainers/datasets/omniglot.h>
#include <optotorch/trainers/datasets/oxford_iiit_pet.h>
#include <optotorch/trainers/datasets/rendered_sst2.h>
#include <zlib.h>

#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace optotorch {
namespace {

using nlohmann::json;

struct Arguments {
  json given;

  std::string text(const std::string& name, const std::string& otherwise) const {
    return given.value(name, otherwise);
  }
};

DatasetFolderOptions folder_options(const Arguments& arguments) {
  return DatasetFolderOptions()
      .allow_empty(arguments.given.value("allow_empty", false))
      .extensions(arguments.given.value("extensions", std::vector<std::string>{}));
}

using Maker = std::function<ImageFileSet(const std::string& root, const Arguments& arguments)>;

const std::map<std::string, Maker> makers = {
    {"DatasetFolder", [](const auto& root, const auto& a) { return DatasetFolder(root, folder_options(a)); }},
    {"ImageFolder", [](const auto& root, const auto& a) { return ImageFolder(root, folder_options(a)); }},
    {"Caltech101", [](const auto& root, const auto&) { return Caltech101(root); }},
    {"Country211",
     [](const auto& root, const auto& a) { return Country211(root, a.text("split", "train")); }},
    {"DTD",
     [](const auto& root, const auto& a) {
       return DTD(root, a.text("split", "train"), a.given.value("partition", int64_t{1}));
     }},
    {"EuroSAT", [](const auto& root, const auto&) { return EuroSAT(root); }},
    {"FGVCAircraft",
     [](const auto& root, const auto& a) {
       return FGVCAircraft(root, a.text("split", "trainval"), a.text("annotation_level", "variant"));
     }},
    {"Flowers102",
     [](const auto& root, const auto& a) { return Flowers102(root, a.text("split", "train")); }},
    {"Food101", [](const auto& root, const auto& a) { return Food101(root, a.text("split", "train")); }},
    {"GTSRB", [](const auto& root, const auto& a) { return GTSRB(root, a.text("split", "train")); }},
    {"ImageNet", [](const auto& root, const auto& a) { return ImageNet(root, a.text("split", "train")); }},
    {"Imagenette",
     [](const auto& root, const auto& a) {
       return Imagenette(root, a.text("split", "train"), a.text("size", "full"));
     }},
    {"Omniglot",
     [](const auto& root, const auto& a) { return Omniglot(root, a.given.value("background", true)); }},
    {"OxfordIIITPet",
     [](const auto& root, const auto& a) {
       return OxfordIIITPet(root, a.text("split", "trainval"), a.text("target_types", "category"));
     }},
    {"RenderedSST2",
     [](const auto& root, const auto& a) { return RenderedSST2(root, a.text("split", "train")); }},
};

json describe(const ImageFileSet& set, bool decode) {
  json result{{"classes", set.class_names()},
              {"paths", set.paths()},
              {"targets", std::vector<int64_t>(set.targets().const_data_ptr<int64_t>(),
                                               set.targets().const_data_ptr<int64_t>() + set.count())}};
  for (int64_t i = 0; decode && i < set.count(); ++i) {
    const at::Tensor image = set.image(i);
    result["sizes"].push_back(image.sizes().vec());
    result["crc32"].push_back(::crc32(0, image.const_data_ptr<uint8_t>(), static_cast<uInt>(image.numel())));
  }
  return result;
}

json run(const json& query) {
  try {
    const Arguments arguments{query.at(2)};
    return describe(makers.at(query.at(0))(query.at(1), arguments), arguments.given.value("decode", false));
  } catch (const c10::ValueError& error) {
    return {{"error", error.msg()}};
  }
}

}  // namespace
}  // namespace optotorch

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << optotorch::run(nlohmann::json::parse(line)).dump() << std::endl;
  }
  return 0;
}
