// What separable_hop does around its matrix products: fields by their even and odd halves, and back.

#include <optotorch/ops/cpu/separable_hop_kernels.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/separable_hop_tiles.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Vectors of interleaved complex numbers.
template <typename T>
struct Numbers;

template <>
struct Numbers<float> {
  using Tag = hn::CappedTag<float, 16>;
  template <typename V>
  static V reversed(Tag d, V v) {
    const hn::Repartition<double, Tag> pairs;
    return hn::BitCast(d, hn::Reverse(pairs, hn::BitCast(pairs, v)));
  }
};

template <>
struct Numbers<double> {
  using Tag = hn::CappedTag<double, 2>;
  template <typename V>
  static V reversed(Tag /*d*/, V v) {
    return v;
  }
};

/// For c from 0 on, `vectors(c)` while a whole vector of numbers fits before `count`, then `single(c)`.
template <typename T, typename Vectors, typename Single>
void for_numbers(int64_t count, const Vectors& vectors, const Single& single) {
  const auto together = static_cast<int64_t>(hn::Lanes(typename Numbers<T>::Tag())) / 2;
  int64_t c = 0;
  for (; together > 0 && c + together <= count; c += together) {
    vectors(c, together);
  }
  for (; c < count; ++c) {
    single(c);
  }
}

template <typename T>
void fold_rows(const T* upper, const T* lower, int64_t n, Halves<T> sum, Halves<T> difference) {
  const typename Numbers<T>::Tag d;
  const int64_t half = n / 2;
  const auto put = [](Halves<T> to, int64_t at, T near, T far) {
    to.even[at] = near + far;
    to.odd[at] = near - far;
  };
  for_numbers<T>(
      half,
      [&](int64_t c, int64_t together) {
        const int64_t far = 2 * (n - c - together);
        const auto far_upper = Numbers<T>::reversed(d, hn::LoadU(d, upper + far));
        const auto far_lower = Numbers<T>::reversed(d, hn::LoadU(d, lower + far));
        const auto near_upper = hn::LoadU(d, upper + 2 * c), near_lower = hn::LoadU(d, lower + 2 * c);
        const auto near_sum = hn::Add(near_upper, near_lower), far_sum = hn::Add(far_upper, far_lower);
        hn::StoreU(hn::Add(near_sum, far_sum), d, sum.even + 2 * c);
        hn::StoreU(hn::Sub(near_sum, far_sum), d, sum.odd + 2 * c);
        const auto near_difference = hn::Sub(near_upper, near_lower),
                   far_difference = hn::Sub(far_upper, far_lower);
        hn::StoreU(hn::Add(near_difference, far_difference), d, difference.even + 2 * c);
        hn::StoreU(hn::Sub(near_difference, far_difference), d, difference.odd + 2 * c);
      },
      [&](int64_t c) {
        for (int64_t part = 0; part < 2; ++part) {
          const int64_t near = 2 * c + part, far = 2 * (n - 1 - c) + part;
          put(sum, near, upper[near] + lower[near], upper[far] + lower[far]);
          put(difference, near, upper[near] - lower[near], upper[far] - lower[far]);
        }
      });
  for (int64_t at = 2 * half; at < 2 * (n - half); ++at) {
    sum.even[at] = upper[at] + lower[at];
    difference.even[at] = upper[at] - lower[at];
  }
}

/// top + i bottom
template <typename T, typename D>
hn::Vec<D> value(D d, Product<T> product, int64_t at) {
  const auto turned = hn::Reverse2(d, hn::LoadU(d, product.bottom + at));
  return hn::Add(hn::LoadU(d, product.top + at), hn::OddEven(turned, hn::Neg(turned)));
}

template <typename T>
T value(Product<T> product, int64_t number, int64_t part) {
  const int64_t at = 2 * number;
  return part == 0 ? product.top[at] - product.bottom[at + 1] : product.top[at + 1] + product.bottom[at];
}

