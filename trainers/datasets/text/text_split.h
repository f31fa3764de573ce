#pragma once

#include <optotorch/trainers/datasets/text/characters.h>

namespace optotorch {

/// A text in two stretches, of one vocabulary.
struct TextSplit {
  /// Beginning of the text, to train on.
  Characters training;
  /// End of the text, held back.
  Characters validation;
};

/// Holds the end of a text back for validation: of a text, characters here and there would be foreseen from
/// their neighbours in the other part.
///
/// validation: a fraction of the characters or their number, as split() of images takes it
/// (datasets/split.h). Throws c10::ValueError likewise.
TextSplit split(const Characters& text, double validation);

}  // namespace optotorch
