#pragma once

// Chips and imperfections as a file's metadata and tensors, under names with a common beginning.

#include <ATen/core/Tensor.h>
#include <optotorch/core/input_file.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/laboratory/chips/built_stage.h>
#include <optotorch/modules/laboratory/chips/chip.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace optotorch {

/// The shortest text that gives back the same bits, in any locale.
template <typename Number>
std::string to_text(Number value) {
  std::array<char, 64> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

/// A file's content, taken away piece by piece: the rest was not expected. Errors name `where`, the file and
/// `writer`, the function that writes such files. Throws c10::ValueError.
class FileValues {
 public:
  FileValues(InputFile file, std::string where, std::string writer);

  std::string text(const std::string& name);
  double real(const std::string& name);
  int64_t integer(const std::string& name);
  at::Tensor tensor(const std::string& name);

  /// All tensors whose names begin so, by the rest of their names.
  std::map<std::string, at::Tensor> tensors(const std::string& beginning);

  /// Throws unless the metadata says this format.
  void expect_format(const std::string& format);

  /// Calls take("chip0/"), take("chip1/"), ... for a `kind` "chip", as often as the metadata says under "chips":
  /// once or more. Nothing may be left. What it throws says which one it was.
  void take_each(const std::string& kind, const std::function<void(const std::string& in)>& take);

  [[noreturn]] void reject(const std::string& expected, const std::string& got) const;

 private:
  template <typename Number>
  Number number(const std::string& name);

  void expect_nothing_more() const;

  std::string path_, where_, writer_;
  SafeTensors content_;
};

void put_chip(SafeTensors& content, const std::string& in, const Chip& chip);
Chip take_chip(FileValues& values, const std::string& in);

/// What BuiltStage::save wrote.
std::shared_ptr<BuiltStage> take_stage(FileValues& values, const std::string& in);

/// All imperfections, or those that meshes have.
void put_imperfections(SafeTensors& content, const std::string& in, Imperfections imperfections,
                       bool of_meshes);
Imperfections take_imperfections(FileValues& values, const std::string& in, bool of_meshes);

}  // namespace optotorch
