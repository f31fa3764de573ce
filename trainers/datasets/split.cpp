#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/random_order.h>
#include <optotorch/trainers/datasets/split.h>

#include <cmath>

namespace optotorch {

namespace {

/// How many of `count` are held back; `what` they are called.
int64_t held_back_of(int64_t count, double validation, const char* what) {
  const double held_back = validation < 1 ? std::round(validation * static_cast<double>(count)) : validation;
  OPTOTORCH_CHECK(
      held_back >= 1 && held_back < static_cast<double>(count) && held_back == std::floor(held_back),
      .where = "split", .argument = "validation",
      .expected = c10::str("a fraction of the ", count, " ", what,
                           ", or a whole number of them, that leaves both parts at least one"),
      .got = c10::str(validation), .remedy = "");
  return static_cast<int64_t>(held_back);
}

}  // namespace

Split split(const ImageSet& set, double validation, uint64_t seed) {
  const int64_t samples = set.count();
  const int64_t count = held_back_of(samples, validation, "samples");
  const at::Tensor order = random_order(samples, seed, RandomStream::split, 0);
  const auto part = [&](int64_t first, int64_t length) {
    return set.select(std::get<0>(order.narrow(0, first, length).sort()));
  };
  return {part(count, samples - count), part(0, count)};
}

TextSplit split(const Characters& text, double validation) {
  const int64_t count = held_back_of(text.count(), validation, "characters");
  const int64_t training = text.count() - count;
  return {text.stretch(0, training), text.stretch(training, count)};
}

}  // namespace optotorch
