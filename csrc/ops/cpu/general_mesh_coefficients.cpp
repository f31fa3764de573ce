// The matrices of a GeneralMesh, and from their gradients those of its parameters; the algebra stands in
// general_mesh_kernel.cpp.

#include <optotorch/ops/cpu/mesh_kernels.h>

#include <functional>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/general_mesh_coefficients.cpp"
#include <hwy/foreach_target.h>
#include <optotorch/ops/cpu/mesh_simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

using C64 = Complex<V64>;

HWY_INLINE C64 scaled(V64 by, C64 z) {
  return {hn::Mul(by, z.re), hn::Mul(by, z.im)};
}
HWY_INLINE C64 plus(C64 a, C64 b) {
  return {hn::Add(a.re, b.re), hn::Add(a.im, b.im)};
}
HWY_INLINE C64 minus(C64 a, C64 b) {
  return {hn::Sub(a.re, b.re), hn::Sub(a.im, b.im)};
}
HWY_INLINE C64 times_i(C64 a) {
  return {hn::Neg(a.im), a.re};
}
HWY_INLINE C64 conj(C64 a) {
  return {a.re, hn::Neg(a.im)};
}
/// Re(conj(g) z): what a change z of an element with gradient g does to the loss.
HWY_INLINE V64 along(C64 g, C64 z) {
  return hn::MulAdd(g.re, z.re, hn::Mul(g.im, z.im));
}

/// Everything about a vector of MZIs, in double.
struct MziLanes {
  V64 left_through, left_cross, right_through, right_cross;  // cross amplitudes without their factor i
  C64 upper_phase, outer;                                    // e^{i t/2}, e^{i phi}
  V64 upper_transmission, lower_transmission;

  C64 upper() const { return scaled(upper_transmission, upper_phase); }
  C64 lower() const { return scaled(lower_transmission, conj(upper_phase)); }
};

/// The parameters of all MZIs in double, with padding.
struct Parameters {
  AlignedArray<double> theta, phi, error_left, error_right, upper, lower;

  template <typename T>
  static void split(const T* pairs, int64_t count, double absent, const AlignedArray<double>& first,
                    const AlignedArray<double>& second) {
    std::fill(first.get(), first.get() + count + kernel_padding, absent);
    std::fill(second.get(), second.get() + count + kernel_padding, absent);
    for (int64_t k = 0; pairs && k < count; ++k) {
      first[k] = pairs[2 * k];
      second[k] = pairs[2 * k + 1];
    }
  }

  template <typename T>
  explicit Parameters(const GeneralMesh<T>& mesh)
      : theta(mesh.mzis),
        phi(mesh.mzis),
        error_left(mesh.mzis),
        error_right(mesh.mzis),
        upper(mesh.mzis),
        lower(mesh.mzis) {
    finite = copy_finite(mesh.arrays.theta, mesh.mzis, theta.get());
    finite &= copy_finite(mesh.arrays.phi, mesh.mzis, phi.get());
    split(mesh.arrays.splitter_error, mesh.mzis, 0, error_left, error_right);
    split(mesh.arrays.transmission, mesh.mzis, 1, upper, lower);
  }

  MziLanes load(int64_t k, ZeroState zero_state) const {
    const D64 d;
    const auto half = hn::Set(d, 0.5);
    const auto root = [&](V64 sign, const AlignedArray<double>& error) {
      return hn::Sqrt(hn::MulAdd(hn::Mul(half, sign), hn::LoadU(d, error.get() + k), half));
    };
    const auto one = hn::Set(d, 1.0), minus_one = hn::Set(d, -1.0);
    const auto offset = hn::Set(d, zero_state == ZeroState::bar ? std::numbers::pi / 2 : 0.0);
    return {root(one, error_left),
            root(minus_one, error_left),
            root(one, error_right),
            root(minus_one, error_right),
            unit_phase(hn::MulAdd(half, hn::LoadU(d, theta.get() + k), offset)),
            unit_phase(hn::LoadU(d, phi.get() + k)),
            hn::LoadU(d, upper.get() + k),
            hn::LoadU(d, lower.get() + k)};
  }

