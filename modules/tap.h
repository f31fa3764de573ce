#pragma once

// Places inside a free-form model where a rule may send a signal.
//
//     torch::Tensor forward(const torch::Tensor& x) {
//       auto h = optotorch::tap(norm1(x + attention(x)));
//       return optotorch::tap(norm2(h + feed_forward(h)));
//     }
//
// The model goes into a Hybrid as any torch::nn module does. Under back-propagation, in evaluation and in an
// export a tap is nothing. Under a rule that brings its own signals (direct feedback, shallow) it cuts the
// graph: what comes after sees x as a constant, and the part before learns from the signal at x, by autograd
// inside that part only. Everything that leads past a tap must be tapped too: a residual path begins behind
// it, as above. A signal at a tap ends where its module in the Hybrid begins: a tap stands in the module
// whose parameters it teaches.

#include <torch/types.h>

#include <vector>

namespace optotorch {

/// x: as it is, or cut from what made it (see above). Throws c10::ValueError for an x that is not floating
/// point or complex, and outside a training step: with LibTorch's gradient mode on and no Hybrid that runs
/// the model.
torch::Tensor tap(const torch::Tensor& x);

/// For whoever runs a model with taps: collects them while it lives, on this thread.
class TapScope {
 public:
  /// Treatment of a tap.
  enum class Mode {
    through,  ///< taps are nothing
    cut,      ///< taps are kept, and cut
  };
  /// Takes over from an enclosing scope until it ends.
  explicit TapScope(Mode mode);
  ~TapScope();
  TapScope(const TapScope&) = delete;
  TapScope& operator=(const TapScope&) = delete;
  TapScope(TapScope&&) = delete;
  TapScope& operator=(TapScope&&) = delete;

  /// True if a model is being run, on this thread, by one that collects its taps.
  static bool is_recording();

  /// Values at the taps, in the order in which they were passed, at the end of its own part of the graph.
  const std::vector<torch::Tensor>& taps() const { return taps_; }

 private:
  friend torch::Tensor tap(const torch::Tensor& x);
  Mode mode_;
  std::vector<torch::Tensor> taps_;
  TapScope* outer_;
};

}  // namespace optotorch
