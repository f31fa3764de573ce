// The U-Net of sepn.h on tiles of samples. Three loops do all of it: `convolve` (forward, and with the
// adjoint weights and reversed links backward), and `correlate` (gradients of weights).
//
// Output channels go by four: 8 sums in registers, for which an input pixel is loaded once. Weights lie in
// the order in which they are met: [channels by four][tap][input channel][real parts, imaginary parts of the
// four], the last few channels filled up with zeros.

#include <optotorch/ops/cpu/scratch.h>
#include <optotorch/ops/cpu/sepn_kernels.h>

#include <algorithm>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/sepn_tiles.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
using Lanes = hn::CappedTag<T, sepn_tile<T>>;

constexpr int64_t together = 4;  // output channels

template <typename T>
constexpr int64_t row_size = 2 * sepn_tile<T>;

/// y[o] (+)= b + sum over links (i, tap) and channels of w x[i], for `count` (1 to 4) output channels from
/// `first` on.
template <int64_t count, typename T>
void convolve_some(const SepnLinks& links, int64_t in, const T* weights, const T* bias, const T* x,
                   int64_t x_pixels, T* y, int64_t y_pixels, bool add, bool active) {
  const Lanes<T> d;
  using V = hn::Vec<Lanes<T>>;
  constexpr int64_t row = row_size<T>;
  for (int64_t o = 0; o < y_pixels; ++o) {
    const int32_t begin = links.begin[o], end = links.begin[o + 1];
    for (int64_t s = 0; s < sepn_tile<T>; s += hn::Lanes(d)) {
      V re[count], im[count];
      for (int64_t c = 0; c < count; ++c) {
        T* const to = y + (c * y_pixels + o) * row + s;
        re[c] = add ? hn::Load(d, to) : bias ? hn::Set(d, bias[2 * c]) : hn::Zero(d);
        im[c] = add ? hn::Load(d, to + sepn_tile<T>) : bias ? hn::Set(d, bias[2 * c + 1]) : hn::Zero(d);
      }
      for (int32_t link = begin; link < end; ++link) {
        const auto [from, tap] = links.links[link];
        const T* source = x + from * row + s;
        const T* w = weights + tap * in * 2 * together;
        for (int64_t i = 0; i < in; ++i, source += x_pixels * row, w += 2 * together) {
          const V a = hn::Load(d, source), b = hn::Load(d, source + sepn_tile<T>);
          for (int64_t c = 0; c < count; ++c) {
            const V u = hn::Set(d, w[c]), v = hn::Set(d, w[together + c]);
            re[c] = hn::NegMulAdd(v, b, hn::MulAdd(u, a, re[c]));
            im[c] = hn::MulAdd(v, a, hn::MulAdd(u, b, im[c]));
          }
        }
      }
      for (int64_t c = 0; c < count; ++c) {
        T* const to = y + (c * y_pixels + o) * row + s;
        hn::Store(active ? hn::Max(re[c], hn::Zero(d)) : re[c], d, to);
        hn::Store(active ? hn::Max(im[c], hn::Zero(d)) : im[c], d, to + sepn_tile<T>);
      }
    }
  }
}

template <typename T>
void convolve(const SepnLinks& links, int64_t in, int64_t out, const T* weights, const T* bias, const T* x,
              int64_t x_pixels, T* y, int64_t y_pixels, bool add, bool active) {
  for (int64_t c = 0; c < out; c += together) {
    const auto call = [&](auto some) {
      some(links, in, weights, bias, x, x_pixels, y, y_pixels, add, active);
    };
    switch (std::min(together, out - c)) {
      case 1:
        call(convolve_some<1, T>);
        break;
      case 2:
        call(convolve_some<2, T>);
        break;
      case 3:
        call(convolve_some<3, T>);
        break;
      default:
        call(convolve_some<4, T>);
    }
    weights += 9 * in * 2 * together;
    bias = bias ? bias + 2 * together : nullptr;
    y += together * y_pixels * row_size<T>;
  }
}

