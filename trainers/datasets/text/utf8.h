#pragma once

// Characters as bytes: UTF-8 (RFC 3629).

#include <cstddef>
#include <string>
#include <string_view>

namespace optotorch {

/// The character that begins at byte `position` of `text`, as its code point; `position` moves behind it.
/// position < text.size().
///
/// Throws c10::ValueError, which says what is wrong at which byte (counted from 0), unless it is the shortest
/// encoding of a code point from U+0000 to U+10FFFF that is no surrogate. `where` and `argument` are what the
/// error calls the text.
char32_t read_code_point(std::string_view text, size_t& position, const std::string& where,
                         const std::string& argument);

/// Appends a code point, which read_code_point gave, in UTF-8.
void append_code_point(std::string& text, char32_t code_point);

}  // namespace optotorch
