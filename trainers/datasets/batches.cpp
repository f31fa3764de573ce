#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/random_order.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

namespace optotorch {
namespace {

constexpr auto in_batches = "ImageBatches";

void check_per_channel(const char* argument, const std::vector<double>& values, int64_t channels,
                       bool positive) {
  const auto count = static_cast<int64_t>(values.size());
  OPTOTORCH_CHECK(count == 1 || count == channels, .where = in_batches, .argument = argument,
                  .expected = c10::str("one value, or one for each of ", channels, " channels"),
                  .got = c10::str(count, " values"));
  for (const double value : values) {
    OPTOTORCH_CHECK(std::isfinite(value) && (!positive || value > 0), .where = in_batches,
                    .argument = argument, .expected = positive ? "finite values above 0" : "finite values",
                    .got = c10::str(value));
  }
}

/// `bytes`: the same set, if it lies in memory.
void check_options(const ImageSource& set, const ImageSet* bytes, const ImageBatchesOptions& options) {
  OPTOTORCH_CHECK(options.batch_size() >= 1, .where = in_batches, .argument = "batch_size",
                  .expected = "at least 1", .got = std::to_string(options.batch_size()));
  OPTOTORCH_CHECK(
      !options.drop_last() || options.batch_size() <= set.count(), .where = in_batches,
      .argument = "batch_size",
      .expected = c10::str("at most the ", set.count(), " samples of ", set.name(), " with drop_last"),
      .got = std::to_string(options.batch_size()),
      .remedy = "No batch would be left: make the batches smaller or keep the last one");
  OPTOTORCH_CHECK(options.dtype() == at::kFloat || options.dtype() == at::kDouble, .where = in_batches,
                  .argument = "dtype", .expected = "float32 or float64", .got = type_name(options.dtype()));
  const bool one_by_one = bytes == nullptr || options.transform() != nullptr;
  OPTOTORCH_CHECK(!one_by_one || (options.shift() == 0 && !options.flip()), .where = in_batches,
                  .argument = options.flip() ? "flip" : "shift",
                  .expected = "a set in memory and no transform",
                  .got = bytes == nullptr ? set.name() : "a transform",
                  .remedy = "RandomCrop with padding and RandomHorizontalFlip are transforms");
  if (!one_by_one) {
    const int64_t side = std::min(bytes->height(), bytes->width());
    OPTOTORCH_CHECK(options.shift() >= 0 && options.shift() < side, .where = in_batches, .argument = "shift",
                    .expected = c10::str("0 to ", side - 1, " pixels"),
                    .got = std::to_string(options.shift()));
  }
  // What a transform or a file delivers shows later how many channels there are.
  const auto most = static_cast<int64_t>(std::max(options.mean().size(), options.stddev().size()));
  const int64_t channels = one_by_one ? most : bytes->channels();
  check_per_channel("mean", options.mean(), channels, false);
  check_per_channel("stddev", options.stddev(), channels, true);
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

/// Bytes by the table, floats by the same arithmetic, [C, H, W] of the options' type.
at::Tensor normalised(const at::Tensor& image, const at::Tensor& values, const ImageBatchesOptions& options) {
  if (image.scalar_type() == at::kByte) {
    auto result = at::empty(image.sizes(), options.dtype());
    const auto bytes = image.contiguous();
    const Shape shape{image.size(0), image.size(1), image.size(2)};
    const auto table =
        values.size(0) == shape.channels ? values : values.expand({shape.channels, 256}).contiguous();
    if (options.dtype() == at::kFloat) {
      convert_image(bytes.const_data_ptr<uint8_t>(), result.mutable_data_ptr<float>(),
                    table.const_data_ptr<float>(), shape, Shift{});
    } else {
      convert_image(bytes.const_data_ptr<uint8_t>(), result.mutable_data_ptr<double>(),
                    table.const_data_ptr<double>(), shape, Shift{});
    }
    return result;
  }
  const auto column = [&](const std::vector<double>& by_channel) {
    return at::tensor(by_channel, options.dtype()).view({-1, 1, 1});
  };
  const auto value = image.to(options.dtype());
  const bool as_it_is = options.mean() == std::vector{0.0} && options.stddev() == std::vector{1.0};
  return as_it_is ? value : (value - column(options.mean())) / column(options.stddev());
}

/// Throws unless the image has the shape that is asked for, or that of the first one of its batch, and `options`
/// suit it.
void check_image(const at::Tensor& image, const at::Tensor& first, const ImageSource& images, int64_t sample,
                 const ImageBatchesOptions& options) {
  const auto got = [&] { return c10::str(describe(image), " for sample ", sample, " of ", images.name()); };
  OPTOTORCH_CHECK(image.dim() == 3 && (image.scalar_type() == at::kByte || image.is_floating_point()),
                  .where = in_batches, .argument = "transform",
                  .expected = "an image [channels, height, width]", .got = got());
  const auto values = static_cast<int64_t>(std::max(options.mean().size(), options.stddev().size()));
  OPTOTORCH_CHECK(values == 1 || values == image.size(0), .where = in_batches, .argument = "mean, stddev",
                  .expected = "one value, or one for each channel",
                  .got = c10::str(values, " values and ", got()));
  const auto shape = !options.shape().empty() ? at::IntArrayRef(options.shape())
                     : first.defined()        ? first.sizes()
                                              : image.sizes();
  OPTOTORCH_CHECK(image.sizes() == shape, .where = in_batches, .argument = "images",
                  .expected = c10::str("images of one size, ", shape), .got = got(),
                  .remedy =
                      "Transforms such as Resize with height and width, RandomResizedCrop or CenterCrop "
                      "make them so");
}

}  // namespace

struct ImageBatches::Cache {
  std::mutex mutex;
  int64_t epoch = -1;
  at::Tensor order;
  std::set<int64_t> broken;  ///< samples
};

ImageBatches::ImageBatches(ImageSet set, const ImageBatchesOptions& options)
    : images_(std::make_shared<const ImagesOf<ImageSet>>(set)),
      options_(options),
      cache_(std::make_shared<Cache>()) {
  check_options(*images_, &set, options_);
  if (options_.transform() == nullptr) {
    bytes_ = std::make_shared<const ImageSet>(std::move(set));
  }
  values_ =
      value_table(bytes_ ? bytes_->channels()
                         : static_cast<int64_t>(std::max(options_.mean().size(), options_.stddev().size())),
                  options_);
}

ImageBatches::ImageBatches(std::shared_ptr<const ImageSource> set, const ImageBatchesOptions& options)
    : images_(std::move(set)), options_(options), cache_(std::make_shared<Cache>()) {
  OPTOTORCH_CHECK(images_ != nullptr, .where = in_batches, .argument = "set", .expected = "images",
                  .got = "nullptr");
  check_options(*images_, nullptr, options_);
  values_ =
      value_table(static_cast<int64_t>(std::max(options_.mean().size(), options_.stddev().size())), options_);
}

int64_t ImageBatches::skipped() const {
  const std::lock_guard lock(cache_->mutex);
  return static_cast<int64_t>(cache_->broken.size());
}

int64_t ImageBatches::size() const {
  const int64_t full = images_->count() / options_.batch_size();
  return full + (!options_.drop_last() && images_->count() % options_.batch_size() != 0 ? 1 : 0);
}

at::Tensor ImageBatches::samples(int64_t epoch, int64_t k) const {
  OPTOTORCH_CHECK(epoch >= 0, .where = in_batches, .argument = "epoch", .expected = "at least 0",
                  .got = std::to_string(epoch));
  OPTOTORCH_CHECK(k >= 0 && k < size(), .where = in_batches, .argument = "k",
                  .expected = c10::str("0 to ", size() - 1), .got = std::to_string(k));
  const int64_t first = k * options_.batch_size();
  const int64_t count = std::min(options_.batch_size(), images_->count() - first);
  if (!options_.shuffle()) {
    return at::arange(first, first + count, at::kLong);
  }
  const std::lock_guard lock(cache_->mutex);
  if (cache_->epoch != epoch) {
    cache_->order =
        random_order(images_->count(), options_.seed(), RandomStream::order, static_cast<uint64_t>(epoch));
    cache_->epoch = epoch;
  }
  return cache_->order.narrow(0, first, count);
}

Batch ImageBatches::batch(int64_t epoch, int64_t k) const {
  return batch_of(epoch, samples(epoch, k));
}

Batch ImageBatches::part(int64_t epoch, int64_t k, int64_t part, int64_t parts) const {
  const at::Tensor all = samples(epoch, k);
  const auto [first, count] = part_of(all.numel(), part, parts);
  return count > 0 ? batch_of(epoch, all.narrow(0, first, count)) : BatchSource::part(epoch, k, part, parts);
}

Batch ImageBatches::batch_of(int64_t epoch, const at::Tensor& chosen) const {
  if (bytes_ == nullptr) {
    return one_by_one(epoch, chosen);
  }
  at::Tensor data =
      at::empty({chosen.numel(), bytes_->channels(), bytes_->height(), bytes_->width()}, options_.dtype());
  if (options_.dtype() == at::kFloat) {
    convert<float>(*bytes_, chosen, values_, data, options_, epoch);
  } else {
    convert<double>(*bytes_, chosen, values_, data, options_, epoch);
  }
  return {data, images_->targets().index_select(0, chosen)};
}

Batch ImageBatches::one_by_one(int64_t epoch, const at::Tensor& samples) const {
  const at::NoGradGuard no_grad;
  auto random = at::make_generator<at::CPUGeneratorImpl>();
  at::Tensor data, first;
  std::vector<int64_t> kept;
  std::string error;
  for (int64_t i = 0; i < samples.numel(); ++i) {
    const int64_t sample = samples.const_data_ptr<int64_t>()[i];
    at::Tensor image;
    try {
      image = images_->image(sample);
    } catch (const c10::Error& broken) {
      if (!options_.skip_broken()) {
        throw;
      }
      error = broken.what_without_backtrace();
      const std::lock_guard lock(cache_->mutex);
      cache_->broken.insert(sample);
      continue;
    }
    if (options_.transform() != nullptr) {
      random.set_current_seed(
          random_seed(options_.seed(), static_cast<uint64_t>(epoch), static_cast<uint64_t>(sample)));
      image = options_.transform()->apply(image, random);
    }
    check_image(image, first, *images_, sample, options_);
    if (!first.defined()) {
      first = image;
      auto shape = image.sizes().vec();
      shape.insert(shape.begin(), samples.numel());
      data = at::empty(shape, options_.dtype());
    }
    data[static_cast<int64_t>(kept.size())].copy_(normalised(image, values_, options_));
    kept.push_back(sample);
  }
  OPTOTORCH_CHECK(!kept.empty(), .where = in_batches, .argument = "images",
                  .expected = "one that can be read, in every batch", .got = error);
  const auto rows = at::tensor(kept, at::kLong);
  return {data.narrow(0, 0, rows.numel()), images_->targets().index_select(0, rows)};
}

ImageBatches::Epoch ImageBatches::epoch(int64_t epoch, int64_t first) const {
  OPTOTORCH_CHECK(epoch >= 0, .where = in_batches, .argument = "epoch", .expected = "at least 0",
                  .got = std::to_string(epoch));
  OPTOTORCH_CHECK(first >= 0 && first <= size(), .where = in_batches, .argument = "first",
                  .expected = c10::str("0 to ", size()), .got = std::to_string(first));
  return {*this, epoch, first};
}

}  // namespace optotorch
