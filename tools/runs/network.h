#pragma once

// Networks that the program trains: files of networks/, by name, and the user's own, by path.

#include <optotorch/modules/describe.h>

#include <string>
#include <vector>

#include "runs/training.h"

namespace optotorch::tools {

/// A network's file: what it is (describe.h) and how it is trained.
///
///     {"format": "optotorch-network-1", "description": "...", "layers": [...], "training": {...}}
///
/// Whole numbers in `layers` may be words: classes (of a text: its characters), channels, height, width and
/// pixels of an image, context of a text.
struct Network {
  std::string name;         ///< as it was asked for: "mnist-hybrid", or a path
  std::string description;  ///< for people
  std::string text;         ///< the file
  Training training = {};

  /// With initial weights of its own. Throws c10::ValueError, naming the network and the place.
  Hybrid make(const Sizes& sizes) const;
};

/// The network of that name, or in that file, a path with a slash or the ending .json. Throws c10::ValueError
/// that names the nearest name, for a file that cannot be read, and for one that is damaged.
Network find_network(const std::string& name);

/// True if the name is a path.
bool is_path(const std::string& network);

/// One that is read from `path` and called `name`.
Network read_network(const std::string& path, const std::string& name);

/// Names of those that are installed, in alphabetical order.
std::vector<std::string> network_names();

/// The folder that they lie in: share/optotorch/networks beside the program's own.
std::string networks_folder();
/// Where they and the table of components lie.
std::string share_folder();

}  // namespace optotorch::tools
