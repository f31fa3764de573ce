#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/rules/feedback.h>
#include <optotorch/trainers/rules/rule.h>
#include <torch/arg.h>

#include <string>
#include <vector>

namespace optotorch {

/// The signal that the passes give a component, at its output z; h is what its block delivers, c = W F e, u
/// = z / |z|.
enum class Signal {
  difference,  ///< (h - h') / s: two passes. For |z| detection it is Re(u* c)
  quadrature,  ///< [(h - h') + i (h - h'')] / s, the third pass modulated a quarter wave later, x - i s F e.
               ///< An extension: where c is real (`twin`, `adjoint`) it is u c, back-propagation's signal
  homodyne,    ///< u Re(z - z') / s: the field itself is read against a local oscillator
  field,       ///< (z - z') / s: for comparison. It lacks the detector's slope and is a wrong direction
  sloped,      ///< u (h - h') / s: for comparison. It has the detector's slope twice, a wrong direction, too
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Signal) {
  static const std::vector<std::string> all{"difference", "quadrature", "homodyne", "field", "sloped"};
  return all;
}

/// The presynaptic activity that enters an update, of a hidden component and of the head.
enum class Presynaptic {
  modulated,  ///< of the second pass, as in PEPITA and arXiv 2408.08337
  clean,      ///< of the first pass
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Presynaptic) {
  static const std::vector<std::string> all{"modulated", "clean"};
  return all;
}

/// Options for TwoPassForward.
struct TwoPassForwardOptions {
  /// Origin of the matrices F.
  TORCH_ARG(Feedback, feedback) = Feedback::random;
  /// Places of modulation; `modulated_input_backprop` takes only `single`.
  TORCH_ARG(Entrance, entrance) = Entrance::single;
  /// Signal at hidden components; `quadrature` excludes Entrance::outputs.
  TORCH_ARG(Signal, signal) = Signal::difference;
  /// Activity that enters the updates.
  TORCH_ARG(Presynaptic, presynaptic) = Presynaptic::modulated;
  /// Size s of the modulation: the second pass sees x - s F e. Not 0; negative modulates the other way.
  TORCH_ARG(double, strength) = 1;
  /// Multiplies F; not 0. Negative reverses its sign.
  TORCH_ARG(double, gain) = 1;
  /// Multiplies the hidden signals; not 0.
  TORCH_ARG(double, hidden_gain) = 1;
  /// Steps between two measurements of W for `twin` and `adjoint`, at least 1.
  TORCH_ARG(int64_t, refresh) = 1;
  /// Dropout drops the same values in all passes of a step (on the CPU).
  TORCH_ARG(bool, same_mask) = true;
  /// Runs the first pass a second time beside the modulated one instead of keeping it: the memory of a step
  /// then does not grow with the depth (but for what a measurement of W and dropout's masks take). Detector
  /// noise is drawn anew.
  TORCH_ARG(bool, recompute) = false;
  /// Not this rule but what the code of arXiv 2408.08337 does: back-propagation of the loss of the second
  /// pass, at its modulated input. A baseline.
  TORCH_ARG(bool, modulated_input_backprop) = false;
  /// Seed of the matrices F and R and of mirroring's noise.
  TORCH_ARG(int64_t, seed) = 0;

 public:
  /// Every option by name (fields.h) but the seed.
  void fields(FieldVisitor& visit) {
    visit("feedback", feedback_);
    visit("entrance", entrance_);
    visit("signal", signal_);
    visit("presynaptic", presynaptic_);
    visit("strength", strength_);
    visit("gain", gain_);
    visit("hidden_gain", hidden_gain_);
    visit("refresh", refresh_);
    visit("same_mask", same_mask_);
    visit("recompute", recompute_);
    visit("modulated_input_backprop", modulated_input_backprop_);
  }
};

/// Two-pass forward propagation: no backward pass ever.
///
///     pass 1: x -> h_1 .. h_L = y, error e = dL/dy of each sample       pass 2: x - s F e -> h'_1 .. h'_L
///     hidden block l: signal S_l = (h_l - h'_l) / s at the linear component's output (see Signal)
///     head: its pull-back of e at the presynaptic activity; exactly its gradient with `clean`
///
/// h_l is what the block's detector or nonlinearity delivers: the difference already carries its slope, so
/// the signal enters behind it (Layer::tpfp_update hands it on). The modulation enters where a component
/// stands (see Entrance): at the electronic input, or at the field behind a Modulator or lens, which can
/// display it.
///
/// Transport of weights: none with `Feedback::random`; one's own layer, through a twin or light sent
/// backwards, with `twin`; the layers above too with `adjoint` and `mirror`.
///
/// Source: Ahmadnejad and Koohi, arXiv 2408.08337; Dellaferrera and Kreiman, arXiv 2201.11665. Our reading:
/// the signals at coherent components, `clean`, multi-point entrances, `twin` and `adjoint` (the last after
/// FOTON, arXiv 2512.20668).
class TwoPassForward : public Rule {
 public:
  /// Throws c10::ValueError for options out of their ranges, for `modulated_input_backprop` with an entrance other than
  /// `single` or with `recompute`, and for `quadrature` with Entrance::outputs.
  explicit TwoPassForward(TwoPassForwardOptions options = {});

  std::string name() const override { return "tpfp"; }

  /// F of the first entrance as last used, [entrance, outputs]; undefined before the first step.
  torch::Tensor feedback() const;

  std::map<std::string, torch::Tensor> state() const override;
  void load_state(const std::map<std::string, torch::Tensor>& state) override;

 protected:
  Keep keep_of_first_pass() const override;
  std::vector<Pass> first_pass(HybridImpl& model, const torch::Tensor& input) override;
  void teach(HybridImpl& model, const Lesson& lesson) override;

 private:
  struct Stretch;
  static std::vector<Stretch> stretches_of(const HybridImpl& model);
  bool refreshes() const;
  void take_feedback(const HybridImpl& model, const std::vector<Stretch>& stretches,
                     const std::vector<Pass>& passes);
  std::vector<torch::Tensor> modulations(size_t hidden, const torch::Tensor& error) const;
  std::vector<Pass> run(HybridImpl& model, size_t stretch, size_t begin, size_t end,
                        const torch::Tensor& input, Keep keep) const;
  void update(HybridImpl& model, const Block& block, const std::vector<Pass>& presynaptic,
              const std::vector<Pass>& clean, const std::vector<std::vector<Pass>>& modulated,
              int64_t batch) const;
  void teach_modulated_input(HybridImpl& model, const std::vector<Stretch>& stretches, const Lesson& lesson,
                             const torch::Tensor& error) const;

  TwoPassForwardOptions options_;
  FeedbackPaths feedback_;
  torch::Tensor unit_errors_;  ///< the identity on errors, for feedback()
  int64_t steps_ = 0;
  std::vector<torch::Tensor> masks_;    ///< LibTorch's random state before each stretch of the first pass
  std::vector<torch::Tensor> samples_;  ///< shapes and types at every layer's input, and at the output, in
                                        ///< a step that takes feedback
};

}  // namespace optotorch
