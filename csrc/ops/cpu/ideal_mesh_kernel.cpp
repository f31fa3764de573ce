// A mesh of ideal splitters without loss. One MZI (cross at zero; in the bar convention t = theta + pi) is
//
//     T = P_out diag(i, -i) R(r) P_in,      R(r) = [[cos r, sin r], [-sin r, cos r]],  r = (pi - t)/2
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
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/ideal_mesh_kernel.cpp"
#include <hwy/foreach_target.h>
#include <optotorch/ops/cpu/mesh_simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops {
namespace HWY_NAMESPACE {

/// x mod 2 pi, near zero, so that sums of many phases keep their absolute precision.
HWY_INLINE V64 wrapped(V64 x) {
  const D64 d;
  constexpr double below_two_pi = 2.4492935982947064e-16;  // 2 pi - double(2 pi)
  const auto n = hn::Round(hn::Mul(x, hn::Set(d, 0.5 / std::numbers::pi)));
  const auto rest = hn::NegMulAdd(n, hn::Set(d, 2 * std::numbers::pi), x);
  return hn::NegMulAdd(n, hn::Set(d, below_two_pi), rest);
}

/// The factors of all ports while a mesh is walked through.
struct PortFactors {
  explicit PortFactors(int64_t ports)
      : ports(ports), angle(2 * ports), size(2 * ports), next_angle(2 * ports), next_size(2 * ports) {
    for (const auto* array : {&angle, &next_angle}) {
      std::fill(array->get(), array->get() + 2 * ports + kernel_padding, 0.0);
    }
    for (const auto* array : {&size, &next_size}) {
      std::fill(array->get(), array->get() + 2 * ports + kernel_padding, 1.0);
    }
  }

