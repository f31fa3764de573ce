// The coefficients of an IdealMesh, and the gradients of its phases; the algebra stands in
// ideal_mesh_kernel.cpp.

#include <ATen/Parallel.h>
#include <optotorch/ops/cpu/mesh_kernels.h>

#include <atomic>
#include <type_traits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/ideal_mesh_coefficients.cpp"
#include <hwy/foreach_target.h>
#include <optotorch/ops/cpu/mesh_simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

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

/// The MZIs of a mesh as a pass in one direction meets them.
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
    T* const to = ideal.weights.get() + k;
    store_double(hn::Mul(hn::IfThenElse(swap, hn::Neg(weight), weight), e.re), to);
    store_double(hn::Mul(weight, e.im), to + ideal.stride);
    store_double(hn::Mul(phi_size, phi_size), to + 2 * ideal.stride);
    next_angle_u = hn::Sub(next_angle_u, phi_in);
  } else {
    next_angle_u = hn::Add(next_angle_u, hn::Add(phi_out, quarter));
    next_angle_l = hn::Sub(next_angle_l, quarter);
  }
  hn::StoreInterleaved2(wrapped(next_angle_u), wrapped(next_angle_l), d, factors.next_angle.get() + upper);
  hn::StoreInterleaved2(next_size_u, next_size_l, d, factors.next_size.get() + upper);
}

/// What a vector has written behind the MZIs of a run.
template <typename T>
void clear_rotations(const IdealMesh<T>& ideal, int64_t begin, int64_t end) {
  for (int64_t row = 0; row < 4; ++row) {
    T* const of = ideal.rotations.get() + row * ideal.stride;
    std::fill(of + begin, of + end, T(0));
  }
  std::fill(ideal.swaps.get() + begin, ideal.swaps.get() + end, 0);
}

/// Data for preparing strips, beside the mesh.
struct Workspace {
  Workspace(int64_t ports, int64_t columns)
      : theta(columns * ports / 2), phi(columns * ports / 2), gamma(ports), factors(ports) {}

  AlignedArray<double> theta, phi, gamma;
  PortFactors factors;
};

/// Fills the coefficients of one strip; false if a phase is not finite.
template <typename T>
bool prepare_strip(const MeshArrays<T>& mesh, const IdealMesh<T>& ideal, int64_t strip, Workspace& work) {
  const MeshLayout& layout = mesh.layout;
  const int64_t ports = layout.ports, columns = layout.columns;
  const int64_t begin = strip * IdealMesh<T>::strip, end = std::min(begin + IdealMesh<T>::strip, columns);
  const bool backward = ideal.direction == Direction::backward;
  // The strip's MZIs in the order of the mesh's tensors.
  const int64_t lowest = std::min(ideal.column(begin), ideal.column(end - 1));
  const int64_t first_mzi = ideal.first_mzi(lowest), mzis = ideal.first_mzi(lowest + end - begin) - first_mzi;
  bool finite = copy_finite(mesh.theta + first_mzi, mzis, work.theta.get());
  finite &= copy_finite(mesh.phi + first_mzi, mzis, work.phi.get());
  const double sign = backward ? -1 : 1;
  const double idle = layout.idle_port == IdlePort::bar ? -sign * std::numbers::pi / 2 : 0;
  const Pass pass{backward, layout.phi_arm == PhiArm::input, layout.zero_state, idle};
  const bool screen_last = pass.phi_first != backward;
  const bool screen_here = mesh.screen && (screen_last ? end == columns : begin == 0);
  if (screen_here) {
    finite &= copy_finite(mesh.screen, ports, work.gamma.get());
  }
  if (!finite) {
    return false;
  }
  PortFactors& factors = work.factors;
  std::fill(factors.size.get(), factors.size.get() + ports, 1.0);
  for (int64_t p = 0; p < ports; ++p) {
    factors.angle[p] = screen_here && !screen_last ? sign * work.gamma[p] : 0;
  }
  const D64 d;
  const int64_t lanes = hn::Lanes(d);
  for (int64_t step = begin; step < end; ++step) {
    const int64_t c = ideal.column(step), first = MeshLayout::first_port(c);
    const int64_t below = first + 2 * layout.pairs(c), start = ideal.first_mzi(c) - first_mzi;
    for (int64_t band = 0; band < ideal.bands; ++band) {
      const auto run = ideal.run(step, band);
      for (int64_t u = run.begin, k = run.row; u < run.end; u += 2 * lanes, k += lanes) {
        const int64_t mzi = start + (u - first) / 2;
        pass_mzis(pass, ideal, k, hn::LoadU(d, work.theta.get() + mzi), hn::LoadU(d, work.phi.get() + mzi), u,
                  factors);
      }
      if (ideal.carry == Carry::matrix) {
        const int64_t count = std::max<int64_t>(0, (run.end - run.begin + 1) / 2);
        clear_rotations(ideal, run.row + count, run.row + (count + lanes - 1) / lanes * lanes);
      }
    }
    const auto leave_idle = [&](int64_t from, int64_t to) {
      for (int64_t p = from; p < to; ++p) {
        factors.next_angle[p] = factors.angle[p] + idle;
        factors.next_size[p] = factors.size[p];
      }
    };
    leave_idle(0, first);
    leave_idle(below, ports);
    std::swap(factors.angle, factors.next_angle);
    std::swap(factors.size, factors.next_size);
  }
  for (int64_t p = 0; screen_here && screen_last && p < ports; ++p) {
    factors.angle[p] += sign * work.gamma[p];
  }
  T* const to = ideal.strip_factors.get() + 2 * ports * strip;
  store_port_factors(factors.angle.get(), ports, to);
  for (int64_t p = 0; p < ports; ++p) {
    to[p] = static_cast<T>(to[p] * factors.size[p]);
    to[ports + p] = static_cast<T>(to[ports + p] * factors.size[p]);
  }
  return true;
}

