#include <optotorch/trainers/datasets/detail/list_files.h>
#include <optotorch/trainers/datasets/fgvc_aircraft.h>

#include <map>
#include <utility>

namespace optotorch {
namespace {

ImageFileSet read_fgvc_aircraft(const std::string& root, const std::string& split,
                                const std::string& annotation_level) {
  check_choice("FGVCAircraft", "split", split, {"train", "val", "trainval", "test"});
  check_choice("FGVCAircraft", "annotation_level", annotation_level, {"variant", "family", "manufacturer"});
  check_folders("FGVCAircraft", {join(root, {"fgvc-aircraft-2013b"})}, "root");
  const auto data = join(root, {"fgvc-aircraft-2013b", "data"});
  const std::string plural = annotation_level == "family" ? "families" : annotation_level + "s";
  const auto classes = read_lines("FGVCAircraft", join(data, {plural + ".txt"}));
  std::map<std::string, int64_t> index;
  for (const auto& name : classes) {
    index[name] = static_cast<int64_t>(index.size());
  }
  const auto list = join(data, {"images_" + annotation_level + "_" + split + ".txt"});
  const auto lines = read_lines("FGVCAircraft", list);
  LabelledFiles files;
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto space = lines[i].find(' ');
    const auto known = space == std::string::npos ? index.end() : index.find(lines[i].substr(space + 1));
    if (known == index.end()) {
      refuse_line("FGVCAircraft", list, i + 1, "an image and one of " + plural + ".txt", lines[i]);
    }
    files.add(inside("FGVCAircraft", list, join(data, {"images"}), lines[i].substr(0, space) + ".jpg"),
              known->second);
  }
  return make_set("FGVCAircraft", std::move(files), classes, ImageFileMode::rgb);
}

}  // namespace

FGVCAircraft::FGVCAircraft(const std::string& root, const std::string& split,
                           const std::string& annotation_level)
    : ImageFileSet(read_fgvc_aircraft(root, split, annotation_level)) {}

}  // namespace optotorch
