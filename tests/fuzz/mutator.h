#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace optotorch::fuzz {

/// Makes new inputs of old ones, the same from the same seed on every machine.
class Mutator {
 public:
  Mutator(uint64_t seed, std::vector<std::string> words);

  /// A mutation of one of the inputs, in half of the cases one of the first `seeds`. Some are mixed with
  /// another.
  std::string next(const std::vector<std::string>& corpus, size_t seeds);

 private:
  size_t below(size_t limit);
  void change(std::string& bytes);
  void put_number(std::string& bytes);
  void put_digits(std::string& bytes);
  std::string word();

  std::mt19937_64 random_;
  std::vector<std::string> words_;
};

}  // namespace optotorch::fuzz
