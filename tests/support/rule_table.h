#pragma once

// Rows of the table of rules, and a network around a row of the table of layers (layer_cases.h).

#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/weights.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/laboratory/adaptive_training.h>
#include <optotorch/trainers/rules/laboratory/dual_adaptive.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>
#include <optotorch/trainers/rules/shallow.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <optotorch/trainers/rules/zeroth_order.h>
#include <support/layer_cases.h>
#include <support/stages.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace optotorch::testing {

struct RuleCase {
  std::string name;
  std::function<std::unique_ptr<Rule>()> make;
  bool head_only = false;
  bool two_pass = false;
  bool physical = false;  ///< for a system in a laboratory, which then stands in the network
  bool shared = false;    ///< one measured number teaches all parameters: freezing some changes it
};

inline void PrintTo(const RuleCase& rule, std::ostream* stream) {
  *stream << rule.name;
}

inline RuleCase two_pass(const std::string& name, Feedback feedback, Presynaptic presynaptic,
                         double strength = 1) {
  return {name,
          [=] {
            return std::make_unique<TwoPassForward>(
                TwoPassForwardOptions().feedback(feedback).presynaptic(presynaptic).strength(strength));
          },
          /*head_only=*/false, /*two_pass=*/true};
}

template <typename PhysicalRule, typename... Arguments>
RuleCase physical(const std::string& name, Arguments... arguments) {
  return {name, [=] { return std::make_unique<PhysicalRule>(arguments...); }, /*head_only=*/false,
          /*two_pass=*/false, /*physical=*/true};
}

inline std::vector<RuleCase> rule_cases() {
  return {physical<InSilico>("InSilico"),
          physical<PhysicsAware>("PhysicsAware"),
          physical<AdaptiveTraining>("AdaptiveTraining", int64_t{100}),
          physical<DualAdaptive>("DualAdaptive"),
          {"BackPropagation", [] { return std::make_unique<BackPropagation>(); }},
          {"DirectFeedback", [] { return std::make_unique<DirectFeedback>(); }},
          // Steps that a threshold sees.
          {"ZerothOrder", [] { return std::make_unique<ZerothOrder>(ZerothOrderOptions().step(0.4)); },
           /*head_only=*/false,
           /*two_pass=*/false, /*physical=*/false, /*shared=*/true},
          {"Shallow", [] { return std::make_unique<Shallow>(); }, /*head_only=*/true},
          two_pass("TwoPassForward", Feedback::random, Presynaptic::modulated),
          two_pass("TwoPassForwardReversed", Feedback::random, Presynaptic::clean, -2),
          two_pass("TwoPassForwardTwin", Feedback::twin, Presynaptic::modulated, 0.1),
          two_pass("TwoPassForwardAdjoint", Feedback::adjoint, Presynaptic::clean, 0.1)};
}

constexpr int64_t case_batch = 4, outputs = 3;

/// Trainable layers before and behind the row's, so that the row's is hidden. Every phase is seen: a coherent
/// detector reads, and none stands on a single port before an intensity.
struct Surrounded {
  Hybrid net;
  size_t position = 0;
  torch::Tensor input;
};

/// A chip of four ports with errors, before which light is made.
inline void push_back_laboratory(Hybrid& net) {
  const auto mesh = MziMeshOptions(4);
  const auto errors = Imperfections().splitter_error(.1).phase_error(.2);
  net->push_back(Modulator(4));
  net->push_back(PhysicalNetwork(std::make_shared<SimulatedSystem>(Chip(mesh.layout(), errors, 1)),
                                 PhysicalNetworkOptions(mesh)));
}

inline void push_back_corrections(HybridImpl& net) {
  for (size_t index = 0; index < net.size(); ++index) {
    auto* const network = dynamic_cast<PhysicalNetworkImpl*>(&net.layer(index));
    std::vector<std::shared_ptr<Correction>> corrections;
    for (size_t n = 0; network != nullptr && n < network->stages().size(); ++n) {
      corrections.push_back(
          std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(meshes_of(*network)[n]->layout())));
    }
    if (network != nullptr) {
      network->set_corrections(corrections);
    }
  }
}

/// For a rule of laboratories one stands in front, unless the row is one.
inline Surrounded surround(const LayerCase& row, bool physical) {
  Surrounded result;
  auto& net = result.net;
  const auto layer = row.make();
  const int64_t size = c10::multiply_integers(row.sample);
  if (physical && dynamic_cast<const PhysicalNetworkImpl*>(layer.get()) == nullptr) {
    push_back_laboratory(net);
  }
  if (row.takes == Takes::field) {
    net->push_back(Modulator(4));
    net->push_back(MziLinear(4, size));
    if (row.sample.size() > 1) {
      net->push_back(torch::nn::Unflatten(torch::nn::UnflattenOptions(1, row.sample)));
    }
    result.input = torch::randn({case_batch, 4});
  } else if (row.sample.size() < 3) {
    net->push_back(torch::nn::Linear(4, size));
    net->push_back(torch::nn::Tanh());
    if (row.sample.size() > 1) {
      net->push_back(torch::nn::Unflatten(torch::nn::UnflattenOptions(1, row.sample)));
    }
    result.input = torch::randn({case_batch, 4});
  } else {
    const std::vector<int64_t> image{1, row.sample[1], row.sample[2]};
    result.input = torch::randn({case_batch, 1, row.sample[1], row.sample[2]});
    if (net->size() > 0) {
      net->push_back(torch::nn::Linear(4, image[1] * image[2]));
      net->push_back(torch::nn::Unflatten(torch::nn::UnflattenOptions(1, image)));
      result.input = torch::randn({case_batch, 4});
    }
    net->push_back(torch::nn::Conv2d(torch::nn::Conv2dOptions(1, row.sample[0], 3).padding(1)));
    net->push_back(torch::nn::Tanh());
  }
  result.position = net->size();
  net->push_back(layer);
  const auto output = layer->propagate(testing::random_batch(row, 2, torch::kFloat32)).output;
  if (output.is_complex()) {
    if (output.dim() > 2) {
      net->push_back(torch::nn::Flatten());
    }
    net->push_back(MziLinear(output.flatten(1).size(1), 3));
    net->push_back(Photodetector(PhotodetectorOptions().detection(Detection::coherent)));
    net->push_back(torch::nn::Linear(6, outputs));
  } else {
    net->push_back(torch::nn::Flatten());
    net->push_back(torch::nn::Linear(output.flatten(1).size(1), outputs));
  }
  if (physical) {
    push_back_corrections(*net);
  }
  return result;
}

}  // namespace optotorch::testing
