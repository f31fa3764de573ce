// Code that the mesh kernels share, once per SIMD target: tiles, sums over lanes, sine and cosine.
// Included inside foreach_target sources only; no include guard but Highway's.

#if defined(OPTOTORCH_MESH_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef OPTOTORCH_MESH_SIMD_INL_H_
#undef OPTOTORCH_MESH_SIMD_INL_H_
#else
#define OPTOTORCH_MESH_SIMD_INL_H_
#endif

#include <hwy/highway.h>
#include <optotorch/ops/cpu/mesh_kernels.h>

#include <algorithm>
#include <array>
#include <numbers>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Vectors of at most 64 bytes, so that a row of a tile is a whole number of them.
template <typename T>
using Lanes = hn::CappedTag<T, 64 / sizeof(T)>;
/// One 128-bit block.
template <typename T>
using Block = hn::CappedTag<T, 16 / sizeof(T)>;

template <class D>
using Vector = hn::Vec<D>;

/// Complex numbers, one a lane.
template <class V>
struct Complex {
  V re, im;
};

template <class V>
HWY_INLINE Complex<V> operator*(Complex<V> a, Complex<V> b) {
  return {hn::NegMulAdd(a.im, b.im, hn::Mul(a.re, b.re)), hn::MulAdd(a.re, b.im, hn::Mul(a.im, b.re))};
}

// ---- Sums over lanes ------------------------------------------------------------------------------------

