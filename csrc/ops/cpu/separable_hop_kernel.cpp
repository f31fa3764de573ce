#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <optotorch/ops/cpu/separable_hop_kernels.h>
#include <optotorch/ops/separable_hop.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

namespace optotorch::ops {
namespace {

/// A matrix on the whole of a line, or its two parts on the even and on the odd half of one.
struct Parts {
  std::vector<at::Tensor> each;  ///< complex [outputs, inputs]

  bool are_halves() const { return each.size() == 2; }
  int64_t inputs(size_t n) const { return each[n].size(1); }
  int64_t outputs(size_t n) const { return each[n].size(0); }
};

/// True if it is the same turned by half a circle.
bool is_symmetric(const at::Tensor& matrix) {
  return at::equal(matrix, matrix.flip({0, 1}));
}

Parts parts_of(const at::Tensor& matrix, bool halves) {
  if (!halves) {
    return {{matrix}};
  }
  const int64_t rows = matrix.size(0), columns = matrix.size(1), pairs = columns / 2;
  const auto turned = matrix.flip({1});
  const auto even = (matrix + turned).narrow(0, 0, rows - rows / 2).narrow(1, 0, columns - pairs) / 2;
  const auto odd = (matrix - turned).narrow(0, 0, rows / 2).narrow(1, 0, pairs) / 2;
  return {{even, odd}};
}

/// M as real numbers that interleaved rows are multiplied by from the right: x M^T.
at::Tensor from_the_right(const at::Tensor& matrix) {
  const auto re = at::real(matrix).t(), im = at::imag(matrix).t();
  const auto of_re = at::stack({re, im}, -1), of_im = at::stack({-im, re}, -1);
  return at::stack({of_re, of_im}, 1).reshape({2 * matrix.size(1), 2 * matrix.size(0)});
}

/// M as real numbers that interleaved rows are multiplied by from the left: Re M x above Im M x.
at::Tensor from_the_left(const at::Tensor& matrix) {
  return at::cat({at::real(matrix), at::imag(matrix)});
}

/// The matrices of a plane, ready for products with fields.
struct Matrices {
  int64_t rows, columns, height, width;
  Parts down, across;
  std::vector<at::Tensor> left, right;

  Matrices(const at::Tensor& down_matrix, const at::Tensor& across_matrix, bool halves)
      : rows(down_matrix.size(1)),
        columns(across_matrix.size(1)),
        height(down_matrix.size(0)),
        width(across_matrix.size(0)) {
    down = parts_of(down_matrix, halves);
    across = parts_of(across_matrix, halves);
    for (const auto& part : down.each) {
      left.push_back(from_the_left(part));
    }
    for (const auto& part : across.each) {
      right.push_back(from_the_right(part));
    }
  }
};

/// A hop of single samples by matrices of equal sizes, with memory of its own. Numbers are interleaved.
template <typename T>
class SeparableHop {
 public:
  SeparableHop(const Matrices& matrices, const at::TensorOptions& options)
      : m_(&matrices),
        is_folded_(m_->down.are_halves()),
        passed_(at::empty({m_->rows, 2 * m_->width}, options)),
        zeros_(at::zeros({2 * std::max(m_->columns, m_->width)}, options)),
        spare_(at::empty({2 * std::max(m_->columns, m_->width)}, options)) {
    for (size_t n = 0; n < m_->across.each.size(); ++n) {
      folded_.push_back(at::empty({m_->rows, 2 * m_->across.inputs(n)}, options));
    }
    for (size_t n = 0; n < m_->down.each.size(); ++n) {
      products_.push_back(at::empty({2 * m_->down.outputs(n), 2 * m_->width}, options));
    }
  }

  /// x [rows, 2 columns] to y [height, 2 width].
  void operator()(const Matrices& matrices, const at::Tensor& x, T* y) {
    m_ = &matrices;
    if (is_folded_) {
      fold_all(x.const_data_ptr<T>());
    } else {
      folded_[0].copy_(x);  // aligned alike whatever the sample's place: a product's bits may depend on that
    }
    for (size_t n = 0, column = 0; n < folded_.size(); ++n) {
      const int64_t count = 2 * m_->across.outputs(n);
      auto passed = passed_.narrow(1, static_cast<int64_t>(column), count);
      at::mm_out(passed, folded_[n], m_->right[n]);
      column += static_cast<size_t>(count);
    }
    for (size_t n = 0, row = 0; n < products_.size(); ++n) {
      const int64_t count = m_->down.inputs(n);
      at::mm_out(products_[n], m_->left[n], passed_.narrow(0, static_cast<int64_t>(row), count));
      row += static_cast<size_t>(count);
    }
    if (is_folded_) {
      unfold_all(y);
      return;
    }
    for (int64_t r = 0; r < m_->height; ++r) {
      join(product(0, r), m_->width, y + 2 * r * m_->width);
    }
  }

