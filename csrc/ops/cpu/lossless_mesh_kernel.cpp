// A mesh without loss. One MZI of ideal splitters (cross at zero; in the bar convention t = theta + pi) is
//
//     T = P_out diag(i, -i) R(r) P_in,      R(r) = [[cos r, sin r], [-sin r, cos r]],  r = (pi - t)/2
//
// and with splitter errors it still is phases, a rotation and phases (lossless_mesh_coefficients.cpp), which only the
// coefficients know.
//
// Each port carries a factor D = rho e^{i w}, known from the mesh alone, that the samples have not met yet:
// the field is D times what the tile holds. Phases only change w. At a rotation, with d = w_u - w_l and k =
// tan r, |k| <= 1,
//
//     R(r) diag(D_u, D_l) = cos r diag(D_u, D_l) [[1, a], [b, 1]],   a = k (rho_l/rho_u) e^{-i d},
//                                                                    b = -k (rho_u/rho_l) e^{i d}
//
// so that an MZI costs a sample 8 fused multiply-adds instead of the 16 of a complex 2x2 matrix. Where
// |sin r| > |cos r|, the sine is taken out instead: the two arms are read in exchanged order, k = cot r.
// Every `strip` columns the factors D, at least 2^-(strip/2), are multiplied into the samples and begin anew
// at 1.
//
// Backward, fields x and signals g go through T^H = T^-1 alike, with factors of that direction, so the
// rotation above serves both. The gradients, at the output of R: for a phase on a port, Im(g conj(x)); for r,
// Re(conj(g_u) x_l - conj(g_l) x_u), since dR/dr R^-1 = [[0, 1], [-1, 0]]; in terms of what the tiles hold,
// rho_u rho_l Re(e^{-i d} S) with S = sum of conj(g_u) x_l - g_l conj(x_u); arms in exchanged order give
// -conj(S).

#include <optotorch/ops/cpu/mesh_kernels.h>
#include <optotorch/ops/simd_target.h>

#include <type_traits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/lossless_mesh_kernel.cpp"
#include <hwy/foreach_target.h>
#include <optotorch/ops/cpu/mesh_simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

/// One MZI's rotation, ready for vectors: upper' = first + a second, lower' = second + b first.
template <class V>
struct Rotation {
  Complex<V> a, b;
  int64_t swap;
};

/// A mesh's coefficients by plain pointers. Copies: stores into tiles might alias the mesh itself, and the
/// compiler would read its members again and again.
template <typename T>
struct Rotations {
  explicit Rotations(const LosslessMesh<T>& mesh)
      : row(mesh.rotations.get()), stride(mesh.stride), swaps(mesh.swaps.get()) {}

  template <class D>
  HWY_INLINE Rotation<Vector<D>> load(D d, int64_t k) const {
    return {{hn::Set(d, row[k]), hn::Set(d, row[stride + k])},
            {hn::Set(d, row[2 * stride + k]), hn::Set(d, row[3 * stride + k])},
            swaps[k]};
  }

  const T* row;
  int64_t stride;
  const int32_t* swaps;
};

/// The fields on an MZI's two ports, in the order in which its rotation takes them.
template <class V>
struct Arms {
  Complex<V> first, second;
};

template <class D, class AnyTile>
HWY_INLINE Arms<Vector<D>> load_arms(D d, AnyTile x, int64_t u, int64_t s, int64_t swap) {
  const int64_t first = u + swap, second = u + 1 - swap;
  return {{hn::Load(d, x.re(first) + s), hn::Load(d, x.im(first) + s)},
          {hn::Load(d, x.re(second) + s), hn::Load(d, x.im(second) + s)}};
}

/// x + a y.
template <class V>
HWY_INLINE Complex<V> plus_product(const Complex<V>& x, const Complex<V>& a, const Complex<V>& y) {
  return {hn::NegMulAdd(a.im, y.im, hn::MulAdd(a.re, y.re, x.re)),
          hn::MulAdd(a.im, y.re, hn::MulAdd(a.re, y.im, x.im))};
}

/// The upper and the lower arm after the rotation.
template <class V>
HWY_INLINE Arms<V> rotated(const Rotation<V>& rotation, const Arms<V>& arms) {
  return {plus_product(arms.first, rotation.a, arms.second),
          plus_product(arms.second, rotation.b, arms.first)};
}

template <class D, class AnyTile, class V>
HWY_INLINE void store_port(D d, const Complex<V>& value, AnyTile x, int64_t port, int64_t s) {
  hn::Store(value.re, d, x.re(port) + s);
  hn::Store(value.im, d, x.im(port) + s);
}