/// sums[c] += sum over pairs and samples of g conj(x), for `count` output channels and one input channel.
template <int64_t count, typename T>
void correlate_some(const std::vector<std::pair<int32_t, int32_t>>& pairs, const T* g, int64_t g_pixels,
                    const T* x, T* sums, int64_t stride) {
  const Lanes<T> d;
  using V = hn::Vec<Lanes<T>>;
  constexpr int64_t row = row_size<T>;
  V re[count], im[count];
  for (int64_t c = 0; c < count; ++c) {
    re[c] = im[c] = hn::Zero(d);
  }
  for (const auto& [o, i] : pairs) {
    for (int64_t s = 0; s < sepn_tile<T>; s += hn::Lanes(d)) {
      const T* source = x + i * row + s;
      const V a = hn::Load(d, source), b = hn::Load(d, source + sepn_tile<T>);
      for (int64_t c = 0; c < count; ++c) {
        const T* signal = g + (c * g_pixels + o) * row + s;
        const V p = hn::Load(d, signal), q = hn::Load(d, signal + sepn_tile<T>);
        re[c] = hn::MulAdd(q, b, hn::MulAdd(p, a, re[c]));
        im[c] = hn::NegMulAdd(p, b, hn::MulAdd(q, a, im[c]));
      }
    }
  }
  for (int64_t c = 0; c < count; ++c) {
    sums[c * stride] += hn::GetLane(hn::SumOfLanes(d, re[c]));
    sums[c * stride + 1] += hn::GetLane(hn::SumOfLanes(d, im[c]));
  }
}

template <typename T>
void correlate(const SepnStep& step, const T* g, const T* x, T* sums) {
  const auto& c = step.convolution;
  const int64_t x_pixels = c.in_side * c.in_side, g_pixels = c.out_side * c.out_side;
  // Parameters lie [out][in][tap], or [in][out][tap].
  const int64_t by_out = c.transposed ? 18 : 18 * c.in, by_in = c.transposed ? 18 * c.out : 18;
  for (int64_t out = 0; out < c.out; out += together) {
    for (int64_t in = 0; in < c.in; ++in) {
      for (int64_t tap = 0; tap < 9; ++tap) {
        const auto call = [&](auto some) {
          some(step.pairs[tap], g + out * g_pixels * row_size<T>, g_pixels, x + in * x_pixels * row_size<T>,
               sums + 2 * c.weight + out * by_out + in * by_in + 2 * tap, by_out);
        };
        switch (std::min(together, c.out - out)) {
          case 1:
            call(correlate_some<1, T>);
            break;
          case 2:
            call(correlate_some<2, T>);
            break;
          case 3:
            call(correlate_some<3, T>);
            break;
          default:
            call(correlate_some<4, T>);
        }
      }
    }
  }
  const Lanes<T> d;
  for (int64_t out = 0; out < c.out; ++out) {
    auto re = hn::Zero(d), im = hn::Zero(d);
    for (int64_t o = 0; o < g_pixels; ++o) {
      const T* const signal = g + (out * g_pixels + o) * row_size<T>;
      for (int64_t s = 0; s < sepn_tile<T>; s += hn::Lanes(d)) {
        re = hn::Add(re, hn::Load(d, signal + s));
        im = hn::Add(im, hn::Load(d, signal + sepn_tile<T> + s));
      }
    }
    sums[2 * (c.bias + out)] += hn::GetLane(hn::SumOfLanes(d, re));
    sums[2 * (c.bias + out) + 1] += hn::GetLane(hn::SumOfLanes(d, im));
  }
}

/// The signal behind a CReLU, from that at its output y: 0 where y is 0.
template <typename T>
void mask(const T* y, T* g, int64_t numbers) {
  const Lanes<T> d;
  for (int64_t n = 0; n < numbers; n += hn::Lanes(d)) {
    const auto passes = hn::Gt(hn::Load(d, y + n), hn::Zero(d));
    hn::Store(hn::IfThenElseZero(passes, hn::Load(d, g + n)), d, g + n);
  }
}

/// Samples [first, first + count) of fields [batch, ports] to rows; the others, and the pixels beyond the
/// ports, become zero.
template <typename T>
void load_rows(const T* field, int64_t ports, int64_t pixels, int64_t first, int64_t count, T* rows) {
  std::fill(rows, rows + pixels * row_size<T>, T(0));
  for (int64_t s = 0; s < count; ++s) {
    const T* from = field + 2 * (first + s) * ports;
    for (int64_t p = 0; p < ports; ++p) {
      rows[p * row_size<T> + s] = from[2 * p];
      rows[p * row_size<T> + sepn_tile<T> + s] = from[2 * p + 1];
    }
  }
}

template <typename T>
void store_rows(const T* rows, int64_t ports, int64_t first, int64_t count, T* field) {
  for (int64_t s = 0; s < count; ++s) {
    T* to = field + 2 * (first + s) * ports;
    for (int64_t p = 0; p < ports; ++p) {
      to[2 * p] = rows[p * row_size<T> + s];
      to[2 * p + 1] = rows[p * row_size<T> + sepn_tile<T> + s];
    }
  }
}

template <typename T>
void forward_tile(const SepnPlan<T>& plan, T* rows) {
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const auto& step = plan.steps[i];
    const auto& c = step.convolution;
    convolve(step.forward, c.in, c.out, plan.direct.data() + plan.direct_at[i], plan.parameters + 2 * c.bias,
             rows + step.x * row_size<T>, c.in_side * c.in_side, rows + step.y * row_size<T>,
             c.out_side * c.out_side, /*add=*/false, step.active);
  }
}