  bool finite = true;
};

struct MatrixLanes {
  C64 uu, ul, lu, ll;
};

/// B(e_r) diag(upper, lower) B(e_l).
HWY_INLINE MatrixLanes core_of(const MziLanes& m) {
  const C64 upper = m.upper(), lower = m.lower();
  const auto tt = hn::Mul(m.right_through, m.left_through), cc = hn::Mul(m.right_cross, m.left_cross);
  const auto tc = hn::Mul(m.right_through, m.left_cross), ct = hn::Mul(m.right_cross, m.left_through);
  return {minus(scaled(tt, upper), scaled(cc, lower)), times_i(plus(scaled(tc, upper), scaled(ct, lower))),
          times_i(plus(scaled(ct, upper), scaled(tc, lower))), minus(scaled(tt, lower), scaled(cc, upper))};
}

template <typename T>
HWY_INLINE void store_matrix(const MatrixLanes& m, T* to, int64_t stride) {
  const V64 rows[8] = {m.uu.re, m.uu.im, m.ul.re, m.ul.im, m.lu.re, m.lu.im, m.ll.re, m.ll.im};
  for (int64_t r = 0; r < 8; ++r) {
    store_double(rows[r], to + r * stride);
  }
}

/// Calls visit(first MZI, upper factors D_u, lower factors D_l, lanes that count) for the MZIs in column
/// order and returns the phases that are left at the output ports.
template <typename T, class Visit>
AlignedArray<double> visit_mzis(const GeneralMesh<T>& mesh, const Visit& visit) {
  const D64 d;
  const MeshLayout& layout = mesh.layout;
  const int64_t ports = layout.ports;
  const double idle = layout.idle_port == IdlePort::bar ? -std::numbers::pi / 2 : 0;
  const bool phi_first = layout.phi_arm == PhiArm::input;
  AlignedArray<double> phases(ports);
  std::fill(phases.get(), phases.get() + ports + kernel_padding, 0.0);
  if (mesh.arrays.screen && !phi_first) {
    std::copy(mesh.arrays.screen, mesh.arrays.screen + ports, phases.get());
  }
  for (int64_t c = 0, start = 0; c < layout.columns; ++c) {
    const int64_t first = MeshLayout::first_port(c), pairs = layout.pairs(c);
    for (int64_t j = 0; j < pairs; j += hn::Lanes(d)) {
      V64 upper, lower;
      hn::LoadInterleaved2(d, phases.get() + first + 2 * j, upper, lower);
      visit(start + j, unit_phase(upper), unit_phase(lower),
            std::min<int64_t>(pairs - j, static_cast<int64_t>(hn::Lanes(d))));
    }
    for (int64_t p = 0; p < ports; ++p) {
      const bool covered = p >= first && p < first + 2 * pairs;
      phases[p] = covered ? 0 : phases[p] + idle;
    }
    start += pairs;
  }
  for (int64_t p = 0; mesh.arrays.screen && phi_first && p < ports; ++p) {
    phases[p] += static_cast<double>(mesh.arrays.screen[p]);
  }
  return phases;
}

