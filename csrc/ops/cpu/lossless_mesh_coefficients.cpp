// The coefficients of an LosslessMesh, and the gradients of its phases; the algebra stands in
// lossless_mesh_kernel.cpp.

#include <ATen/Parallel.h>
#include <optotorch/ops/cpu/mesh_kernels.h>

#include <atomic>
#include <initializer_list>
#include <type_traits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/lossless_mesh_coefficients.cpp"
#include <hwy/foreach_target.h>
#include <optotorch/ops/cpu/mesh_simd-inl.h>

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

/// rho e^{i w} of all ports while a mesh is walked through, e^{i w} as it is: the product of at most a strip's phases.
struct PortFactors {
  explicit PortFactors(int64_t ports) : now(ports), next(ports) {}

  struct Planes {
    explicit Planes(int64_t ports) : re(2 * ports), im(2 * ports), size(2 * ports) {
      std::fill(re.get(), re.get() + 2 * ports + kernel_padding, 1.0);
      std::fill(im.get(), im.get() + 2 * ports + kernel_padding, 0.0);
      std::fill(size.get(), size.get() + 2 * ports + kernel_padding, 1.0);
    }
    AlignedArray<double> re, im, size;
  };
  Planes now, next;
};

/// The MZIs of a mesh as a pass in one direction meets them.
struct Pass {
  bool backward, phi_first;
  ZeroState zero_state;
};

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

/// Takes a vector of MZIs' ports, from `upper` on, past the MZIs from k on and writes their coefficients.
template <bool with_errors, typename T>
void pass_mzis(const Pass& pass, const LosslessMesh<T>& lossless, int64_t k, const MziNumbers& m,
               int64_t upper, const PortFactors& factors) {
  const D64 d;
  const auto zero = hn::Zero(d);
  C64 of_u, of_l;
  V64 size_u, size_l;
  hn::LoadInterleaved2(d, factors.now.re.get() + upper, of_u.re, of_l.re);
  hn::LoadInterleaved2(d, factors.now.im.get() + upper, of_u.im, of_l.im);
  hn::LoadInterleaved2(d, factors.now.size.get() + upper, size_u, size_l);
  const Core<with_errors> core(m, pass.zero_state);
  const C64 phi = unit_phase(m.phi);
  const auto times_u = [&](C64 z) { return with_errors ? z * core.u : times_i(z); };
  const auto times_conj_u = [&](C64 z) { return with_errors ? z * conj(core.u) : conj(times_i(conj(z))); };
  C64 at_output{zero, zero};
  if (pass.backward) {
    if (!pass.phi_first) {
      of_u = of_u * conj(phi);
    }
    if constexpr (with_errors) {
      at_output = of_u * conj(of_l);
    }
    of_u = times_conj_u(of_u);
    of_l = with_errors ? of_l * core.v : times_i(of_l);
  } else {
    if (pass.phi_first) {
      of_u = of_u * phi;
    }
    if constexpr (with_errors) {
      of_l = of_l * (conj(core.u) * core.v);
    }
  }
  const auto e = of_u * conj(of_l);
  const auto cosine = core.cosine, sine = pass.backward ? hn::Neg(core.sine) : core.sine;
  const auto swap = hn::Gt(hn::Abs(sine), hn::Abs(cosine));
  const auto large = hn::IfThenElse(swap, sine, cosine), small = hn::IfThenElse(swap, cosine, sine);
  // a = k rho_second / rho_first and b = k rho_first / rho_second by one division.
  const auto first = hn::IfThenElse(swap, size_l, size_u), second = hn::IfThenElse(swap, size_u, size_l);
  const auto both = hn::Div(small, hn::Mul(large, hn::Mul(first, second)));
  const auto a = hn::Mul(both, hn::Mul(second, second)), b = hn::Mul(both, hn::Mul(first, first));
  const auto a_im = hn::Mul(a, e.im), b_im = hn::Mul(b, e.im);
  T* const row = lossless.rotations.get() + k;
  store_double(hn::Mul(a, e.re), row);
  store_double(hn::IfThenElse(swap, a_im, hn::Neg(a_im)), row + lossless.stride);
  store_double(hn::Neg(hn::Mul(b, e.re)), row + 2 * lossless.stride);
  store_double(hn::IfThenElse(swap, b_im, hn::Neg(b_im)), row + 3 * lossless.stride);
  const hn::Rebind<int32_t, D64> whole;
  hn::StoreU(hn::DemoteTo(whole, hn::IfThenElseZero(swap, hn::Set(d, 1.0))), whole, lossless.swaps.get() + k);

  const auto sign = hn::IfThenElse(hn::Lt(large, zero), hn::Set(d, -1.0), hn::Set(d, 1.0));
  auto next_u = times(sign, either(swap, of_l, of_u));
  auto next_l = times(sign, either(swap, {hn::Neg(of_u.re), hn::Neg(of_u.im)}, of_l));
  const auto shrink = hn::Abs(large);
  const auto next_size_u = hn::Mul(shrink, hn::IfThenElse(swap, size_l, size_u));
  const auto next_size_l = hn::Mul(shrink, hn::IfThenElse(swap, size_u, size_l));
  if (pass.backward) {
    if constexpr (with_errors) {
      const GradientWeights weights{at_output, hn::Mul(size_u, size_l), hn::Mul(size_u, size_u),
                                    hn::Mul(size_l, size_l), swap};
      store_error_weights(lossless, k, weights, core, m, pass.phi_first);
      next_l = next_l * (core.u * conj(core.v));
    } else {
      // dL/dtheta = -1/2 dL/dr
      const auto weight = hn::Mul(hn::Set(d, -0.5), hn::Mul(size_u, size_l));
      const auto phi_size = pass.phi_first ? next_size_u : size_u;
      store_weights(lossless, k,
                    {hn::Mul(hn::IfThenElse(swap, hn::Neg(weight), weight), e.re), hn::Mul(weight, e.im),
                     hn::Mul(phi_size, phi_size)});
    }
    if (pass.phi_first) {
      next_u = next_u * conj(phi);
    }
  } else {
    next_u = times_u(next_u);
    next_l = with_errors ? next_l * conj(core.v) : conj(times_i(conj(next_l)));
    if (!pass.phi_first) {
      next_u = next_u * phi;
    }
  }
  hn::StoreInterleaved2(next_u.re, next_l.re, d, factors.next.re.get() + upper);
  hn::StoreInterleaved2(next_u.im, next_l.im, d, factors.next.im.get() + upper);
  hn::StoreInterleaved2(next_size_u, next_size_l, d, factors.next.size.get() + upper);
}

