#pragma once

// Where the file of a data set may lie, and under which name.

#include <optional>
#include <string>

namespace optotorch {

/// The file `name` in `folder`, plain or with .gz behind it. Unpackers and sites leave variants of such
/// names, which are taken as well: `train-images.idx3-ubyte` for `train-images-idx3-ubyte`, and a folder of
/// the name that holds the file of that name.
///
/// A regular file that is not empty comes before everything else of those names, such as an empty file that a
/// broken download left beside the packed one. Only if there is none, what else is there; empty if nothing
/// is.
std::optional<std::string> find_data_file(const std::string& folder, const std::string& name);

/// True if that is a regular file with something in it.
bool is_data_file(const std::string& path);

}  // namespace optotorch
