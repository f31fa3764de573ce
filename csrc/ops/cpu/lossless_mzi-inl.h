// One MZI of a lossless mesh, a vector of them at a time, in double: its rotation, and the weights of sums over the batch
// in its parameters' gradients. Included inside foreach_target sources only; no include guard but Highway's.

#if defined(OPTOTORCH_LOSSLESS_MZI_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef OPTOTORCH_LOSSLESS_MZI_INL_H_
#undef OPTOTORCH_LOSSLESS_MZI_INL_H_
#else
#define OPTOTORCH_LOSSLESS_MZI_INL_H_
#endif

#include <optotorch/ops/cpu/mesh_kernels.h>
#include <optotorch/ops/cpu/mesh_simd-inl.h>

#include <initializer_list>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

using C64 = Complex<V64>;

HWY_INLINE C64 conj(C64 z) {
  return {z.re, hn::Neg(z.im)};
}
HWY_INLINE C64 times_i(C64 z) {
  return {hn::Neg(z.im), z.re};
}
HWY_INLINE C64 times(V64 real, C64 z) {
  return {hn::Mul(real, z.re), hn::Mul(real, z.im)};
}
template <class M>
HWY_INLINE C64 either(M first, C64 a, C64 b) {
  return {hn::IfThenElse(first, a.re, b.re), hn::IfThenElse(first, a.im, b.im)};
}
HWY_INLINE V64 squared_size(C64 z) {
  return hn::MulAdd(z.re, z.re, hn::Mul(z.im, z.im));
}

/// The numbers of a vector of MZIs.
struct MziNumbers {
  V64 theta, phi, left_error, right_error;
};

/// What lies between an MZI's arms phi, C = diag(u, conj(v)) R(r) diag(1, conj(u) v) of ideal splitters with u = v = i, of
/// others with cos r = |C_uu|, sin r = |C_ul|, u and v their phases.
template <bool with_errors>
struct Core {
  Core(const MziNumbers& m, ZeroState zero_state) {
    const D64 d;
    const auto half = hn::Set(d, 0.5), zero = hn::Zero(d), one = hn::Set(d, 1.0);
    inner = unit_phase(
        hn::MulAdd(m.theta, half, hn::Set(d, zero_state == ZeroState::bar ? std::numbers::pi / 2 : 0)));
    if constexpr (!with_errors) {
      cosine = inner.im;
      sine = inner.re;
      u = v = {zero, one};
      return;
    }
    const auto amplitude = [&](V64 error) { return hn::Sqrt(hn::MulAdd(half, error, half)); };
    const auto lt = amplitude(m.left_error), lc = amplitude(hn::Neg(m.left_error));
    const auto rt = amplitude(m.right_error), rc = amplitude(hn::Neg(m.right_error));
    const auto tt = hn::Mul(rt, lt), cc = hn::Mul(rc, lc), tc = hn::Mul(rt, lc), ct = hn::Mul(rc, lt);
    uu = {hn::Mul(hn::Sub(tt, cc), inner.re), hn::Mul(hn::Add(tt, cc), inner.im)};
    ul = {hn::Mul(hn::Sub(ct, tc), inner.im), hn::Mul(hn::Add(tc, ct), inner.re)};
    const auto unit = [&](C64 z, V64& size) {
      size = hn::Sqrt(squared_size(z));
      const auto some = hn::Gt(size, zero);
      const auto by = hn::Div(one, hn::IfThenElse(some, size, one));
      return either(some, times(by, z), {one, zero});
    };
    u = unit(uu, cosine);
    v = unit(ul, sine);
  }

  C64 inner;   ///< e^{i t / 2}
  C64 uu, ul;  ///< elements of C, where splitters have errors
  C64 u, v;
  V64 cosine, sine;
};