  int64_t ports;
  AlignedArray<double> angle, size, next_angle, next_size;
};

/// What the MZIs of a mesh are to the direction of a pass.
struct Pass {
  bool backward, phi_first;
  ZeroState zero_state;
  double idle;
};

/// Takes a vector of MZIs' ports, from `upper` on, past the MZIs from k on and writes their coefficients.
template <typename T>
void pass_mzis(const Pass& pass, const IdealMesh<T>& ideal, int64_t k, V64 theta, V64 phi, int64_t upper,
               const PortFactors& factors) {
  const D64 d;
  const auto zero = hn::Zero(d), pi = hn::Set(d, std::numbers::pi), half = hn::Set(d, 0.5);
  const auto quarter = hn::Mul(pi, half);
  V64 angle_u, angle_l, size_u, size_l;
  hn::LoadInterleaved2(d, factors.angle.get() + upper, angle_u, angle_l);
  hn::LoadInterleaved2(d, factors.size.get() + upper, size_u, size_l);
  const auto phi_in = pass.phi_first ? phi : zero, phi_out = pass.phi_first ? zero : phi;
  const auto offset = hn::Set(d, pass.zero_state == ZeroState::cross ? std::numbers::pi / 2 : 0.0);
  auto r = hn::NegMulAdd(theta, half, offset);
  if (pass.backward) {
    r = hn::Neg(r);
    angle_u = hn::Sub(angle_u, hn::Add(phi_out, quarter));
    angle_l = hn::Add(angle_l, quarter);
  } else {
    angle_u = hn::Add(angle_u, phi_in);
  }
  const auto e = unit_phase(hn::Sub(angle_u, angle_l));
  const auto rotation = unit_phase(r);
  const auto cosine = rotation.re, sine = rotation.im;
  const auto swap = hn::Gt(hn::Abs(sine), hn::Abs(cosine));
  const auto large = hn::IfThenElse(swap, sine, cosine), small = hn::IfThenElse(swap, cosine, sine);
  // a = k rho_second / rho_first and b = k rho_first / rho_second by one division.
  const auto first = hn::IfThenElse(swap, size_l, size_u), second = hn::IfThenElse(swap, size_u, size_l);
  const auto both = hn::Div(small, hn::Mul(large, hn::Mul(first, second)));
  const auto a = hn::Mul(both, hn::Mul(second, second)), b = hn::Mul(both, hn::Mul(first, first));
  const auto a_im = hn::Mul(a, e.im), b_im = hn::Mul(b, e.im);
  T* const row = ideal.rotations.get() + k;
  store_double(hn::Mul(a, e.re), row);
  store_double(hn::IfThenElse(swap, a_im, hn::Neg(a_im)), row + ideal.stride);
  store_double(hn::Neg(hn::Mul(b, e.re)), row + 2 * ideal.stride);
  store_double(hn::IfThenElse(swap, b_im, hn::Neg(b_im)), row + 3 * ideal.stride);
  const hn::Rebind<int32_t, D64> whole;
  hn::StoreU(hn::DemoteTo(whole, hn::IfThenElseZero(swap, hn::Set(d, 1.0))), whole, ideal.swaps.get() + k);

  const auto turn = hn::IfThenElseZero(hn::Lt(large, zero), pi);
  auto next_angle_u = hn::Add(turn, hn::IfThenElse(swap, angle_l, angle_u));
  auto next_angle_l = hn::Add(turn, hn::IfThenElse(swap, hn::Add(angle_u, pi), angle_l));
  const auto shrink = hn::Abs(large);
  const auto next_size_u = hn::Mul(shrink, hn::IfThenElse(swap, size_l, size_u));
  const auto next_size_l = hn::Mul(shrink, hn::IfThenElse(swap, size_u, size_l));
  if (pass.backward) {
    const auto weight = hn::Mul(size_u, size_l);
    const auto phi_size = pass.phi_first ? next_size_u : size_u;
    double* const to = ideal.weights.get() + k;
    hn::StoreU(hn::Mul(hn::IfThenElse(swap, hn::Neg(weight), weight), e.re), d, to);
    hn::StoreU(hn::Mul(weight, e.im), d, to + ideal.stride);
    hn::StoreU(hn::Mul(phi_size, phi_size), d, to + 2 * ideal.stride);
    next_angle_u = hn::Sub(next_angle_u, phi_in);
  } else {
    next_angle_u = hn::Add(next_angle_u, hn::Add(phi_out, quarter));
    next_angle_l = hn::Sub(next_angle_l, quarter);
  }
  hn::StoreInterleaved2(wrapped(next_angle_u), wrapped(next_angle_l), d, factors.next_angle.get() + upper);
  hn::StoreInterleaved2(next_size_u, next_size_l, d, factors.next_size.get() + upper);
}

/// Fills the mesh's coefficients for one direction; false if a phase is not finite.
template <typename T>
bool prepare_ideal(const MeshArrays<T>& mesh, const IdealMesh<T>& ideal) {
  const MeshLayout& layout = mesh.layout;
  const int64_t ports = layout.ports, columns = layout.columns;
  const AlignedArray<double> theta(ideal.mzis), phi(ideal.mzis), gamma(ports);
  std::fill(gamma.get(), gamma.get() + ports, 0.0);
  bool finite = copy_finite(mesh.theta, ideal.mzis, theta.get());
  finite &= copy_finite(mesh.phi, ideal.mzis, phi.get());
  if (mesh.screen) {
    finite &= copy_finite(mesh.screen, ports, gamma.get());
  }
  if (!finite) {
    return false;
  }
  const bool backward = ideal.direction == Direction::backward;
  const double sign = backward ? -1 : 1;
  const double idle = layout.idle_port == IdlePort::bar ? -sign * std::numbers::pi / 2 : 0;
  const Pass pass{backward, layout.phi_arm == PhiArm::input, layout.zero_state, idle};
  const bool screen_last = pass.phi_first != backward;
  PortFactors factors(ports);
  for (int64_t p = 0; !screen_last && p < ports; ++p) {
    factors.angle[p] = sign * gamma[p];
  }
  const D64 d;
  int64_t start = backward ? ideal.mzis : 0;
  for (int64_t step = 0; step < columns; ++step) {
    const int64_t c = backward ? columns - 1 - step : step;
    const int64_t first = layout.first_port(c), pairs = layout.pairs(c), below = first + 2 * pairs;
    start -= backward ? pairs : 0;
    for (int64_t j = 0; j < pairs; j += hn::Lanes(d)) {
      pass_mzis(pass, ideal, ideal.row(c) + j, hn::LoadU(d, theta.get() + start + j),
                hn::LoadU(d, phi.get() + start + j), first + 2 * j, factors);
    }
    const auto leave_idle = [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        factors.next_angle[p] = factors.angle[p] + idle;
        factors.next_size[p] = factors.size[p];
      }
    };
    leave_idle(0, first);
    leave_idle(below, ports);
    std::swap(factors.angle, factors.next_angle);
    std::swap(factors.size, factors.next_size);
    start += backward ? 0 : pairs;

    const bool last = step + 1 == columns;
    if (last || (step + 1) % IdealMesh<T>::strip == 0) {
      for (int64_t p = 0; last && screen_last && p < ports; ++p) {
        factors.angle[p] += sign * gamma[p];
      }
      T* const to = ideal.strip_factors.get() + 2 * ports * (step / IdealMesh<T>::strip);
      store_port_factors(factors.angle.get(), ports, to);
      for (int64_t p = 0; p < ports; ++p) {
        to[p] = static_cast<T>(to[p] * factors.size[p]);
        to[ports + p] = static_cast<T>(to[ports + p] * factors.size[p]);
        factors.angle[p] = 0;
        factors.size[p] = 1;
      }
    }
  }
  return true;
}

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
  explicit Rotations(const IdealMesh<T>& mesh)
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

