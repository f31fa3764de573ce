#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/check.h>
#include <optotorch/mesh/decomposition.h>
#include <optotorch/mesh/detail/block_mesh.h>

#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

namespace optotorch {
namespace {

using detail::BlockMesh;
using detail::column_starts;
using detail::Complex;
using detail::i;
using detail::Matrix2;
using detail::times;
using detail::unit;

double positive_phase(Complex z) {
  constexpr double turn = 2 * std::numbers::pi;
  const double phase = std::arg(z);
  const double wrapped = phase < 0 ? phase + turn : phase + 0.0;  // + 0.0: not -0
  return wrapped < turn ? wrapped : 0;
}

Complex idle_factor(const MeshLayout& layout) {
  return layout.idle_port == IdlePort::wire ? Complex(1) : -i;
}

/// i [[s, c], [c, -s]], the MZI of mzi_mesh.h without phi, with s = sin(t / 2) and c = cos(t / 2), here
/// from theta / 2 directly, so that nothing is lost where a power is small.
struct Splitting {
  double s, c;
};

Splitting splitting(double theta, ZeroState zero) {
  const double half = theta / 2;
  return zero == ZeroState::cross ? Splitting{std::sin(half), std::cos(half)}
                                  : Splitting{std::cos(half), -std::sin(half)};
}

/// t = diag(e^{i phi}, 1) i [[s, c], [c, -s]] diag(upper, lower).
struct Factors {
  double theta, phi;
  Complex upper, lower;
};

Factors factors(const Matrix2& t, ZeroState zero) {
  const double s = std::hypot(std::abs(t.uu), std::abs(t.ll));
  const double c = std::hypot(std::abs(t.ul), std::abs(t.lu));
  const bool cross = zero == ZeroState::cross;
  const double theta = 2 * (cross ? std::atan2(s, c) : std::atan2(c, s));
  const Complex over_ic = cross ? -i : i;  // 1 / (i sign(c))
  // The stronger pair of elements fixes two phases, the weaker one how the first splits into phi and the
  // rest.
  if (s >= c) {
    const Complex both = unit(times(-i, t.uu));
    const Complex upper = t.lu == 0.0 ? both : unit(times(over_ic, t.lu));
    return {theta, positive_phase(times(both, std::conj(upper))), upper, unit(times(i, t.ll))};
  }
  const Complex both = unit(times(over_ic, t.ul));
  const Complex lower = t.ll == 0.0 ? both : unit(times(i, t.ll));
  return {theta, positive_phase(times(both, std::conj(lower))), unit(times(over_ic, t.lu)), lower};
}

at::Tensor plain(const at::Tensor& tensor, at::ScalarType type) {
  return tensor.detach().to(at::kCPU, type).resolve_conj().resolve_neg().contiguous();
}

MeshPhases to_device(const MeshPhases& phases, at::Device device) {
  return {phases.theta.to(device), phases.phi.to(device), phases.gamma.to(device)};
}

bool is_universal(const MeshLayout& layout) {
  return layout.columns == MeshLayout::universal_columns(layout.grid, layout.ports);
}

void check_universal(const std::string& where, const std::string& argument, const MeshLayout& layout) {
  layout.check(where);
  const int64_t columns = MeshLayout::universal_columns(layout.grid, layout.ports);
  OPTOTORCH_CHECK(is_universal(layout), .where = where, .argument = argument,
                  .expected = c10::str(columns, " columns, with which a ", to_string(layout.grid),
                                       " mesh of ", layout.ports, " ports is universal"),
                  .got = c10::str(layout.columns, " columns"),
                  .remedy = "Use MeshLayout::universal_columns(grid, ports) columns");
}

void check_unitary(const at::Tensor& unitary, int64_t ports) {
  const std::string where = "decompose";
  const std::string argument = "unitary";
  const auto type = unitary.defined() ? c10::toRealValueType(unitary.scalar_type()) : at::kByte;
  const bool known = type == at::kDouble || type == at::kFloat;
  OPTOTORCH_CHECK(
      known && unitary.dim() == 2 && unitary.size(0) == ports && unitary.size(1) == ports, .where = where,
      .argument = argument,
      .expected = c10::str("complex128, complex64, float64 or float32 [", ports, ", ", ports, "]"),
      .got = describe(unitary));
  check_finite(where, argument, unitary);
  const double tolerance = type == at::kDouble ? 1e-6 : 1e-4;
  const at::Tensor u = plain(unitary, at::kComplexDouble);
  const at::Tensor excess = at::matmul(u, u.conj().t()) - at::eye(ports, u.options());
  const double deviation = excess.abs().max().item<double>();
  OPTOTORCH_CHECK(deviation <= tolerance, .where = where, .argument = argument,
                  .expected = c10::str("a unitary matrix, max |U U^H - 1| <= ", tolerance),
                  .got = c10::str("max |U U^H - 1| = ", deviation),
                  .remedy =
                      "A mesh without loss realises unitary matrices only; for any other take its "
                      "singular value decomposition and one mesh for each unitary factor");
}

void check_phases(const std::string& where, const MeshPhases& phases, const MeshLayout& layout) {
  layout.check(where);
  const auto check = [&](const std::string& argument, const at::Tensor& tensor, int64_t size) {
    const bool known =
        tensor.defined() && (tensor.scalar_type() == at::kDouble || tensor.scalar_type() == at::kFloat);
    OPTOTORCH_CHECK(known && tensor.dim() == 1 && tensor.size(0) == size, .where = where,
                    .argument = argument, .expected = c10::str("float64 or float32 [", size, "]"),
                    .got = describe(tensor));
    check_finite(where, argument, tensor);
  };
  check("theta", phases.theta, layout.mzis());
  check("phi", phases.phi, layout.mzis());
  if (phases.gamma.defined()) {
    check("gamma", phases.gamma, layout.ports);
  }
}

BlockMesh block_mesh(const MeshPhases& phases, const MeshLayout& layout) {
  const at::Tensor theta = plain(phases.theta, at::kDouble);
  const at::Tensor phi = plain(phases.phi, at::kDouble);
  const at::Tensor screen =
      phases.gamma.defined() ? plain(phases.gamma, at::kDouble) : at::zeros({layout.ports}, at::kDouble);
  BlockMesh mesh(layout);
  mesh.idle = idle_factor(layout);
  for (size_t mzi = 0; mzi < mesh.blocks.size(); ++mzi) {
    const auto [s, c] = splitting(theta.const_data_ptr<double>()[mzi], layout.zero_state);
    const Complex outer = times(i, std::polar(1.0, phi.const_data_ptr<double>()[mzi]));
    mesh.blocks[mzi] = layout.phi_arm == PhiArm::output ? Matrix2{s * outer, c * outer, c * i, -s * i}
                                                        : Matrix2{s * outer, c * i, c * outer, -s * i};
  }
  auto& side = layout.phi_arm == PhiArm::output ? mesh.input : mesh.output;
  for (size_t port = 0; port < side.size(); ++port) {
    side[port] = std::polar(1.0, screen.const_data_ptr<double>()[port]);
  }
  return mesh;
}

/// Some columns of the matrix that a mesh realises, real and imaginary parts apart, which vectorises.
class MatrixTile {
 public:
  static constexpr int64_t width = 16;

