// A mesh of any MZIs, for those with loss. Each is its complex 2x2 matrix T of mzi_mesh.h.
//
// Phases that ports meet between MZIs (the screen at the input, idle ports) are multiplied into the columns
// of the next matrix, T' = T diag(D_u, D_l), or into the factors at the output.
//
// Backward, G' = dL/dT' = sum over samples of g x^H with x at the MZI's input and g at its output. x comes
// from the output by the inverse matrices, which amplify rounding by 1 / (the product of the columns'
// smallest transmissions): the singular values of T are its two transmissions, because splitters are unitary.
// Wherever that product would fall below 1/2, the backward keeps a state that it computes forward from the
// input.

#include <optotorch/ops/cpu/mesh_kernels.h>

#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/general_mesh_kernel.cpp"
#include <hwy/foreach_target.h>
#include <optotorch/ops/cpu/mesh_simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

template <class V>
struct Pair {
  Complex<V> upper, lower;
};

template <class D, typename T>
HWY_INLINE Pair<Vector<D>> load_pair(D d, Tile<T> x, int64_t u, int64_t s) {
  return {{hn::Load(d, x.re(u) + s), hn::Load(d, x.im(u) + s)},
          {hn::Load(d, x.re(u + 1) + s), hn::Load(d, x.im(u + 1) + s)}};
}
template <class D, typename T, class V = Vector<D>>
HWY_INLINE void store_pair(D d, const Pair<V>& pair, Tile<T> x, int64_t u, int64_t s) {
  hn::Store(pair.upper.re, d, x.re(u) + s);
  hn::Store(pair.upper.im, d, x.im(u) + s);
  hn::Store(pair.lower.re, d, x.re(u + 1) + s);
  hn::Store(pair.lower.im, d, x.im(u + 1) + s);
}

template <class V>
struct Matrix {
  Complex<V> uu, ul, lu, ll;
};

template <class D, typename T>
HWY_INLINE Matrix<Vector<D>> load_matrix(D d, const T* from, int64_t stride) {
  const auto element = [&](int64_t row) {
    return Complex<Vector<D>>{hn::Set(d, from[row * stride]), hn::Set(d, from[(row + 1) * stride])};
  };
  return {element(0), element(2), element(4), element(6)};
}

/// a x + b y.
template <class V>
HWY_INLINE Complex<V> combine(const Complex<V>& a, const Complex<V>& x, const Complex<V>& b,
                              const Complex<V>& y) {
  return {hn::NegMulAdd(b.im, y.im, hn::MulAdd(b.re, y.re, hn::NegMulAdd(a.im, x.im, hn::Mul(a.re, x.re)))),
          hn::MulAdd(b.im, y.re, hn::MulAdd(b.re, y.im, hn::MulAdd(a.im, x.re, hn::Mul(a.re, x.im))))};
}
/// conj(a) x + conj(b) y.
template <class V>
HWY_INLINE Complex<V> combine_conj(const Complex<V>& a, const Complex<V>& x, const Complex<V>& b,
                                   const Complex<V>& y) {
  return {hn::MulAdd(b.im, y.im, hn::MulAdd(b.re, y.re, hn::MulAdd(a.im, x.im, hn::Mul(a.re, x.re)))),
          hn::NegMulAdd(b.im, y.re, hn::MulAdd(b.re, y.im, hn::NegMulAdd(a.im, x.re, hn::Mul(a.re, x.im))))};
}

template <typename T>
void forward_columns(const GeneralMesh<T>& mesh, int64_t begin, int64_t end, int64_t first_mzi, Tile<T> x) {
  const Lanes<T> d;
  for (int64_t c = begin, k = first_mzi; c < end; ++c) {
    int64_t u = MeshLayout::first_port(c);
    for (const int64_t last = k + mesh.layout.pairs(c); k < last; ++k, u += 2) {
      const auto t = load_matrix(d, mesh.matrices.get() + k, mesh.stride);
      for (int64_t s = 0; s < tile_samples<T>; s += hn::Lanes(d)) {
        const auto in = load_pair(d, x, u, s);
        store_pair(d, {combine(t.uu, in.upper, t.ul, in.lower), combine(t.lu, in.upper, t.ll, in.lower)}, x,
                   u, s);
      }
    }
  }
}

