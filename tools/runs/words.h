#pragma once

// Words that a user says.

#include <string>
#include <vector>

namespace optotorch::tools {

/// "a,b": a and b.
std::vector<std::string> split_at_commas(const std::string& text);

/// A word as a shell reads it: in quotes where it must be.
std::string shell_word(const std::string& word);

/// Throws c10::ValueError that lists the known words and says which is the nearest.
[[noreturn]] void reject_word(const std::string& where, const std::string& argument, const std::string& word,
                              const std::vector<std::string>& known);

/// Does so unless the word is known.
void require_word(const std::string& where, const std::string& argument, const std::string& word,
                  const std::vector<std::string>& known);

/// Names of the entries of a table.
template <typename Entry>
std::vector<std::string> names_of(const std::vector<Entry>& entries) {
  std::vector<std::string> names;
  names.reserve(entries.size());
  for (const auto& entry : entries) {
    names.emplace_back(entry.name);
  }
  return names;
}

/// The entry of that name. Throws as reject_word.
template <typename Entry>
const Entry& find_by_name(const std::string& where, const std::string& argument,
                          const std::vector<Entry>& entries, const std::string& name) {
  for (const auto& entry : entries) {
    if (entry.name == name) {
      return entry;
    }
  }
  reject_word(where, argument, name, names_of(entries));
}

}  // namespace optotorch::tools