/// Sum of the 128-bit blocks of a vector.
template <class D, class V = Vector<D>>
HWY_INLINE auto sum_of_blocks(D d, V v) {
  using T = hn::TFromD<D>;
  if constexpr (hn::MaxLanes(D()) * sizeof(T) <= 16) {
    return v;
  } else {
    const hn::Half<D> half;
    return sum_of_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

/// The sums over the lanes of four (float) or two (double) vectors, as one block.
template <class D, class V = Vector<D>>
HWY_INLINE Vector<Block<float>> lane_sums(D d, const V (&v)[4]) {
  const V even = hn::Add(hn::InterleaveLower(d, v[0], v[2]), hn::InterleaveUpper(d, v[0], v[2]));
  const V odd = hn::Add(hn::InterleaveLower(d, v[1], v[3]), hn::InterleaveUpper(d, v[1], v[3]));
  return sum_of_blocks(d, hn::Add(hn::InterleaveLower(d, even, odd), hn::InterleaveUpper(d, even, odd)));
}
template <class D, class V = Vector<D>>
HWY_INLINE Vector<Block<double>> lane_sums(D d, const V (&v)[2]) {
  return sum_of_blocks(d, hn::Add(hn::InterleaveLower(d, v[0], v[1]), hn::InterleaveUpper(d, v[0], v[1])));
}

// ---- Tiles ----------------------------------------------------------------------------------------------

/// Transposes a square of real numbers, as many rows as a block has lanes.
template <class V>
HWY_INLINE void transpose(Block<float> d, V (&r)[4]) {
  const V a = hn::InterleaveLower(d, r[0], r[2]), b = hn::InterleaveUpper(d, r[0], r[2]);
  const V e = hn::InterleaveLower(d, r[1], r[3]), f = hn::InterleaveUpper(d, r[1], r[3]);
  r[0] = hn::InterleaveLower(d, a, e);
  r[1] = hn::InterleaveUpper(d, a, e);
  r[2] = hn::InterleaveLower(d, b, f);
  r[3] = hn::InterleaveUpper(d, b, f);
}
template <class V>
HWY_INLINE void transpose(Block<double> d, V (&r)[2]) {
  const V a = r[0];
  r[0] = hn::InterleaveLower(d, a, r[1]);
  r[1] = hn::InterleaveUpper(d, a, r[1]);
}

/// A tile's view of one field: row p holds the real parts of port p, then the imaginary parts. Rows lie
/// `planes` planes apart, known to the compiler: kernels have no registers to spare for a product.
template <typename T, int64_t planes = 2>
struct Tile {
  static constexpr int64_t row_stride = planes * tile_samples<T>;
  T* data;
  T* re(int64_t port) const { return data + port * row_stride; }
  T* im(int64_t port) const { return re(port) + tile_samples<T>; }
};

/// Copies the `count` samples from `first` on of a field, whose rows lie `stride` complex numbers apart, into
/// a tile; the samples above `count` become zero.
template <typename T, int64_t planes>
void load_tile(const T* field, int64_t ports, int64_t stride, int64_t first, int64_t count,
               Tile<T, planes> tile) {
  const Block<T> d;
  constexpr int64_t step = 16 / sizeof(T);
  using V = Vector<Block<T>>;
  const int64_t whole = ports - ports % step;
  for (int64_t s = 0; s < tile_samples<T>; s += step) {
    const bool full = s + step <= count;
    for (int64_t p = 0; full && p < whole; p += step) {
      V re[step], im[step];
      for (int64_t i = 0; i < step; ++i) {
        hn::LoadInterleaved2(d, field + 2 * ((first + s + i) * stride + p), re[i], im[i]);
      }
      transpose(d, re);
      transpose(d, im);
      for (int64_t i = 0; i < step; ++i) {
        hn::Store(re[i], d, tile.re(p + i) + s);
        hn::Store(im[i], d, tile.im(p + i) + s);
      }
    }
    for (int64_t p = full ? whole : 0; p < ports; ++p) {
      for (int64_t i = s; i < s + step; ++i) {
        const T* value = field + 2 * ((first + i) * stride + p);
        tile.re(p)[i] = i < count ? value[0] : T(0);
        tile.im(p)[i] = i < count ? value[1] : T(0);
      }
    }
  }
}

/// The inverse of load_tile.
template <typename T, int64_t planes>
void store_tile(Tile<T, planes> tile, int64_t ports, int64_t stride, int64_t first, int64_t count, T* field) {
  const Block<T> d;
  constexpr int64_t step = 16 / sizeof(T);
  using V = Vector<Block<T>>;
  const int64_t whole = ports - ports % step;
  for (int64_t s = 0; s < count; s += step) {
    const bool full = s + step <= count;
    for (int64_t p = 0; full && p < whole; p += step) {
      V re[step], im[step];
      for (int64_t i = 0; i < step; ++i) {
        re[i] = hn::Load(d, tile.re(p + i) + s);
        im[i] = hn::Load(d, tile.im(p + i) + s);
      }
      transpose(d, re);
      transpose(d, im);
      for (int64_t i = 0; i < step; ++i) {
        hn::StoreInterleaved2(re[i], im[i], d, field + 2 * ((first + s + i) * stride + p));
      }
    }
    for (int64_t p = full ? whole : 0; p < ports; ++p) {
      for (int64_t i = s; i < std::min(s + step, count); ++i) {
        T* value = field + 2 * ((first + i) * stride + p);
        value[0] = tile.re(p)[i];
        value[1] = tile.im(p)[i];
      }
    }
  }
}

/// Multiplies every port by its factor (planes of `ports` numbers), or by the conjugate.
template <bool conjugate = false, typename T, int64_t planes>
void scale_ports(Tile<T, planes> tile, int64_t ports, const T* factors) {
  const Lanes<T> d;
  for (int64_t p = 0; p < ports; ++p) {
    const auto re = hn::Set(d, factors[p]);
    const auto im = hn::Set(d, conjugate ? -factors[ports + p] : factors[ports + p]);
    for (int64_t s = 0; s < tile_samples<T>; s += hn::Lanes(d)) {
      const auto x = hn::Load(d, tile.re(p) + s);
      const auto y = hn::Load(d, tile.im(p) + s);
      hn::Store(hn::NegMulAdd(im, y, hn::Mul(re, x)), d, tile.re(p) + s);
      hn::Store(hn::MulAdd(im, x, hn::Mul(re, y)), d, tile.im(p) + s);
    }
  }
}

/// sums[p] += sum over samples of Im(g conj(x)), the derivative of the loss by a phase on port p.
template <typename T, int64_t planes>
void add_phase_gradients(Tile<T, planes> x, Tile<T, planes> g, int64_t ports, T* sums) {
  const Lanes<T> d;
  for (int64_t p = 0; p < ports; ++p) {
    auto sum = hn::Zero(d);
    for (int64_t s = 0; s < tile_samples<T>; s += hn::Lanes(d)) {
      sum = hn::MulAdd(hn::Load(d, g.im(p) + s), hn::Load(d, x.re(p) + s), sum);
      sum = hn::NegMulAdd(hn::Load(d, g.re(p) + s), hn::Load(d, x.im(p) + s), sum);
    }
    sums[p] += hn::GetLane(hn::SumOfLanes(d, sum));
  }
}

// ---- Sine and cosine in double --------------------------------------------------------------------------

using D64 = Lanes<double>;
using V64 = Vector<D64>;

/// 1/n!, with the sign of the n-th term of the series of sin or cos.
constexpr double taylor(int n) {
  double factorial = 1;
  for (int i = 2; i <= n; ++i) {
    factorial *= i;
  }
  return (n / 2 % 2 == 0 ? 1 : -1) / factorial;
}

/// x - n pi, and n as the nearest whole number. pi is taken as the sum of two doubles.
struct HalfTurns {
  V64 rest, count;
};
HWY_INLINE HalfTurns without_half_turns(V64 x) {
  const D64 d;
  constexpr double below_pi = 1.2246467991473532e-16;  // pi - double(pi)
  const auto n = hn::Round(hn::Mul(x, hn::Set(d, 1 / std::numbers::pi)));
  const auto rest = hn::NegMulAdd(n, hn::Set(d, std::numbers::pi), x);
  return {hn::NegMulAdd(n, hn::Set(d, below_pi), rest), n};
}

/// (-1)^n for whole n.
HWY_INLINE V64 parity_sign(V64 n) {
  const D64 d;
  const auto half = hn::Mul(n, hn::Set(d, 0.5));
  const auto odd = hn::Abs(hn::Sub(half, hn::Floor(half)));  // 0 or 1/2
  return hn::NegMulAdd(hn::Set(d, 4.0), odd, hn::Set(d, 1.0));
}

/// cos(x) + i sin(x) for |x| <= pi/4 by the Taylor series; the first term left out is below 1e-16 of the sum.
HWY_INLINE Complex<V64> small_angle(V64 x) {
  const D64 d;
  const auto z = hn::Mul(x, x);
  auto s = hn::Set(d, taylor(15));
  s = hn::MulAdd(s, z, hn::Set(d, taylor(13)));
  s = hn::MulAdd(s, z, hn::Set(d, taylor(11)));
  s = hn::MulAdd(s, z, hn::Set(d, taylor(9)));
  s = hn::MulAdd(s, z, hn::Set(d, taylor(7)));
  s = hn::MulAdd(s, z, hn::Set(d, taylor(5)));
  s = hn::MulAdd(s, z, hn::Set(d, taylor(3)));
  auto c = hn::Set(d, taylor(16));
  c = hn::MulAdd(c, z, hn::Set(d, taylor(14)));
  c = hn::MulAdd(c, z, hn::Set(d, taylor(12)));
  c = hn::MulAdd(c, z, hn::Set(d, taylor(10)));
  c = hn::MulAdd(c, z, hn::Set(d, taylor(8)));
  c = hn::MulAdd(c, z, hn::Set(d, taylor(6)));
  c = hn::MulAdd(c, z, hn::Set(d, taylor(4)));
  c = hn::MulAdd(c, z, hn::Set(d, taylor(2)));
  return {hn::MulAdd(c, z, hn::Set(d, 1.0)), hn::MulAdd(hn::Mul(s, z), x, x)};
}

/// cos(x) + i sin(x) for any x.
HWY_INLINE Complex<V64> unit_phase(V64 x) {
  const D64 d;
  const auto [rest, turns] = without_half_turns(x);
  const auto half = small_angle(hn::Mul(rest, hn::Set(d, 0.5)));
  const auto sign = parity_sign(turns);
  const auto twice = hn::Add(half.im, half.im);
  return {hn::Mul(sign, hn::NegMulAdd(twice, half.im, hn::Set(d, 1.0))),
          hn::Mul(sign, hn::Mul(twice, half.re))};
}

// ---- Doubles from and to arrays of T --------------------------------------------------------------------

HWY_INLINE V64 load_double(const double* from) {
  return hn::LoadU(D64(), from);
}
HWY_INLINE V64 load_double(const float* from) {
  return hn::PromoteTo(D64(), hn::LoadU(hn::Rebind<float, D64>(), from));
}
HWY_INLINE void store_double(V64 value, double* to) {
  hn::StoreU(value, D64(), to);
}
HWY_INLINE void store_double(V64 value, float* to) {
  const hn::Rebind<float, D64> d;
  hn::StoreU(hn::DemoteTo(d, value), d, to);
}

/// Copies `count` numbers and sets the padding to zero; false if one of them is NaN or infinite.
template <typename T>
bool copy_finite(const T* from, int64_t count, double* to) {
  for (int64_t k = 0; k < count; ++k) {
    to[k] = from[k];
  }
  std::fill(to + count, to + count + kernel_padding, 0.0);
  const D64 d;
  auto probe = hn::Zero(d);
  for (int64_t k = 0; k < count; k += hn::Lanes(d)) {
    probe = hn::MulAdd(hn::LoadU(d, to + k), hn::Zero(d), probe);
  }
  return hn::GetLane(hn::SumOfLanes(d, probe)) == 0;
}

/// Writes e^{i phase} of every port: `ports` real parts, then the imaginary parts.
template <typename T>
void store_port_factors(const double* phases, int64_t ports, T* factors) {
  const D64 d;
  const AlignedArray<T> imaginary(ports);
  for (int64_t p = 0; p < ports; p += hn::Lanes(d)) {
    const auto factor = unit_phase(hn::LoadU(d, phases + p));
    store_double(factor.re, factors + p);
    store_double(factor.im, imaginary.get() + p);
  }
  std::copy(imaginary.get(), imaginary.get() + ports, factors + ports);
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
