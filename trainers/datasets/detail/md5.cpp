#include <optotorch/trainers/datasets/detail/md5.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

namespace optotorch {
namespace {

/// floor(2^32 |sin(i + 1)|), which float64 gives exactly.
std::array<uint32_t, 64> sines() {
  std::array<uint32_t, 64> table;
  for (size_t i = 0; i < table.size(); ++i) {
    table[i] =
        static_cast<uint32_t>(std::floor(std::abs(std::sin(static_cast<double>(i + 1))) * 4294967296.0));
  }
  return table;
}

constexpr std::array<std::array<int, 4>, 4> rotations = {
    {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};

/// Which word of the block step i of a round takes: (first + step i) mod 16.
constexpr std::array<size_t, 4> first_word = {0, 1, 5, 0}, word_step = {1, 5, 3, 7};

uint32_t mixed(size_t round, uint32_t b, uint32_t c, uint32_t d) {
  switch (round) {
    case 0:
      return (b & c) | (~b & d);
    case 1:
      return (b & d) | (c & ~d);
    case 2:
      return b ^ c ^ d;
    default:
      return c ^ (b | ~d);
  }
}

uint32_t little_endian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 | uint32_t{bytes[3]} << 24;
}

template <size_t round>
void run_round(const std::array<uint32_t, 16>& words, const std::array<uint32_t, 64>& table, uint32_t& a,
               uint32_t& b, uint32_t& c, uint32_t& d) {
  for (size_t i = 0; i < 16; ++i) {
    const size_t word = (first_word[round] + word_step[round] * i) % 16;
    const uint32_t sum = a + mixed(round, b, c, d) + words[word] + table[16 * round + i];
    a = d;
    d = c;
    c = b;
    b += std::rotl(sum, rotations[round][i % 4]);
  }
}

}  // namespace

void Md5::block(const uint8_t* bytes) {
  static const auto table = sines();
  std::array<uint32_t, 16> words;
  for (size_t i = 0; i < words.size(); ++i) {
    words[i] = little_endian(bytes + 4 * i);
  }
  auto [a, b, c, d] = state_;
  run_round<0>(words, table, a, b, c, d);
  run_round<1>(words, table, a, b, c, d);
  run_round<2>(words, table, a, b, c, d);
  run_round<3>(words, table, a, b, c, d);
  state_[0] += a;
  state_[1] += b;
  state_[2] += c;
  state_[3] += d;
}

void Md5::update(const void* bytes, size_t count) {
  const auto* from = static_cast<const uint8_t*>(bytes);
  const size_t waiting = length_ % waiting_.size();
  length_ += count;
  if (waiting > 0) {
    const size_t taken = std::min(count, waiting_.size() - waiting);
    std::copy_n(from, taken, waiting_.data() + waiting);
    from += taken;
    count -= taken;
    if (waiting + taken < waiting_.size()) {
      return;
    }
    block(waiting_.data());
  }
  for (; count >= waiting_.size(); count -= waiting_.size(), from += waiting_.size()) {
    block(from);
  }
  std::copy_n(from, count, waiting_.data());
}

std::string Md5::digest() {
  const uint64_t bits = length_ * 8;
  constexpr uint8_t one_bit = 0x80, zero = 0;
  update(&one_bit, 1);
  while (length_ % waiting_.size() != 56) {
    update(&zero, 1);
  }
  std::array<uint8_t, 8> ending;
  for (size_t i = 0; i < ending.size(); ++i) {
    ending[i] = static_cast<uint8_t>(bits >> 8 * i);
  }
  update(ending.data(), ending.size());
  std::string digits;
  for (const uint32_t word : state_) {
    for (size_t i = 0; i < 4; ++i) {
      const uint32_t byte = word >> 8 * i & 0xff;
      digits += "0123456789abcdef"[byte >> 4];
      digits += "0123456789abcdef"[byte & 15];
    }
  }
  return digits;
}

std::string md5_of(InputFile file) {
  Md5 sum;
  std::vector<uint8_t> piece(1 << 20);
  while (const size_t came = file.read(piece.data(), piece.size())) {
    sum.update(piece.data(), came);
  }
  return sum.digest();
}

}  // namespace optotorch