/// Stores the rotated arms and returns the upper one.
template <class D, class AnyTile, class V>
HWY_INLINE Complex<V> rotate_and_store(D d, const Rotation<V>& rotation, const Arms<V>& arms, AnyTile x,
                                       int64_t u, int64_t s) {
  const auto out = rotated(rotation, arms);
  store_port(d, out.first, x, u, s);
  store_port(d, out.second, x, u + 1, s);
  return out.first;
}

template <typename T>
void forward_column(const LosslessMesh<T>& mesh, int64_t step, int64_t band, Tile<T> x) {
  const Lanes<T> d;
  const Rotations<T> rotations(mesh);
  const auto run = mesh.run(step, band);
  for (int64_t u = run.begin, k = run.row; u < run.end; u += 2, ++k) {
    const auto rotation = rotations.load(d, k);
    for (int64_t s = 0; s < tile_samples<T>; s += hn::Lanes(d)) {
      rotate_and_store(d, rotation, load_arms(d, x, u, s, rotation.swap), x, u, s);
    }
  }
}

/// Columns `step` and the next of a rectangular mesh, the first even, at once: an arm goes from its MZI in
/// one to that in the other in a register, which halves the loads and stores that bound a single column.
template <typename T>
void forward_two_columns(const LosslessMesh<T>& mesh, int64_t step, int64_t band, Tile<T> x) {
  const Lanes<T> d;
  using V = Vector<decltype(d)>;
  constexpr int64_t lanes = hn::MaxLanes(Lanes<T>()), vectors = tile_samples<T> / lanes;
  const auto at = [](int64_t v) { return v * lanes; };
  const Rotations<T> rotations(mesh);
  const auto load_port = [&](int64_t port, int64_t v) {
    return Complex<V>{hn::Load(d, x.re(port) + at(v)), hn::Load(d, x.im(port) + at(v))};
  };
  const auto in_order = [&](const Rotation<V>& rotation, const Complex<V>& upper, const Complex<V>& lower) {
    const auto swap = hn::Gt(hn::Set(d, static_cast<T>(rotation.swap)), hn::Zero(d));
    return Arms<V>{{hn::IfThenElse(swap, lower.re, upper.re), hn::IfThenElse(swap, lower.im, upper.im)},
                   {hn::IfThenElse(swap, upper.re, lower.re), hn::IfThenElse(swap, upper.im, lower.im)}};
  };
  const auto here_run = mesh.run(step, band), next_run = mesh.run(step + 1, band);
  if (here_run.begin >= here_run.end && next_run.begin >= next_run.end) {
    return;
  }
  int64_t u = here_run.begin, here_row = here_run.row, next_row = next_run.row;
  Complex<V> lower[vectors];  // what the MZI above has left on its lower port
  if (u == 0) {
    const auto top = rotations.load(d, here_row);
    for (int64_t v = 0; v < vectors; ++v) {
      const auto out = rotated(top, load_arms(d, x, 0, at(v), top.swap));
      store_port(d, out.first, x, 0, at(v));
      lower[v] = out.second;
    }
    u += 2, ++here_row;
  } else {
    for (int64_t v = 0; v < vectors; ++v) {
      lower[v] = load_port(u - 1, v);
    }
  }
  for (; u < here_run.end; u += 2, ++here_row, ++next_row) {
    const auto here = rotations.load(d, here_row), next = rotations.load(d, next_row);
    for (int64_t v = 0; v < vectors; ++v) {
      const auto out = rotated(here, load_arms(d, x, u, at(v), here.swap));
      rotate_and_store(d, next, in_order(next, lower[v], out.first), x, u - 1, at(v));
      lower[v] = out.second;
    }
  }
  const bool one_more = u - 1 < next_run.end;  // on a port that is idle in the first column
  for (int64_t v = 0; v < vectors; ++v) {
    if (one_more) {
      const auto next = rotations.load(d, next_row);
      rotate_and_store(d, next, in_order(next, lower[v], load_port(u, v)), x, u - 1, at(v));
    } else {
      store_port(d, lower[v], x, u - 1, at(v));
    }
  }
}

/// conj(a) b, by its parts.
template <class V>
HWY_INLINE Complex<V> conj_product(const Complex<V>& a, const Complex<V>& b) {
  return {hn::MulAdd(a.im, b.im, hn::Mul(a.re, b.re)), hn::NegMulAdd(a.im, b.re, hn::Mul(a.re, b.im))};
}

/// Ports whose phase sums an MZI's gradients need: of ideal splitters the upper one, on phi's side.
enum class PhaseSums { upper_behind, upper_before, both_behind };

/// Im(g conj(x)).
template <class V>
HWY_INLINE V phase_sum(const Complex<V>& g, const Complex<V>& x) {
  return hn::NegMulAdd(g.re, x.im, hn::Mul(g.im, x.re));
}

