#pragma once

#include <sstream>
#include <string>
#include <vector>

namespace optotorch::tools {

/// "a,b": a and b.
inline std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) {
    parts.push_back(part);
  }
  return parts;
}

}  // namespace optotorch::tools
