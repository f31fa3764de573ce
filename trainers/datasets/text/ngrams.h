#pragma once

// The floor that a language model must fall below: how well counts of characters and of pairs foretell a
// text.

#include <optotorch/trainers/datasets/text/characters.h>

namespace optotorch {

/// Bits per character of `test` under p(b | a) = (n(ab) + 1) / (n(a) + V): n(ab) is how often b follows a in
/// `train`, n(a) how often anything does, V the size of the vocabulary; the mean of -log2 p over every
/// character of `test` but the first.
///
/// Throws c10::ValueError unless both have one vocabulary and at least two characters.
double bigram_bits(const Characters& train, const Characters& test);

/// The same under p(b) = (n(b) + 1) / (N + V), n(b) out of the N characters of `train`, whatever comes
/// before; over the same characters of `test`.
double unigram_bits(const Characters& train, const Characters& test);

}  // namespace optotorch
