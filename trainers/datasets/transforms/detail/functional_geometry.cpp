#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_geometry.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace optotorch::transforms {
namespace {

/// Whole pixels are moved: only their size counts.
template <typename Visit>
void visit_pixels(const at::Tensor& image, Visit&& visit) {
  switch (image.element_size()) {
    case 1:
      return visit(uint8_t{});
    case 2:
      return visit(uint16_t{});
    case 4:
      return visit(uint32_t{});
    default:
      return visit(uint64_t{});
  }
}

template <typename Pixel>
const Pixel* pixels(const at::Tensor& contiguous) {
  return static_cast<const Pixel*>(contiguous.const_data_ptr());
}

template <typename Pixel>
Pixel* mutable_pixels(const at::Tensor& contiguous) {
  return static_cast<Pixel*>(contiguous.mutable_data_ptr());
}

/// The bits of `fill` in the image's type.
template <typename Pixel>
Pixel bits_of(double fill, at::ScalarType type) {
  Pixel bits{};
  const auto take = [&](auto value) {
    static_assert(sizeof(value) <= 8);
    std::memcpy(&bits, &value, std::min(sizeof(bits), sizeof(value)));
  };
  switch (type) {
    case at::kFloat:
      take(static_cast<float>(fill));
      break;
    case at::kDouble:
      take(fill);
      break;
    case at::kByte:
      take(static_cast<uint8_t>(fill));
      break;
    case at::kChar:
      take(static_cast<int8_t>(fill));
      break;
    case at::kShort:
      take(static_cast<int16_t>(fill));
      break;
    case at::kInt:
      take(static_cast<int32_t>(fill));
      break;
    default:
      take(static_cast<int64_t>(fill));
  }
  return bits;
}

/// Columns [first, last) come from neighbours that begin with `source`: most of a row is moved at once.
struct Run {
  size_t first = 0, last = 0;
};

Run first_run(const Sources& columns) {
  const auto follows = [&](size_t x) { return columns[x] >= 0 && columns[x + 1] == columns[x] + 1; };
  Run run;
  while (run.first + 1 < columns.size() && !follows(run.first)) {
    ++run.first;
  }
  run.last = run.first;
  while (run.last + 1 < columns.size() && follows(run.last)) {
    ++run.last;
  }
  run.last += run.last > run.first ? 1 : 0;
  return run;
}

template <typename Pixel>
void gather_row(const Pixel* from, const Sources& columns, const Run& run, Pixel fill, Pixel* to) {
  const auto one_by_one = [&](size_t first, size_t last) {
    for (size_t x = first; x < last; ++x) {
      to[x] = columns[x] < 0 ? fill : from[columns[x]];
    }
  };
  one_by_one(0, run.first);
  if (run.first < run.last) {
    std::copy_n(from + columns[run.first], run.last - run.first, to + run.first);
  }
  one_by_one(run.last, columns.size());
}

at::Tensor interpolate(const at::Tensor& batch, int64_t height, int64_t width, Interpolation interpolation,
                       bool antialias) {
  const std::vector<int64_t> size{height, width};
  switch (interpolation) {
    case Interpolation::nearest:
      return at::upsample_nearest2d(batch, size);
    case Interpolation::nearest_exact:
      return at::_upsample_nearest_exact2d(batch, size);
    case Interpolation::bilinear:
      return antialias ? at::_upsample_bilinear2d_aa(batch, size, /*align_corners=*/false)
                       : at::upsample_bilinear2d(batch, size, /*align_corners=*/false);
    default:
      return antialias ? at::_upsample_bicubic2d_aa(batch, size, /*align_corners=*/false)
                       : at::upsample_bicubic2d(batch, size, /*align_corners=*/false);
  }
}

}  // namespace

Borders borders(const std::vector<int64_t>& padding) {
  switch (padding.size()) {
    case 0:
      return {};
    case 1:
      return {padding[0], padding[0], padding[0], padding[0]};
    case 2:
      return {padding[0], padding[1], padding[0], padding[1]};
    default:
      return {padding[0], padding[1], padding[2], padding[3]};
  }
}

Sources sources(int64_t count) {
  Sources all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), int64_t{0});
  return all;
}

Sources padded(const Sources& of, int64_t before, int64_t after, PaddingMode mode, const char* where) {
  if (before == 0 && after == 0) {
    return of;
  }
  const auto count = static_cast<int64_t>(of.size());
  const int64_t most = mode == PaddingMode::reflect     ? count - 1
                       : mode == PaddingMode::symmetric ? count
                                                        : std::numeric_limits<int64_t>::max();
  OPTOTORCH_CHECK(std::max(before, after) <= most, .where = where, .argument = "padding",
                  .expected = c10::str("at most ", most, " on a side of ", count,
                                       mode == PaddingMode::reflect ? " with reflect" : " with symmetric"),
                  .got = std::to_string(std::max(before, after)));
  Sources all;
  all.reserve(of.size() + static_cast<size_t>(before + after));
  for (int64_t i = -before; i < count + after; ++i) {
    const bool inside = i >= 0 && i < count;
    int64_t source = i;
    if (!inside) {
      switch (mode) {
        case PaddingMode::constant:
          all.push_back(-1);
          continue;
        case PaddingMode::edge:
          source = i < 0 ? 0 : count - 1;
          break;
        case PaddingMode::reflect:
          source = i < 0 ? -i : 2 * (count - 1) - i;
          break;
        case PaddingMode::symmetric:
          source = i < 0 ? -i - 1 : 2 * count - 1 - i;
          break;
      }
    }
    all.push_back(of[static_cast<size_t>(source)]);
  }
  return all;
}

