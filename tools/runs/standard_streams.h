#pragma once

#include <string>

namespace optotorch::tools {

/// Opens /dev/null on those of standard input, output and error that are closed. Otherwise the next file or
/// socket that is opened becomes one of them, and what is printed goes into it.
void open_standard_streams();

/// Writes a line for whoever looks at it, and never waits: where no reader has room for it at once, or none
/// is left (SIGPIPE is to be ignored), it is dropped.
void write_line_or_drop(int descriptor, const std::string& line);

}  // namespace optotorch::tools
