// What free_space does between Fourier transforms: transpositions, tile by tile, and products.

#include <optotorch/ops/cpu/free_space_kernels.h>

#include <algorithm>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/free_space_tiles.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t tile = 8;  // numbers of complex64 that fill a line of the cache

template <typename T>
void transpose_some(const Complex<T>* from, int64_t from_pitch, Complex<T>* to, int64_t to_pitch,
                    int64_t rows, int64_t columns) {
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) {
      to[c * to_pitch + r] = from[r * from_pitch + c];
    }
  }
}

#if HWY_MAX_BYTES >= 32 && !HWY_HAVE_SCALABLE
/// A tile of complex64, moved as numbers of 64 bits.
void transpose_tile(const Complex<float>* from, int64_t from_pitch, Complex<float>* to, int64_t to_pitch) {
  const hn::FixedTag<double, 4> d;
  for (int64_t c = 0; c < tile; c += 4) {
    for (int64_t r = 0; r < tile; r += 4) {
      const auto row = [&](int64_t n) {
        return hn::LoadU(d, reinterpret_cast<const double*>(from + (r + n) * from_pitch + c));
      };
      const auto column = [&](int64_t n) { return reinterpret_cast<double*>(to + (c + n) * to_pitch + r); };
      const auto r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
      const auto even0 = hn::InterleaveLower(d, r0, r1), even2 = hn::InterleaveLower(d, r2, r3);
      const auto odd0 = hn::InterleaveUpper(d, r0, r1), odd2 = hn::InterleaveUpper(d, r2, r3);
      hn::StoreU(hn::ConcatLowerLower(d, even2, even0), d, column(0));
      hn::StoreU(hn::ConcatLowerLower(d, odd2, odd0), d, column(1));
      hn::StoreU(hn::ConcatUpperUpper(d, even2, even0), d, column(2));
      hn::StoreU(hn::ConcatUpperUpper(d, odd2, odd0), d, column(3));
    }
  }
}
#else
void transpose_tile(const Complex<float>* from, int64_t from_pitch, Complex<float>* to, int64_t to_pitch) {
  transpose_some(from, from_pitch, to, to_pitch, tile, tile);
}
#endif

template <typename T>
void transpose_all(const Complex<T>* from, int64_t from_pitch, Complex<T>* to, int64_t to_pitch, int64_t rows,
                   int64_t columns) {
  for (int64_t r = 0; r < rows; r += tile) {
    for (int64_t c = 0; c < columns; c += tile) {
      const auto* const source = from + r * from_pitch + c;
      auto* const target = to + c * to_pitch + r;
      const int64_t height = std::min(tile, rows - r), width = std::min(tile, columns - c);
      if constexpr (std::is_same_v<T, float>) {
        if (height == tile && width == tile) {
          transpose_tile(source, from_pitch, target, to_pitch);
          continue;
        }
      }
      transpose_some(source, from_pitch, target, to_pitch, height, width);
    }
  }
}

template <typename T>
void multiply_all(Complex<T>* x, const Complex<T>* by, int64_t count) {
  const hn::CappedTag<T, 64 / sizeof(T)> d;
  const auto pairs = static_cast<int64_t>(hn::Lanes(d)) / 2;
  const auto signs = hn::OddEven(hn::Zero(d), hn::Set(d, T{-0.0}));
  int64_t n = 0;
  for (; pairs > 0 && n + pairs <= count; n += pairs) {
    auto* const place = reinterpret_cast<T*>(x + n);
    const auto a = hn::LoadU(d, place), b = hn::LoadU(d, reinterpret_cast<const T*>(by + n));
    const auto crossed = hn::Mul(hn::DupOdd(a), hn::Xor(hn::Reverse2(d, b), signs));
    hn::StoreU(hn::MulAdd(hn::DupEven(a), b, crossed), d, place);
  }
  for (; n < count; ++n) {
    const auto a = x[n], b = by[n];
    x[n] = {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
}

void transpose_f32(const Complex<float>* from, int64_t from_pitch, Complex<float>* to, int64_t to_pitch,
                   int64_t rows, int64_t columns) {
  transpose_all(from, from_pitch, to, to_pitch, rows, columns);
}

void multiply_f32(Complex<float>* x, const Complex<float>* by, int64_t count) {
  multiply_all(x, by, count);
}

void multiply_f64(Complex<double>* x, const Complex<double>* by, int64_t count) {
  multiply_all(x, by, count);
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(transpose_f32);
HWY_EXPORT(multiply_f32);
HWY_EXPORT(multiply_f64);

void transpose(const Complex<float>* from, int64_t from_pitch, Complex<float>* to, int64_t to_pitch,
               int64_t rows, int64_t columns) {
  HWY_DYNAMIC_DISPATCH(transpose_f32)(from, from_pitch, to, to_pitch, rows, columns);
}

void transpose(const Complex<double>* from, int64_t from_pitch, Complex<double>* to, int64_t to_pitch,
               int64_t rows, int64_t columns) {
  HWY_STATIC_DISPATCH(transpose_all)<double>(from, from_pitch, to, to_pitch, rows, columns);
}

void multiply(Complex<float>* x, const Complex<float>* by, int64_t count) {
  HWY_DYNAMIC_DISPATCH(multiply_f32)(x, by, count);
}

void multiply(Complex<double>* x, const Complex<double>* by, int64_t count) {
  HWY_DYNAMIC_DISPATCH(multiply_f64)(x, by, count);
}

}  // namespace optotorch::ops
#endif
