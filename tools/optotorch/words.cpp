#include "optotorch/words.h"

#include <optotorch/core/check.h>

#include <algorithm>
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

void reject_word(const char* where, const char* argument, const std::string& word,
                 const std::vector<std::string>& known) {
  reject({.where = where,
          .argument = argument,
          .expected = "one of " + c10::Join(", ", known),
          .got = "'" + word + "'",
          .remedy = "The nearest is '" + nearest_name(word, known) + "'"});
}

void require_word(const char* where, const char* argument, const std::string& word,
                  const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), word) == known.end()) {
    reject_word(where, argument, word, known);
  }
}

}  // namespace optotorch::tools
