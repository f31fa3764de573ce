#pragma once

#include <string>
#include <string_view>

namespace optotorch {

/// Foreign text as it may be shown: what a terminal or a log would obey instead of printing (control
/// characters, C1, marks of direction, separators of lines) and bytes that are no UTF-8 become `\x1b` or
/// `\u202e`, and of more than `most` characters the middle is left out.
std::string printable(std::string_view text, size_t most = 800);

}  // namespace optotorch
