#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/ops/photodetect.h>

#include <ostream>

namespace optotorch {
namespace {

constexpr char where[] = "PhysicalNetwork";

std::string describe_layout(const MeshLayout& layout) {
  return c10::str(to_string(layout.grid), ", ", layout.ports, " ports, ", layout.columns,
                  " columns, phi on the ", to_string(layout.phi_arm), " arm, ", to_string(layout.zero_state),
                  " at zero, idle ports: ", to_string(layout.idle_port));
}

void check_layout(const char* argument, const MeshLayout& got, const MeshLayout& expected) {
  OPTOTORCH_CHECK(got == expected, .where = where, .argument = argument,
                  .expected = describe_layout(expected), .got = describe_layout(got),
                  .remedy = "convert() in csrc/mesh/decomposition.h moves phases to another layout");
}

void check_count(const char* argument, size_t got, size_t expected) {
  OPTOTORCH_CHECK(got == expected, .where = where, .argument = argument,
                  .expected = c10::str(expected, ", one a mesh"), .got = std::to_string(got));
}

/// F = sqrt(I) exp(i arg S). A reading below zero is noise.
torch::Tensor fuse(const torch::Tensor& intensity, const torch::Tensor& s) {
  return at::sgn(s) * intensity.clamp_min(0).sqrt();
}

std::vector<std::shared_ptr<MziMeshImpl>> new_meshes(const PhysicalNetworkOptions& options) {
  std::vector<std::shared_ptr<MziMeshImpl>> meshes;
  for (int64_t n = 0; n < options.meshes(); ++n) {
    meshes.push_back(std::make_shared<MziMeshImpl>(options.mesh()));
  }
  return meshes;
}

}  // namespace

PhysicalNetworkImpl::PhysicalNetworkImpl(std::shared_ptr<PhysicalSystem> system,
                                         PhysicalNetworkOptions options_)
    : PhysicalNetworkImpl(std::move(system), options_, new_meshes(options_)) {}

PhysicalNetworkImpl::PhysicalNetworkImpl(std::shared_ptr<PhysicalSystem> system,
                                         PhysicalNetworkOptions options_,
                                         std::vector<std::shared_ptr<MziMeshImpl>> meshes)
    : CloneableLayer(where), options(std::move(options_)), system_(std::move(system)) {
  OPTOTORCH_CHECK(!meshes.empty() && meshes.front() != nullptr, .where = where, .argument = "meshes",
                  .expected = "at least one", .got = "none");
  options.mesh(meshes.front()->options).meshes(static_cast<int64_t>(meshes.size()));
  OPTOTORCH_CHECK(system_ != nullptr, .where = where, .argument = "system", .expected = "a physical system",
                  .got = "none", .remedy = "std::make_shared<SimulatedSystem>(chip) is one");
  OPTOTORCH_CHECK(!options.mesh().imperfect() && options.mesh().meshes() == 1, .where = where,
                  .argument = "mesh", .expected = "the error-free model of one mesh",
                  .got = "imperfect(true) or a stack", .remedy = "Errors belong to the system");
  OPTOTORCH_CHECK(options.detection() == Detection::amplitude || options.detection() == Detection::intensity,
                  .where = where, .argument = "detection", .expected = "amplitude or intensity",
                  .got = to_string(options.detection()));
  OPTOTORCH_CHECK(options.activation() == nullptr || options.activation()->parameters().empty(),
                  .where = where, .argument = "activation", .expected = "a layer without parameters",
                  .got = options.activation()->name());
  check_count("system", system_->layouts().size(), static_cast<size_t>(options.meshes()));
  if (const auto own = between_meshes(options.activation().get()); options.meshes() > 1) {
    OPTOTORCH_CHECK(!contradict(own, system_->between()), .where = where, .argument = "activation",
                    .expected = "what stands between the system's meshes: " + describe(system_->between()),
                    .got = describe(own), .remedy = "The model must be of the optics that are there");
  }
  for (size_t n = 0; n < meshes.size(); ++n) {
    check_layout("system", system_->layouts()[n], meshes[n]->layout());
    meshes_.push_back(register_module(std::to_string(n), meshes[n]));
  }
}

std::shared_ptr<PhysicalNetworkImpl> PhysicalNetworkImpl::remake() const {
  auto copy = std::make_shared<PhysicalNetworkImpl>(system_, options);
  copy->corrections_ = corrections_;
  copy->strength = strength;
  return copy;
}

Footprint PhysicalNetworkImpl::footprint() const {
  Footprint all{{parts::detectors, system_->ports() * (system_->has_monitors() ? options.meshes() : 1)}};
  add(all, meshes_.front()->footprint(), options.meshes());
  return all;
}

void PhysicalNetworkImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x, system_->ports());
  check_precision(*this, x, meshes_.front()->theta);
}

