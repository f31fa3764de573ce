#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/set_files.h>
#include <optotorch/trainers/datasets/detail/stl10_files.h>
#include <optotorch/trainers/datasets/stl10.h>

namespace optotorch {
namespace {

constexpr auto stl10_remedy = "Get them with torchvision.datasets.STL10(root, download=True)";
constexpr auto stl10_folder = "stl10_binary", stl10_archive = "stl10_binary.tar.gz";

bool takes_training(STL10::Split split) {
  return split == STL10::Split::train || split == STL10::Split::train_unlabeled;
}

bool takes_unlabeled(STL10::Split split) {
  return split == STL10::Split::unlabeled || split == STL10::Split::train_unlabeled;
}

std::vector<std::string> stl10_files(STL10::Split split, std::optional<int64_t> fold) {
  std::vector<std::string> files = {"class_names.txt"};
  if (!takes_unlabeled(split) || takes_training(split)) {
    const std::string part = takes_training(split) ? "train" : "test";
    files.insert(files.end(), {part + "_X.bin", part + "_y.bin"});
  }
  if (takes_unlabeled(split)) {
    files.emplace_back("unlabeled_X.bin");
  }
  if (fold) {
    files.emplace_back("fold_indices.txt");
  }
  return files;
}

ImageSet read_stl10(const std::string& root, STL10::Split split, std::optional<int64_t> fold) {
  OPTOTORCH_CHECK(!fold || (*fold >= 0 && *fold < 10), .where = "STL10", .argument = "fold",
                  .expected = "0 to 9", .got = c10::str(*fold));
  OPTOTORCH_CHECK(!fold || takes_training(split), .where = "STL10", .argument = "fold",
                  .expected = "none for '" + to_string(split) + "'", .got = c10::str(*fold),
                  .remedy = "Folds divide the training images");
  const auto found =
      find_set("STL10", root, {{stl10_folder, stl10_files(split, fold), stl10_archive}}, stl10_remedy);
  const auto file = [&](const std::string& name) { return open_regular_file(found.path(name), "data"); };
  const auto names = read_names(found.path("class_names.txt"));
  std::vector<at::Tensor> images, targets;
  if (split != STL10::Split::unlabeled) {
    const std::string part = takes_training(split) ? "train" : "test";
    targets.push_back(read_stl10_labels(file(part + "_y.bin"), static_cast<int64_t>(names.size())));
    images.push_back(read_stl10_images(file(part + "_X.bin")));
    OPTOTORCH_CHECK(images[0].size(0) == targets[0].size(0), .where = found.path(part + "_y.bin"),
                    .argument = "labels",
                    .expected = c10::str("one for each of ", images[0].size(0), " images"),
                    .got = c10::str(targets[0].size(0)),
                    .remedy = "The two files do not belong together; fetch them again");
  }
  if (fold) {
    const auto index = read_stl10_fold(file("fold_indices.txt"), *fold, images[0].size(0));
    images[0] = images[0].index_select(0, index);
    targets[0] = targets[0].index_select(0, index);
  }
  if (takes_unlabeled(split)) {
    images.push_back(read_stl10_images(file("unlabeled_X.bin")));
    targets.push_back(at::full({images.back().size(0)}, ImageSet::no_label, at::kLong));
  }
  return {"STL10", images.size() == 1 ? images[0] : at::cat(images), at::cat(targets), names,
          takes_unlabeled(split) ? ImageSet::Labels::some : ImageSet::Labels::all};
}

}  // namespace

STL10::STL10(const std::string& root, Split split, std::optional<int64_t> fold)
    : ImageSet(read_stl10(root, split, fold)) {}

STL10::STL10(const std::string& root, Mode mode)
    : STL10(root, mode == Mode::train ? Split::train : Split::test) {}

void STL10::verify(const std::string& root) {
  verify_set("STL10", root, {stl10_folder, {}, stl10_archive},
             {{"train_X.bin", "918c2871b30a85fa023e0c44e0bee87f"},
              {"train_y.bin", "5a34089d4802c674881badbb80307741"},
              {"unlabeled_X.bin", "5242ba1fed5e4be9e1e742405eb56ca4"},
              {"test_X.bin", "7f263ba9f9e0b06b93213547f721ac82"},
              {"test_y.bin", "36f9794fa4beb8a2c72628de14fa638e"}},
             stl10_remedy);
}

std::string to_string(STL10::Split split) {
  switch (split) {
    case STL10::Split::train:
      return "train";
    case STL10::Split::test:
      return "test";
    case STL10::Split::unlabeled:
      return "unlabeled";
    case STL10::Split::train_unlabeled:
      break;
  }
  return "train+unlabeled";
}

}  // namespace optotorch
