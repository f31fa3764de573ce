#pragma once

// Targets for fuzzing: every reader of bytes that somebody else may have written.

#include <c10/util/Exception.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace optotorch::fuzz {

/// A reader, as libFuzzer would call it.
struct Target {
  std::string name;
  /// The signature of LLVMFuzzerTestOneInput. It returns 0, whether the bytes were accepted or refused with
  /// c10::ValueError. Anything else, another exception, a signal or a sanitiser's complaint, is a finding.
  int (*run)(const uint8_t* data, size_t size);
  /// Valid inputs, made by the code itself, from which the others are bred.
  std::vector<std::string> (*seeds)();
  /// What the format is made of, to be put anywhere.
  std::vector<std::string> words;
};

/// All targets, of all files that are linked.
std::vector<Target>& targets();

/// Adds a target when the program starts.
struct Registered {
  explicit Registered(Target target) { targets().push_back(std::move(target)); }
};

/// Tells the driver how a reader ended: an input that ends in a new way is bred from, too.
void note(std::string_view outcome);

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Calls a reader, which may refuse what it reads.
template <typename Read>
int attempt(Read&& read) {
  try {
    read();
    note("accepted");
  } catch (const c10::ValueError& error) {
    note(error.msg());
  }
  return 0;
}

}  // namespace optotorch::fuzz
