#pragma once

#include <functional>
#include <string>

namespace optotorch {

/// Calls `write` with the name of a temporary file beside `path`, flushes that file to disk and renames it to
/// `path`: whoever reads `path` sees the old file or the new one, whole. If anything fails the temporary file
/// is removed, `path` is untouched, and c10::ValueError names the folder and the reason. A symbolic link is
/// followed; what is no file, a device or a pipe, is not replaced.
void write_atomically(const std::string& path,
                      const std::function<void(const std::string& temporary)>& write);

/// The same for text.
void write_text_atomically(const std::string& path, const std::string& text);

}  // namespace optotorch
