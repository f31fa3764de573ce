#pragma once

// A dictionary of arrays, numbers and texts in a pickle of Python, without Python: nothing in it is called.

#include <ATen/core/Tensor.h>
#include <optotorch/core/input_file.h>
#include <optotorch/modules/export/detail/pickle.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace optotorch {

/// What `pickle.dump({"data": array, "labels": [3, 1], "names": ["cat"]}, file, protocol)` writes, protocols 2
/// to 4, as Python 2 or Python 3 with numpy of any version wrote it. A string of Python 2, bytes and a text
/// are the same as a key and as a text.
class PythonDictionary {
 public:
  /// Reads all of the file, of at most 1 GiB. Throws c10::ValueError, which names the file, if it is no such
  /// pickle, ends early, holds any instruction but those of plain values, or names any class or function but
  /// those by which numpy writes an array.
  explicit PythonDictionary(InputFile file);

  bool has(std::string_view key) const;

  /// The uint8 array `key`, copied. This and the next two throw c10::ValueError if the key is missing, stands
  /// there twice, or is something else.
  at::Tensor bytes(std::string_view key) const;

  /// The list of whole numbers `key`, int64 [N].
  at::Tensor whole_numbers(std::string_view key) const;

  /// The list of texts `key`.
  std::vector<std::string> texts(std::string_view key) const;

 private:
  using Value = Pickle::Value;
  using Kind = Pickle::Kind;

  const Value& at(std::string_view key) const;
  const Value& list_at(std::string_view key) const;
  bool calls(const Value& value, std::string_view function) const;
  [[noreturn]] void refuse(std::string_view key, const std::string& expected, const std::string& got) const;

  std::string path_;
  Pickle pickle_;
};

}  // namespace optotorch
