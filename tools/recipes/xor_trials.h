#pragma once

// An XOR gate of six interferometers: how it may be taught, and its trainings. The recipe `xor` shows them.

#include <ATen/ATen.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <optotorch/trainers/rules/zeroth_order.h>

#include <string>
#include <vector>

namespace optotorch::tools::gate {

constexpr int64_t ports = 4, inputs = 4;  // the inputs are (0, 0), (0, 1), (1, 0), (1, 1)
constexpr double learning_rate = 0.05;
constexpr size_t mesh_at = 1, detector_at = 2;  ///< layers of the gate

/// How two numbers ride on four fields of real amplitude.
struct Rails {
  const char* name;
  const char* formula;
  at::Tensor (*fields)(const at::Tensor& a, const at::Tensor& b);  ///< [n], [n] -> [n, 4]
};

extern const Rails dual_rail, phase, amplitude;

enum class Teacher { two_pass, back_propagation, zeroth_order, none };

struct Variant {
  std::string title;
  const Rails* rails = &dual_rail;
  Teacher teacher = Teacher::two_pass;
  TwoPassForwardOptions options = {};
  bool shown = false;  ///< in the curves
  ZerothOrderOptions measured = {};
};

/// All that the recipe compares.
std::vector<Variant> variants();

/// a and b of the four inputs, and what the gate shall say: -1 or 1.
struct TruthTable {
  at::Tensor a = at::tensor({0.F, 0.F, 1.F, 1.F}), b = at::tensor({0.F, 1.F, 0.F, 1.F});
  at::Tensor target = at::tensor({-1.F, 1.F, 1.F, -1.F}).unsqueeze(1);
};

struct Trial {
  Hybrid network{nullptr};
  std::vector<double> errors = {};   ///< mean squared, before each step and after the last
  std::vector<double> margins = {};  ///< least y t of the four inputs, likewise
  bool solved() const { return margins.back() > 0; }
  /// Steps after which it was solved for good.
  int64_t steps() const {
    size_t steps = margins.size();
    while (steps > 0 && margins[steps - 1] > 0) {
      --steps;
    }
    return static_cast<int64_t>(steps);
  }
};

/// Trains all seeds, `threads` at a time. The result does not depend on the number.
std::vector<Trial> train_all(const Variant& variant, int64_t seeds, int64_t epochs, int64_t threads);

/// Forward passes of one step, with four inputs as one batch.
int64_t forward_passes(const Variant& variant);

}  // namespace optotorch::tools::gate
