#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/mat_file.h>
#include <optotorch/trainers/datasets/detail/planes.h>
#include <optotorch/trainers/datasets/detail/set_files.h>
#include <optotorch/trainers/datasets/svhn.h>

namespace optotorch {
namespace {

std::string file_of(SVHN::Split split) {
  return to_string(split) + "_32x32.mat";
}

std::string remedy_of(SVHN::Split split) {
  return "Get it with torchvision.datasets.SVHN(root, split='" + to_string(split) + "', download=True)";
}

ImageSet read_split(const std::string& root, SVHN::Split split) {
  const auto found = find_set("SVHN", root, {{"", {file_of(split)}}}, remedy_of(split));
  return read_svhn(open_regular_file(found.path(file_of(split)), "data"));
}

}  // namespace

ImageSet read_svhn(InputFile file) {
  const std::string path = file.name();
  auto variables = read_mat(std::move(file), {"X", "y"});
  const at::Tensor& x = variables.at("X");
  const at::Tensor& y = variables.at("y");
  constexpr auto remedy = "The file is damaged or belongs to another data set";
  OPTOTORCH_CHECK(x.scalar_type() == at::kByte && x.dim() == 4 && x.size(0) == 32 && x.size(1) == 32 &&
                      x.size(2) == 3 && x.size(3) >= 1,
                  .where = path, .argument = "'X'", .expected = "uint8 [32, 32, 3, N]", .got = describe(x),
                  .remedy = remedy);
  OPTOTORCH_CHECK(y.numel() == x.size(3), .where = path, .argument = "'y'",
                  .expected = c10::str("a label for each of ", x.size(3), " images"), .got = describe(y),
                  .remedy = remedy);
  at::Tensor labels = y.reshape(-1).to(at::kDouble);
  const bool sound =
      labels.floor().eq(labels).logical_and_(labels.ge(0)).logical_and_(labels.le(10)).all().item<bool>();
  OPTOTORCH_CHECK(sound, .where = path, .argument = "'y'",
                  .expected = "labels from 1 to 10, of which 10 means 0", .got = "others", .remedy = remedy);
  labels = labels.to(at::kLong);
  labels.masked_fill_(labels.eq(10), 0);
  // Columns first: in memory it is [N, 3, column, row].
  at::Tensor images = x.permute({3, 2, 1, 0});
  transpose_planes(images);
  return {"SVHN", images, labels, numbered_names(10)};
}

SVHN::SVHN(const std::string& root, Split split) : ImageSet(read_split(root, split)) {}

SVHN::SVHN(const std::string& root, Mode mode)
    : SVHN(root, mode == Mode::train ? Split::train : Split::test) {}

void SVHN::verify(const std::string& root, Split split) {
  std::string sum = "e26dedcc434d2e4c54c9b2d4a06d8373";
  if (split != Split::train) {
    sum = split == Split::test ? "eb5a983be6a315427106f1b164d9cef3" : "a93ce644f1a588dc4d68dda5feec44a7";
  }
  verify_set("SVHN", root, {}, {{file_of(split), sum}}, remedy_of(split));
}

std::string to_string(SVHN::Split split) {
  switch (split) {
    case SVHN::Split::train:
      return "train";
    case SVHN::Split::test:
      return "test";
    case SVHN::Split::extra:
      break;
  }
  return "extra";
}

}  // namespace optotorch