  /// Columns start ... start + width - 1 of the identity, through the mesh.
  MatrixTile(const BlockMesh& mesh, const MeshLayout& layout, int64_t start) : rows_(layout.ports) {
    for (int64_t k = 0; k < width && start + k < layout.ports; ++k) {
      rows_[start + k].re[k] = mesh.input[start + k].real();
      rows_[start + k].im[k] = mesh.input[start + k].imag();
    }
    const Matrix2* block = mesh.blocks.data();
    for (int64_t column = 0; column < layout.columns; ++column) {
      const int64_t first = MeshLayout::first_port(column);
      const int64_t below = first + 2 * layout.pairs(column);
      for (int64_t port = 0; port < layout.ports; ++port) {
        if (port < first || port >= below) {
          scale(rows_[port], mesh.idle);
        }
      }
      for (int64_t port = first; port < below; port += 2) {
        mix(rows_[port], rows_[port + 1], *block++);
      }
    }
    for (int64_t port = 0; port < layout.ports; ++port) {
      scale(rows_[port], mesh.output[port]);
    }
  }

  Complex at(int64_t row, int64_t k) const { return {rows_[row].re[k], rows_[row].im[k]}; }

 private:
  struct Row {
    std::array<double, width> re{}, im{};
  };

  static void scale(Row& row, Complex by) {
    for (int64_t k = 0; k < width; ++k) {
      const double re = row.re[k], im = row.im[k];
      row.re[k] = by.real() * re - by.imag() * im;
      row.im[k] = by.real() * im + by.imag() * re;
    }
  }

  static void mix(Row& upper, Row& lower, const Matrix2& t) {
    const double uur = t.uu.real(), uui = t.uu.imag(), ulr = t.ul.real(), uli = t.ul.imag();
    const double lur = t.lu.real(), lui = t.lu.imag(), llr = t.ll.real(), lli = t.ll.imag();
    for (int64_t k = 0; k < width; ++k) {
      const double ur = upper.re[k], ui = upper.im[k], lr = lower.re[k], li = lower.im[k];
      upper.re[k] = uur * ur - uui * ui + ulr * lr - uli * li;
      upper.im[k] = uur * ui + uui * ur + ulr * li + uli * lr;
      lower.re[k] = lur * ur - lui * ui + llr * lr - lli * li;
      lower.im[k] = lur * ui + lui * ur + llr * li + lli * lr;
    }
  }

