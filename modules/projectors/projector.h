#pragma once

// Fixed random matrices as parts of a system: whatever stands behind them, a rule asks for products only.

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>

namespace optotorch {

/// A fixed random matrix B [rows, columns] with entries of mean 0 and variance 1, of which only products are
/// asked for: y_b = B x_b. Any slice of rows is reached without the rest, so that one projector serves many
/// layers.
class Projector {
 public:
  /// Throws c10::ValueError unless rows and columns are 1 to 2^31.
  Projector(int64_t rows, int64_t columns);
  virtual ~Projector() = default;
  Projector(const Projector&) = delete;
  Projector& operator=(const Projector&) = delete;
  Projector(Projector&&) = delete;
  Projector& operator=(Projector&&) = delete;

  /// As errors call it, e.g. "Opu".
  virtual std::string name() const = 0;

  /// Number of values of a whole product.
  int64_t rows() const { return rows_; }
  /// Number of values of an input.
  int64_t columns() const { return columns_; }

  /// B(first_row : first_row + rows, :) x for x [batch, columns]: float32, float64, or int8 with -1, 0, 1
  /// (ternary). y has the type of x, float32 for int8. Throws c10::ValueError for other x, values that are
  /// not finite, rows that are not there, and a `compute` that returns another shape.
  torch::Tensor project(const torch::Tensor& x, int64_t first_row, int64_t rows);
  /// All rows.
  torch::Tensor project(const torch::Tensor& x) { return project(x, 0, rows_); }

  /// State that a run must keep to continue with the same bits; by default nothing, since B is a function of
  /// a seed. A rule asks a projector that has a state once a step, from one thread, for all rows; one that
  /// has none for each block's rows when their turn comes, from several threads at a time.
  virtual std::map<std::string, torch::Tensor> state() const { return {}; }
  /// Throws c10::ValueError, with nothing changed, if the state is another projector's.
  virtual void load_state(const std::map<std::string, torch::Tensor>& state);

 protected:
  /// The product, of arguments that fit.
  virtual torch::Tensor compute(const torch::Tensor& x, int64_t first_row, int64_t rows) = 0;

 private:
  int64_t rows_, columns_;
};

/// x in the type that its product has.
torch::Tensor as_values(const torch::Tensor& x);

}  // namespace optotorch
