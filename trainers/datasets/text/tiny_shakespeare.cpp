#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/data_files.h>
#include <optotorch/trainers/datasets/text/tiny_shakespeare.h>

#include <filesystem>
#include <optional>

namespace optotorch {
namespace {

namespace fs = std::filesystem;

std::string find_text(const std::string& root) {
  const fs::path usual = fs::path(root) / "tinyshakespeare";
  std::optional<std::string> unsound;
  for (const auto& folder : {usual.string(), root}) {
    const auto found = find_data_file(folder, "input.txt");
    if (found && is_data_file(*found)) {
      return *found;
    }
    unsound = unsound ? unsound : found;
  }
  if (unsound) {
    return *unsound;  // the reader says what is wrong with it
  }
  reject({.where = "TinyShakespeare",
          .argument = "root",
          .expected = c10::str("input.txt, plain or .gz, in ", usual.string(), " or in ", root),
          .got = "no such file",
          .remedy = "Get it from "
                    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/"
                    "input.txt"});
}

}  // namespace

TinyShakespeare::TinyShakespeare(const std::string& root, Mode mode)
    : Characters(read_characters(find_text(root)).part(mode)) {}

}  // namespace optotorch
