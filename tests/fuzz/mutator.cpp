#include "fuzz/mutator.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace optotorch::fuzz {
namespace {

constexpr size_t longest = 1 << 14;

/// Where sizes, offsets and counts go wrong.
constexpr std::array<uint64_t, 22> numbers = {0,
                                              1,
                                              2,
                                              7,
                                              63,
                                              64,
                                              65,
                                              127,
                                              128,
                                              255,
                                              256,
                                              4096,
                                              65535,
                                              65536,
                                              0x7FFFFFFF,
                                              0x80000000,
                                              0xFFFFFFFF,
                                              0x100000000,
                                              uint64_t{1} << 40,
                                              0x7FFFFFFFFFFFFFFF,
                                              0x8000000000000000,
                                              0xFFFFFFFFFFFFFFFF};

constexpr std::array<const char*, 16> digits = {"0",
                                                "-1",
                                                "1",
                                                "2",
                                                "1e400",
                                                "65536",
                                                "nan",
                                                "-0.0",
                                                "2147483648",
                                                "4294967296",
                                                "1e-400",
                                                "inf",
                                                "3.5",
                                                "9223372036854775807",
                                                "-9223372036854775808",
                                                "99999999999999999999"};

}  // namespace

Mutator::Mutator(uint64_t seed, std::vector<std::string> words) : random_(seed), words_(std::move(words)) {}

size_t Mutator::below(size_t limit) {
  return limit == 0 ? 0 : static_cast<size_t>(random_() % limit);
}

std::string Mutator::word() {
  return words_.empty() ? std::string(1, static_cast<char>(random_())) : words_[below(words_.size())];
}

std::string Mutator::next(const std::vector<std::string>& corpus, size_t seeds) {
  std::string bytes = corpus[below(below(2) == 0 ? seeds : corpus.size())];
  if (below(8) == 0) {  // the head of one and the tail of another
    const std::string& other = corpus[below(corpus.size())];
    bytes = bytes.substr(0, below(bytes.size() + 1)) + other.substr(below(other.size() + 1));
  }
  for (size_t changes = 1 + below(below(4) == 0 ? 16 : 3); changes > 0; --changes) {
    change(bytes);
  }
  bytes.resize(std::min(bytes.size(), longest));
  return bytes;
}

void Mutator::change(std::string& bytes) {
  if (bytes.empty()) {
    bytes = word();
    return;
  }
  const size_t at = below(bytes.size()), count = 1 + below(std::min<size_t>(bytes.size() - at, 32));
  switch (below(12)) {
    case 0:
    case 1:
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
      break;
    case 2:
      bytes[at] = static_cast<char>(random_());
      break;
    case 3:
      bytes[at] = static_cast<char>(bytes[at] + static_cast<int>(below(9)) - 4);
      break;
    case 4:
    case 5:
      put_number(bytes);
      break;
    case 6:
      put_digits(bytes);
      break;
    case 7:
      bytes.insert(at, word());
      break;
    case 8: {
      const auto put = word();
      bytes.replace(at, std::min(put.size(), bytes.size() - at), put);
      break;
    }
    case 9:
      bytes.erase(at, below(4) == 0 ? std::string::npos : count);
      break;
    case 10:
      bytes.insert(below(bytes.size() + 1), bytes.substr(at, below(6) == 0 ? std::string::npos : count));
      break;
    default: {
      const size_t other = below(bytes.size());
      for (size_t i = 0; i < count && other + i < bytes.size(); ++i) {
        std::swap(bytes[at + i], bytes[other + i]);
      }
    }
  }
}

/// Over 1, 2, 4 or 8 bytes, in either order.
void Mutator::put_number(std::string& bytes) {
  const size_t width = size_t{1} << below(4);
  if (bytes.size() < width) {
    return;
  }
  const size_t at = below(bytes.size() - width + 1);
  const uint64_t number = numbers[below(numbers.size())] + (below(4) == 0 ? random_() % 5 - 2 : 0);
  const bool big_endian = below(3) == 0;
  for (size_t byte = 0; byte < width; ++byte) {
    bytes[at + (big_endian ? width - 1 - byte : byte)] = static_cast<char>(number >> 8 * byte);
  }
}

/// In place of a number that is written in digits.
void Mutator::put_digits(std::string& bytes) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(below(bytes.size()));
  const auto begin = std::find_if(from, bytes.end(), is_digit);
  const auto end = std::find_if_not(begin, bytes.end(), is_digit);
  if (begin != bytes.end()) {
    bytes.replace(begin, end, digits[below(digits.size())]);
  }
}

}  // namespace optotorch::fuzz