template <typename T>
bool prepare_general(GeneralMesh<T>& mesh) {
  const MeshLayout& layout = mesh.layout;
  const Parameters parameters(mesh);
  bool finite = parameters.finite;
  if (mesh.arrays.screen) {
    const AlignedArray<double> gamma(layout.ports);
    finite &= copy_finite(mesh.arrays.screen, layout.ports, gamma.get());
  }
  if (!finite) {
    return false;
  }
  const bool phi_first = layout.phi_arm == PhiArm::input;
  const auto phases = visit_mzis(mesh, [&](int64_t k, C64 upper_factor, C64 lower_factor, int64_t) {
    const MziLanes mzi = parameters.load(k, layout.zero_state);
    MatrixLanes t = core_of(mzi);
    t.uu = t.uu * mzi.outer;
    (phi_first ? t.lu : t.ul) = (phi_first ? t.lu : t.ul) * mzi.outer;
    t = {t.uu * upper_factor, t.ul * lower_factor, t.lu * upper_factor, t.ll * lower_factor};
    store_matrix(t, mesh.matrices.get() + k, mesh.stride);
    // det T' = t_u t_l e^{i phi} D_u D_l: splitters have determinant 1.
    const C64 phase = conj(mzi.outer * upper_factor * lower_factor);
    const auto size = hn::Mul(mzi.upper_transmission, mzi.lower_transmission);
    const C64 by = scaled(hn::Div(hn::Set(D64(), 1.0), size), phase);
    const C64 minus_by{hn::Neg(by.re), hn::Neg(by.im)};
    store_matrix({t.ll * by, t.ul * minus_by, t.lu * minus_by, t.uu * by}, mesh.inverses.get() + k,
                 mesh.stride);
  });
  store_port_factors(phases.get(), layout.ports, mesh.exit.get());

  mesh.cuts.assign(1, 0);
  double product = 1;
  for (int64_t c = 1, k = layout.pairs(0); c < layout.columns; ++c) {
    double least = 1;
    for (const int64_t end = k + layout.pairs(c); k < end; ++k) {
      least = std::min({least, parameters.upper[k], parameters.lower[k]});
    }
    product *= least;
    if (product < 0.5) {
      mesh.cuts.push_back(c);
      product = 1;  // a state that is kept needs no inverse
    }
  }
  return true;
}

/// Re(conj(g) z) summed over the four elements.
HWY_INLINE V64 along(const MatrixLanes& g, const MatrixLanes& z) {
  return hn::Add(hn::Add(along(g.uu, z.uu), along(g.ul, z.ul)),
                 hn::Add(along(g.lu, z.lu), along(g.ll, z.ll)));
}

/// From G' = dL/dT' to the parameters, a vector of MZIs at a time.
template <typename T>
void general_gradients(const GeneralMesh<T>& mesh, const double* mzi_sums,
                       const GradientArrays<T>& gradients) {
  const D64 d;
  const Parameters parameters(mesh);
  const bool phi_first = mesh.layout.phi_arm == PhiArm::input;
  const auto half = hn::Set(d, 0.5), quarter = hn::Set(d, 0.25), zero = hn::Zero(d);
  visit_mzis(mesh, [&](int64_t k, C64 upper_factor, C64 lower_factor, int64_t count) {
    alignas(64) double columns[8][8] = {};
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t r = 0; r < 8; ++r) {
        columns[r][i] = mzi_sums[8 * (k + i) + r];
      }
    }
    const auto element = [&](int64_t r) { return C64{hn::Load(d, columns[r]), hn::Load(d, columns[r + 1])}; };
    const MziLanes m = parameters.load(k, mesh.layout.zero_state);
    MatrixLanes g{element(0) * conj(upper_factor), element(2) * conj(lower_factor),
                  element(4) * conj(upper_factor), element(6) * conj(lower_factor)};
    const MatrixLanes core = core_of(m);
    // P multiplies a row or a column: bring its factor to g's side, then compare with the core.
    C64& beside = phi_first ? g.lu : g.ul;
    g.uu = g.uu * conj(m.outer);
    beside = beside * conj(m.outer);
    const auto phi_slope =
        hn::Add(along(g.uu, times_i(core.uu)), along(beside, times_i(phi_first ? core.lu : core.ul)));

    const C64 upper = m.upper(), lower = m.lower();
    // The core is linear in each of upper, lower, left and right amplitudes; `with` puts one of them to 1.
    const auto with = [](V64 rt, V64 rc, V64 lt, V64 lc, C64 u, C64 l) {
      const auto tt = hn::Mul(rt, lt), cc = hn::Mul(rc, lc), tc = hn::Mul(rt, lc), ct = hn::Mul(rc, lt);
      return MatrixLanes{minus(scaled(tt, u), scaled(cc, l)), times_i(plus(scaled(tc, u), scaled(ct, l))),
                         times_i(plus(scaled(ct, u), scaled(tc, l))), minus(scaled(tt, l), scaled(cc, u))};
    };
    const V64 lt = m.left_through, lc = m.left_cross, rt = m.right_through, rc = m.right_cross;
    const C64 none{zero, zero};
    const auto arms = [&](C64 u, C64 l) { return along(g, with(rt, rc, lt, lc, u, l)); };
    const auto theta_slope = arms(times_i(scaled(half, upper)), times_i(scaled(hn::Neg(half), lower)));
    // d through / d e = 1/(4 through), d cross / d e = -1/(4 cross); no slope where the amplitude is 0.
    const auto slope = [&](V64 amplitude) {
      const auto positive = hn::Gt(amplitude, zero);
      return hn::IfThenElseZero(positive, hn::Div(quarter, hn::IfThenElse(positive, amplitude, quarter)));
    };
    const auto left = along(g, with(rt, rc, slope(lt), hn::Neg(slope(lc)), upper, lower));
    const auto right = along(g, with(slope(rt), hn::Neg(slope(rc)), lt, lc, upper, lower));
    const auto upper_slope = arms(m.upper_phase, none), lower_slope = arms(none, conj(m.upper_phase));

    const V64 results[6] = {theta_slope, phi_slope, left, right, upper_slope, lower_slope};
    alignas(64) double values[6][8] = {};
    for (int64_t r = 0; r < 6; ++r) {
      hn::Store(results[r], d, values[r]);
    }
    for (int64_t i = 0; i < count; ++i) {
      gradients.theta[k + i] = static_cast<T>(values[0][i]);
      gradients.phi[k + i] = static_cast<T>(values[1][i]);
      for (int64_t side = 0; side < 2; ++side) {
        if (gradients.splitter_error) {
          gradients.splitter_error[2 * (k + i) + side] = static_cast<T>(values[2 + side][i]);
        }
        if (gradients.transmission) {
          gradients.transmission[2 * (k + i) + side] = static_cast<T>(values[4 + side][i]);
        }
      }
    }
  });
}