at::Tensor gather(const at::Tensor& image, const Sources& rows, const Sources& columns, double fill) {
  const at::Tensor from = image.contiguous();
  const int64_t channels = from.size(0), height = from.size(1), width = from.size(2);
  at::Tensor to = at::empty(
      {channels, static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns.size())}, from.options());
  const Run run = first_run(columns);
  visit_pixels(from, [&](auto pixel) {
    using Pixel = decltype(pixel);
    const auto filled = bits_of<Pixel>(fill, from.scalar_type());
    const auto* const source = pixels<Pixel>(from);
    auto* target = mutable_pixels<Pixel>(to);
    for (int64_t c = 0; c < channels; ++c) {
      for (const int64_t row : rows) {
        if (row < 0) {
          std::fill_n(target, columns.size(), filled);
        } else {
          gather_row(source + (c * height + row) * width, columns, run, filled, target);
        }
        target += columns.size();
      }
    }
  });
  return to;
}

void check_fill(const char* where, double fill, const at::Tensor& image) {
  double low = -std::numeric_limits<float>::max(), high = std::numeric_limits<float>::max();
  switch (image.scalar_type()) {
    case at::kByte:
      low = 0, high = 255;
      break;
    case at::kChar:
      low = -128, high = 127;
      break;
    case at::kShort:
      low = -32768, high = 32767;
      break;
    case at::kInt:
    case at::kLong:
      low = -2147483648.0, high = 2147483647.0;
      break;
    default:
      break;
  }
  OPTOTORCH_CHECK(fill >= low && fill <= high, .where = where, .argument = "fill",
                  .expected = c10::str(low, " to ", high, " for ", type_name(image.scalar_type())),
                  .got = c10::str(fill));
}

at::Tensor crop_view(const at::Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width) {
  return image.slice(1, top, top + height).slice(2, left, left + width);
}

at::Tensor crop(const at::Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width) {
  if (image.size(1) == height && image.size(2) == width) {
    return image;
  }
  if (image.scalar_type() != at::kByte) {
    return crop_view(image, top, left, height, width);
  }
  return crop_view(image, top, left, height, width).contiguous();
}

at::Tensor center_crop(const at::Tensor& image, int64_t height, int64_t width, const char* where) {
  const int64_t more_rows = std::max<int64_t>(height - image.size(1), 0);
  const int64_t more_columns = std::max<int64_t>(width - image.size(2), 0);
  const auto first = [](int64_t whole, int64_t part) {
    return static_cast<int64_t>(std::nearbyint(static_cast<double>(whole - part) / 2.0));
  };
  if (more_rows == 0 && more_columns == 0) {
    return crop(image, first(image.size(1), height), first(image.size(2), width), height, width);
  }
  const auto rows =
      padded(sources(image.size(1)), more_rows / 2, (more_rows + 1) / 2, PaddingMode::constant, where);
  const auto columns =
      padded(sources(image.size(2)), more_columns / 2, (more_columns + 1) / 2, PaddingMode::constant, where);
  const auto top = first(static_cast<int64_t>(rows.size()), height);
  const auto left = first(static_cast<int64_t>(columns.size()), width);
  return gather(image, {rows.begin() + top, rows.begin() + top + height},
                {columns.begin() + left, columns.begin() + left + width}, 0.0);
}

at::Tensor hflip(const at::Tensor& image) {
  const at::Tensor from = image.contiguous();
  at::Tensor to = at::empty(from.sizes(), from.options());
  const int64_t width = from.size(2), rows = from.size(0) * from.size(1);
  visit_pixels(from, [&](auto pixel) {
    using Pixel = decltype(pixel);
    const auto* const source = pixels<Pixel>(from);
    auto* const target = mutable_pixels<Pixel>(to);
    for (int64_t row = 0; row < rows; ++row) {
      const auto* const begin = source + row * width;
      std::reverse_copy(begin, begin + width, target + row * width);
    }
  });
  return to;
}

at::Tensor vflip(const at::Tensor& image) {
  return image.flip({1});
}

at::Tensor resize(const at::Tensor& image, int64_t height, int64_t width, Interpolation interpolation,
                  bool antialias) {
  if (image.size(1) == height && image.size(2) == width) {
    return image;
  }
  const auto type = image.scalar_type();
  const bool is_float = type == at::kFloat || type == at::kDouble;
  const at::Tensor batch = image.unsqueeze(0);
  at::Tensor resized =
      interpolate(is_float ? batch : batch.to(at::kFloat), height, width, interpolation, antialias);
  if (interpolation == Interpolation::bicubic && type == at::kByte) {
    resized.clamp_(0, 255);
  }
  resized = resized.squeeze(0);
  return is_float ? resized : resized.round_().to(type);
}

}  // namespace optotorch::transforms
