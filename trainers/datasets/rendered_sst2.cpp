#include <optotorch/trainers/datasets/detail/class_folders.h>
#include <optotorch/trainers/datasets/detail/list_files.h>
#include <optotorch/trainers/datasets/rendered_sst2.h>

#include <utility>

namespace optotorch {
namespace {

ImageFileSet read_rendered_sst2(const std::string& root, const std::string& split) {
  check_choice("RenderedSST2", "split", split, {"train", "val", "test"});
  const std::vector<std::string> classes{"negative", "positive"};
  const auto folder = join(root, {"rendered-sst2", split == "val" ? "valid" : split});
  check_folders("RenderedSST2", {join(folder, {classes[0]}), join(folder, {classes[1]})},
                "root, split='" + split + "'");
  return make_set("RenderedSST2", list_class_files("RenderedSST2", folder, classes, ends_in({"png"})),
                  classes, ImageFileMode::rgb);
}

}  // namespace

RenderedSST2::RenderedSST2(const std::string& root, const std::string& split)
    : ImageFileSet(read_rendered_sst2(root, split)) {}

}  // namespace optotorch