template <class D, typename T>
HWY_INLINE Arms<Vector<D>> load_arms(D d, Tile<T> x, int64_t u, int64_t s, int64_t swap) {
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

template <class D, typename T, class V>
HWY_INLINE void store_port(D d, const Complex<V>& value, Tile<T> x, int64_t port, int64_t s) {
  hn::Store(value.re, d, x.re(port) + s);
  hn::Store(value.im, d, x.im(port) + s);
}

/// Stores the rotated arms and returns the upper one.
template <class D, typename T, class V>
HWY_INLINE Complex<V> rotate_and_store(D d, const Rotation<V>& rotation, const Arms<V>& arms, Tile<T> x,
                                       int64_t u, int64_t s) {
  const auto out = rotated(rotation, arms);
  store_port(d, out.first, x, u, s);
  store_port(d, out.second, x, u + 1, s);
  return out.first;
}

template <typename T>
void forward_column(const IdealMesh<T>& mesh, int64_t c, Tile<T> x) {
  const Lanes<T> d;
  const Rotations<T> rotations(mesh);
  int64_t u = mesh.layout.first_port(c), k = mesh.row(c);
  for (const int64_t end = k + mesh.layout.pairs(c); k < end; ++k, u += 2) {
    const auto rotation = rotations.load(d, k);
    for (int64_t s = 0; s < tile_samples<T>; s += hn::Lanes(d)) {
      rotate_and_store(d, rotation, load_arms(d, x, u, s, rotation.swap), x, u, s);
    }
  }
}

/// Columns c and c + 1 of a rectangular mesh, c even, at once: an arm goes from its MZI in c to that in c + 1
/// in a register, which halves the loads and stores that bound a single column.
template <typename T>
void forward_two_columns(const IdealMesh<T>& mesh, int64_t c, Tile<T> x) {
  const Lanes<T> d;
  using V = Vector<decltype(d)>;
  constexpr int64_t lanes = hn::MaxLanes(Lanes<T>()), vectors = tile_samples<T> / lanes;
  const auto at = [](int64_t v) { return v * lanes; };
  const Rotations<T> rotations(mesh);
  const int64_t ports = mesh.layout.ports, pairs = ports / 2;
  const int64_t first_row = mesh.row(c), second_row = mesh.row(c + 1);
  const auto in_order = [&](const Rotation<V>& rotation, const Complex<V>& upper, const Complex<V>& lower) {
    const auto swap = hn::Gt(hn::Set(d, static_cast<T>(rotation.swap)), hn::Zero(d));
    return Arms<V>{{hn::IfThenElse(swap, lower.re, upper.re), hn::IfThenElse(swap, lower.im, upper.im)},
                   {hn::IfThenElse(swap, upper.re, lower.re), hn::IfThenElse(swap, upper.im, lower.im)}};
  };
  Complex<V> lower[vectors];  // what the MZI above has left on its lower port
  const auto top = rotations.load(d, first_row);
  for (int64_t v = 0; v < vectors; ++v) {
    const auto out = rotated(top, load_arms(d, x, 0, at(v), top.swap));
    store_port(d, out.first, x, 0, at(v));
    lower[v] = out.second;
  }
  for (int64_t j = 1; j < pairs; ++j) {
    const auto here = rotations.load(d, first_row + j), next = rotations.load(d, second_row + j - 1);
    for (int64_t v = 0; v < vectors; ++v) {
      const auto out = rotated(here, load_arms(d, x, 2 * j, at(v), here.swap));
      rotate_and_store(d, next, in_order(next, lower[v], out.first), x, 2 * j - 1, at(v));
      lower[v] = out.second;
    }
  }
  const int64_t last = 2 * pairs - 1;
  for (int64_t v = 0; v < vectors; ++v) {
    if (ports % 2 == 0) {
      store_port(d, lower[v], x, last, at(v));
      continue;
    }
    const auto next = rotations.load(d, second_row + pairs - 1);
    const Complex<V> below{hn::Load(d, x.re(last + 1) + at(v)), hn::Load(d, x.im(last + 1) + at(v))};
    rotate_and_store(d, next, in_order(next, lower[v], below), x, last, at(v));
  }
}

/// conj(a) b, by its parts.
template <class V>
HWY_INLINE Complex<V> conj_product(const Complex<V>& a, const Complex<V>& b) {
  return {hn::MulAdd(a.im, b.im, hn::Mul(a.re, b.re)), hn::NegMulAdd(a.im, b.re, hn::Mul(a.re, b.im))};
}

/// Takes x and g one column back and adds up, for every MZI: S (real, imaginary) of the arms in the
/// rotation's order, the phase sum on the upper port on phi's side, and nothing (four numbers fill a block).
template <bool phi_first, typename T>
void backward_column(const IdealMesh<T>& mesh, int64_t c, Tile<T> x, Tile<T> g, T* sums) {
  const Lanes<T> d;
  const Block<T> block;
  using V = Vector<decltype(d)>;
  constexpr int64_t together = 16 / sizeof(T);
  const Rotations<T> rotations(mesh);
  int64_t u = mesh.layout.first_port(c), k = mesh.row(c);
  for (const int64_t end = k + mesh.layout.pairs(c); k < end; ++k, u += 2) {
    const auto rotation = rotations.load(d, k);
    V s_re = hn::Zero(d), s_im = hn::Zero(d), phase = hn::Zero(d);
    for (int64_t s = 0; s < tile_samples<T>; s += hn::Lanes(d)) {
      const auto xs = load_arms(d, x, u, s, rotation.swap);
      const auto gs = load_arms(d, g, u, s, rotation.swap);
      // Short chains of additions: the processor looks only a few MZIs ahead.
      const auto one = conj_product(gs.first, xs.second), other = conj_product(gs.second, xs.first);
      s_re = hn::Add(s_re, hn::Sub(one.re, other.re));
      s_im = hn::Add(s_im, hn::Add(one.im, other.im));
      if constexpr (!phi_first) {
        const auto xu = load_arms(d, x, u, s, 0).first, gu = load_arms(d, g, u, s, 0).first;
        phase = hn::Add(phase, hn::NegMulAdd(gu.re, xu.im, hn::Mul(gu.im, xu.re)));
      }
      const auto xu = rotate_and_store(d, rotation, xs, x, u, s);
      const auto gu = rotate_and_store(d, rotation, gs, g, u, s);
      if constexpr (phi_first) {
        phase = hn::Add(phase, hn::NegMulAdd(gu.re, xu.im, hn::Mul(gu.im, xu.re)));
      }
    }
    const V sum[4] = {s_re, s_im, phase, hn::Zero(d)};
    for (int64_t i = 0; i < 4; i += together) {
      V some[together];
      std::copy(sum + i, sum + i + together, some);
      T* const to = sums + 4 * k + i;
      hn::StoreU(hn::Add(hn::LoadU(block, to), lane_sums(d, some)), block, to);
    }
  }
}

template <typename T>
void forward_ideal(const IdealMesh<T>& mesh, const T* input, T* output, Samples samples) {
  const int64_t ports = mesh.layout.ports, columns = mesh.layout.columns;
  const AlignedArray<T> memory(2 * tile_samples<T> * ports);
  const Tile<T> x{memory.get(), 2 * tile_samples<T>};
  for (int64_t first = samples.begin; first < samples.end; first += tile_samples<T>) {
    const int64_t count = std::min(tile_samples<T>, samples.end - first);
    load_tile(input, ports, samples.stride, first, count, x);
    for (int64_t c = 0; c < columns; ++c) {
      if (mesh.layout.grid == MeshGrid::rectangular && c % 2 == 0 && c + 1 < columns) {
        forward_two_columns(mesh, c, x);
        ++c;  // strips end after odd columns
      } else {
        forward_column(mesh, c, x);
      }
      if (mesh.ends_strip(c)) {
        scale_ports(x, ports, mesh.factors_after(c));
      }
    }
    store_tile(x, ports, samples.stride, first, count, output);
  }
}

template <bool phi_first, typename T>
void backward_ideal(const IdealMesh<T>& mesh, const T* dL_doutput, const T* output, T* dL_dinput,
                    Samples samples, T* mzi_sums, T* port_sums) {
  const int64_t ports = mesh.layout.ports, columns = mesh.layout.columns;
  // x and g of a port side by side: four planes.
  const AlignedArray<T> memory(4 * tile_samples<T> * ports);
  const Tile<T> x{memory.get(), 4 * tile_samples<T>};
  const Tile<T> g{memory.get() + 2 * tile_samples<T>, 4 * tile_samples<T>};
  std::fill(mzi_sums, mzi_sums + mesh.sums(), T(0));
  std::fill(port_sums, port_sums + ports, T(0));
  for (int64_t first = samples.begin; first < samples.end; first += tile_samples<T>) {
    const int64_t count = std::min(tile_samples<T>, samples.end - first);
    load_tile(output, ports, samples.stride, first, count, x);
    load_tile(dL_doutput, ports, samples.stride, first, count, g);
    if (phi_first) {
      add_phase_gradients(x, g, ports, port_sums);
    }
    for (int64_t step = 0; step < columns; ++step) {
      backward_column<phi_first>(mesh, columns - 1 - step, x, g, mzi_sums);
      if (mesh.ends_strip(step)) {
        scale_ports(x, ports, mesh.factors_after(step));
        scale_ports(g, ports, mesh.factors_after(step));
      }
    }
    if (!phi_first) {
      add_phase_gradients(x, g, ports, port_sums);
    }
    store_tile(g, ports, samples.stride, first, count, dL_dinput);
  }
}

template <typename T>
void backward_ideal(const IdealMesh<T>& mesh, const T* dL_doutput, const T* output, T* dL_dinput,
                    Samples samples, T* mzi_sums, T* port_sums) {
  if (mesh.layout.phi_arm == PhiArm::input) {
    backward_ideal<true>(mesh, dL_doutput, output, dL_dinput, samples, mzi_sums, port_sums);
  } else {
    backward_ideal<false>(mesh, dL_doutput, output, dL_dinput, samples, mzi_sums, port_sums);
  }
}

bool prepare_ideal_f32(const MeshArrays<float>& mesh, const IdealMesh<float>& ideal) {
  return prepare_ideal(mesh, ideal);
}
bool prepare_ideal_f64(const MeshArrays<double>& mesh, const IdealMesh<double>& ideal) {
  return prepare_ideal(mesh, ideal);
}
void forward_ideal_f32(const IdealMesh<float>& mesh, const float* input, float* output, Samples samples) {
  forward_ideal(mesh, input, output, samples);
}
void forward_ideal_f64(const IdealMesh<double>& mesh, const double* input, double* output, Samples samples) {
  forward_ideal(mesh, input, output, samples);
}
void backward_ideal_f32(const IdealMesh<float>& mesh, const float* dL_doutput, const float* output,
                        float* dL_dinput, Samples samples, float* mzi_sums, float* port_sums) {
  backward_ideal(mesh, dL_doutput, output, dL_dinput, samples, mzi_sums, port_sums);
}
void backward_ideal_f64(const IdealMesh<double>& mesh, const double* dL_doutput, const double* output,
                        double* dL_dinput, Samples samples, double* mzi_sums, double* port_sums) {
  backward_ideal(mesh, dL_doutput, output, dL_dinput, samples, mzi_sums, port_sums);
}
const char* target_name() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace HWY_NAMESPACE
}  // namespace optotorch::ops
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(prepare_ideal_f32);
HWY_EXPORT(prepare_ideal_f64);
HWY_EXPORT(forward_ideal_f32);
HWY_EXPORT(forward_ideal_f64);
HWY_EXPORT(backward_ideal_f32);
HWY_EXPORT(backward_ideal_f64);
HWY_EXPORT(target_name);

