#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/input_file.h>
#include <optotorch/trainers/datasets/detail/list_files.h>
#include <optotorch/trainers/datasets/detail/mat_file.h>
#include <optotorch/trainers/datasets/flowers102.h>

#include <utility>

namespace optotorch {
namespace {

/// By number; clang-format would give each a line of its own.
// clang-format off
const std::vector<std::string> flower_names = {
    "pink primrose", "hard-leaved pocket orchid", "canterbury bells", "sweet pea", "english marigold",
    "tiger lily", "moon orchid", "bird of paradise", "monkshood", "globe thistle", "snapdragon",
    "colt's foot", "king protea", "spear thistle", "yellow iris", "globe-flower", "purple coneflower",
    "peruvian lily", "balloon flower", "giant white arum lily", "fire lily", "pincushion flower",
    "fritillary", "red ginger", "grape hyacinth", "corn poppy", "prince of wales feathers",
    "stemless gentian", "artichoke", "sweet william", "carnation", "garden phlox", "love in the mist",
    "mexican aster", "alpine sea holly", "ruby-lipped cattleya", "cape flower", "great masterwort",
    "siam tulip", "lenten rose", "barbeton daisy", "daffodil", "sword lily", "poinsettia", "bolero deep blue",
    "wallflower", "marigold", "buttercup", "oxeye daisy", "common dandelion", "petunia", "wild pansy",
    "primula", "sunflower", "pelargonium", "bishop of llandaff", "gaura", "geranium", "orange dahlia",
    "pink-yellow dahlia?", "cautleya spicata", "japanese anemone", "black-eyed susan", "silverbush",
    "californian poppy", "osteospermum", "spring crocus", "bearded iris", "windflower", "tree poppy",
    "gazania", "azalea", "water lily", "rose", "thorn apple", "morning glory", "passion flower", "lotus",
    "toad lily", "anthurium", "frangipani", "clematis", "hibiscus", "columbine", "desert-rose", "tree mallow",
    "magnolia", "cyclamen", "watercress", "canna lily", "hippeastrum", "bee balm", "ball moss", "foxglove",
    "bougainvillea", "camellia", "mallow", "mexican petunia", "bromelia", "blanket flower", "trumpet creeper",
    "blackberry lily"};
// clang-format on

/// The numbers of a variable, as int64 [N].
at::Tensor read_numbers(const std::string& path, const std::string& name) {
  const auto variables = read_mat(open_regular_file(path, "Flowers102"), {name});
  const at::Tensor numbers = variables.at(name).reshape({-1}).to(at::kLong);
  OPTOTORCH_CHECK(numbers.numel() > 0, .where = "Flowers102", .argument = path,
                  .expected = "numbers in " + name, .got = "none");
  return numbers;
}

void check_flower_range(const std::string& path, const std::string& what, const at::Tensor& numbers,
                        int64_t most) {
  const auto [least, greatest] = numbers.aminmax();
  const auto low = least.item<int64_t>(), high = greatest.item<int64_t>();
  OPTOTORCH_CHECK(low >= 1 && high <= most, .where = "Flowers102", .argument = path,
                  .expected = c10::str(what, " from 1 to ", most), .got = c10::str(low < 1 ? low : high),
                  .remedy = "The file is damaged; fetch it again");
}

ImageFileSet read_flowers102(const std::string& root, const std::string& split) {
  check_choice("Flowers102", "split", split, {"train", "val", "test"});
  const auto base = join(root, {"flowers-102"}), images = join(base, {"jpg"});
  check_folders("Flowers102", {images}, "root");
  const auto ids_file = join(base, {"setid.mat"}), labels_file = join(base, {"imagelabels.mat"});
  const at::Tensor labels = read_numbers(labels_file, "labels");
  check_flower_range(labels_file, "labels", labels, static_cast<int64_t>(flower_names.size()));
  const at::Tensor ids = read_numbers(ids_file, split == "train" ? "trnid"
                                                : split == "val" ? "valid"
                                                                 : "tstid");
  check_flower_range(ids_file, "numbers of images", ids, labels.numel());
  LabelledFiles files;
  for (int64_t i = 0; i < ids.numel(); ++i) {
    const int64_t id = ids.const_data_ptr<int64_t>()[i];
    const auto number = std::to_string(id);
    const std::string zeros(number.size() < 5 ? 5 - number.size() : 0, '0');
    files.add(join(images, {"image_" + zeros + number + ".jpg"}),
              labels.const_data_ptr<int64_t>()[id - 1] - 1);
  }
  return make_set("Flowers102", std::move(files), flower_names, ImageFileMode::rgb);
}

}  // namespace

Flowers102::Flowers102(const std::string& root, const std::string& split)
    : ImageFileSet(read_flowers102(root, split)) {}

}  // namespace optotorch
