// Entries of random_projection.h, a vector of rows at a time, once per SIMD target. Included inside
// foreach_target sources only; no include guard but Highway's.

#if defined(OPTOTORCH_RANDOM_ENTRIES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef OPTOTORCH_RANDOM_ENTRIES_INL_H_
#undef OPTOTORCH_RANDOM_ENTRIES_INL_H_
#else
#define OPTOTORCH_RANDOM_ENTRIES_INL_H_
#endif

#include <hwy/highway.h>
#include <optotorch/ops/cpu/random_projection_kernels.h>

#include <numbers>
#include <type_traits>
// After highway.h.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// 64 bytes at most: a tile's size and the order of sums do not depend on wider machines.
using Floats = hn::CappedTag<float, 16>;
using Words = hn::Rebind<uint32_t, Floats>;
using Products = hn::RepartitionToWide<Words>;
using F = hn::Vec<Floats>;
using W = hn::Vec<Words>;

template <typename T>
using Lanes = hn::CappedTag<T, 64 / sizeof(T)>;

/// Vectors of rows in a tile: two of rows, or real and imaginary parts of one.
constexpr int64_t vectors = 2;

inline int64_t lanes() {
  return static_cast<int64_t>(hn::Lanes(Floats()));
}

inline int64_t group_rows(Entries entries) {
  return entries == Entries::complex_normal ? lanes() : vectors * lanes();
}

/// The Philox blocks with the counters (block, row + lane, kind, 0). Even and odd lanes go side by side, as
/// 64-bit numbers of which only the lower halves count.
HWY_INLINE void philox(uint64_t seed, uint32_t kind, uint32_t block, uint32_t row, W words[4]) {
  const Words d;
  const Products wide;
  const auto m0 = hn::Set(d, 0xD2511F53U), m1 = hn::Set(d, 0xCD9E8D57U);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  const auto rows = hn::Add(hn::Iota(d, 0), hn::Set(d, row));
  using V = hn::Vec<Products>;
  V x[2][4];
  for (int half = 0; half < 2; ++half) {
    x[half][0] = hn::Set(wide, block);
    x[half][1] = half == 0 ? hn::BitCast(wide, rows) : hn::ShiftRight<32>(hn::BitCast(wide, rows));
    x[half][2] = hn::Set(wide, kind);
    x[half][3] = hn::Zero(wide);
  }
  for (int round = 0; round < 10; ++round) {
    const V key0 = hn::Set(wide, k0), key1 = hn::Set(wide, k1);
    for (auto& c : x) {
      const V p0 = hn::MulEven(hn::BitCast(d, c[0]), m0), p1 = hn::MulEven(hn::BitCast(d, c[2]), m1);
      c[0] = hn::Xor3(hn::ShiftRight<32>(p1), c[1], key0);
      c[1] = p1;
      c[2] = hn::Xor3(hn::ShiftRight<32>(p0), c[3], key1);
      c[3] = p0;
    }
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  for (int i = 0; i < 4; ++i) {
    words[i] = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(x[1][i])), hn::BitCast(d, x[0][i]));
  }
}

