#pragma once

// Writes .npy files, sound and broken ones, with nothing of the code under test.

#include <ATen/ATen.h>
#include <support/temporary_folder.h>

#include <string>

namespace optotorch::testing {

/// All of a file before its data.
inline Bytes npy_header(const std::string& header, int version = 1) {
  Bytes bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', static_cast<uint8_t>(version), 0};
  for (int byte = 0; byte < (version == 1 ? 2 : 4); ++byte) {
    bytes.push_back(static_cast<uint8_t>(header.size() >> (8 * byte)));
  }
  bytes.insert(bytes.end(), header.begin(), header.end());
  return bytes;
}

/// A file with the data of `tensor` behind that header.
inline Bytes npy(const at::Tensor& tensor, const std::string& header, int version = 1) {
  auto bytes = npy_header(header, version);
  const auto data = tensor.contiguous();
  const auto* begin = static_cast<const uint8_t*>(data.const_data_ptr());
  bytes.insert(bytes.end(), begin, begin + data.nbytes());
  return bytes;
}

/// As numpy.save writes a float32 or float64 array.
inline Bytes npy(const at::Tensor& tensor) {
  std::string shape;
  for (const int64_t size : tensor.sizes()) {
    shape += std::to_string(size) + (tensor.dim() == 1 ? "," : ", ");
  }
  const std::string type = tensor.scalar_type() == at::kDouble ? "<f8" : "<f4";
  return npy(tensor, "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }\n");
}

}  // namespace optotorch::testing
