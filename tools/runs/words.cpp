#include "runs/words.h"

#include <optotorch/core/check.h>

#include <algorithm>
#include <cctype>
#include <sstream>

namespace optotorch::tools {

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) {
    parts.push_back(part);
  }
  return parts;
}

std::string shell_word(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char letter) {
    return std::isalnum(letter) != 0 ||
           std::string("_-+=/.,:@%").find(static_cast<char>(letter)) != std::string::npos;
  });
  if (plain) {
    return word;
  }
  std::string quoted = "'";
  for (const char letter : word) {
    quoted += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  }
  return quoted + "'";
}

void reject_word(const std::string& where, const std::string& argument, const std::string& word,
                 const std::vector<std::string>& known) {
  const auto nearest = nearest_name(word, known);
  reject({.where = where,
          .argument = argument,
          .expected = known.empty() ? "none" : "one of " + c10::Join(", ", known),
          .got = "'" + word + "'",
          .remedy = nearest.empty() ? "" : "Did you mean '" + nearest + "'?"});
}

void require_word(const std::string& where, const std::string& argument, const std::string& word,
                  const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), word) == known.end()) {
    reject_word(where, argument, word, known);
  }
}

}  // namespace optotorch::tools