/// What a vector has written behind the MZIs of a run.
template <typename T>
void clear_rotations(const LosslessMesh<T>& lossless, int64_t begin, int64_t end) {
  for (int64_t row = 0; row < 4; ++row) {
    T* const of = lossless.rotations.get() + row * lossless.stride;
    std::fill(of + begin, of + end, T(0));
  }
  std::fill(lossless.swaps.get() + begin, lossless.swaps.get() + end, 0);
}

/// Data for preparing strips, beside the mesh.
struct Workspace {
  Workspace(int64_t ports, int64_t columns)
      : theta(columns * ports / 2),
        phi(columns * ports / 2),
        left_error(columns * ports / 2),
        right_error(columns * ports / 2),
        gamma(ports),
        factors(ports) {}

  AlignedArray<double> theta, phi, left_error, right_error, gamma;
  PortFactors factors;
};

/// Copies pairs of numbers into two arrays.
template <typename T>
void split_pairs(const T* pairs, int64_t count, double* first, double* second) {
  for (int64_t k = 0; k < count; ++k) {
    first[k] = pairs[2 * k];
    second[k] = pairs[2 * k + 1];
  }
  std::fill(first + count, first + count + kernel_padding, 0.0);
  std::fill(second + count, second + count + kernel_padding, 0.0);
}

/// Multiplies the ports' factors by e^{i sign gamma}.
void turn_ports(PortFactors::Planes& ports, int64_t count, const double* gamma, double sign) {
  const D64 d;
  for (int64_t p = 0; p < count; p += hn::Lanes(d)) {
    const C64 factor{hn::LoadU(d, ports.re.get() + p), hn::LoadU(d, ports.im.get() + p)};
    const auto turned = factor * unit_phase(hn::Mul(hn::Set(d, sign), hn::LoadU(d, gamma + p)));
    hn::StoreU(turned.re, d, ports.re.get() + p);
    hn::StoreU(turned.im, d, ports.im.get() + p);
  }
}

