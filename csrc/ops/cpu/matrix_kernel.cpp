// Complex matrix products for large batches, tile by tile: what a tile or a row of the result is does not
// depend on the number of threads.

#include <optotorch/ops/cpu/mesh_kernels.h>

#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/matrix_kernel.cpp"
#include <hwy/foreach_target.h>
#include <optotorch/ops/cpu/mesh_simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

/// Elements of a complex matrix, read one by one: row i, column j at re[i * row + j * column].
template <typename T>
struct Scalars {
  const T *re, *im;
  int64_t row, column;
};

/// Rows of a complex matrix, read by vectors.
template <typename T>
struct Rows {
  T *re, *im;
  int64_t stride;
};

/// `count` rows of c (+)= a b, or conj(a) b, for `width` columns (whole tile rows). The sums live in
/// registers: two vectors of columns by `count` rows.
template <int64_t count, bool conjugate, typename T>
void multiply_rows(Scalars<T> a, int64_t inner, Rows<const T> b, int64_t width, Rows<T> c, bool accumulate) {
  const Lanes<T> d;
  using V = Vector<decltype(d)>;
  const int64_t lanes = hn::Lanes(d);
  for (int64_t s = 0; s < width; s += 2 * lanes) {
    V re[count][2], im[count][2];
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t v = 0; v < 2; ++v) {
        const int64_t at = i * c.stride + s + v * lanes;
        re[i][v] = accumulate ? hn::LoadU(d, c.re + at) : hn::Zero(d);
        im[i][v] = accumulate ? hn::LoadU(d, c.im + at) : hn::Zero(d);
      }
    }
    for (int64_t j = 0; j < inner; ++j) {
      const int64_t at = j * b.stride + s;
      const V x[2] = {hn::LoadU(d, b.re + at), hn::LoadU(d, b.re + at + lanes)};
      const V y[2] = {hn::LoadU(d, b.im + at), hn::LoadU(d, b.im + at + lanes)};
      for (int64_t i = 0; i < count; ++i) {
        const int64_t element = i * a.row + j * a.column;
        const V p = hn::Set(d, a.re[element]), q = hn::Set(d, a.im[element]);
        for (int64_t v = 0; v < 2; ++v) {
          re[i][v] = hn::MulAdd(p, x[v], re[i][v]);
          im[i][v] = hn::MulAdd(p, y[v], im[i][v]);
          re[i][v] = conjugate ? hn::MulAdd(q, y[v], re[i][v]) : hn::NegMulAdd(q, y[v], re[i][v]);
          im[i][v] = conjugate ? hn::NegMulAdd(q, x[v], im[i][v]) : hn::MulAdd(q, x[v], im[i][v]);
        }
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t v = 0; v < 2; ++v) {
        const int64_t at = i * c.stride + s + v * lanes;
        hn::StoreU(re[i][v], d, c.re + at);
        hn::StoreU(im[i][v], d, c.im + at);
      }
    }
  }
}

/// The same for rows [begin, end).
template <bool conjugate, typename T>
void multiply(Scalars<T> a, int64_t begin, int64_t end, int64_t inner, Rows<const T> b, int64_t width,
              Rows<T> c, bool accumulate) {
  // Sums and operands fit the registers: 32 of them with AVX-512, else 16.
  constexpr int64_t block = HWY_TARGET <= HWY_AVX3 ? 4 : 2;
  const auto rows_from = [&](int64_t i) {
    return std::pair{Scalars<T>{a.re + i * a.row, a.im + i * a.row, a.row, a.column},
                     Rows<T>{c.re + i * c.stride, c.im + i * c.stride, c.stride}};
  };
  int64_t i = begin;
  for (; i + block <= end; i += block) {
    const auto [from, to] = rows_from(i);
    multiply_rows<block, conjugate>(from, inner, b, width, to, accumulate);
  }
  for (; i < end; ++i) {
    const auto [from, to] = rows_from(i);
    multiply_rows<1, conjugate>(from, inner, b, width, to, accumulate);
  }
}

template <typename T>
void multiply_samples(const T* re, const T* im, int64_t ports, const T* input, T* output, Samples samples) {
  constexpr int64_t width = tile_samples<T>;
  const AlignedArray<T> memory(4 * width * ports);
  const Tile<T> x{memory.get()}, y{memory.get() + 2 * width * ports};
  for (int64_t first = samples.begin; first < samples.end; first += width) {
    const int64_t count = std::min(width, samples.end - first);
    load_tile(input, ports, samples.stride, first, count, x);
    multiply<false>(Scalars<T>{re, im, ports, 1}, 0, ports, ports,
                    Rows<const T>{x.re(0), x.im(0), x.row_stride}, width,
                    Rows<T>{y.re(0), y.im(0), y.row_stride}, false);
    store_tile(y, ports, samples.stride, first, count, output);
  }
}