template <typename T>
void unfold_rows(Product<T> even, Product<T> odd, int64_t n, T* upper, T* lower) {
  const typename Numbers<T>::Tag d;
  const int64_t half = n / 2, odd_columns = n - half;
  for_numbers<T>(
      half,
      [&](int64_t c, int64_t together) {
        const int64_t near = 2 * c, far = 2 * (n - c - together), beside = 2 * (odd_columns + c);
        const auto even_even = value<T>(d, even, near), even_odd = value<T>(d, even, beside);
        const auto odd_even = value<T>(d, odd, near), odd_odd = value<T>(d, odd, beside);
        const auto sum_even = hn::Add(even_even, odd_even), sum_odd = hn::Add(even_odd, odd_odd);
        hn::StoreU(hn::Add(sum_even, sum_odd), d, upper + near);
        hn::StoreU(Numbers<T>::reversed(d, hn::Sub(sum_even, sum_odd)), d, upper + far);
        const auto rest_even = hn::Sub(even_even, odd_even), rest_odd = hn::Sub(even_odd, odd_odd);
        hn::StoreU(hn::Add(rest_even, rest_odd), d, lower + near);
        hn::StoreU(Numbers<T>::reversed(d, hn::Sub(rest_even, rest_odd)), d, lower + far);
      },
      [&](int64_t c) {
        for (int64_t part = 0; part < 2; ++part) {
          const int64_t near = 2 * c + part, far = 2 * (n - 1 - c) + part;
          const T sum_even = value(even, c, part) + value(odd, c, part),
                  sum_odd = value(even, odd_columns + c, part) + value(odd, odd_columns + c, part);
          const T rest_even = value(even, c, part) - value(odd, c, part),
                  rest_odd = value(even, odd_columns + c, part) - value(odd, odd_columns + c, part);
          upper[near] = sum_even + sum_odd;
          upper[far] = sum_even - sum_odd;
          lower[near] = rest_even + rest_odd;
          lower[far] = rest_even - rest_odd;
        }
      });
  for (int64_t c = half; c < odd_columns; ++c) {
    for (int64_t part = 0; part < 2; ++part) {
      upper[2 * c + part] = value(even, c, part) + value(odd, c, part);
      lower[2 * c + part] = value(even, c, part) - value(odd, c, part);
    }
  }
}

template <typename T>
void join_row(Product<T> product, int64_t n, T* y) {
  const typename Numbers<T>::Tag d;
  for_numbers<T>(
      n, [&](int64_t c, int64_t) { hn::StoreU(value<T>(d, product, 2 * c), d, y + 2 * c); },
      [&](int64_t c) {
        for (int64_t part = 0; part < 2; ++part) {
          y[2 * c + part] = value(product, c, part);
        }
      });
}

// NOLINTBEGIN(bugprone-macro-parentheses): names of types
#define OPTOTORCH_ROWS_OF(T, suffix)                                                                   \
  void fold_##suffix(const T* upper, const T* lower, int64_t n, Halves<T> sum, Halves<T> difference) { \
    fold_rows(upper, lower, n, sum, difference);                                                       \
  }                                                                                                    \
  void unfold_##suffix(Product<T> even, Product<T> odd, int64_t n, T* upper, T* lower) {               \
    unfold_rows(even, odd, n, upper, lower);                                                           \
  }                                                                                                    \
  void join_##suffix(Product<T> product, int64_t n, T* y) {                                            \
    join_row(product, n, y);                                                                           \
  }
OPTOTORCH_ROWS_OF(float, f32)
OPTOTORCH_ROWS_OF(double, f64)
#undef OPTOTORCH_ROWS_OF
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(fold_f32);
HWY_EXPORT(fold_f64);
HWY_EXPORT(unfold_f32);
HWY_EXPORT(unfold_f64);
HWY_EXPORT(join_f32);
HWY_EXPORT(join_f64);

void fold(const float* upper, const float* lower, int64_t n, Halves<float> sum, Halves<float> difference) {
  HWY_DYNAMIC_DISPATCH(fold_f32)(upper, lower, n, sum, difference);
}

void fold(const double* upper, const double* lower, int64_t n, Halves<double> sum,
          Halves<double> difference) {
  HWY_DYNAMIC_DISPATCH(fold_f64)(upper, lower, n, sum, difference);
}

void unfold(Product<float> even, Product<float> odd, int64_t n, float* upper, float* lower) {
  HWY_DYNAMIC_DISPATCH(unfold_f32)(even, odd, n, upper, lower);
}

void unfold(Product<double> even, Product<double> odd, int64_t n, double* upper, double* lower) {
  HWY_DYNAMIC_DISPATCH(unfold_f64)(even, odd, n, upper, lower);
}

void join(Product<float> product, int64_t n, float* y) {
  HWY_DYNAMIC_DISPATCH(join_f32)(product, n, y);
}

void join(Product<double> product, int64_t n, double* y) {
  HWY_DYNAMIC_DISPATCH(join_f64)(product, n, y);
}

}  // namespace optotorch::ops
#endif