void PhysicalNetworkImpl::set_corrections(std::vector<std::shared_ptr<Correction>> corrections) {
  check_count("corrections", corrections.size(), meshes_.size());
  for (const auto& correction : corrections) {
    OPTOTORCH_CHECK(correction != nullptr, .where = where, .argument = "corrections",
                    .expected = "a correction for every mesh", .got = "nullptr");
  }
  corrections_ = std::move(corrections);
}

std::vector<PhysicalNetworkImpl::State> PhysicalNetworkImpl::model(const torch::Tensor& x,
                                                                   const Readings* readings,
                                                                   bool separable) const {
  const torch::NoGradGuard no_grad;
  std::vector<State> states;
  auto input = x;
  for (size_t n = 0; n < meshes_.size(); ++n) {
    State state;
    if (corrections_.empty()) {
      state.through = meshes_[n]->propagate(input);
      state.prediction = {state.through.input, state.through.output, state.through.output};
    } else {
      state.prediction = corrections_[n]->predict(*meshes_[n], input, strength);
    }
    const bool last = n + 1 == meshes_.size();
    const auto& s = state.prediction.s;
    const bool measured = readings != nullptr && readings->behind[n].defined() &&
                          (last || separable || options.internal_states());
    state.fused = measured ? fuse(readings->behind[n], s) : s;
    if (!last) {
      const auto& from = separable || options.fusion() == Fusion::propagate ? state.fused : s;
      input = state.next = options.activation() == nullptr ? from : options.activation()->forward(from);
    }
    states.push_back(std::move(state));
  }
  return states;
}

Pass PhysicalNetworkImpl::measure(const torch::Tensor& x) {
  const torch::NoGradGuard no_grad;
  check_input(x);
  std::vector<MeshPhases> phases;
  for (const auto& mesh : meshes_) {
    phases.push_back({mesh->theta.detach(), mesh->phi.detach(),
                      mesh->gamma.defined() ? mesh->gamma.detach() : torch::Tensor()});
  }
  system_->set_phases(phases);
  const auto readings = system_->measure(x);
  return {x, detector_reading(options.detection(), readings.output()), readings.behind};
}

torch::Tensor PhysicalNetworkImpl::compute(const torch::Tensor& x, Pass* kept) {
  const auto pass = measure(x);
  if (kept != nullptr) {
    auto modelled = with_model(pass);
    kept->saved = std::move(modelled.saved);
    kept->inside = std::move(modelled.inside);
  }
  return pass.output;
}

Readings PhysicalNetworkImpl::readings_of(const Pass& pass) const {
  return {pass.saved};
}

Pass PhysicalNetworkImpl::with_model(const Pass& pass) const {
  const auto readings = readings_of(pass);
  Pass again{pass.input, pass.output, readings.behind};
  // A mesh's model: x_n, S_n, F_n, and either the mesh's own pass or U_n, which is corrected.
  for (auto& state : model(pass.input, &readings)) {
    const auto& [x, u, s, strength] = state.prediction;
    Pass& mesh = again.inside.emplace_back(Pass{x, s, {state.fused, u}});
    if (corrections_.empty()) {
      mesh.inside.push_back(std::move(state.through));
    }
  }
  if (!readings.output().defined()) {
    again.output = detector_reading(options.detection(), ops::photodetect(again.inside.back().saved[0]));
  }
  mark(again);
  return again;
}

std::vector<torch::Tensor> PhysicalNetworkImpl::read_by_pullback(const Pass& pass) const {
  auto tensors = CloneableLayer::read_by_pullback(pass);
  for (const auto& correction : corrections_) {
    const auto own = correction->parameters();
    tensors.insert(tensors.end(), own.begin(), own.end());
  }
  return tensors;
}

torch::Tensor PhysicalNetworkImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                    bool to_input) {
  const size_t count = meshes_.size();
  const auto& h = pass.output;
  // |z| dL_dh dh/dI 2: with h = sqrt(I + d) the last two make 1 / h.
  const auto slope = options.detection() == Detection::amplitude
                         ? (h.square() - dark_intensity).clamp_min(0).sqrt() * dL_dy / h
                         : h.clamp_min(0).sqrt() * dL_dy * 2;
  torch::Tensor signal;
  for (size_t n = count; n-- > 0;) {
    const auto& mesh = pass.inside.at(n);
    const auto &s = mesh.output, &fused = mesh.saved[0], &u = mesh.saved[1];
    if (n + 1 == count) {
      signal = at::sgn(s) * slope;
    } else if (options.activation() != nullptr) {
      signal = options.activation()->pullback(options.activation()->propagate(fused), signal);
    }
    const bool onwards = to_input || n > 0;
    signal = corrections_.empty() ? meshes_[n]->pullback(mesh.inside.at(0), signal, onwards)
                                  : corrections_[n]->pullback(*meshes_[n], {mesh.input, u, s, strength},
                                                              signal, Correction::Learns::mesh, onwards);
  }
  return signal;
}