std::string simd_target() {
  return HWY_DYNAMIC_DISPATCH(target_name)();
}

template <typename T>
IdealMesh<T>::IdealMesh(const MeshArrays<T>& mesh, Direction direction)
    : layout(mesh.layout), direction(direction), mzis(mesh.layout.mzis()) {
  starts.reserve(static_cast<size_t>(layout.columns));
  for (int64_t c = 0, start = 0; c < layout.columns; ++c) {
    starts.push_back(start);
    start += (layout.pairs(c) + 7) / 8 * 8;
    stride = start;
  }
  rotations = AlignedArray<T>(4 * stride);
  swaps = AlignedArray<int32_t>(stride);
  if (direction == Direction::backward) {
    weights = AlignedArray<double>(3 * stride);
  }
  strip_factors = AlignedArray<T>(2 * layout.ports * ((layout.columns + strip - 1) / strip));
  if constexpr (std::is_same_v<T, float>) {
    finite_ = HWY_DYNAMIC_DISPATCH(prepare_ideal_f32)(mesh, *this);
  } else {
    finite_ = HWY_DYNAMIC_DISPATCH(prepare_ideal_f64)(mesh, *this);
  }
}

template <typename T>
void IdealMesh<T>::forward(const T* input, T* output, Samples samples) const {
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(forward_ideal_f32)(*this, input, output, samples);
  } else {
    HWY_DYNAMIC_DISPATCH(forward_ideal_f64)(*this, input, output, samples);
  }
}