/// sum += g conj(x).
template <class V>
HWY_INLINE void add_outer(const Complex<V>& g, const Complex<V>& x, V& re, V& im) {
  re = hn::MulAdd(g.im, x.im, hn::MulAdd(g.re, x.re, re));
  im = hn::NegMulAdd(g.re, x.im, hn::MulAdd(g.im, x.re, im));
}

/// Takes g one column back and adds G' of its MZIs to `sums`. With `invert`, x is taken back too; without, it
/// is already the state at the column's input.
template <bool invert, typename T>
void backward_column(const GeneralMesh<T>& mesh, int64_t column, int64_t first_mzi, Tile<T> x, Tile<T> g,
                     T* sums) {
  const Lanes<T> d;
  const Block<T> block;
  using V = Vector<decltype(d)>;
  constexpr int64_t together = 16 / sizeof(T);
  int64_t u = MeshLayout::first_port(column), k = first_mzi;
  for (const int64_t end = k + mesh.layout.pairs(column); k < end; ++k, u += 2) {
    V sum[8];
    for (auto& one : sum) {
      one = hn::Zero(d);
    }
    const auto t = load_matrix(d, mesh.matrices.get() + k, mesh.stride);
    const auto inverse = load_matrix(d, mesh.inverses.get() + k, mesh.stride);
    for (int64_t s = 0; s < tile_samples<T>; s += hn::Lanes(d)) {
      auto state = load_pair(d, x, u, s);
      if constexpr (invert) {
        state = {combine(inverse.uu, state.upper, inverse.ul, state.lower),
                 combine(inverse.lu, state.upper, inverse.ll, state.lower)};
        store_pair(d, state, x, u, s);
      }
      const auto signal = load_pair(d, g, u, s);
      add_outer(signal.upper, state.upper, sum[0], sum[1]);
      add_outer(signal.upper, state.lower, sum[2], sum[3]);
      add_outer(signal.lower, state.upper, sum[4], sum[5]);
      add_outer(signal.lower, state.lower, sum[6], sum[7]);
      store_pair(d,
                 {combine_conj(t.uu, signal.upper, t.lu, signal.lower),
                  combine_conj(t.ul, signal.upper, t.ll, signal.lower)},
                 g, u, s);
    }
    for (int64_t i = 0; i < 8; i += together) {
      V some[together];
      std::copy(sum + i, sum + i + together, some);
      T* const to = sums + 8 * k + i;
      hn::StoreU(hn::Add(hn::LoadU(block, to), lane_sums(d, some)), block, to);
    }
  }
}

template <typename T>
void forward_general(const GeneralMesh<T>& mesh, const T* input, T* output, Samples samples) {
  const int64_t ports = mesh.layout.ports;
  const AlignedArray<T> memory(2 * tile_samples<T> * ports);
  const Tile<T> x{memory.get()};
  for (int64_t first = samples.begin; first < samples.end; first += tile_samples<T>) {
    const int64_t count = std::min(tile_samples<T>, samples.end - first);
    load_tile(input, ports, samples.stride, first, count, x);
    forward_columns(mesh, 0, mesh.layout.columns, 0, x);
    scale_ports<false>(x, ports, mesh.exit.get());
    store_tile(x, ports, samples.stride, first, count, output);
  }
}

