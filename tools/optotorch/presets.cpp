#include "optotorch/presets.h"
#include <optotorch/core/check.h>
#include <optotorch/modules/fourier_lens.h>
#include <optotorch/modules/mzi_mesh.h>
#include <optotorch/modules/photodetector.h>
#include <optotorch/modules/weight_bank.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/shallow.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/linear.h>

#include <cmath>

namespace optotorch::tools {
namespace {

/// A read-out that starts at zero: the first steps then depend on the optics, not on a random read-out.
torch::nn::Linear zero_head(int64_t in, int64_t out) {
  torch::nn::Linear head(in, out);
  const torch::NoGradGuard no_grad;
  head->weight.zero_();
  head->bias.zero_();
  return head;
}

Hybrid mnist_hybrid(int64_t classes) {
  constexpr int64_t window = 10, ports = window * window;
  return Hybrid(FourierLens(window), MziMesh(ports),
                Photodetector(PhotodetectorOptions().detection(Detection::amplitude)),
                zero_head(ports, classes));
}

Hybrid mnist_weight_bank(int64_t classes) {
  constexpr int64_t pixels = 28 * 28, hidden = 256;
  return Hybrid(torch::nn::Flatten(), WeightBank(pixels, hidden), torch::nn::Tanh(),
                zero_head(hidden, classes));
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> known = {
      {.name = "mnist-hybrid",
       .description =
           "lens (10 x 10 lowest frequencies), 100-port mesh of 4,950 MZIs, detectors, linear read-out",
       .make = mnist_hybrid,
       .input = {1, 28, 28},
       .epochs = 15,
       .batch_size = 128,
       .learning_rate = 1e-2,
       .shift = 1,
       .threads = 1,
       .two_pass = TwoPassForwardOptions()
                       .feedback(Feedback::twin)
                       .presynaptic(Presynaptic::clean)
                       .strength(0.1)
                       .gain(std::sqrt(0.1))
                       .refresh(10)},
      {.name = "mnist-weight-bank",
       .description = "784-256 bank of microring weights, tanh, linear read-out",
       .make = mnist_weight_bank,
       .input = {1, 28, 28},
       .epochs = 15,
       .batch_size = 128,
       .learning_rate = 2e-3,
       .shift = 1,
       .threads = 1,
       .two_pass = TwoPassForwardOptions()},
  };
  return known;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& preset : presets()) {
    names.push_back(preset.name);
  }
  return names;
}

const Preset& find_preset(const std::string& name) {
  for (const auto& preset : presets()) {
    if (preset.name == name) {
      return preset;
    }
  }
  reject({.where = "optotorch",
          .argument = "--model",
          .expected = "one of " + c10::Join(", ", preset_names()),
          .got = "'" + name + "'",
          .remedy = "The nearest is '" + nearest_name(name, preset_names()) + "'"});
}

std::vector<std::string> rule_names() {
  return {"bp", "tpfp", "dfa", "shallow"};
}

std::shared_ptr<Rule> make_rule(const std::string& name, const Preset& preset, int64_t seed) {
  if (name == "bp") {
    return std::make_shared<BackPropagation>();
  }
  if (name == "tpfp") {
    return std::make_shared<TwoPassForward>(TwoPassForwardOptions(preset.two_pass).seed(seed));
  }
  if (name == "dfa") {
    return std::make_shared<DirectFeedback>(DirectFeedbackOptions().seed(seed));
  }
  if (name == "shallow") {
    return std::make_shared<Shallow>();
  }
  reject({.where = "optotorch",
          .argument = "--rule",
          .expected = "one of " + c10::Join(", ", rule_names()),
          .got = "'" + name + "'",
          .remedy = "The nearest is '" + nearest_name(name, rule_names()) + "'"});
}

}  // namespace optotorch::tools
