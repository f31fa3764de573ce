#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/random_order.h>
#include <optotorch/trainers/datasets/text/text_batches.h>

#include <algorithm>
#include <utility>

namespace optotorch {
namespace {

constexpr auto in_text_batches = "TextBatches";
constexpr int64_t most_characters = int64_t{1} << 30;

void check_options(const Characters& text, const TextBatchesOptions& options) {
  OPTOTORCH_CHECK(
      options.context() >= 1 && options.context() < text.count(), .where = in_text_batches,
      .argument = "context",
      .expected = c10::str("1 to ", text.count() - 1, ": a window needs one character more, and of ",
                           text.name(), " there are ", text.count(), " here"),
      .got = std::to_string(options.context()),
      .remedy = "Take a longer text, or hold back less or more of it");
  OPTOTORCH_CHECK(options.batch_size() >= 1 && options.batch_size() <= most_characters / options.context(),
                  .where = in_text_batches, .argument = "batch_size",
                  .expected = c10::str("1 to ", most_characters / options.context(), " windows"),
                  .got = std::to_string(options.batch_size()));
  OPTOTORCH_CHECK(options.steps() >= 0 && options.steps() <= most_characters, .where = in_text_batches,
                  .argument = "steps", .expected = c10::str("0 to ", most_characters),
                  .got = std::to_string(options.steps()));
}

}  // namespace

TextBatches::TextBatches(Characters text, const TextBatchesOptions& options)
    : text_(std::move(text)), options_(options) {
  check_options(text_, options_);
}

int64_t TextBatches::whole_windows() const {
  return (text_.count() - 1) / options_.context();
}

int64_t TextBatches::remainder() const {
  return options_.drop_last() ? 0 : (text_.count() - 1) % options_.context();
}

int64_t TextBatches::size() const {
  if (options_.steps() > 0) {
    return options_.steps();
  }
  return (whole_windows() - 1) / options_.batch_size() + 1 + (remainder() > 0 ? 1 : 0);
}

int64_t TextBatches::predictions() const {
  return options_.steps() > 0 ? options_.steps() * options_.batch_size() * options_.context()
                              : whole_windows() * options_.context() + remainder();
}

Batch TextBatches::batch(int64_t epoch, int64_t k) const {
  OPTOTORCH_CHECK(epoch >= 0, .where = in_text_batches, .argument = "epoch", .expected = "at least 0",
                  .got = std::to_string(epoch));
  OPTOTORCH_CHECK(k >= 0 && k < size(), .where = in_text_batches, .argument = "k",
                  .expected = c10::str("0 to ", size() - 1), .got = std::to_string(k));
  const bool random = options_.steps() > 0;
  const int64_t first = k * options_.batch_size();  // window of the batch, or beyond the whole ones
  int64_t rows = options_.batch_size(), context = options_.context();
  if (!random) {
    rows = std::min(rows, whole_windows() - first);
    if (remainder() > 0 && k == size() - 1) {
      rows = 1;
      context = remainder();
    }
  }
  const auto start_of = [&](int64_t row) {
    if (random) {
      return random_start(text_.count() - context, options_.seed(), static_cast<uint64_t>(epoch),
                          static_cast<uint64_t>(first + row));
    }
    return context == options_.context() ? (first + row) * context : whole_windows() * options_.context();
  };
  Batch batch{at::empty({rows, context}, at::kLong), at::empty({rows, context}, at::kLong)};
  const int64_t* const ids = text_.ids().const_data_ptr<int64_t>();
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t* const window = ids + start_of(row);
    std::copy_n(window, context, batch.data.mutable_data_ptr<int64_t>() + row * context);
    std::copy_n(window + 1, context, batch.target.mutable_data_ptr<int64_t>() + row * context);
  }
  return batch;
}

}  // namespace optotorch