void PhysicalNetworkImpl::pullback_model(const std::vector<State>& states,
                                         const std::vector<torch::Tensor>& dL_ds,
                                         Correction::Learns learns) const {
  check_count("corrections", corrections_.size(), meshes_.size());
  check_count("states", states.size(), meshes_.size());
  check_count("signals", dL_ds.size(), meshes_.size());
  torch::Tensor signal;
  for (size_t n = meshes_.size(); n-- > 0;) {
    if (signal.defined() && options.activation() != nullptr) {
      signal = options.activation()->pullback(options.activation()->propagate(states[n].fused), signal);
    }
    if (dL_ds[n].defined()) {
      signal = signal.defined() ? signal + dL_ds[n] : dL_ds[n];
    }
    if (signal.defined()) {
      signal = corrections_[n]->pullback(*meshes_[n], states[n].prediction, signal, learns, n > 0);
    }
  }
}

torch::Tensor PhysicalNetworkImpl::tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  OPTOTORCH_CHECK(meshes_.size() == 1, .where = where, .argument = "tpfp_update", .expected = "one mesh",
                  .got = std::to_string(meshes_.size()),
                  .remedy = "Give every mesh a system and a layer of its own");
  check_unchanged(pass);
  // The model's pass is complex, so that its pull-back takes a real signal too, and checks the shape.
  const auto& mesh = meshes_.front();
  return mesh->pullback(mesh->propagate(pass.input), signal, to_input);
}

Adjoint PhysicalNetworkImpl::adjoint(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(meshes_.size() == 1, .where = where, .argument = "adjoint", .expected = "one mesh",
                  .got = std::to_string(meshes_.size()),
                  .remedy = "Give every mesh a system and a layer of its own");
  auto adjoint = meshes_.front()->adjoint(x);
  // What stands behind the detectors is real.
  adjoint.apply = [apply = adjoint.apply, type = x.scalar_type()](const torch::Tensor& u) {
    return apply(u.to(type));
  };
  return adjoint;
}

Deployment PhysicalNetworkImpl::deploy() {
  reject({.where = where,
          .argument = "deploy",
          .expected = "a layer that is made of tensors",
          .got = "a physical system",
          .remedy = "Export a network with the MziMesh of meshes() instead"});
}

void PhysicalNetworkImpl::copy_phases(const std::vector<const MziMeshImpl*>& meshes) {
  const torch::NoGradGuard no_grad;
  check_count("meshes", meshes.size(), meshes_.size());
  for (size_t n = 0; n < meshes.size(); ++n) {
    check_layout("mesh", meshes[n]->layout(), meshes_[n]->layout());
    OPTOTORCH_CHECK(meshes[n]->gamma.defined() == meshes_[n]->gamma.defined(), .where = where,
                    .argument = "mesh",
                    .expected = meshes_[n]->gamma.defined() ? "a mesh with a phase screen"
                                                            : "a mesh without a phase screen",
                    .got = meshes[n]->gamma.defined() ? "one with" : "one without");
  }
  for (size_t n = 0; n < meshes.size(); ++n) {
    meshes_[n]->theta.copy_(meshes[n]->theta);
    meshes_[n]->phi.copy_(meshes[n]->phi);
    if (meshes_[n]->gamma.defined()) {
      meshes_[n]->gamma.copy_(meshes[n]->gamma);
    }
  }
}

void PhysicalNetworkImpl::pretty_print(std::ostream& stream) const {
  const auto& layout = options.mesh().layout();
  stream << "optotorch::PhysicalNetwork(meshes=" << meshes_.size() << ", ports=" << layout.ports
         << ", columns=" << layout.columns << ", grid=" << to_string(layout.grid)
         << ", mzis=" << options.meshes() * layout.mzis() << ", detection=" << to_string(options.detection());
  if (options.activation()) {
    stream << ", activation=";
    options.activation()->pretty_print(stream);
  }
  stream << (options.internal_states() ? "" : ", internal_states=false")
         << (options.fusion() == Fusion::propagate ? "" : ", fusion=in-place") << ")";
}

}  // namespace optotorch
