#pragma once

#include <cstdio>
#include <string>

namespace optotorch::tools {

/// `value` as std::printf writes it in `format`, up to 63 characters.
inline std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// "97.31 %" of 0.9731.
inline std::string percent(double accuracy) {
  return formatted("%.2f %%", 100 * accuracy);
}

}  // namespace optotorch::tools