 private:
  void fold_all(const T* x) {
    const int64_t pairs = m_->rows / 2, even_rows = m_->rows - pairs, pitch = 2 * m_->columns;
    const auto row = [&](size_t n, int64_t r) {
      return folded_[n].mutable_data_ptr<T>() + r * folded_[n].size(1);
    };
    for (int64_t r = 0; r < even_rows; ++r) {
      const bool is_middle = r == pairs;
      const Halves<T> spare{spare_.mutable_data_ptr<T>(), spare_.mutable_data_ptr<T>()};
      fold(x + r * pitch, is_middle ? zeros_.const_data_ptr<T>() : x + (m_->rows - 1 - r) * pitch,
           m_->columns, {row(0, r), row(1, r)},
           is_middle ? spare : Halves<T>{row(0, even_rows + r), row(1, even_rows + r)});
    }
  }

  void unfold_all(T* y) {
    const int64_t pairs = m_->height / 2, pitch = 2 * m_->width;
    const auto* const nothing = zeros_.const_data_ptr<T>();
    for (int64_t r = 0; r < m_->height - pairs; ++r) {
      const bool is_middle = r == pairs;
      unfold(product(0, r), is_middle ? Product<T>{nothing, nothing} : product(1, r), m_->width,
             y + r * pitch, is_middle ? spare_.mutable_data_ptr<T>() : y + (m_->height - 1 - r) * pitch);
    }
  }

  Product<T> product(size_t n, int64_t row) const {
    const auto* const top = products_[n].const_data_ptr<T>();
    return {top + row * 2 * m_->width, top + (m_->down.outputs(n) + row) * 2 * m_->width};
  }

  const Matrices* m_;
  bool is_folded_;
  std::vector<at::Tensor> folded_;    ///< by columns; rows of the even half first
  at::Tensor passed_;                 ///< the same behind the matrices of the columns, beside each other
  std::vector<at::Tensor> products_;  ///< by rows
  at::Tensor zeros_, spare_;          ///< beside a middle row
};

at::Tensor separable_hop_cpu(const at::Tensor& field, const at::Tensor& down, const at::Tensor& across) {
  check_separable_hop(field, down, across);
  const auto x = at::view_as_real(field.resolve_conj().resolve_neg().contiguous()).flatten(3);
  const int64_t planes = field.size(1), sets = down.dim() == 3 || across.dim() == 3 ? planes : 1;
  const auto of_plane = [](const at::Tensor& each, int64_t n) {
    return (each.dim() == 3 ? each[n] : each).resolve_conj().resolve_neg();
  };
  bool halves = true;
  for (int64_t n = 0; n < sets && halves; ++n) {
    halves = is_symmetric(of_plane(down, n)) && is_symmetric(of_plane(across, n));
  }
  std::vector<Matrices> matrices;
  for (int64_t n = 0; n < sets; ++n) {
    matrices.emplace_back(of_plane(down, n), of_plane(across, n), halves);
  }
  const int64_t height = down.size(-2), width = across.size(-2), samples = field.size(0) * planes;
  auto y = at::empty({field.size(0), planes, height, width}, field.options());
  if (samples == 0) {
    return y;
  }
  const auto lines = x.flatten(0, 1);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "separable_hop", [&] {
    auto* const out = at::view_as_real(y).mutable_data_ptr<scalar_t>();
    // One sample is shared like two: a product outside of parallel work would take threads, and other bits.
    at::parallel_for(0, samples == 1 ? 2 : samples, 1, [&](int64_t begin, int64_t end) {
      const at::AutoDispatchBelowADInplaceOrView
          below_autograd;  // worker threads know nothing of the caller's
      SeparableHop<scalar_t> hop(matrices.front(), x.options());
      for (int64_t n = begin; n < std::min(end, samples); ++n) {
        hop(matrices[static_cast<size_t>(n % planes) % matrices.size()], lines[n],
            out + 2 * n * height * width);
      }
    });
  });
  return y;
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("separable_hop", separable_hop_cpu);
}

}  // namespace
}  // namespace optotorch::ops
