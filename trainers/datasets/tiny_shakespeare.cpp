#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/tiny_shakespeare.h>

#include <filesystem>

namespace optotorch {
namespace {

namespace fs = std::filesystem;

std::string find_text(const std::string& root) {
  const fs::path usual = fs::path(root) / "tinyshakespeare";
  std::error_code error;  // a folder that may not be read counts as one that holds nothing
  for (const fs::path& folder : {usual, fs::path(root)}) {
    for (const auto* name : {"input.txt", "input.txt.gz"}) {
      if (fs::exists(folder / name, error)) {
        return (folder / name).string();
      }
    }
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
