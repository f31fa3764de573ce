#include <optotorch/mesh/detail/block_mesh.h>

#include <algorithm>
#include <cmath>

namespace optotorch::detail {
namespace {

/// A matrix that 2x2 unitaries turn into a diagonal one.
class Nulling {
 public:
  explicit Nulling(const at::Tensor& unitary)
      : ports_(unitary.size(0)),
        // An odd number of 64-byte lines a row: a walk down a column then visits every cache set.
        stride_(((ports_ + 3) / 4 | 1) * 4),
        rows_(ports_ * stride_) {
    const auto* source = reinterpret_cast<const Complex*>(unitary.const_data_ptr<c10::complex<double>>());
    for (int64_t row = 0; row < ports_; ++row) {
      std::copy_n(source + row * ports_, ports_, &rows_[row * stride_]);
    }
  }

  /// Zeroes (row, column) by mixing columns (column, column + 1), which are zero below that row already.
  /// Returns R of (matrix before) = (matrix after) R.
  Matrix2 from_right(int64_t row, int64_t column) {
    Complex* a = &rows_[column];
    const auto [c, s] = rotation(a[row * stride_], a[row * stride_ + 1]);
    rotate(a, a + 1, stride_, row, c, s);
    a[row * stride_ + 1] = times(s, a[row * stride_]) + c * a[row * stride_ + 1];
    a[row * stride_] = 0;
    return {c, -s, std::conj(s), c};
  }

  /// Zeroes (row, column) by mixing rows (row - 1, row), which are zero left of that column already.
  /// Returns L of (matrix before) = L (matrix after).
  Matrix2 from_left(int64_t row, int64_t column) {
    Complex* a = &rows_[(row - 1) * stride_ + column];
    Complex* b = a + stride_;
    const auto [c, s] = rotation(*b, *a);
    rotate(a + 1, b + 1, 1, ports_ - column - 1, c, -std::conj(s));
    *a = c * *a + times(s, *b);
    *b = 0;
    return {c, -s, std::conj(s), c};
  }

  Complex diagonal(int64_t port) const { return rows_[port * stride_ + port]; }

 private:
  struct Rotation {
    double c;
    Complex s;
  };

  /// c >= 0 and s, c^2 + |s|^2 = 1, with c x - conj(s) y = 0; the identity where x = 0.
  static Rotation rotation(Complex x, Complex y) {
    const double largest =
        std::max({std::abs(x.real()), std::abs(x.imag()), std::abs(y.real()), std::abs(y.imag())});
    if (largest == 0) {
      return {1, 0};
    }
    x /= largest;
    y /= largest;
    const double length = std::hypot(std::abs(x), std::abs(y));
    return {std::abs(y) / length, times(std::conj(x), unit(y)) / length};
  }

  /// (a, b) <- (c a - conj(s) b, s a + c b) for `count` pairs of elements.
  static void rotate(Complex* a, Complex* b, int64_t stride, int64_t count, double c, Complex s) {
    for (int64_t k = 0; k < count; ++k, a += stride, b += stride) {
      const Complex before = *a;
      *a = c * before - times(std::conj(s), *b);
      *b = times(s, before) + c * *b;
    }
  }

  int64_t ports_, stride_;
  std::vector<Complex> rows_;
};

BlockMesh null_rectangular(Nulling& matrix, const MeshLayout& layout) {
  const int64_t ports = layout.ports;
  const auto starts = column_starts(layout);
  BlockMesh mesh(layout);
  const auto block = [&](int64_t column, int64_t port) -> Matrix2& {
    return mesh.blocks[starts[column] + port / 2];
  };
  for (int64_t diagonal = 1; diagonal < ports; ++diagonal) {
    for (int64_t j = 0; j < diagonal; ++j) {
      if (diagonal % 2 == 1) {
        const int64_t port = diagonal - 1 - j;
        block(j, port) = matrix.from_right(ports - 1 - j, port);
      } else {
        const int64_t port = ports - 1 - diagonal + j;
        block(ports - 1 - j, port) = matrix.from_left(port + 1, j);
      }
    }
  }
  // The diagonal stands between the blocks found from the right (port + column <= ports - 2) and those found
  // from the left: on each port the first of the latter takes its phase.
  for (int64_t port = 0; port < ports; ++port) {
    mesh.output[port] = unit(matrix.diagonal(port));
  }
  for (int64_t column = 0; column < layout.columns; ++column) {
    for (int64_t pair = 0; pair < layout.pairs(column); ++pair) {
      const int64_t port = MeshLayout::first_port(column) + 2 * pair;
      if (port + column >= ports - 1) {
        Matrix2& t = block(column, port);
        Complex& upper = mesh.output[port];
        Complex& lower = mesh.output[port + 1];
        t = {times(t.uu, upper), times(t.ul, lower), times(t.lu, upper), times(t.ll, lower)};
        upper = lower = 1;
      }
    }
  }
  return mesh;
}

BlockMesh null_triangular(Nulling& matrix, const MeshLayout& layout) {
  const auto starts = column_starts(layout);
  BlockMesh mesh(layout);
  for (int64_t row = layout.ports - 1; row > 0; --row) {
    for (int64_t port = 0; port < row; ++port) {
      const int64_t column = port + 2 * (layout.ports - 1 - row);
      mesh.blocks[starts[column] + port / 2] = matrix.from_right(row, port);
    }
  }
  for (int64_t port = 0; port < layout.ports; ++port) {
    mesh.output[port] = unit(matrix.diagonal(port));
  }
  return mesh;
}

}  // namespace

BlockMesh null_unitary(const at::Tensor& unitary, const MeshLayout& layout) {
  Nulling matrix(unitary);
  return layout.grid == MeshGrid::rectangular ? null_rectangular(matrix, layout)
                                              : null_triangular(matrix, layout);
}

}  // namespace optotorch::detail