template <typename T>
void sepn_forward(const SepnPlan<T>& plan, const T* x, T* y, int64_t begin, int64_t end) {
  const int64_t ports = plan.layout.ports, side = plan.layout.side();
  const auto memory = scratch<T>(plan.rows * row_size<T>);
  T* const rows = memory.get();
  for (int64_t first = begin; first < end; first += sepn_tile<T>) {
    const int64_t count = std::min(sepn_tile<T>, end - first);
    load_rows(x, ports, side * side, first, count, rows);
    forward_tile(plan, rows);
    store_rows(rows + plan.output * row_size<T>, ports, first, count, y);
  }
}

template <typename T>
void sepn_backward(const SepnPlan<T>& plan, const T* dL_dy, const T* x, T* dL_dx, T* sums, int64_t begin,
                   int64_t end) {
  const int64_t ports = plan.layout.ports, side = plan.layout.side(), pixels = side * side;
  const int64_t size = plan.rows * row_size<T>;
  const auto memory = scratch<T>(2 * size);
  T *const rows = memory.get(), *const signals = rows + size;
  for (int64_t first = begin; first < end; first += sepn_tile<T>) {
    const int64_t count = std::min(sepn_tile<T>, end - first);
    load_rows(x, ports, pixels, first, count, rows);
    forward_tile(plan, rows);
    std::fill(signals, signals + size, T(0));
    load_rows(dL_dy, ports, pixels, first, count, signals + plan.output * row_size<T>);
    for (size_t i = plan.steps.size(); i-- > 0;) {
      const auto& step = plan.steps[i];
      const auto& c = step.convolution;
      const int64_t out_pixels = c.out_side * c.out_side;
      T* const g = signals + step.y * row_size<T>;
      if (step.active) {
        mask(rows + step.y * row_size<T>, g, c.out * out_pixels * row_size<T>);
      }
      if (sums) {
        correlate(step, g, rows + step.x * row_size<T>, sums);
      }
      if (step.x != 0 || dL_dx) {  // row 0 is the input
        convolve<T>(step.backward, c.out, c.in, plan.adjoint.data() + plan.adjoint_at[i], nullptr, g,
                    out_pixels, signals + step.x * row_size<T>, c.in_side * c.in_side, /*add=*/true,
                    /*active=*/false);
      }
    }
    if (dL_dx) {
      store_rows(signals, ports, first, count, dL_dx);
    }
  }
}

void sepn_forward_f32(const SepnPlan<float>& plan, const float* x, float* y, int64_t begin, int64_t end) {
  sepn_forward(plan, x, y, begin, end);
}
void sepn_forward_f64(const SepnPlan<double>& plan, const double* x, double* y, int64_t begin, int64_t end) {
  sepn_forward(plan, x, y, begin, end);
}
void sepn_backward_f32(const SepnPlan<float>& plan, const float* dL_dy, const float* x, float* dL_dx,
                       float* sums, int64_t begin, int64_t end) {
  sepn_backward(plan, dL_dy, x, dL_dx, sums, begin, end);
}
void sepn_backward_f64(const SepnPlan<double>& plan, const double* dL_dy, const double* x, double* dL_dx,
                       double* sums, int64_t begin, int64_t end) {
  sepn_backward(plan, dL_dy, x, dL_dx, sums, begin, end);
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(sepn_forward_f32);
HWY_EXPORT(sepn_forward_f64);
HWY_EXPORT(sepn_backward_f32);
HWY_EXPORT(sepn_backward_f64);

template <typename T>
void SepnPlan<T>::forward(const T* x, T* y, int64_t begin, int64_t end) const {
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(sepn_forward_f32)(*this, x, y, begin, end);
  } else {
    HWY_DYNAMIC_DISPATCH(sepn_forward_f64)(*this, x, y, begin, end);
  }
}

template <typename T>
void SepnPlan<T>::backward(const T* dL_dy, const T* x, T* dL_dx, T* sums, int64_t begin, int64_t end) const {
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(sepn_backward_f32)(*this, dL_dy, x, dL_dx, sums, begin, end);
  } else {
    HWY_DYNAMIC_DISPATCH(sepn_backward_f64)(*this, dL_dy, x, dL_dx, sums, begin, end);
  }
}

template void SepnPlan<float>::forward(const float*, float*, int64_t, int64_t) const;
template void SepnPlan<double>::forward(const double*, double*, int64_t, int64_t) const;
template void SepnPlan<float>::backward(const float*, const float*, float*, float*, int64_t, int64_t) const;
template void SepnPlan<double>::backward(const double*, const double*, double*, double*, int64_t,
                                         int64_t) const;

}  // namespace optotorch::ops
#endif
