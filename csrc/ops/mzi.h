#pragma once

// The 2x2 algebra of one Mach-Zehnder interferometer, in double precision: its matrix and the pull-back from
// the gradient of that matrix to its six real parameters. Formulas: mzi_mesh.h. Errors: a few ulp.

#include <optotorch/ops/mesh_layout.h>

#include <cmath>
#include <complex>
#include <numbers>

namespace optotorch {

/// A 2x2 complex matrix, row-major, on the column vector [upper, lower].
struct Matrix2 {
  std::complex<double> uu, ul, lu, ll;
};

/// The real parameters of one MZI: radians, splitter errors in [-1, 1], amplitudes in (0, 1].
struct Mzi {
  double theta = 0, phi = 0;
  double error_left = 0, error_right = 0;
  double upper_transmission = 1, lower_transmission = 1;
};

/// The amplitudes of an MZI's parts, from which its matrix and its derivatives are products.
struct MziParts {
  MziParts(const Mzi& mzi, const MeshLayout& layout)
      : left_through(std::sqrt((1 + mzi.error_left) / 2)),
        left_cross(0, std::sqrt((1 - mzi.error_left) / 2)),
        right_through(std::sqrt((1 + mzi.error_right) / 2)),
        right_cross(0, std::sqrt((1 - mzi.error_right) / 2)),
        outer(std::polar(1.0, mzi.phi)) {
    const double half = (layout.zero_state == ZeroState::bar ? mzi.theta + std::numbers::pi : mzi.theta) / 2;
    upper_phase = std::polar(1.0, half);
    upper = mzi.upper_transmission * upper_phase;
    lower = mzi.lower_transmission * std::conj(upper_phase);
  }

  /// B(e_r) diag(upper, lower) B(e_l), without the outer phase.
  Matrix2 core() const {
    return {right_through * upper * left_through + right_cross * lower * left_cross,
            right_through * upper * left_cross + right_cross * lower * left_through,
            right_cross * upper * left_through + right_through * lower * left_cross,
            right_cross * upper * left_cross + right_through * lower * left_through};
  }

  double left_through;
  std::complex<double> left_cross;
  double right_through;
  std::complex<double> right_cross;
  std::complex<double> outer, upper_phase, upper, lower;
};

/// T of mzi_mesh.h.
inline Matrix2 mzi_matrix(const Mzi& mzi, const MeshLayout& layout) {
  const MziParts parts(mzi, layout);
  Matrix2 t = parts.core();
  t.uu *= parts.outer;
  (layout.phi_arm == PhiArm::output ? t.ul : t.lu) *= parts.outer;
  return t;
}

/// dL/d(each parameter) from dL_dT, with dL = Re sum conj(dL_dT) dT.
/// At |e| = 1 a splitter has no derivative; the gradient of that error is then reported as 0.
inline Mzi mzi_pullback(const Mzi& mzi, const MeshLayout& layout, const Matrix2& dL_dT) {
  const MziParts p(mzi, layout);
  const Matrix2 core = p.core();
  const auto inner = [](const Matrix2& g, const Matrix2& d) {
    return (std::conj(g.uu) * d.uu + std::conj(g.ul) * d.ul + std::conj(g.lu) * d.lu + std::conj(g.ll) * d.ll)
        .real();
  };
  const std::complex<double> i{0, 1};
  Mzi dL_d;
  Matrix2 dL_dcore = dL_dT;
  if (layout.phi_arm == PhiArm::output) {
    dL_d.phi = inner(dL_dT, {i * p.outer * core.uu, i * p.outer * core.ul, 0, 0});
    dL_dcore.uu *= std::conj(p.outer);
    dL_dcore.ul *= std::conj(p.outer);
  } else {
    dL_d.phi = inner(dL_dT, {i * p.outer * core.uu, 0, i * p.outer * core.lu, 0});
    dL_dcore.uu *= std::conj(p.outer);
    dL_dcore.lu *= std::conj(p.outer);
  }
  // dcore/dupper and dcore/dlower are the outer products of a right column with a left row.
  const Matrix2 d_upper{p.right_through * p.left_through, p.right_through * p.left_cross,
                        p.right_cross * p.left_through, p.right_cross * p.left_cross};
  const Matrix2 d_lower{p.right_cross * p.left_cross, p.right_cross * p.left_through,
                        p.right_through * p.left_cross, p.right_through * p.left_through};
  const auto along = [&](std::complex<double> d_up, std::complex<double> d_low) {
    return inner(dL_dcore, {d_up * d_upper.uu + d_low * d_lower.uu, d_up * d_upper.ul + d_low * d_lower.ul,
                            d_up * d_upper.lu + d_low * d_lower.lu, d_up * d_upper.ll + d_low * d_lower.ll});
  };
  dL_d.theta = along(i / 2.0 * p.upper, -i / 2.0 * p.lower);
  dL_d.upper_transmission = along(p.upper_phase, 0);
  dL_d.lower_transmission = along(0, std::conj(p.upper_phase));
  const auto through_slope = [](double through) { return through > 0 ? 1 / (4 * through) : 0.0; };
  const auto cross_slope = [&](std::complex<double> cross) {
    return std::complex<double>(0, cross.imag() > 0 ? -1 / (4 * cross.imag()) : 0.0);
  };
  {
    const double t = through_slope(p.left_through);
    const auto c = cross_slope(p.left_cross);
    dL_d.error_left = inner(dL_dcore, {p.right_through * p.upper * t + p.right_cross * p.lower * c,
                                       p.right_through * p.upper * c + p.right_cross * p.lower * t,
                                       p.right_cross * p.upper * t + p.right_through * p.lower * c,
                                       p.right_cross * p.upper * c + p.right_through * p.lower * t});
  }
  {
    const double t = through_slope(p.right_through);
    const auto c = cross_slope(p.right_cross);
    dL_d.error_right = inner(dL_dcore, {t * p.upper * p.left_through + c * p.lower * p.left_cross,
                                        t * p.upper * p.left_cross + c * p.lower * p.left_through,
                                        c * p.upper * p.left_through + t * p.lower * p.left_cross,
                                        c * p.upper * p.left_cross + t * p.lower * p.left_through});
  }
  return dL_d;
}

}  // namespace optotorch