/// Takes x and g one column back and adds up, for every MZI: S (real, imaginary) of the arms in the
/// rotation's order, and phase sums, the lower port's or nothing as the fourth. With `fresh` the sums begin anew.
template <PhaseSums phases, bool fresh, typename T>
void backward_column(const LosslessMesh<T>& mesh, int64_t step, int64_t band, Tile<T, 4> x, Tile<T, 4> g,
                     T* sums) {
  const Lanes<T> d;
  const Block<T> block;
  using V = Vector<decltype(d)>;
  constexpr int64_t together = 16 / sizeof(T);
  const Rotations<T> rotations(mesh);
  const auto run = mesh.run(step, band);
  for (int64_t u = run.begin, k = run.row; u < run.end; u += 2, ++k) {
    const auto rotation = rotations.load(d, k);
    V s_re = hn::Zero(d), s_im = hn::Zero(d), phase = hn::Zero(d), lower_phase = hn::Zero(d);
    for (int64_t s = 0; s < tile_samples<T>; s += hn::Lanes(d)) {
      const auto xs = load_arms(d, x, u, s, rotation.swap);
      const auto gs = load_arms(d, g, u, s, rotation.swap);
      // Short chains of additions: the processor looks only a few MZIs ahead.
      const auto one = conj_product(gs.first, xs.second), other = conj_product(gs.second, xs.first);
      s_re = hn::Add(s_re, hn::Sub(one.re, other.re));
      s_im = hn::Add(s_im, hn::Add(one.im, other.im));
      if constexpr (phases != PhaseSums::upper_before) {
        const auto x_here = load_arms(d, x, u, s, 0), g_here = load_arms(d, g, u, s, 0);
        phase = hn::Add(phase, phase_sum(g_here.first, x_here.first));
        if constexpr (phases == PhaseSums::both_behind) {
          lower_phase = hn::Add(lower_phase, phase_sum(g_here.second, x_here.second));
        }
      }
      const auto xu = rotate_and_store(d, rotation, xs, x, u, s);
      const auto gu = rotate_and_store(d, rotation, gs, g, u, s);
      if constexpr (phases == PhaseSums::upper_before) {
        phase = hn::Add(phase, phase_sum(gu, xu));
      }
    }
    const V sum[4] = {s_re, s_im, phase, lower_phase};
    for (int64_t i = 0; i < 4; i += together) {
      V some[together];
      std::copy(sum + i, sum + i + together, some);
      T* const to = sums + 4 * k + i;
      const auto before = fresh ? hn::Zero(block) : hn::LoadU(block, to);
      hn::StoreU(hn::Add(before, lane_sums(d, some)), block, to);
    }
  }
}

/// Calls visit(step, band) for all bands of the steps [begin, end), `together` steps at a time, in an order
/// in which every MZI finds both its arms as the steps before have left them.
template <typename T, class Visit>
void sweep(const LosslessMesh<T>& mesh, int64_t begin, int64_t end, int64_t together, const Visit& visit) {
  for (int64_t band = 0; band < mesh.bands; ++band) {
    for (int64_t step = begin; step < end; step += together) {
      visit(step, band);
    }
  }
}

template <typename T>
void forward_lossless(const LosslessMesh<T>& mesh, const T* input, T* output, Samples samples) {
  const int64_t ports = mesh.layout.ports, columns = mesh.layout.columns;
  const bool two = mesh.layout.grid == MeshGrid::rectangular;
  const AlignedArray<T> memory(2 * tile_samples<T> * ports);
  const Tile<T> x{memory.get()};
  for (int64_t first = samples.begin; first < samples.end; first += tile_samples<T>) {
    const int64_t count = std::min(tile_samples<T>, samples.end - first);
    load_tile(input, ports, samples.stride, first, count, x);
    for (int64_t begin = 0; begin < columns; begin += LosslessMesh<T>::depth) {
      const int64_t end = std::min(begin + LosslessMesh<T>::depth, columns);
      sweep(mesh, begin, end, two ? 2 : 1, [&](int64_t step, int64_t band) {
        if (two && step + 1 < columns) {
          forward_two_columns(mesh, step, band, x);
        } else {
          forward_column(mesh, step, band, x);
        }
      });
      if (mesh.ends_strip(end - 1)) {
        scale_ports(x, ports, mesh.factors_after(end - 1));
      }
    }
    store_tile(x, ports, samples.stride, first, count, output);
  }
}