  std::vector<Row> rows_;
};

}  // namespace

namespace detail {

MeshPhases settle(const BlockMesh& mesh, const MeshLayout& layout) {
  const bool to_input = layout.phi_arm == PhiArm::output;
  const auto starts = column_starts(layout);
  const Complex idle = times(mesh.idle, std::conj(idle_factor(layout)));
  MeshPhases phases{.theta = at::empty({layout.mzis()}, at::kDouble),
                    .phi = at::empty({layout.mzis()}, at::kDouble),
                    .gamma = at::empty({layout.ports}, at::kDouble)};
  double* theta = phases.theta.mutable_data_ptr<double>();
  double* phi = phases.phi.mutable_data_ptr<double>();
  double* screen = phases.gamma.mutable_data_ptr<double>();

  std::vector<Complex> carried = to_input ? mesh.output : mesh.input;
  for (int64_t step = 0; step < layout.columns; ++step) {
    const int64_t column = to_input ? layout.columns - 1 - step : step;
    const int64_t first = MeshLayout::first_port(column);
    const int64_t below = first + 2 * layout.pairs(column);
    for (int64_t port = 0; port < layout.ports; ++port) {
      if (port < first || port >= below) {
        carried[port] = times(carried[port], idle);
      }
    }
    for (int64_t port = first; port < below; port += 2) {
      const int64_t mzi = starts[column] + port / 2;
      const Matrix2& t = mesh.blocks[mzi];
      Complex& upper = carried[port];
      Complex& lower = carried[port + 1];
      // With phi on the input arms the transposed block factors the same way.
      const Matrix2 block{times(upper, t.uu), times(upper, to_input ? t.ul : t.lu),
                          times(lower, to_input ? t.lu : t.ul), times(lower, t.ll)};
      const Factors found = factors(block, layout.zero_state);
      theta[mzi] = found.theta;
      phi[mzi] = found.phi;
      upper = found.upper;
      lower = found.lower;
    }
  }
  const auto& beyond = to_input ? mesh.input : mesh.output;
  for (int64_t port = 0; port < layout.ports; ++port) {
    screen[port] = positive_phase(times(carried[port], beyond[port]));
  }
  return phases;
}

at::Tensor matrix_of(const BlockMesh& mesh, const MeshLayout& layout) {
  const int64_t ports = layout.ports;
  const at::Tensor matrix = at::empty({ports, ports}, at::kComplexDouble);
  auto* elements = reinterpret_cast<Complex*>(matrix.mutable_data_ptr<c10::complex<double>>());
  constexpr int64_t width = MatrixTile::width;
  at::parallel_for(0, (ports + width - 1) / width, 1, [&](int64_t begin, int64_t end) {
    for (int64_t start = begin * width; start < std::min(end * width, ports); start += width) {
      const MatrixTile tile(mesh, layout, start);
      for (int64_t row = 0; row < ports; ++row) {
        for (int64_t k = 0; k < std::min(width, ports - start); ++k) {
          elements[row * ports + start + k] = tile.at(row, k);
        }
      }
    }
  });
  return matrix;
}

}  // namespace detail

MeshPhases decompose(const at::Tensor& unitary, const MeshLayout& layout) {
  check_universal("decompose", "layout", layout);
  check_unitary(unitary, layout.ports);
  const BlockMesh mesh = detail::null_unitary(plain(unitary, at::kComplexDouble), layout);
  return to_device(detail::settle(mesh, layout), unitary.device());
}

at::Tensor reconstruct(const MeshPhases& phases, const MeshLayout& layout) {
  check_phases("reconstruct", phases, layout);
  const BlockMesh mesh = block_mesh(phases, layout);
  return detail::matrix_of(mesh, layout).to(phases.theta.device());
}

MeshPhases convert(const MeshPhases& phases, const MeshLayout& from, const MeshLayout& to) {
  check_phases("convert", phases, from);
  to.check("convert");
  OPTOTORCH_CHECK(from.ports == to.ports, .where = "convert", .argument = "to",
                  .expected = c10::str("a layout of ", from.ports, " ports, as `from` has"),
                  .got = c10::str(to.ports, " ports"));
  if (from.grid == to.grid && from.columns == to.columns) {
    return to_device(detail::settle(block_mesh(phases, from), to), phases.theta.device());
  }
  check_universal("convert", "from", from);
  check_universal("convert", "to", to);
  return decompose(reconstruct(phases, from), to);
}

}  // namespace optotorch
