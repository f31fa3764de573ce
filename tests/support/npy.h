#pragma once

// A strict reader of .npy files that hold little-endian float64 in C order.

#include <ATen/ATen.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace optotorch::testing {

/// Throws std::runtime_error for anything but a sound file of that kind, to the last byte.
inline at::Tensor read_npy(const std::string& path) {
  const auto require = [&path](bool condition, const std::string& what) {
    if (!condition) {
      throw std::runtime_error(path + ": " + what);
    }
  };
  std::ifstream file(path, std::ios::binary);
  require(file.good(), "cannot be read");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  require(bytes.size() >= 10 && bytes.compare(0, 6, "\x93NUMPY") == 0, "no .npy file");
  require(bytes[6] == 1 && bytes[7] == 0, "expected version 1.0");
  const size_t length = static_cast<uint8_t>(bytes[8]) + 256U * static_cast<uint8_t>(bytes[9]);
  require(bytes.size() >= 10 + length, "the header is cut short");
  const std::string header = bytes.substr(10, length);
  require(header.find("'descr': '<f8'") != std::string::npos, "expected '<f8' in " + header);
  require(header.find("'fortran_order': False") != std::string::npos, "expected C order in " + header);
  const size_t open = header.find("'shape': ("), close = header.find(')', open);
  require(open != std::string::npos && close != std::string::npos, "no shape in " + header);
  std::vector<int64_t> shape;
  int64_t count = 1;
  for (size_t at = open + 10; at < close;) {
    size_t used = 0;
    shape.push_back(std::stoll(header.substr(at, close - at), &used));
    count *= shape.back();
    at = header.find_first_not_of(", ", at + used);
  }
  require(bytes.size() == 10 + length + 8 * static_cast<size_t>(count), "another size than the header says");
  auto tensor = at::empty(shape, at::kDouble);
  std::memcpy(tensor.mutable_data_ptr(), bytes.data() + 10 + length, 8 * static_cast<size_t>(count));
  return tensor;
}

}  // namespace optotorch::testing