/// Fills the coefficients of one strip; false if a phase is not finite.
template <bool with_errors, typename T>
bool prepare_strip(const MeshArrays<T>& mesh, const LosslessMesh<T>& lossless, int64_t strip,
                   Workspace& work) {
  const MeshLayout& layout = mesh.layout;
  const int64_t ports = layout.ports, columns = layout.columns;
  const int64_t begin = strip * LosslessMesh<T>::strip,
                end = std::min(begin + LosslessMesh<T>::strip, columns);
  const bool backward = lossless.direction == Direction::backward;
  // The strip's MZIs in the order of the mesh's tensors.
  const int64_t lowest = std::min(lossless.column(begin), lossless.column(end - 1));
  const int64_t first_mzi = lossless.first_mzi(lowest),
                mzis = lossless.first_mzi(lowest + end - begin) - first_mzi;
  bool finite = copy_finite(mesh.theta + first_mzi, mzis, work.theta.get());
  finite &= copy_finite(mesh.phi + first_mzi, mzis, work.phi.get());
  if constexpr (with_errors) {
    split_pairs(mesh.splitter_error + 2 * first_mzi, mzis, work.left_error.get(), work.right_error.get());
  }
  const double sign = backward ? -1 : 1;
  const Pass pass{backward, layout.phi_arm == PhiArm::input, layout.zero_state};
  const bool screen_last = pass.phi_first != backward;
  const bool screen_here = mesh.screen && (screen_last ? end == columns : begin == 0);
  if (screen_here) {
    finite &= copy_finite(mesh.screen, ports, work.gamma.get());
  }
  if (!finite) {
    return false;
  }
  PortFactors& factors = work.factors;
  std::fill(factors.now.re.get(), factors.now.re.get() + ports, 1.0);
  std::fill(factors.now.im.get(), factors.now.im.get() + ports, 0.0);
  std::fill(factors.now.size.get(), factors.now.size.get() + ports, 1.0);
  if (screen_here && !screen_last) {
    turn_ports(factors.now, ports, work.gamma.get(), sign);
  }
  const D64 d;
  const int64_t lanes = hn::Lanes(d);
  const auto zero = hn::Zero(d);
  for (int64_t step = begin; step < end; ++step) {
    const int64_t c = lossless.column(step), first = MeshLayout::first_port(c);
    const int64_t below = first + 2 * layout.pairs(c), start = lossless.first_mzi(c) - first_mzi;
    for (int64_t band = 0; band < lossless.bands; ++band) {
      const auto run = lossless.run(step, band);
      for (int64_t u = run.begin, k = run.row; u < run.end; u += 2 * lanes, k += lanes) {
        const int64_t mzi = start + (u - first) / 2;
        const MziNumbers numbers{hn::LoadU(d, work.theta.get() + mzi), hn::LoadU(d, work.phi.get() + mzi),
                                 with_errors ? hn::LoadU(d, work.left_error.get() + mzi) : zero,
                                 with_errors ? hn::LoadU(d, work.right_error.get() + mzi) : zero};
        pass_mzis<with_errors>(pass, lossless, k, numbers, u, factors);
      }
      if (lossless.carry == Carry::matrix) {
        const int64_t count = std::max<int64_t>(0, (run.end - run.begin + 1) / 2);
        clear_rotations(lossless, run.row + count, run.row + (count + lanes - 1) / lanes * lanes);
      }
    }
    const auto leave_idle = [&](int64_t from, int64_t to) {
      for (int64_t p = from; p < to; ++p) {
        const double re = factors.now.re[p], im = factors.now.im[p];
        const bool bar = layout.idle_port == IdlePort::bar;  // a factor of -i, or i backward
        factors.next.re[p] = bar ? sign * im : re;
        factors.next.im[p] = bar ? -sign * re : im;
        factors.next.size[p] = factors.now.size[p];
      }
    };
    leave_idle(0, first);
    leave_idle(below, ports);
    std::swap(factors.now, factors.next);
  }
  if (screen_here && screen_last) {
    turn_ports(factors.now, ports, work.gamma.get(), sign);
  }
  T* const to = lossless.strip_factors.get() + 2 * ports * strip;
  for (int64_t p = 0; p < ports; ++p) {
    to[p] = static_cast<T>(factors.now.re[p] * factors.now.size[p]);
    to[ports + p] = static_cast<T>(factors.now.im[p] * factors.now.size[p]);
  }
  return true;
}

