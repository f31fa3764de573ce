#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/random_order.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

namespace optotorch {
namespace {

constexpr auto name = "ImageBatches";

void check_per_channel(const char* argument, const std::vector<double>& values, int64_t channels,
                       bool positive) {
  const auto count = static_cast<int64_t>(values.size());
  OPTOTORCH_CHECK(count == 1 || count == channels, .where = name, .argument = argument,
                  .expected = c10::str("one value, or one for each of ", channels, " channels"),
                  .got = c10::str(count, " values"));
  for (const double value : values) {
    OPTOTORCH_CHECK(std::isfinite(value) && (!positive || value > 0), .where = name, .argument = argument,
                    .expected = positive ? "finite values above 0" : "finite values", .got = c10::str(value));
  }
}

void check_options(const ImageSet& set, const ImageBatchesOptions& options) {
  OPTOTORCH_CHECK(options.batch_size() >= 1, .where = name, .argument = "batch_size",
                  .expected = "at least 1", .got = std::to_string(options.batch_size()));
  OPTOTORCH_CHECK(
      !options.drop_last() || options.batch_size() <= set.count(), .where = name, .argument = "batch_size",
      .expected = c10::str("at most the ", set.count(), " samples of ", set.name(), " with drop_last"),
      .got = std::to_string(options.batch_size()),
      .remedy = "No batch would be left: make the batches smaller or keep the last one");
  const int64_t side = std::min(set.height(), set.width());
  OPTOTORCH_CHECK(options.shift() >= 0 && options.shift() < side, .where = name, .argument = "shift",
                  .expected = c10::str("0 to ", side - 1, " pixels"), .got = std::to_string(options.shift()));
  OPTOTORCH_CHECK(options.dtype() == at::kFloat || options.dtype() == at::kDouble, .where = name,
                  .argument = "dtype", .expected = "float32 or float64", .got = type_name(options.dtype()));
  check_per_channel("mean", options.mean(), set.channels(), false);
  check_per_channel("stddev", options.stddev(), set.channels(), true);
}

/// [C, 256]: a table is exact (computed in float64, rounded once) and costs what a conversion would.
at::Tensor value_table(int64_t channels, const ImageBatchesOptions& options) {
  const auto column = [](const std::vector<double>& values) {
    return at::tensor(values, at::kDouble).unsqueeze(1);
  };
  const at::Tensor pixels = at::arange(256, at::kDouble).div(255);
  return ((pixels - column(options.mean())) / column(options.stddev()))
      .expand({channels, 256})
      .to(options.dtype())
      .contiguous();
}

struct Shape {
  int64_t channels, height, width;
};

/// to[c, y, x] = table[c, from[c, y - down, x - right]], with pixel value 0 outside.
template <typename Real>
void convert_image(const uint8_t* from, Real* to, const Real* table, const Shape& shape, const Shift& shift) {
  const int64_t top = std::max<int64_t>(shift.down, 0);
  const int64_t bottom = shape.height + std::min<int64_t>(shift.down, 0);
  const int64_t left = std::max<int64_t>(shift.right, 0);
  const int64_t right = shape.width + std::min<int64_t>(shift.right, 0);
  for (int64_t c = 0; c < shape.channels; ++c, table += 256, from += shape.height * shape.width) {
    for (int64_t y = 0; y < shape.height; ++y, to += shape.width) {
      if (y < top || y >= bottom) {
        std::fill_n(to, shape.width, table[0]);
        continue;
      }
      const uint8_t* source = from + (y - shift.down) * shape.width;
      std::fill(to, to + left, table[0]);
      for (int64_t x = left; x < right; ++x) {
        to[x] = table[source[x - shift.right]];
      }
      std::fill(to + right, to + shape.width, table[0]);
    }
  }
}

/// A shuffled image is seldom in a cache. Asked for while its predecessor is converted, it costs no more than
/// one in order, which is half of the time.
void prefetch(const uint8_t* bytes, int64_t count) {
  constexpr int64_t cache_line = 64;
  for (int64_t i = 0; i < count; i += cache_line) {
    __builtin_prefetch(bytes + i);
  }
}

template <typename Real>
void convert(const ImageSet& set, const at::Tensor& samples, const at::Tensor& values, at::Tensor& data,
             const ImageBatchesOptions& options, int64_t epoch) {
  const Shape shape{set.channels(), set.height(), set.width()};
  const int64_t size = shape.channels * shape.height * shape.width;
  const uint8_t* const pixels = set.pixels().const_data_ptr<uint8_t>();
  const int64_t* const rows = set.rows().defined() ? set.rows().const_data_ptr<int64_t>() : nullptr;
  const int64_t* const sample = samples.const_data_ptr<int64_t>();
  const Real* const table = values.const_data_ptr<Real>();
  Real* const out = data.mutable_data_ptr<Real>();
  const auto image_of = [&](int64_t i) {
    return pixels + size * (rows != nullptr ? rows[sample[i]] : sample[i]);
  };
  const auto shift_of = [&](int64_t i) {
    return options.shift() == 0 ? Shift{}
                                : random_shift(options.shift(), options.seed(), static_cast<uint64_t>(epoch),
                                               static_cast<uint64_t>(sample[i]));
  };
  // One thread: a batch takes microseconds (an epoch of MNIST 20 to 40 ms), less than waking others may cost.
  const int64_t count = samples.numel();
  for (int64_t i = 0; i < count; ++i) {
    if (i + 1 < count) {
      prefetch(image_of(i + 1), size);
    }
    convert_image(image_of(i), out + i * size, table, shape, shift_of(i));
    if (options.flip() &&
        random_flip(options.seed(), static_cast<uint64_t>(epoch), static_cast<uint64_t>(sample[i]))) {
      for (Real* row = out + i * size; row < out + (i + 1) * size; row += shape.width) {
        std::reverse(row, row + shape.width);
      }
    }
  }
}

}  // namespace

struct ImageBatches::OrderCache {
  std::mutex mutex;
  int64_t epoch = -1;
  at::Tensor order;
};

ImageBatches::ImageBatches(ImageSet set, const ImageBatchesOptions& options)
    : set_(std::move(set)), options_(options), cache_(std::make_shared<OrderCache>()) {
  check_options(set_, options_);
  values_ = value_table(set_.channels(), options_);
}

int64_t ImageBatches::size() const {
  const int64_t full = set_.count() / options_.batch_size();
  return full + (!options_.drop_last() && set_.count() % options_.batch_size() != 0 ? 1 : 0);
}

at::Tensor ImageBatches::samples(int64_t epoch, int64_t k) const {
  const int64_t first = k * options_.batch_size();
  const int64_t count = std::min(options_.batch_size(), set_.count() - first);
  if (!options_.shuffle()) {
    return at::arange(first, first + count, at::kLong);
  }
  const std::lock_guard lock(cache_->mutex);
  if (cache_->epoch != epoch) {
    cache_->order =
        random_order(set_.count(), options_.seed(), RandomStream::order, static_cast<uint64_t>(epoch));
    cache_->epoch = epoch;
  }
  return cache_->order.narrow(0, first, count);
}

Batch ImageBatches::batch(int64_t epoch, int64_t k) const {
  OPTOTORCH_CHECK(epoch >= 0, .where = name, .argument = "epoch", .expected = "at least 0",
                  .got = std::to_string(epoch));
  OPTOTORCH_CHECK(k >= 0 && k < size(), .where = name, .argument = "k",
                  .expected = c10::str("0 to ", size() - 1), .got = std::to_string(k));
  const at::Tensor chosen = samples(epoch, k);
  at::Tensor data =
      at::empty({chosen.numel(), set_.channels(), set_.height(), set_.width()}, options_.dtype());
  if (options_.dtype() == at::kFloat) {
    convert<float>(set_, chosen, values_, data, options_, epoch);
  } else {
    convert<double>(set_, chosen, values_, data, options_, epoch);
  }
  return {data, set_.targets().index_select(0, chosen)};
}

ImageBatches::Epoch ImageBatches::epoch(int64_t epoch, int64_t first) const {
  OPTOTORCH_CHECK(epoch >= 0, .where = name, .argument = "epoch", .expected = "at least 0",
                  .got = std::to_string(epoch));
  OPTOTORCH_CHECK(first >= 0 && first <= size(), .where = name, .argument = "first",
                  .expected = c10::str("0 to ", size()), .got = std::to_string(first));
  return {*this, epoch, first};
}

}  // namespace optotorch
