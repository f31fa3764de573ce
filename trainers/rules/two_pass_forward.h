#pragma once

#include <optotorch/trainers/rules/rule.h>
#include <torch/arg.h>

namespace optotorch {

/// Where the matrix F that carries the error to the network's entrance comes from.
enum class Feedback {
  random,  ///< fixed, entries uniform in +-.05 sqrt(6 / n_in): strict TPFP, transports nothing
  twin,  ///< W^H R: R fixed random and real, W the first component measured on a twin of its own; transports
         ///< that layer
  adjoint,  ///< (W_L .. W_1)^H of the whole network, measured by sending unit fields (and a dark one, for
            ///< offsets): exact for a linear network whose layers but the last are unitary or have
            ///< orthonormal rows
};

/// The presynaptic activity that enters a hidden component's update.
enum class Presynaptic {
  modulated,  ///< of the second pass, as in PEPITA and arXiv 2408.08337
  clean,      ///< of the first pass
};

/// Options for TwoPassForward.
struct TwoPassForwardOptions {
  TORCH_ARG(Feedback, feedback) = Feedback::random;
  TORCH_ARG(Presynaptic, presynaptic) = Presynaptic::modulated;
  /// Size s of the modulation: the second pass sees x - s F e. Not 0; negative reverses it.
  TORCH_ARG(double, strength) = 1;
  /// Gain of F: multiplies the random matrix, or R.
  TORCH_ARG(double, gain) = 1;
  /// Steps between two measurements of W for `twin` and `adjoint`, at least 1.
  TORCH_ARG(int64_t, refresh) = 1;
  TORCH_ARG(int64_t, seed) = 0;
};

/// Two-pass forward propagation, single-point: no backward pass ever.
///
///     pass 1: x -> h_1 .. h_L = y, error e = dL/dy of each sample       pass 2: x - s F e -> h'_1 .. h'_L
///     hidden block l: signal S_l = (h_l - h'_l) / s at the linear component's output
///     head: its exact local gradient
///
/// h_l is what the block's detector or nonlinearity delivers: the difference already carries its slope, so
/// the signal enters behind it (Layer::tpfp_update hands it on). For a coherent block read by detectors S_l
/// is real: the `difference` signal. The modulation enters where the first component stands: at the
/// electronic input, or at the field behind a Modulator or lens, which can display it.
///
/// Source: Ahmadnejad and Koohi, arXiv 2408.08337; Dellaferrera and Kreiman, arXiv 2201.11665. Our reading:
/// the signal at coherent components, `clean`, `twin` and `adjoint` (the last after FOTON, arXiv 2512.20668).
class TwoPassForward : public Rule {
 public:
  explicit TwoPassForward(TwoPassForwardOptions options = {});

  std::string name() const override { return "tpfp"; }

  /// F [entrance, outputs] as last used; undefined before the first step.
  const torch::Tensor& feedback() const { return feedback_; }

  std::map<std::string, torch::Tensor> state() const override;
  void load_state(const std::map<std::string, torch::Tensor>& state) override;

 protected:
  Keep keep_of_first_pass() const override {
    return options_.presynaptic() == Presynaptic::clean ? Keep::context : Keep::nothing;
  }
  void teach(HybridImpl& model, const std::vector<Pass>& passes, const torch::Tensor& dL_dy) override;

 private:
  torch::Tensor make_feedback(HybridImpl& model, const Block& first, const std::vector<Pass>& passes,
                              const torch::Tensor& error) const;

  TwoPassForwardOptions options_;
  torch::Tensor feedback_;
  int64_t steps_ = 0;
};

}  // namespace optotorch
