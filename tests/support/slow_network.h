#pragma once

// A physical network's numerical model once more, in plain ATen operators and LibTorch's autograd: slow, and
// sharing nothing with the layer but the reference faces of the operators.

#include <ATen/ATen.h>
#include <optotorch/modules/laboratory/corrections/linear_correction.h>
#include <optotorch/modules/laboratory/corrections/sepn.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <support/parameters.h>
#include <support/stages.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace optotorch::testing {

/// A correction and its meaning, S for the mesh and the correction's parameters `p` at strength c.
struct CorrectionCase {
  std::string name;
  std::function<std::shared_ptr<Correction>(const MeshLayout&)> make;
  std::function<torch::Tensor(const torch::Tensor& x, const ops::MeshTensors& mesh, const MeshLayout& layout,
                              const Parameters& p, double c)>
      meaning;
};

inline std::ostream& operator<<(std::ostream& stream, const CorrectionCase& row) {
  return stream << row.name;
}

inline CorrectionCase sepn_case(const std::string& name, const SepnOptions::Features& features) {
  return {name,
          [=](const MeshLayout& layout) {
            return std::make_shared<Sepn>(SepnOptions(layout.ports).features(features));
          },
          [=](const auto& x, const auto& mesh, const auto& layout, const auto& p, double c) {
            const auto u = ops::mzi_mesh_reference(x, mesh, layout);
            return u + c * ops::sepn_reference(u, p.at("parameters"), {layout.ports, features});
          }};
}

inline CorrectionCase linear_case() {
  return {"Linear", [](const MeshLayout& layout) { return std::make_shared<LinearCorrection>(layout.ports); },
          [](const auto& x, const auto& mesh, const auto& layout, const auto& p, double c) {
            const auto u = ops::mzi_mesh_reference(x, mesh, layout);
            return u + c * u.matmul(at::view_as_complex(p.at("matrix")).t());
          }};
}

inline CorrectionCase white_box_case(const std::string& name, bool splitters) {
  return {
      name,
      [=](const MeshLayout& layout) {
        return std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(layout).splitters(splitters));
      },
      [=](const auto& x, auto mesh, const auto& layout, const auto& p, double c) {
        mesh.theta = mesh.theta + c * p.at("theta_offset");
        mesh.phi = mesh.phi + c * p.at("phi_offset");
        if (splitters) {
          mesh.splitter_error = c * p.at("splitter_error");
        }
        return ops::mzi_mesh_reference(x, mesh, layout);
      }};
}

/// Values that a fresh correction does not have, in float64: at zero many mistakes are hidden.
inline void perturb(Correction& correction, double size = 0.1) {
  const torch::NoGradGuard no_grad;
  correction.to(torch::kFloat64);
  for (auto& parameter : correction.parameters()) {
    parameter.add_(torch::randn_like(parameter), size);
  }
  correction.constrain();
}

/// The network, every mesh of which gets a correction of its own.
inline PhysicalNetwork corrected(PhysicalNetwork network, const CorrectionCase& row, double size = 0.1) {
  std::vector<std::shared_ptr<Correction>> corrections;
  for (const auto& mesh : meshes_of(*network)) {
    corrections.push_back(row.make(mesh->layout()));
    perturb(*corrections.back(), size);
  }
  network->set_corrections(corrections);
  return network;
}

/// y = sqrt(1 - tap) cos(p) exp(-ip) z, p = (gain |z|^2 + bias) / 2.
inline torch::Tensor electro_optic(const torch::Tensor& z, const ElectroOpticActivationOptions& o) {
  const auto p = (o.gain() * z.abs().square() + o.bias()) / 2;
  return std::sqrt(1 - o.tap()) * p.cos() * at::complex(p.cos(), -p.sin()) * z;
}

/// I / ||I||_2 of each sample.
inline torch::Tensor unit(const torch::Tensor& intensity) {
  return intensity / intensity.square().sum(1, /*keepdim=*/true).sqrt();
}

