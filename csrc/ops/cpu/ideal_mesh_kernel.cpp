// A mesh of ideal splitters without loss. One MZI (cross at zero; in the bar convention t = theta + pi) is
//
//     T = P_out diag(i, -i) R(r) P_in,      R(r) = [[cos r, sin r], [-sin r, cos r]],  r = (pi - t)/2
//
// Phases commute along a port, so each port carries a phase w (an angle in double, known from the mesh alone)
// that the samples have not met yet. Before R only the difference d of the two arms matters:
//
//     R(r) diag(e^{i(w_u + phi)}, e^{i w_l}) = e^{i w_l} R(r) diag(e^{i d}, 1)
//
// and both angles shrink to [-pi/2, pi/2] because half turns pass through: R(r) diag(-1, 1) = diag(-1, 1)
// R(-r) and R(r + pi) = -R(r). What a sample meets is then a plane rotation of (re, im) of the upper arm by d
// and one of (lower, upper) by r, each as three shears,
//
//     a -= tan(v/2) b;   b += sin(v) a;   a -= tan(v/2) b         with |tan(v/2)| <= 1,
//
// 9 fused multiply-adds instead of the 16 of a complex 2x2 matrix, undone by the same shears backwards. The
// phases w that are left at the output are one factor a port.
//
// Gradients: for a phase on a port, Im(g conj(x)) there (unchanged by w, which x and g share); for r,
// Re(conj(g_u) y_l - conj(g_l) y_u) at the output of R, since dR/dr R^-1 = [[0, 1], [-1, 0]].

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

/// Fills shears, direction and exit; false if a phase is not finite.
template <typename T>
bool prepare_ideal(const MeshArrays<T>& mesh, const IdealMesh<T>& ideal) {
  const MeshLayout& layout = mesh.layout;
  const int64_t ports = layout.ports;
  const AlignedArray<double> theta(ideal.mzis), phi(ideal.mzis), gamma(ports), buffers(2 * ports + 64);
  double* before = buffers.get();
  double* after = before + ports + 32;
  bool finite = copy_finite(mesh.theta, ideal.mzis, theta.get());
  finite &= copy_finite(mesh.phi, ideal.mzis, phi.get());
  std::fill(gamma.get(), gamma.get() + ports, 0.0);
  std::fill(before, before + 2 * ports + 64, 0.0);
  if (mesh.screen) {
    finite &= copy_finite(mesh.screen, ports, gamma.get());
  }
  if (!finite) {
    return false;
  }
  const D64 d;
  const bool phi_first = layout.phi_arm == PhiArm::input;
  const auto phi_in = hn::Set(d, phi_first ? 1.0 : 0.0), phi_out = hn::Set(d, phi_first ? 0.0 : 1.0);
  const auto offset = hn::Set(d, layout.zero_state == ZeroState::cross ? std::numbers::pi / 2 : 0.0);
  const auto pi = hn::Set(d, std::numbers::pi), half = hn::Set(d, 0.5);
  const double idle = layout.idle_port == IdlePort::bar ? -std::numbers::pi / 2 : 0;
  T* const row = ideal.shears.get();
  for (int64_t p = 0; p < ports; ++p) {
    before[p] = phi_first ? 0 : gamma[p];
  }
  for (int64_t c = 0, start = 0; c < layout.columns; ++c) {
    const int64_t first = layout.first_port(c), pairs = layout.pairs(c);
    for (int64_t j = 0; j < pairs; j += hn::Lanes(d)) {
      const int64_t k = start + j;
      V64 upper, lower;
      hn::LoadInterleaved2(d, before + first + 2 * j, upper, lower);
      const auto external = hn::LoadU(d, phi.get() + k);
      const auto rotation = hn::NegMulAdd(hn::LoadU(d, theta.get() + k), half, offset);
      const auto [phase, m] = without_half_turns(hn::MulAdd(phi_in, external, hn::Sub(upper, lower)));
      const auto [angle, n] = without_half_turns(rotation);
      const auto sign = parity_sign(m);
      const auto a = small_angle(hn::Mul(phase, half));
      const auto b = small_angle(hn::Mul(hn::Mul(angle, sign), half));
      store_double(hn::Div(a.im, a.re), row + k);
      store_double(hn::Mul(hn::Add(a.im, a.im), a.re), row + ideal.stride + k);
      store_double(hn::Div(b.im, b.re), row + 2 * ideal.stride + k);
      store_double(hn::Mul(hn::Add(b.im, b.im), b.re), row + 3 * ideal.stride + k);
      store_double(sign, ideal.direction.get() + k);
      const auto common = hn::MulAdd(pi, n, lower);
      const auto quarter = hn::Mul(pi, half);
      upper = hn::MulAdd(phi_out, external, hn::Add(hn::MulAdd(pi, m, common), quarter));
      hn::StoreInterleaved2(wrapped(upper), wrapped(hn::Sub(common, quarter)), d, after + first + 2 * j);
    }
    for (int64_t p = 0; p < first; ++p) {
      after[p] = before[p] + idle;
    }
    for (int64_t p = first + 2 * pairs; p < ports; ++p) {
      after[p] = before[p] + idle;
    }
    std::swap(before, after);
    start += pairs;
  }
  for (int64_t p = 0; phi_first && p < ports; ++p) {
    before[p] += gamma[p];
  }
  store_port_factors(before, ports, ideal.exit.get());
  return true;
}

