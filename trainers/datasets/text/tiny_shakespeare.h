#pragma once

#include <optotorch/trainers/datasets/text/characters.h>

#include <string>

namespace optotorch {

/// 40,000 lines of Shakespeare's plays, 1,115,394 characters of which 65 are distinct (Karpathy, "The
/// Unreasonable Effectiveness of Recurrent Neural Networks", 2015): 1,003,854 to train on, 111,540 to test
/// on. A part of the former can be held back by `split` (split.h).
class TinyShakespeare : public Characters {
 public:
  /// Reads input.txt, plain or .gz, from `root`/tinyshakespeare or `root`. Throws c10::ValueError if it is in
  /// neither place, and as read_characters does.
  explicit TinyShakespeare(const std::string& root, Mode mode = Mode::train);
};

}  // namespace optotorch
