#pragma once

// Texts of the tests: characters by number, and where the real one lies.

#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/text/characters.h>
#include <optotorch/trainers/datasets/text/utf8.h>
#include <support/idx_files.h>

#include <string>
#include <string_view>
#include <vector>

namespace optotorch::testing {

/// The characters by their code points.
inline std::string utf8(std::u32string_view code_points) {
  std::string text;
  for (const char32_t c : code_points) {
    append_code_point(text, c);
  }
  return text;
}

/// `count` characters, all distinct and in ascending order: character i has the number i.
inline Characters ascending(int64_t count) {
  std::u32string text;
  for (int64_t i = 0; i < count; ++i) {
    // From where characters take two bytes, past the surrogates.
    const auto c = static_cast<char32_t>(0x100 + i);
    text.push_back(c < 0xD800 ? c : c + 0x800);
  }
  return {"ascending", utf8(text)};
}

/// `count` letters from 'a' on, out of `distinct`, that do not repeat and of which some are frequent.
inline std::string babble(size_t count, size_t distinct) {
  std::string text;
  for (const uint8_t byte : noise(count)) {
    const size_t letter = byte % distinct;
    text.push_back(static_cast<char>('a' + letter * letter / distinct));
  }
  return text;
}

inline std::vector<int64_t> numbers(const at::Tensor& ids) {
  const auto dense = ids.contiguous();
  return {dense.const_data_ptr<int64_t>(), dense.const_data_ptr<int64_t>() + dense.numel()};
}

/// Where the data sets are that the repository does not hold.
inline const std::string shared_datasets = OPTOTORCH_SOURCE_DIR "/../shared/datasets";

}  // namespace optotorch::testing