template <class V>
struct Shears {
  V phase_tan, phase_sin, angle_tan, angle_sin;
};

template <class V>
HWY_INLINE void shear_three(V& a, V& b, V tangent, V sine) {
  a = hn::NegMulAdd(tangent, b, a);
  b = hn::MulAdd(sine, a, b);
  a = hn::NegMulAdd(tangent, b, a);
}
template <class V>
HWY_INLINE void unshear_three(V& a, V& b, V tangent, V sine) {
  a = hn::MulAdd(tangent, b, a);
  b = hn::NegMulAdd(sine, a, b);
  a = hn::MulAdd(tangent, b, a);
}

template <class D, typename T>
HWY_INLINE Shears<Vector<D>> load_shears(D d, const IdealMesh<T>& mesh, int64_t k) {
  const T* row = mesh.shears.get() + k;
  return {hn::Set(d, row[0]), hn::Set(d, row[mesh.stride]), hn::Set(d, row[2 * mesh.stride]),
          hn::Set(d, row[3 * mesh.stride])};
}

template <typename T>
void forward_columns(const IdealMesh<T>& mesh, Tile<T> x) {
  const Lanes<T> d;
  using V = Vector<decltype(d)>;
  for (int64_t c = 0, k = 0; c < mesh.layout.columns; ++c) {
    int64_t u = mesh.layout.first_port(c);
    for (int64_t end = k + mesh.layout.pairs(c); k < end; ++k, u += 2) {
      const auto shears = load_shears(d, mesh, k);
      for (int64_t s = 0; s < tile_samples<T>; s += hn::Lanes(d)) {
        V upper_re = hn::Load(d, x.re(u) + s), upper_im = hn::Load(d, x.im(u) + s);
        V lower_re = hn::Load(d, x.re(u + 1) + s), lower_im = hn::Load(d, x.im(u + 1) + s);
        shear_three(upper_re, upper_im, shears.phase_tan, shears.phase_sin);
        shear_three(lower_re, upper_re, shears.angle_tan, shears.angle_sin);
        shear_three(lower_im, upper_im, shears.angle_tan, shears.angle_sin);
        hn::Store(upper_re, d, x.re(u) + s);
        hn::Store(upper_im, d, x.im(u) + s);
        hn::Store(lower_re, d, x.re(u + 1) + s);
        hn::Store(lower_im, d, x.im(u + 1) + s);
      }
    }
  }
}

/// Takes x and g one MZI back and adds up dL/dr and dL/dphi.
template <bool phi_first, typename T, class D, class V>
HWY_INLINE void backward_mzi(D d, const Shears<V>& shears, Tile<T> x, Tile<T> g, int64_t u, V& dL_dr,
                             V& dL_dphi) {
  for (int64_t s = 0; s < tile_samples<T>; s += hn::Lanes(d)) {
    V xu_re = hn::Load(d, x.re(u) + s), xu_im = hn::Load(d, x.im(u) + s);
    V xl_re = hn::Load(d, x.re(u + 1) + s), xl_im = hn::Load(d, x.im(u + 1) + s);
    V gu_re = hn::Load(d, g.re(u) + s), gu_im = hn::Load(d, g.im(u) + s);
    V gl_re = hn::Load(d, g.re(u + 1) + s), gl_im = hn::Load(d, g.im(u + 1) + s);
    const auto add_phi = [&] { dL_dphi = hn::NegMulAdd(gu_re, xu_im, hn::MulAdd(gu_im, xu_re, dL_dphi)); };
    dL_dr = hn::MulAdd(gu_im, xl_im, hn::MulAdd(gu_re, xl_re, dL_dr));
    dL_dr = hn::NegMulAdd(gl_im, xu_im, hn::NegMulAdd(gl_re, xu_re, dL_dr));
    if constexpr (!phi_first) {
      add_phi();
    }
    unshear_three(xl_re, xu_re, shears.angle_tan, shears.angle_sin);
    unshear_three(xl_im, xu_im, shears.angle_tan, shears.angle_sin);
    unshear_three(gl_re, gu_re, shears.angle_tan, shears.angle_sin);
    unshear_three(gl_im, gu_im, shears.angle_tan, shears.angle_sin);
    if constexpr (phi_first) {
      add_phi();
    }
    unshear_three(xu_re, xu_im, shears.phase_tan, shears.phase_sin);
    unshear_three(gu_re, gu_im, shears.phase_tan, shears.phase_sin);
    hn::Store(xu_re, d, x.re(u) + s);
    hn::Store(xu_im, d, x.im(u) + s);
    hn::Store(xl_re, d, x.re(u + 1) + s);
    hn::Store(xl_im, d, x.im(u + 1) + s);
    hn::Store(gu_re, d, g.re(u) + s);
    hn::Store(gu_im, d, g.im(u) + s);
    hn::Store(gl_re, d, g.re(u + 1) + s);
    hn::Store(gl_im, d, g.im(u + 1) + s);
  }
}