/// The same for the strips [begin, end).
template <typename T>
bool prepare_strips(const MeshArrays<T>& mesh, const IdealMesh<T>& ideal, int64_t begin, int64_t end) {
  Workspace work(mesh.layout.ports, std::min(IdealMesh<T>::strip, mesh.layout.columns));
  bool finite = true;
  for (int64_t strip = begin; strip < end; ++strip) {
    finite &= prepare_strip(mesh, ideal, strip, work);
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
void sweep_gradients(const IdealMesh<T>& mesh, int64_t sweep, const GroupSums<T>& sums,
                     const GradientArrays<T>& gradients) {
  const int64_t begin = sweep * IdealMesh<T>::depth;
  const int64_t end = std::min(begin + IdealMesh<T>::depth, mesh.layout.columns);
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
        const int64_t k = run.row + i;
        const double dL_dr = weight[k] * total[4 * i] + weight[mesh.stride + k] * total[4 * i + 1];
        gradients.theta[mzi + i] = static_cast<T>(-0.5 * dL_dr);
        gradients.phi[mzi + i] = static_cast<T>(weight[2 * mesh.stride + k] * total[4 * i + 2]);
      }
    }
  }
}

bool prepare_strips_f32(const MeshArrays<float>& mesh, const IdealMesh<float>& ideal, int64_t begin,
                        int64_t end) {
  return prepare_strips(mesh, ideal, begin, end);
}
bool prepare_strips_f64(const MeshArrays<double>& mesh, const IdealMesh<double>& ideal, int64_t begin,
                        int64_t end) {
  return prepare_strips(mesh, ideal, begin, end);
}
void sweep_gradients_f32(const IdealMesh<float>& mesh, int64_t sweep, const GroupSums<float>& sums,
                         const GradientArrays<float>& gradients) {
  sweep_gradients(mesh, sweep, sums, gradients);
}
void sweep_gradients_f64(const IdealMesh<double>& mesh, int64_t sweep, const GroupSums<double>& sums,
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
IdealMesh<T>::IdealMesh(const MeshArrays<T>& mesh, Direction direction, Carry carry)
    : layout(mesh.layout), direction(direction), carry(carry) {
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
    weights = AlignedArray<T>(3 * stride);
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
void IdealMesh<T>::parameter_gradients(const GroupSums<T>& sums, const GradientArrays<T>& gradients) const {
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

template class IdealMesh<float>;
template class IdealMesh<double>;

}  // namespace optotorch::ops
#endif
