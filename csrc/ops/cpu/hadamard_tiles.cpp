// The transform of hadamard_projection.h. Strides below a vector are shuffles; a block of the L1 cache does
// its strides before the next one begins.

#include <optotorch/ops/cpu/hadamard_kernels.h>

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/hadamard_tiles.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
using Lanes = hn::CappedTag<T, 64 / sizeof(T)>;

constexpr int64_t cached = 4096;  // values

template <typename T>
void change_signs(T* v, int64_t size, const uint32_t* signs) {
  const Lanes<T> d;
  using Bits = hn::Rebind<hwy::MakeUnsigned<T>, Lanes<T>>;
  const Bits bits;
  using U = hwy::MakeUnsigned<T>;
  const auto top = hn::Set(bits, U{1} << (8 * sizeof(T) - 1));
  const auto lane = hn::Sub(hn::Set(bits, static_cast<U>(8 * sizeof(T) - 1)), hn::Iota(bits, 0));
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < size; i += lanes) {
    const auto word = hn::Set(bits, static_cast<U>(signs[i / 32] >> (i % 32)));
    const auto flip = hn::And(hn::Shl(word, lane), top);
    hn::Store(hn::Xor(hn::Load(d, v + i), hn::BitCast(d, flip)), d, v + i);
  }
}

template <typename T>
void strides_within_vectors(T* v, int64_t size) {
  const Lanes<T> d;
  using Signed = hn::Rebind<hwy::MakeSigned<T>, Lanes<T>>;
  const Signed indices;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto iota = hn::Iota(indices, 0);
  for (int64_t h = 1; h < lanes; h *= 2) {
    const auto bit = hn::Set(indices, static_cast<hwy::MakeSigned<T>>(h));
    const auto partner = hn::IndicesFromVec(d, hn::Xor(iota, bit));
    const auto minus = hn::RebindMask(d, hn::Eq(hn::And(iota, bit), bit));
    for (int64_t i = 0; i < size; i += lanes) {
      const auto x = hn::Load(d, v + i);
      const auto other = hn::TableLookupLanes(x, partner);
      hn::Store(hn::IfThenElse(minus, hn::Sub(other, x), hn::Add(x, other)), d, v + i);
    }
  }
}

/// Strides from `first` up to half of `size`.
template <typename T>
void strides_across_vectors(T* v, int64_t size, int64_t first) {
  const Lanes<T> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t h = first; h < size; h *= 2) {
    for (int64_t begin = 0; begin < size; begin += 2 * h) {
      for (int64_t i = begin; i < begin + h; i += lanes) {
        const auto a = hn::Load(d, v + i), b = hn::Load(d, v + i + h);
        hn::Store(hn::Add(a, b), d, v + i);
        hn::Store(hn::Sub(a, b), d, v + i + h);
      }
    }
  }
}

template <typename T>
void transform(T* v, int64_t size, const uint32_t* signs) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Lanes<T>()));
  const int64_t block = std::min(size, cached);
  for (int64_t begin = 0; begin < size; begin += block) {
    change_signs(v + begin, block, signs + begin / 32);
    strides_within_vectors(v + begin, block);
    strides_across_vectors(v + begin, block, lanes);
  }
  strides_across_vectors(v, size, block);
}

void transform_f32(float* v, int64_t size, const uint32_t* signs) {
  transform(v, size, signs);
}

void transform_f64(double* v, int64_t size, const uint32_t* signs) {
  transform(v, size, signs);
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(transform_f32);
HWY_EXPORT(transform_f64);

void walsh_hadamard(float* v, int64_t size, const uint32_t* signs) {
  HWY_DYNAMIC_DISPATCH(transform_f32)(v, size, signs);
}

void walsh_hadamard(double* v, int64_t size, const uint32_t* signs) {
  HWY_DYNAMIC_DISPATCH(transform_f64)(v, size, signs);
}

}  // namespace optotorch::ops
#endif