template <typename T>
void backward_general(const GeneralMesh<T>& mesh, const T* dL_doutput, const T* input, const T* output,
                      T* dL_dinput, Samples samples, T* mzi_sums, T* port_sums) {
  const int64_t ports = mesh.layout.ports, columns = mesh.layout.columns;
  const bool phi_first = mesh.layout.phi_arm == PhiArm::input;
  const int64_t size = 2 * tile_samples<T> * ports, kept = static_cast<int64_t>(mesh.cuts.size());
  // kept[i] holds the state at the input of segment i; the state at the output follows, then g.
  const AlignedArray<T> memory((kept + 2) * size);
  const auto tile = [&](int64_t i) { return Tile<T>{memory.get() + i * size}; };
  const Tile<T> g = tile(kept + 1);
  std::vector<int64_t> starts(columns + 1, 0);
  for (int64_t c = 0; c < columns; ++c) {
    starts[c + 1] = starts[c] + mesh.layout.pairs(c);
  }
  std::fill(mzi_sums, mzi_sums + 8 * mesh.mzis, T(0));
  std::fill(port_sums, port_sums + ports, T(0));
  for (int64_t first = samples.begin; first < samples.end; first += tile_samples<T>) {
    const int64_t count = std::min(tile_samples<T>, samples.end - first);
    load_tile(output, ports, samples.stride, first, count, tile(kept));
    load_tile(dL_doutput, ports, samples.stride, first, count, g);
    scale_ports<true>(tile(kept), ports, mesh.exit.get());
    scale_ports<true>(g, ports, mesh.exit.get());
    if (phi_first) {
      add_phase_gradients(tile(kept), g, ports, port_sums);
    }
    load_tile(input, ports, samples.stride, first, count, tile(0));
    for (int64_t i = 1; i < kept; ++i) {
      std::copy(tile(i - 1).data, tile(i - 1).data + size, tile(i).data);
      forward_columns(mesh, mesh.cuts[i - 1], mesh.cuts[i], starts[mesh.cuts[i - 1]], tile(i));
    }
    for (int64_t i = kept - 1, c = columns - 1; i >= 0; --i) {
      for (; c > mesh.cuts[i]; --c) {
        backward_column<true>(mesh, c, starts[c], tile(i + 1), g, mzi_sums);
      }
      backward_column<false>(mesh, c, starts[c], tile(i), g, mzi_sums);
      --c;
    }
    if (!phi_first) {
      add_phase_gradients(tile(0), g, ports, port_sums);
    }
    if (dL_dinput != nullptr) {
      store_tile(g, ports, samples.stride, first, count, dL_dinput);
    }
  }
}

void forward_general_f32(const GeneralMesh<float>& mesh, const float* input, float* output, Samples samples) {
  forward_general(mesh, input, output, samples);
}
void forward_general_f64(const GeneralMesh<double>& mesh, const double* input, double* output,
                         Samples samples) {
  forward_general(mesh, input, output, samples);
}
void backward_general_f32(const GeneralMesh<float>& mesh, const float* dL_doutput, const float* input,
                          const float* output, float* dL_dinput, Samples samples, float* mzi_sums,
                          float* port_sums) {
  backward_general(mesh, dL_doutput, input, output, dL_dinput, samples, mzi_sums, port_sums);
}
void backward_general_f64(const GeneralMesh<double>& mesh, const double* dL_doutput, const double* input,
                          const double* output, double* dL_dinput, Samples samples, double* mzi_sums,
                          double* port_sums) {
  backward_general(mesh, dL_doutput, input, output, dL_dinput, samples, mzi_sums, port_sums);
}
}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(forward_general_f32);
HWY_EXPORT(forward_general_f64);
HWY_EXPORT(backward_general_f32);
HWY_EXPORT(backward_general_f64);

template <typename T>
void GeneralMesh<T>::forward(const T* input, T* output, Samples samples) const {
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(forward_general_f32)(*this, input, output, samples);
  } else {
    HWY_DYNAMIC_DISPATCH(forward_general_f64)(*this, input, output, samples);
  }
}

template <typename T>
void GeneralMesh<T>::backward(const T* dL_doutput, const T* input, const T* output, T* dL_dinput,
                              Samples samples, T* mzi_sums, T* port_sums) const {
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(backward_general_f32)
    (*this, dL_doutput, input, output, dL_dinput, samples, mzi_sums, port_sums);
  } else {
    HWY_DYNAMIC_DISPATCH(backward_general_f64)
    (*this, dL_doutput, input, output, dL_dinput, samples, mzi_sums, port_sums);
  }
}

template void GeneralMesh<float>::forward(const float*, float*, Samples) const;
template void GeneralMesh<double>::forward(const double*, double*, Samples) const;
template void GeneralMesh<float>::backward(const float*, const float*, const float*, float*, Samples, float*,
                                           float*) const;
template void GeneralMesh<double>::backward(const double*, const double*, const double*, double*, Samples,
                                            double*, double*) const;

}  // namespace optotorch::ops
#endif
