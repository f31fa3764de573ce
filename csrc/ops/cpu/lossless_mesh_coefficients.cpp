// The coefficients of a LosslessMesh; the algebra stands in lossless_mesh_kernel.cpp and lossless_mzi-inl.h.

#include <ATen/Parallel.h>
#include <optotorch/ops/cpu/mesh_kernels.h>

#include <atomic>
#include <type_traits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/lossless_mesh_coefficients.cpp"
#include <hwy/foreach_target.h>
#include <optotorch/ops/cpu/lossless_mzi-inl.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

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

bool prepare_strips_f32(const MeshArrays<float>& mesh, const LosslessMesh<float>& lossless, int64_t begin,
                        int64_t end) {
  return prepare_strips(mesh, lossless, begin, end);
}
bool prepare_strips_f64(const MeshArrays<double>& mesh, const LosslessMesh<double>& lossless, int64_t begin,
                        int64_t end) {
  return prepare_strips(mesh, lossless, begin, end);
}
}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(prepare_strips_f32);
HWY_EXPORT(prepare_strips_f64);

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

template LosslessMesh<float>::LosslessMesh(const MeshArrays<float>&, Direction, Carry);
template LosslessMesh<double>::LosslessMesh(const MeshArrays<double>&, Direction, Carry);

}  // namespace optotorch::ops
#endif
