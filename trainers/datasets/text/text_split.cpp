#include <optotorch/trainers/datasets/detail/held_back.h>
#include <optotorch/trainers/datasets/text/text_split.h>

namespace optotorch {

TextSplit split(const Characters& text, double validation) {
  const int64_t count = held_back_of(text.count(), validation, "characters");
  const int64_t training = text.count() - count;
  return {text.stretch(0, training), text.stretch(training, count)};
}

}  // namespace optotorch