bool prepare_general_f32(GeneralMesh<float>& mesh) {
  return prepare_general(mesh);
}
bool prepare_general_f64(GeneralMesh<double>& mesh) {
  return prepare_general(mesh);
}
void general_gradients_f32(const GeneralMesh<float>& mesh, const double* sums,
                           const GradientArrays<float>& gradients) {
  general_gradients(mesh, sums, gradients);
}
void general_gradients_f64(const GeneralMesh<double>& mesh, const double* sums,
                           const GradientArrays<double>& gradients) {
  general_gradients(mesh, sums, gradients);
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(prepare_general_f32);
HWY_EXPORT(prepare_general_f64);
HWY_EXPORT(general_gradients_f32);
HWY_EXPORT(general_gradients_f64);

template <typename T>
GeneralMesh<T>::GeneralMesh(const MeshArrays<T>& mesh)
    : arrays(mesh),
      layout(mesh.layout),
      mzis(mesh.layout.mzis()),
      stride((mzis + kernel_padding) / 16 * 16),
      matrices(8 * stride),
      inverses(8 * stride),
      exit(2 * mesh.layout.ports) {
  if constexpr (std::is_same_v<T, float>) {
    finite_ = HWY_DYNAMIC_DISPATCH(prepare_general_f32)(*this);
  } else {
    finite_ = HWY_DYNAMIC_DISPATCH(prepare_general_f64)(*this);
  }
}

template <typename T>
void GeneralMesh<T>::parameter_gradients(const GroupSums<T>& sums, const GradientArrays<T>& gradients) const {
  std::vector<double> total(static_cast<size_t>(this->sums()));
  for (int64_t group = 0; group < sums.groups; ++group) {
    std::transform(total.begin(), total.end(), sums.mzis(group), total.begin(), std::plus<double>());
  }
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(general_gradients_f32)(*this, total.data(), gradients);
  } else {
    HWY_DYNAMIC_DISPATCH(general_gradients_f64)(*this, total.data(), gradients);
  }
  if (gradients.screen) {
    sums.add_ports(layout.ports, gradients.screen);
  }
}

template class GeneralMesh<float>;
template class GeneralMesh<double>;

}  // namespace optotorch::ops
#endif