/// Everything that learns, named as the network's ("0.theta") and as a rule's state names those of the
/// corrections ("correction.0.matrix").
inline Parameters learners(const PhysicalNetworkImpl& network) {
  auto all = parameters_of(network);
  for (size_t n = 0; n < network.corrections().size(); ++n) {
    for (const auto& [name, parameter] : parameters_of(*network.corrections()[n])) {
      all[c10::str("correction.", n, ".", name)] = parameter;
    }
  }
  return all;
}

/// Its parameters are leaves of their own, by the names of `learners`.
class SlowNetwork {
 public:
  SlowNetwork(const PhysicalNetworkImpl& network, std::optional<CorrectionCase> correction,
              std::optional<ElectroOpticActivationOptions> activation)
      : layout_(network.options.mesh().layout()),
        count_(network.stages().size()),
        correction_(std::move(correction)),
        activation_(activation) {
    for (const auto& [name, parameter] : learners(network)) {
      leaves[name] = parameter.detach().clone().requires_grad_();
    }
  }

  size_t count() const { return count_; }

  /// S_n of what mesh n is fed.
  torch::Tensor predict(size_t n, const torch::Tensor& x, double c) const {
    const auto own = c10::str(n, "."), of_correction = c10::str("correction.", n, ".");
    ops::MeshTensors mesh{.theta = leaves.at(own + "theta"), .phi = leaves.at(own + "phi")};
    if (leaves.count(own + "gamma") > 0) {
      mesh.screen = leaves.at(own + "gamma");
    }
    if (!correction_) {
      return ops::mzi_mesh_reference(x, mesh, layout_);
    }
    Parameters p;
    for (const auto& [name, leaf] : leaves) {
      if (name.starts_with(of_correction)) {
        p[name.substr(of_correction.size())] = leaf;
      }
    }
    return correction_->meaning(x, mesh, layout_, p, c);
  }

  torch::Tensor activate(const torch::Tensor& z) const {
    return activation_ ? electro_optic(z, *activation_) : z;
  }

  /// The measured value with the slope of S: S + (F - S).detach().
  static torch::Tensor straight_through(const torch::Tensor& s, const torch::Tensor& intensity) {
    const auto f = at::polar(intensity.clamp_min(0).sqrt(), s.detach().angle());
    return s + (f - s).detach();
  }

  /// F_N of the model with the readings that are defined.
  torch::Tensor fused(const torch::Tensor& x, const std::vector<torch::Tensor>& behind, Fusion fusion,
                      double c) const {
    torch::Tensor input = x, f;
    for (size_t n = 0; n < count_; ++n) {
      const auto s = predict(n, input, c);
      f = behind[n].defined() ? straight_through(s, behind[n]) : s;
      input = activate(f);
      if (fusion == Fusion::in_place) {
        // The slope of the measured state, the value of the model.
        input = input + (activate(s) - input).detach();
      }
    }
    return f;
  }

  /// S_n of the corrected model alone, or with each mesh fed by the measured state before it.
  std::vector<torch::Tensor> states(const torch::Tensor& x,
                                    const std::vector<torch::Tensor>* behind = nullptr) const {
    std::vector<torch::Tensor> all;
    auto input = x;
    for (size_t n = 0; n < count_; ++n) {
      all.push_back(predict(n, input, 1));
      input =
          behind == nullptr ? activate(all[n]) : activate(straight_through(all[n], behind->at(n)).detach());
    }
    return all;
  }

  /// dL_dp of every leaf; undefined where L does not depend on it.
  Parameters gradients(const torch::Tensor& loss) const {
    std::vector<torch::Tensor> inputs;
    for (const auto& [name, leaf] : leaves) {
      inputs.push_back(leaf);
    }
    const auto found = torch::autograd::grad({loss}, inputs, {}, /*retain_graph=*/true,
                                             /*create_graph=*/false, /*allow_unused=*/true);
    Parameters result;
    for (const auto& [name, leaf] : leaves) {
      result[name] = found[result.size()];
    }
    return result;
  }

  Parameters leaves;

 private:
  MeshLayout layout_;
  size_t count_;
  std::optional<CorrectionCase> correction_;
  std::optional<ElectroOpticActivationOptions> activation_;
};

}  // namespace optotorch::testing