template <typename T>
void IdealMesh<T>::backward(const T* dL_doutput, const T* output, T* dL_dinput, Samples samples, T* mzi_sums,
                            T* port_sums) const {
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(backward_ideal_f32)
    (*this, dL_doutput, output, dL_dinput, samples, mzi_sums, port_sums);
  } else {
    HWY_DYNAMIC_DISPATCH(backward_ideal_f64)
    (*this, dL_doutput, output, dL_dinput, samples, mzi_sums, port_sums);
  }
}

template <typename T>
void IdealMesh<T>::parameter_gradients(const double* mzi_sums, const double* port_sums,
                                       const GradientArrays<T>& gradients) const {
  const double* weight = weights.get();
  for (int64_t c = 0, mzi = 0; c < layout.columns; ++c) {
    for (int64_t k = row(c), end = k + layout.pairs(c); k < end; ++k, ++mzi) {
      const double* sums = mzi_sums + 4 * k;
      const double dL_dr = weight[k] * sums[0] + weight[stride + k] * sums[1];
      gradients.theta[mzi] = static_cast<T>(-0.5 * dL_dr);
      gradients.phi[mzi] = static_cast<T>(weight[2 * stride + k] * sums[2]);
    }
  }
  for (int64_t p = 0; gradients.screen && p < layout.ports; ++p) {
    gradients.screen[p] = static_cast<T>(port_sums[p]);
  }
}

template class IdealMesh<float>;
template class IdealMesh<double>;

}  // namespace optotorch::ops
#endif