/// The same for the strips [begin, end).
template <typename T>
bool prepare_strips(const MeshArrays<T>& mesh, const LosslessMesh<T>& lossless, int64_t begin, int64_t end) {
  Workspace work(mesh.layout.ports, std::min(LosslessMesh<T>::strip, mesh.layout.columns));
  bool finite = true;
  for (int64_t strip = begin; strip < end; ++strip) {
    finite &= mesh.splitter_error != nullptr ? prepare_strip<true>(mesh, lossless, strip, work)
                                             : prepare_strip<false>(mesh, lossless, strip, work);
  }
  return finite;
}

/// total[i] = the sum over the groups, in their order, of their numbers [begin, end).
template <typename T>
void add_groups(const GroupSums<T>& sums, int64_t begin, int64_t end, double* total) {
  const D64 d;
  std::fill(total, total + (end - begin) + kernel_padding, 0.0);
  for (int64_t group = 0; group < sums.groups; ++group) {
    const T* const part = sums.mzis(group) + begin;
    for (int64_t i = 0; i < end - begin; i += hn::Lanes(d)) {
      hn::StoreU(hn::Add(hn::LoadU(d, total + i), load_double(part + i)), d, total + i);
    }
  }
}

/// Gradients of the MZIs of the columns that are swept together, in the order of the sweep.
template <typename T>
void sweep_gradients(const LosslessMesh<T>& mesh, int64_t sweep, const GroupSums<T>& sums,
                     const GradientArrays<T>& gradients) {
  const int64_t begin = sweep * LosslessMesh<T>::depth;
  const int64_t end = std::min(begin + LosslessMesh<T>::depth, mesh.layout.columns);
  const T* const weight = mesh.weights.get();
  AlignedArray<double> total(4 * mesh.longest_run());
  for (int64_t band = 0; band < mesh.bands; ++band) {
    for (int64_t step = begin; step < end; ++step) {
      const int64_t c = mesh.column(step);
      const auto run = mesh.run(step, band);
      const int64_t count = std::max<int64_t>(0, (run.end - run.begin + 1) / 2);
      const int64_t mzi = mesh.first_mzi(c) + (run.begin - MeshLayout::first_port(c)) / 2;
      add_groups(sums, 4 * run.row, 4 * (run.row + count), total.get());
      for (int64_t i = 0; i < count; ++i) {
        const double* const sum = total.get() + 4 * i;
        const T* const by = weight + run.row + i;
        const auto row = [&](int64_t number) { return static_cast<double>(by[number * mesh.stride]); };
        if (!mesh.has_errors) {
          gradients.theta[mzi + i] = static_cast<T>(row(0) * sum[0] + row(1) * sum[1]);
          gradients.phi[mzi + i] = static_cast<T>(row(2) * sum[2]);
          continue;
        }
        const auto by_four = [&](int64_t first) {
          return row(first) * sum[0] + row(first + 1) * sum[1] + row(first + 2) * sum[2] +
                 row(first + 3) * sum[3];
        };
        gradients.theta[mzi + i] = static_cast<T>(by_four(0));
        gradients.splitter_error[2 * (mzi + i)] = static_cast<T>(by_four(4));
        gradients.splitter_error[2 * (mzi + i) + 1] = static_cast<T>(row(8) * sum[0] + row(9) * sum[1]);
        gradients.phi[mzi + i] = static_cast<T>(by_four(10));
      }
    }
  }
}