template <PhaseSums phases, typename T>
void backward_lossless(const LosslessMesh<T>& mesh, const T* dL_doutput, const T* output, T* dL_dinput,
                       Samples samples, T* mzi_sums, T* port_sums) {
  const int64_t ports = mesh.layout.ports, columns = mesh.layout.columns;
  const bool phi_first = mesh.layout.phi_arm == PhiArm::input;
  // x and g of a port side by side: four planes.
  const AlignedArray<T> memory(4 * tile_samples<T> * ports);
  const Tile<T, 4> x{memory.get()}, g{memory.get() + 2 * tile_samples<T>};
  std::fill(port_sums, port_sums + ports, T(0));
  for (int64_t first = samples.begin; first < samples.end; first += tile_samples<T>) {
    const bool fresh = first == samples.begin;
    const int64_t count = std::min(tile_samples<T>, samples.end - first);
    load_tile(output, ports, samples.stride, first, count, x);
    load_tile(dL_doutput, ports, samples.stride, first, count, g);
    if (phi_first) {
      add_phase_gradients(x, g, ports, port_sums);
    }
    for (int64_t begin = 0; begin < columns; begin += LosslessMesh<T>::depth) {
      const int64_t end = std::min(begin + LosslessMesh<T>::depth, columns);
      sweep(mesh, begin, end, 1, [&](int64_t step, int64_t band) {
        if (fresh) {
          backward_column<phases, true>(mesh, step, band, x, g, mzi_sums);
        } else {
          backward_column<phases, false>(mesh, step, band, x, g, mzi_sums);
        }
      });
      if (mesh.ends_strip(end - 1)) {
        scale_ports(x, ports, mesh.factors_after(end - 1));
        scale_ports(g, ports, mesh.factors_after(end - 1));
      }
    }
    if (!phi_first) {
      add_phase_gradients(x, g, ports, port_sums);
    }
    if (dL_dinput != nullptr) {
      store_tile(g, ports, samples.stride, first, count, dL_dinput);
    }
  }
}

template <typename T>
void backward_lossless(const LosslessMesh<T>& mesh, const T* dL_doutput, const T* output, T* dL_dinput,
                       Samples samples, T* mzi_sums, T* port_sums) {
  if (mesh.has_errors) {
    backward_lossless<PhaseSums::both_behind>(mesh, dL_doutput, output, dL_dinput, samples, mzi_sums,
                                              port_sums);
  } else if (mesh.layout.phi_arm == PhiArm::input) {
    backward_lossless<PhaseSums::upper_before>(mesh, dL_doutput, output, dL_dinput, samples, mzi_sums,
                                               port_sums);
  } else {
    backward_lossless<PhaseSums::upper_behind>(mesh, dL_doutput, output, dL_dinput, samples, mzi_sums,
                                               port_sums);
  }
}

void forward_lossless_f32(const LosslessMesh<float>& mesh, const float* input, float* output,
                          Samples samples) {
  forward_lossless(mesh, input, output, samples);
}
void forward_lossless_f64(const LosslessMesh<double>& mesh, const double* input, double* output,
                          Samples samples) {
  forward_lossless(mesh, input, output, samples);
}
void backward_lossless_f32(const LosslessMesh<float>& mesh, const float* dL_doutput, const float* output,
                           float* dL_dinput, Samples samples, float* mzi_sums, float* port_sums) {
  backward_lossless(mesh, dL_doutput, output, dL_dinput, samples, mzi_sums, port_sums);
}
void backward_lossless_f64(const LosslessMesh<double>& mesh, const double* dL_doutput, const double* output,
                           double* dL_dinput, Samples samples, double* mzi_sums, double* port_sums) {
  backward_lossless(mesh, dL_doutput, output, dL_dinput, samples, mzi_sums, port_sums);
}
const char* target_name() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(forward_lossless_f32);
HWY_EXPORT(forward_lossless_f64);
HWY_EXPORT(backward_lossless_f32);
HWY_EXPORT(backward_lossless_f64);
HWY_EXPORT(target_name);

std::string simd_target() {
  return HWY_DYNAMIC_DISPATCH(target_name)();
}

template <typename T>
void LosslessMesh<T>::forward(const T* input, T* output, Samples samples) const {
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(forward_lossless_f32)(*this, input, output, samples);
  } else {
    HWY_DYNAMIC_DISPATCH(forward_lossless_f64)(*this, input, output, samples);
  }
}

template <typename T>
void LosslessMesh<T>::backward(const T* dL_doutput, const T* output, T* dL_dinput, Samples samples,
                               T* mzi_sums, T* port_sums) const {
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(backward_lossless_f32)
    (*this, dL_doutput, output, dL_dinput, samples, mzi_sums, port_sums);
  } else {
    HWY_DYNAMIC_DISPATCH(backward_lossless_f64)
    (*this, dL_doutput, output, dL_dinput, samples, mzi_sums, port_sums);
  }
}

template void LosslessMesh<float>::forward(const float*, float*, Samples) const;
template void LosslessMesh<double>::forward(const double*, double*, Samples) const;
template void LosslessMesh<float>::backward(const float*, const float*, float*, Samples, float*,
                                            float*) const;
template void LosslessMesh<double>::backward(const double*, const double*, double*, Samples, double*,
                                             double*) const;

}  // namespace optotorch::ops
#endif