/// sqrt(-2 ln u) (cos, sin)(2 pi w1 / 2^32), u = (w0 + 1/2) / 2^32. The angle is reduced to +-pi/4 in
/// integers, exactly; polynomials of cos and sin err by less than 2^-24 there.
HWY_INLINE void box_muller(W w0, W w1, F& a, F& b) {
  const Floats d;
  const Words du;
  const hn::Rebind<int32_t, Floats> di;
  // Halves of 32 bits by themselves: there is no unsigned conversion.
  const F high = hn::ConvertTo(d, hn::BitCast(di, hn::ShiftRight<16>(w0)));
  const F low = hn::ConvertTo(d, hn::BitCast(di, hn::And(w0, hn::Set(du, 0xFFFFU))));
  const F u =
      hn::MulAdd(high, hn::Set(d, 0x1p-16F), hn::Mul(hn::Add(low, hn::Set(d, 0.5F)), hn::Set(d, 0x1p-32F)));
  const F radius = hn::Sqrt(hn::Max(hn::Mul(hn::Set(d, -2.0F), hn::Log(d, u)), hn::Zero(d)));

  const W quarter = hn::ShiftRight<30>(hn::Add(w1, hn::Set(du, 0x20000000U)));
  const auto rest = hn::BitCast(di, hn::Sub(w1, hn::ShiftLeft<30>(quarter)));
  const F t = hn::Mul(hn::ConvertTo(d, rest), hn::Set(d, static_cast<float>(2 * std::numbers::pi * 0x1p-32)));
  const F t2 = hn::Mul(t, t);
  F s = hn::MulAdd(t2, hn::Set(d, -1.0F / 5040), hn::Set(d, 1.0F / 120));
  s = hn::MulAdd(hn::MulAdd(s, t2, hn::Set(d, -1.0F / 6)), hn::Mul(t2, t), t);
  F c = hn::MulAdd(t2, hn::Set(d, 1.0F / 40320), hn::Set(d, -1.0F / 720));
  c = hn::MulAdd(hn::MulAdd(c, t2, hn::Set(d, 1.0F / 24)), t2, hn::Set(d, -0.5F));
  c = hn::MulAdd(c, t2, hn::Set(d, 1.0F));

  // Quarters 0 to 3: (c, s), (-s, c), (-c, -s), (s, -c).
  const auto odd = hn::RebindMask(d, hn::Ne(hn::And(quarter, hn::Set(du, 1U)), hn::Zero(du)));
  const W cos_sign =
      hn::ShiftLeft<31>(hn::And(hn::Xor(quarter, hn::ShiftRight<1>(quarter)), hn::Set(du, 1U)));
  const W sin_sign = hn::ShiftLeft<31>(hn::ShiftRight<1>(quarter));
  const F cosine = hn::Xor(hn::IfThenElse(odd, s, c), hn::BitCast(d, cos_sign));
  const F sine = hn::Xor(hn::IfThenElse(odd, c, s), hn::BitCast(d, sin_sign));
  a = hn::Mul(radius, cosine);
  b = hn::Mul(radius, sine);
}

template <typename T>
HWY_INLINE void store_entries(F entries, T* to) {
  const Floats d;
  if constexpr (std::is_same_v<T, float>) {
    hn::Store(entries, d, to);
  } else {
    HWY_ALIGN float single[16];
    hn::Store(entries, d, single);
    std::copy(single, single + hn::Lanes(d), to);
  }
}

/// Calls take(column within the chunk, vector, entries) for `columns` columns, rounded up to whole blocks,
/// from `first` on (a multiple of the chunk); `used` may say for pairs of columns that they are not needed.
template <typename Take>
HWY_INLINE void make_entries(const Projection& p, int64_t row, int64_t first, int64_t columns,
                             const uint8_t* used, const Take& take) {
  const Floats d;
  const Words du;
  const auto kind = static_cast<uint32_t>(p.entries);
  const auto at = static_cast<uint32_t>(p.first_row + row), step = static_cast<uint32_t>(lanes());
  W w[4];
  if (p.entries == Entries::rademacher) {
    for (int64_t v = 0; v < vectors; ++v) {
      philox(p.seed, kind, static_cast<uint32_t>(first / 128), at + static_cast<uint32_t>(v) * step, w);
      for (int64_t c = 0; c < columns; ++c) {
        const W bit = hn::ShiftLeftSame(w[c / 32], static_cast<int>(31 - c % 32));
        const W one = hn::BitCast(du, hn::Set(d, 1.0F));
        take(c, v, hn::BitCast(d, hn::Or(hn::And(bit, hn::Set(du, 0x80000000U)), one)));
      }
    }
    return;
  }
  if (p.entries == Entries::normal) {
    for (int64_t c = 0; c < columns; c += 4) {
      if (used != nullptr && used[(first + c) / 2] + used[(first + c) / 2 + 1] == 0) {
        continue;
      }
      for (int64_t v = 0; v < vectors; ++v) {
        philox(p.seed, kind, static_cast<uint32_t>((first + c) / 4), at + static_cast<uint32_t>(v) * step, w);
        F a, b;
        box_muller(w[0], w[1], a, b);
        take(c, v, a);
        take(c + 1, v, b);
        box_muller(w[2], w[3], a, b);
        take(c + 2, v, a);
        take(c + 3, v, b);
      }
    }
    return;
  }
  const F half = hn::Set(d, static_cast<float>(std::numbers::sqrt2 / 2));
  for (int64_t c = 0; c < columns; c += 2) {
    if (used != nullptr && used[(first + c) / 2] == 0) {
      continue;
    }
    philox(p.seed, kind, static_cast<uint32_t>((first + c) / 2), at, w);
    for (int64_t one = 0; one < 2; ++one) {
      F a, b;
      box_muller(w[2 * one], w[2 * one + 1], a, b);
      take(c + one, 0, hn::Mul(a, half));
      take(c + one, 1, hn::Mul(b, half));
    }
  }
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