/// Weights of the four sums of an MZI, S (real, imaginary) and two phases, in the gradients of its parameters.
/// At C's output, with p the phases' sums of both arms and physical S and p, for a parameter with the generator A =
/// dC C^H = [[i a, z], [-conj(z), -i a]]:
///
///     dL = a (p_u - p_l) + Re(z S)
///     theta: a = e_r / 2, z = s_r / 2;            e_r: a = 0, z = i c_r;            e: a splitter's error
///     e_l: a = c_l s_r sin t, z = c_l (i cos t - e_r sin t);             s = sqrt(1 - e^2), c = -1 / (2 s)
///     phi: p_u of the arm that carries it; before C that is |C_uu|^2 p_u + |C_lu|^2 p_l - Im(conj(C_lu) C_uu S)
struct GradientWeights {
  C64 between;             ///< phase of the upper arm's factor against that of the lower one's, at C's output
  V64 both, upper, lower;  ///< rho_u rho_l, rho_u^2, rho_l^2
  hn::Mask<D64> swap;

  /// Of S as its rotation orders the arms: there, exchanged, it is -conj(S).
  C64 by_sums(C64 z) const {
    const auto re = hn::MulAdd(z.re, between.re, hn::Mul(z.im, between.im));
    const auto im = hn::MulSub(z.re, between.im, hn::Mul(z.im, between.re));
    return {hn::Mul(both, hn::IfThenElse(swap, hn::Neg(re), re)), hn::Mul(both, im)};
  }
};

template <typename T>
void store_weights(const LosslessMesh<T>& lossless, int64_t k, std::initializer_list<V64> rows) {
  T* to = lossless.weights.get() + k;
  for (const V64& row : rows) {
    store_double(row, to);
    to += lossless.stride;
  }
}

/// Rows of a mesh with errors: theta and e_l by all four sums, e_r by S, phi by all four.
template <typename T>
void store_error_weights(const LosslessMesh<T>& lossless, int64_t k, const GradientWeights& w,
                         const Core<true>& core, const MziNumbers& m, bool phi_first) {
  const D64 d;
  const auto zero = hn::Zero(d), half = hn::Set(d, 0.5), one = hn::Set(d, 1.0);
  const auto root = [&](V64 e) { return hn::Sqrt(hn::Max(zero, hn::NegMulAdd(e, e, one))); };
  // No slope where a splitter passes everything, or nothing.
  const auto slope = [&](V64 s) {
    const auto some = hn::Gt(s, zero);
    return hn::IfThenElseZero(some, hn::Div(hn::Set(d, -0.5), hn::IfThenElse(some, s, one)));
  };
  const auto s_r = root(m.right_error), c_r = slope(s_r), c_l = slope(root(m.left_error));
  const auto cos_t = hn::MulSub(core.inner.re, core.inner.re, hn::Mul(core.inner.im, core.inner.im));
  const auto product = hn::Mul(core.inner.re, core.inner.im), sin_t = hn::Add(product, product);
  const auto theta = w.by_sums({hn::Mul(half, s_r), zero});
  const auto theta_a = hn::Mul(half, m.right_error);
  const auto right = w.by_sums({zero, c_r});
  const auto left = w.by_sums({hn::Neg(hn::Mul(c_l, hn::Mul(m.right_error, sin_t))), hn::Mul(c_l, cos_t)});
  const auto left_a = hn::Mul(c_l, hn::Mul(s_r, sin_t));
  C64 phi{zero, zero};
  V64 phi_upper = w.upper, phi_lower = zero;
  if (phi_first) {
    // conj(C_lu) = -C_ul
    phi = w.by_sums(times_i(C64{hn::Neg(core.ul.re), hn::Neg(core.ul.im)} * core.uu));
    phi_upper = hn::Mul(w.upper, squared_size(core.uu));
    phi_lower = hn::Mul(w.lower, squared_size(core.ul));
  }
  store_weights(lossless, k,
                {theta.re, theta.im, hn::Mul(theta_a, w.upper), hn::Neg(hn::Mul(theta_a, w.lower)), left.re,
                 left.im, hn::Mul(left_a, w.upper), hn::Neg(hn::Mul(left_a, w.lower)), right.re, right.im,
                 phi.re, phi.im, phi_upper, phi_lower});
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