template <typename T>
void split_rows(const T* field, int64_t ports, Samples samples, T* planes) {
  const int64_t padded = padded_ports<T>(ports);
  for (int64_t b = samples.begin; b < samples.end; ++b) {
    const T* from = field + 2 * b * samples.stride;
    T* const re = planes + 2 * b * padded;
    T* const im = re + padded;
    for (int64_t p = 0; p < ports; ++p) {
      re[p] = from[2 * p];
      im[p] = from[2 * p + 1];
    }
    std::fill(re + ports, re + padded, T(0));
    std::fill(im + ports, im + padded, T(0));
  }
}

template <typename T>
void correlate_rows(const T* x, const T* g_planes, int64_t ports, Samples batch, int64_t begin, int64_t end,
                    T* result) {
  // As many samples' rows as stay in the L2 cache while all rows of the result pass over them.
  constexpr int64_t chunk = 256;
  const int64_t padded = padded_ports<T>(ports);
  for (int64_t b = 0; b < batch.end; b += chunk) {
    const T* const from = x + 2 * b * batch.stride;
    const T* const g = g_planes + 2 * b * padded;
    multiply<true>(Scalars<T>{from, from + 1, 2, 2 * batch.stride}, begin, end,
                   std::min(chunk, batch.end - b), Rows<const T>{g, g + padded, 2 * padded}, padded,
                   Rows<T>{result, result + padded, 2 * padded}, b > 0);
  }
}

void multiply_samples_f32(const float* re, const float* im, int64_t ports, const float* input, float* output,
                          Samples samples) {
  multiply_samples<float>(re, im, ports, input, output, samples);
}
void multiply_samples_f64(const double* re, const double* im, int64_t ports, const double* input,
                          double* output, Samples samples) {
  multiply_samples<double>(re, im, ports, input, output, samples);
}
void split_rows_f32(const float* field, int64_t ports, Samples samples, float* planes) {
  split_rows<float>(field, ports, samples, planes);
}
void split_rows_f64(const double* field, int64_t ports, Samples samples, double* planes) {
  split_rows<double>(field, ports, samples, planes);
}
void correlate_rows_f32(const float* x, const float* g, int64_t ports, Samples batch, int64_t begin,
                        int64_t end, float* result) {
  correlate_rows<float>(x, g, ports, batch, begin, end, result);
}
void correlate_rows_f64(const double* x, const double* g, int64_t ports, Samples batch, int64_t begin,
                        int64_t end, double* result) {
  correlate_rows<double>(x, g, ports, batch, begin, end, result);
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(multiply_samples_f32);
HWY_EXPORT(multiply_samples_f64);
HWY_EXPORT(split_rows_f32);
HWY_EXPORT(split_rows_f64);
HWY_EXPORT(correlate_rows_f32);
HWY_EXPORT(correlate_rows_f64);

void multiply_samples(const float* re, const float* im, int64_t ports, const float* input, float* output,
                      Samples samples) {
  HWY_DYNAMIC_DISPATCH(multiply_samples_f32)(re, im, ports, input, output, samples);
}
void multiply_samples(const double* re, const double* im, int64_t ports, const double* input, double* output,
                      Samples samples) {
  HWY_DYNAMIC_DISPATCH(multiply_samples_f64)(re, im, ports, input, output, samples);
}
void split_rows(const float* field, int64_t ports, Samples samples, float* planes) {
  HWY_DYNAMIC_DISPATCH(split_rows_f32)(field, ports, samples, planes);
}
void split_rows(const double* field, int64_t ports, Samples samples, double* planes) {
  HWY_DYNAMIC_DISPATCH(split_rows_f64)(field, ports, samples, planes);
}
void correlate_rows(const float* x, const float* g_planes, int64_t ports, Samples batch, int64_t begin,
                    int64_t end, float* result) {
  HWY_DYNAMIC_DISPATCH(correlate_rows_f32)(x, g_planes, ports, batch, begin, end, result);
}
void correlate_rows(const double* x, const double* g_planes, int64_t ports, Samples batch, int64_t begin,
                    int64_t end, double* result) {
  HWY_DYNAMIC_DISPATCH(correlate_rows_f64)(x, g_planes, ports, batch, begin, end, result);
}

}  // namespace optotorch::ops
#endif
