#pragma once

// The files of a data set: where they lie, what to say if they do not, and the sums they are published with.

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch {

/// A folder that may hold the files of a set.
struct SetPlace {
  std::string folder;              ///< below the root, as torchvision names it; empty: the root itself
  std::vector<std::string> files;  ///< what it must hold
  std::string archive = {};        ///< what is published, which nobody has unpacked if it lies there alone
};

/// Where the files were found.
struct FoundSet {
  size_t place;        ///< which of the places
  std::string folder;  ///< the whole path
  std::string path(const std::string& file) const;
};

/// The first of the places, each below `root` or `root` itself, that holds all of its files. Throws
/// c10::ValueError if none does, which says what is missing, whether an archive lies there packed, and
/// `remedy`, a way to get the files ("Get them with torchvision.datasets. ...").
FoundSet find_set(const std::string& data_set, const std::string& root, const std::vector<SetPlace>& places,
                  const std::string& remedy);

/// A file and its published MD5.
struct PublishedSum {
  std::string file;
  std::string md5;
};

/// Finds the files as find_set does (place.files need not name them) and compares their sums. Throws
/// c10::ValueError for the first that is missing or another: its path, both sums, and `remedy`.
void verify_set(const std::string& data_set, const std::string& root, SetPlace place,
                const std::vector<PublishedSum>& sums, const std::string& remedy);

/// "0", "1", ..., `count` of them: names of classes that have no better ones.
std::vector<std::string> numbered_names(int64_t count);

/// The lines of a text file of at most 1 MiB, without their ends; empty lines at the end do not count.
/// Throws c10::ValueError if there is none, or if one is empty.
std::vector<std::string> read_names(const std::string& path);

}  // namespace optotorch