bool prepare_strips_f32(const MeshArrays<float>& mesh, const LosslessMesh<float>& lossless, int64_t begin,
                        int64_t end) {
  return prepare_strips(mesh, lossless, begin, end);
}
bool prepare_strips_f64(const MeshArrays<double>& mesh, const LosslessMesh<double>& lossless, int64_t begin,
                        int64_t end) {
  return prepare_strips(mesh, lossless, begin, end);
}
void sweep_gradients_f32(const LosslessMesh<float>& mesh, int64_t sweep, const GroupSums<float>& sums,
                         const GradientArrays<float>& gradients) {
  sweep_gradients(mesh, sweep, sums, gradients);
}
void sweep_gradients_f64(const LosslessMesh<double>& mesh, int64_t sweep, const GroupSums<double>& sums,
                         const GradientArrays<double>& gradients) {
  sweep_gradients(mesh, sweep, sums, gradients);
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(prepare_strips_f32);
HWY_EXPORT(prepare_strips_f64);
HWY_EXPORT(sweep_gradients_f32);
HWY_EXPORT(sweep_gradients_f64);

namespace {

/// MZIs whose coefficients or gradients are worth a thread of their own.
constexpr int64_t thread_mzis = 8000;

}  // namespace

template <typename T>
LosslessMesh<T>::LosslessMesh(const MeshArrays<T>& mesh, Direction direction, Carry carry)
    : layout(mesh.layout), direction(direction), carry(carry), has_errors(mesh.splitter_error != nullptr) {
  const int64_t ports = layout.ports, columns = layout.columns;
  // A tile, or two, that would not fit an L1 cache of 48 KiB together with the coefficients.
  const int64_t planes = carry == Carry::fields_and_signals ? 4 : 2;
  const int64_t fitting = 32768 / (planes * tile_samples<T> * static_cast<int64_t>(sizeof(T)));
  const bool fits = ports <= 2 * (fitting - depth);
  width = fits ? ports + depth : fitting - depth;
  bands = fits ? 1 : (ports + depth - 1 + width - 1) / width;
  for (int64_t c = 0; c < columns; ++c) {
    first_mzis.push_back(mzis);
    mzis += layout.pairs(c);
  }
  first_mzis.push_back(mzis);
  rows.resize(static_cast<size_t>(columns * bands));
  for (int64_t begin = 0; begin < columns; begin += depth) {
    for (int64_t band = 0; band < bands; ++band) {
      for (int64_t step = begin; step < std::min(begin + depth, columns); ++step) {
        rows[static_cast<size_t>(step * bands + band)] = stride;
        const auto [first, end, row] = run(step, band);
        const int64_t of_mzis = std::max<int64_t>(end - first + 1, 0) / 2;
        stride += ((carry == Carry::matrix ? pairs(step, band) : of_mzis) + 7) / 8 * 8;
      }
    }
  }
  rotations = AlignedArray<T>(4 * stride);
  swaps = AlignedArray<int32_t>(stride);
  if (carry == Carry::matrix) {
    std::fill(rotations.get(), rotations.get() + 4 * stride, T(0));
    std::fill(swaps.get(), swaps.get() + stride, 0);
  }
  if (direction == Direction::backward) {
    weights = AlignedArray<T>((has_errors ? 14 : 3) * stride);
  }
  const int64_t strips = (columns + strip - 1) / strip;
  strip_factors = AlignedArray<T>(2 * ports * strips);
  std::atomic<bool> finite = true;
  const int64_t grain = std::max<int64_t>(1, thread_mzis * strips / std::max<int64_t>(mzis, 1));
  at::parallel_for(0, strips, grain, [&](int64_t begin, int64_t end) {
    if constexpr (std::is_same_v<T, float>) {
      if (!HWY_DYNAMIC_DISPATCH(prepare_strips_f32)(mesh, *this, begin, end)) {
        finite = false;
      }
    } else {
      if (!HWY_DYNAMIC_DISPATCH(prepare_strips_f64)(mesh, *this, begin, end)) {
        finite = false;
      }
    }
  });
  finite_ = finite;
}

template <typename T>
void LosslessMesh<T>::parameter_gradients(const GroupSums<T>& sums,
                                          const GradientArrays<T>& gradients) const {
  const int64_t sweeps = (layout.columns + depth - 1) / depth;
  at::parallel_for(0, sweeps, std::max<int64_t>(1, thread_mzis * sweeps / std::max<int64_t>(mzis, 1)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t sweep = begin; sweep < end; ++sweep) {
                       if constexpr (std::is_same_v<T, float>) {
                         HWY_DYNAMIC_DISPATCH(sweep_gradients_f32)(*this, sweep, sums, gradients);
                       } else {
                         HWY_DYNAMIC_DISPATCH(sweep_gradients_f64)(*this, sweep, sums, gradients);
                       }
                     }
                   });
  if (gradients.screen) {
    sums.add_ports(layout.ports, gradients.screen);
  }
}

template class LosslessMesh<float>;
template class LosslessMesh<double>;

}  // namespace optotorch::ops
#endif