template <bool phi_first, typename T>
void backward_columns(const IdealMesh<T>& mesh, Tile<T> x, Tile<T> g, T* sums) {
  const Lanes<T> d;
  const Block<T> block;
  using V = Vector<decltype(d)>;
  constexpr int64_t together = 16 / sizeof(T) / 2;  // MZIs whose two sums fill one block
  int64_t start = mesh.mzis;
  for (int64_t c = mesh.layout.columns - 1; c >= 0; --c) {
    const int64_t pairs = mesh.layout.pairs(c), first = mesh.layout.first_port(c);
    start -= pairs;
    for (int64_t j = 0; j < pairs; j += together) {
      V sum[2 * together];
      for (int64_t i = 0; i < together; ++i) {
        sum[2 * i] = sum[2 * i + 1] = hn::Zero(d);
        if (j + i < pairs) {
          backward_mzi<phi_first>(d, load_shears(d, mesh, start + j + i), x, g, first + 2 * (j + i),
                                  sum[2 * i], sum[2 * i + 1]);
        }
      }
      T* const to = sums + 2 * (start + j);
      hn::StoreU(hn::Add(hn::LoadU(block, to), lane_sums(d, sum)), block, to);
    }
  }
}

template <typename T>
void forward_ideal(const IdealMesh<T>& mesh, const T* input, T* output, Samples samples) {
  const int64_t ports = mesh.layout.ports;
  const AlignedArray<T> memory(2 * tile_samples<T> * ports);
  const Tile<T> x{memory.get(), 2 * tile_samples<T>};
  for (int64_t first = samples.begin; first < samples.end; first += tile_samples<T>) {
    const int64_t count = std::min(tile_samples<T>, samples.end - first);
    load_tile(input, ports, first, count, x);
    forward_columns(mesh, x);
    scale_ports<false>(x, ports, mesh.exit.get());
    store_tile(x, ports, first, count, output);
  }
}

template <typename T>
void backward_ideal(const IdealMesh<T>& mesh, const T* dL_doutput, const T* output, T* dL_dinput,
                    Samples samples, T* mzi_sums, T* port_sums) {
  const int64_t ports = mesh.layout.ports;
  const bool phi_first = mesh.layout.phi_arm == PhiArm::input;
  // x and g of a port side by side: four planes.
  const AlignedArray<T> memory(4 * tile_samples<T> * ports);
  const Tile<T> x{memory.get(), 4 * tile_samples<T>};
  const Tile<T> g{memory.get() + 2 * tile_samples<T>, 4 * tile_samples<T>};
  std::fill(mzi_sums, mzi_sums + 2 * mesh.mzis, T(0));
  std::fill(port_sums, port_sums + ports, T(0));
  for (int64_t first = samples.begin; first < samples.end; first += tile_samples<T>) {
    const int64_t count = std::min(tile_samples<T>, samples.end - first);
    load_tile(output, ports, first, count, x);
    load_tile(dL_doutput, ports, first, count, g);
    scale_ports<true>(x, ports, mesh.exit.get());
    scale_ports<true>(g, ports, mesh.exit.get());
    if (phi_first) {
      add_phase_gradients(x, g, ports, port_sums);
      backward_columns<true>(mesh, x, g, mzi_sums);
    } else {
      backward_columns<false>(mesh, x, g, mzi_sums);
      add_phase_gradients(x, g, ports, port_sums);
    }
    store_tile(g, ports, first, count, dL_dinput);
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
IdealMesh<T>::IdealMesh(const MeshArrays<T>& mesh)
    : layout(mesh.layout),
      mzis(mesh.layout.mzis()),
      stride((mzis + kernel_padding) / 16 * 16),
      shears(4 * stride),
      direction(mzis),
      exit(2 * mesh.layout.ports) {
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
void IdealMesh<T>::parameter_gradients(const double* mzi_sums, const double* port_sums, T* dL_dtheta,
                                       T* dL_dphi, T* dL_dscreen) const {
  for (int64_t k = 0; k < mzis; ++k) {
    dL_dtheta[k] = static_cast<T>(-0.5 * direction[k] * mzi_sums[2 * k]);
    dL_dphi[k] = static_cast<T>(mzi_sums[2 * k + 1]);
  }
  for (int64_t p = 0; dL_dscreen && p < layout.ports; ++p) {
    dL_dscreen[p] = static_cast<T>(port_sums[p]);
  }
}

template class IdealMesh<float>;
template class IdealMesh<double>;

}  // namespace optotorch::ops
#endif
