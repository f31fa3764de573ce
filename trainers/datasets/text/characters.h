#pragma once

// A text as a data set of characters, for character language models.

#include <ATen/core/Tensor.h>
#include <optotorch/core/input_file.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace optotorch {

/// N characters of a text, each as its number in the vocabulary: the distinct characters of the whole text,
/// sorted by code point.
///
/// A character is a code point: what is composed of several, a letter and its combining accent, is several
/// characters. Copies, stretches and parts share the memory and the
/// vocabulary. TinyShakespeare only says where the text comes from: it adds no state and may be sliced to
/// Characters.
class Characters {
 public:
  /// The first nine tenths of a text, rounded down, to train on; the rest to test on.
  enum class Mode { train, test };

  /// The most that is taken, in bytes: 1 GiB. In memory a character takes 8 bytes.
  static constexpr uint64_t most_bytes = uint64_t{1} << 30;

  /// text: UTF-8, 1 to `most_bytes` bytes. `name` is what errors call it. One distinct character is enough:
  /// such a text is foreseen without a doubt, at 0 bits a character.
  /// Throws c10::ValueError otherwise, which says at which byte the text is no UTF-8.
  Characters(std::string name, std::string_view text);

  /// Name of the text in errors.
  const std::string& name() const { return name_; }

  /// int64 [N], from 0 to vocabulary_size() - 1.
  const at::Tensor& ids() const { return ids_; }

  /// N.
  int64_t count() const { return ids_.numel(); }

  /// The distinct characters in ascending order; character `id` is vocabulary()[id]. decode(arange(
  /// vocabulary_size())) is a short text of the same vocabulary, which a program may keep with a model.
  const std::u32string& vocabulary() const { return *vocabulary_; }

  /// Number of distinct characters in the whole text, at least 1.
  int64_t vocabulary_size() const { return static_cast<int64_t>(vocabulary_->size()); }

  /// Another text in UTF-8 as int64 [M]. Throws c10::ValueError, which calls it `argument`, if it is no UTF-8
  /// or has a character that is not in the vocabulary.
  at::Tensor encode(std::string_view text, const std::string& argument = "text") const;

  /// The inverse: `ids` (int64 [M] on the CPU) as UTF-8. Throws c10::ValueError for other tensors and for
  /// values that are not in 0 ... vocabulary_size() - 1.
  std::string decode(const at::Tensor& ids) const;

  /// The characters first ... first + count - 1 with the vocabulary of the whole; count >= 1.
  /// Throws c10::ValueError if they are not there.
  Characters stretch(int64_t first, int64_t count) const;

  /// The stretch that is meant to be trained on, or tested on. Throws c10::ValueError if nothing is
  /// left to train on, as in a text of one character.
  Characters part(Mode mode) const;

 private:
  std::string name_;
  at::Tensor ids_;
  std::shared_ptr<const std::u32string> vocabulary_;
};

/// Treatment of a file's text. `portable`: a byte order mark at its beginning is left out, and every line
/// end, CR LF or CR, becomes LF, as Python reads a text: the same text has the same characters whichever
/// system it was written on. `exact`: nothing.
enum class TextForm { portable, exact };

/// A text from a file in UTF-8, plain or .gz; the path is its name.
///
/// Throws c10::ValueError if the file cannot be read, is empty, is no UTF-8 (UTF-16 is called by its name),
/// or is longer than `most_bytes` (unpacked), at most Characters::most_bytes: longer ones are refused before
/// the memory is taken.
Characters read_characters(const std::string& path, uint64_t most_bytes = Characters::most_bytes,
                           TextForm form = TextForm::portable);

/// The same of a file that is open, or of bytes in memory.
Characters read_characters(InputFile file, uint64_t most_bytes = Characters::most_bytes,
                           TextForm form = TextForm::portable);

}  // namespace optotorch
