#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/between.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/transparent_system.h>
#include <optotorch/ops/photodetect.h>

#include <algorithm>
#include <ostream>

namespace optotorch {
namespace {

constexpr char in_network[] = "PhysicalNetwork";

void check_designs(const char* argument, const StageDesign& got, const StageDesign& expected) {
  OPTOTORCH_CHECK(got == expected, .where = in_network, .argument = argument, .expected = describe(expected),
                  .got = describe(got),
                  .remedy = expected.type == "MziMesh"
                                ? "convert() in csrc/mesh/decomposition.h moves phases "
                                  "to another layout"
                                : "");
}

void check_count(const char* argument, size_t got, size_t expected) {
  OPTOTORCH_CHECK(got == expected, .where = in_network, .argument = argument,
                  .expected = c10::str(expected, ", one a stage"), .got = std::to_string(got));
}

/// F = sqrt(I) exp(i arg S), where a reading below zero is noise; of real values the reading.
torch::Tensor fuse(const torch::Tensor& reading, const torch::Tensor& s) {
  return s.is_complex() ? at::sgn(s) * reading.clamp_min(0).sqrt() : reading;
}

std::vector<std::shared_ptr<Stage>> new_meshes(const PhysicalNetworkOptions& options) {
  OPTOTORCH_CHECK(!options.mesh().imperfect() && options.mesh().meshes() == 1, .where = in_network,
                  .argument = "mesh", .expected = "the error-free model of one mesh",
                  .got = "imperfect(true) or a stack", .remedy = "Errors belong to the system");
  std::vector<std::shared_ptr<Stage>> meshes;
  for (int64_t n = 0; n < options.meshes(); ++n) {
    meshes.push_back(std::make_shared<MziMeshImpl>(options.mesh()));
  }
  return meshes;
}

}  // namespace

PhysicalNetworkImpl::PhysicalNetworkImpl(std::shared_ptr<PhysicalSystem> system,
                                         PhysicalNetworkOptions options_)
    : PhysicalNetworkImpl(std::move(system), new_meshes(options_), options_) {}

PhysicalNetworkImpl::PhysicalNetworkImpl(std::shared_ptr<PhysicalSystem> system,
                                         std::vector<std::shared_ptr<Stage>> stages,
                                         PhysicalNetworkOptions options_)
    : CloneableLayer("PhysicalNetwork"), options(std::move(options_)), system_(std::move(system)) {
  OPTOTORCH_CHECK(system_ != nullptr, .where = in_network, .argument = "system",
                  .expected = "a physical system", .got = "none",
                  .remedy = "std::make_shared<SimulatedSystem>(chip) is one");
  check_count("stages", stages.size(), system_->stages().size());
  for (size_t n = 0; n < stages.size(); ++n) {
    OPTOTORCH_CHECK(stages[n] != nullptr, .where = in_network, .argument = "stages", .expected = "a stage",
                    .got = "nullptr");
    check_designs("system", system_->stages()[n], stages[n]->design());
  }
  OPTOTORCH_CHECK(options.detection() == Detection::amplitude || options.detection() == Detection::intensity,
                  .where = in_network, .argument = "detection", .expected = "amplitude or intensity",
                  .got = to_string(options.detection()));
  between_ = options.between();
  if (between_.empty()) {
    between_.assign(stages.size() - 1, options.activation());
  }
  OPTOTORCH_CHECK(between_.size() == stages.size() - 1, .where = in_network, .argument = "between",
                  .expected = c10::str(stages.size() - 1, ", one for every two stages"),
                  .got = std::to_string(between_.size()));
  const auto theirs = system_->between();
  for (size_t n = 0; n < between_.size(); ++n) {
    OPTOTORCH_CHECK(between_[n] == nullptr || between_[n]->parameters().empty(), .where = in_network,
                    .argument = "activation", .expected = "a layer without parameters",
                    .got = between_[n]->name());
    const auto own = optotorch::between(between_[n].get());
    OPTOTORCH_CHECK(n >= theirs.size() || !contradict(own, theirs[n]), .where = in_network,
                    .argument = "activation",
                    .expected = "what stands between the system's stages: " + theirs[n], .got = own,
                    .remedy = "The model must be of the optics that are there");
  }
  for (size_t n = 0; n < stages.size(); ++n) {
    stages_.push_back(register_module(std::to_string(n), stages[n]));
  }
}

std::shared_ptr<PhysicalNetworkImpl> PhysicalNetworkImpl::remake() const {
  std::vector<std::shared_ptr<Stage>> stages;
  for (const auto& stage : stages_) {
    stages.push_back(std::dynamic_pointer_cast<Stage>(stage->clone()));
  }
  auto copy = std::make_shared<PhysicalNetworkImpl>(system_, std::move(stages), options);
  copy->corrections_ = corrections_;
  copy->strength = strength;
  return copy;
}

Traversal PhysicalNetworkImpl::traversal(const Pass& pass) const {
  Traversal all;
  for (size_t n = 0; n < stages_.size(); ++n) {
    const auto& design = system_->stages()[n];
    const auto one_of = [](std::vector<int64_t> sample) {
      sample.insert(sample.begin(), 1);
      return torch::zeros(sample);
    };
    const auto way = stages_[n]->traversal({one_of(design.input), one_of(design.output)});
    add(all.along, way.along);
    all.passes = std::max(all.passes, way.passes);
    all.multiply_adds += way.multiply_adds;
  }
  all.detectors = pass.output.numel() / std::max<int64_t>(1, pass.output.size(0));
  all.along[parts::detectors] = 1;
  return all;
}

Footprint PhysicalNetworkImpl::footprint() const {
  Footprint all;
  for (size_t n = 0; n < stages_.size(); ++n) {
    add(all, stages_[n]->footprint());
    const auto& design = system_->stages()[n];
    if (design.delivers_field && (system_->has_monitors() || n + 1 == stages_.size())) {
      add(all, {{parts::detectors, c10::multiply_integers(design.output)}});
    }
  }
  return all;
}

void PhysicalNetworkImpl::check_input(const torch::Tensor& x) const {
  check_stage_input(in_network, x, system_->stages().front());
  check_precision(*this, x, stages_.front()->parameters().front());
}

void PhysicalNetworkImpl::set_corrections(std::vector<std::shared_ptr<Correction>> corrections) {
  check_count("corrections", corrections.size(), stages_.size());
  for (const auto& correction : corrections) {
    OPTOTORCH_CHECK(correction != nullptr, .where = in_network, .argument = "corrections",
                    .expected = "a correction for every stage", .got = "nullptr");
  }
  corrections_ = std::move(corrections);
}

std::vector<PhysicalNetworkImpl::State> PhysicalNetworkImpl::model(const torch::Tensor& x,
                                                                   const Readings* readings,
                                                                   bool separable) const {
  const torch::NoGradGuard no_grad;
  std::vector<State> states;
  auto input = x;
  for (size_t n = 0; n < stages_.size(); ++n) {
    State state;
    if (corrections_.empty()) {
      state.through = stages_[n]->propagate(input);
      state.prediction = {state.through.input, state.through.output, state.through.output};
    } else {
      state.prediction = corrections_[n]->predict(*stages_[n], input, strength);
    }
    const bool last = n + 1 == stages_.size();
    const auto& s = state.prediction.s;
    const bool measured = readings != nullptr && readings->behind[n].defined() &&
                          (last || separable || options.internal_states());
    state.fused = measured ? fuse(readings->behind[n], s) : s;
    if (!last) {
      const auto& from = separable || options.fusion() == Fusion::propagate ? state.fused : s;
      input = state.next = between_[n] == nullptr ? from : between_[n]->forward(from);
    }
    states.push_back(std::move(state));
  }
  return states;
}

Pass PhysicalNetworkImpl::measure(const torch::Tensor& x) {
  const torch::NoGradGuard no_grad;
  check_input(x);
  std::vector<Values> commands;
  for (const auto& stage : stages_) {
    commands.push_back(stage->commands());
  }
  system_->set_commands(commands);
  const auto readings = system_->measure(x);
  return {x, delivered(readings.output()), readings.behind};
}

torch::Tensor PhysicalNetworkImpl::delivered(const torch::Tensor& reading) const {
  return delivers_field() ? detector_reading(options.detection(), reading) : reading;
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
  // A stage's model: x_n, S_n, F_n, and either the stage's own pass or U_n, which is corrected.
  for (auto& state : model(pass.input, &readings)) {
    const auto& [x, u, s, strength] = state.prediction;
    Pass& stage = again.inside.emplace_back(Pass{x, s, {state.fused, u}});
    if (corrections_.empty()) {
      stage.inside.push_back(std::move(state.through));
    }
  }
  if (!readings.output().defined()) {
    const auto& fused = again.inside.back().saved[0];
    again.output = delivered(fused.is_complex() ? ops::photodetect(fused) : fused);
  }
  mark(again);
  return again;
}

Pass PhysicalNetworkImpl::through_system(const torch::Tensor& x) {
  OPTOTORCH_CHECK(dynamic_cast<TransparentSystem*>(system_.get()) != nullptr, .where = in_network,
                  .argument = "system", .expected = "a simulation that knows its slopes (FinePlanes)",
                  .got = "a system that gives readings alone");
  auto pass = measure(x);
  mark(pass);
  return pass;
}

torch::Tensor PhysicalNetworkImpl::pull_through_system(const Pass& pass, const torch::Tensor& dL_dy) const {
  // h = sqrt(I + d): dL_dI = dL_dh / (2 h)
  const auto dL_dreading =
      delivers_field() && options.detection() == Detection::amplitude ? dL_dy / (2 * pass.output) : dL_dy;
  const auto gradients = dynamic_cast<TransparentSystem&>(*system_).pullback(pass.input, dL_dreading);
  for (size_t n = 0; n < stages_.size(); ++n) {
    stages_[n]->accumulate_commands(gradients.commands.at(n));
  }
  return gradients.dL_dx;
}

std::vector<torch::Tensor> PhysicalNetworkImpl::read_by_pullback(const Pass& pass) const {
  auto tensors = CloneableLayer::read_by_pullback(pass);
  for (const auto& correction : corrections_) {
    const auto own = correction->parameters();
    tensors.insert(tensors.end(), own.begin(), own.end());
  }
  return tensors;
}

torch::Tensor PhysicalNetworkImpl::slope(const torch::Tensor& h, const torch::Tensor& dL_dy) const {
  if (!delivers_field()) {
    return dL_dy;
  }
  // |z| dL_dh dh/dI 2: with h = sqrt(I + d) the last two make 1 / h.
  return options.detection() == Detection::amplitude
             ? (h.square() - dark_intensity).clamp_min(0).sqrt() * dL_dy / h
             : h.clamp_min(0).sqrt() * dL_dy * 2;
}

torch::Tensor PhysicalNetworkImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                    bool to_input) {
  if (pass.inside.empty()) {
    return pull_through_system(pass, dL_dy);
  }
  const size_t count = stages_.size();
  const auto last = slope(pass.output, dL_dy);
  torch::Tensor signal;
  for (size_t n = count; n-- > 0;) {
    const auto& stage = pass.inside.at(n);
    const auto &s = stage.output, &fused = stage.saved[0], &u = stage.saved[1];
    if (n + 1 == count) {
      signal = s.is_complex() ? at::sgn(s) * last : last;
    } else if (between_[n] != nullptr) {
      signal = between_[n]->pullback(between_[n]->propagate(fused), signal);
    }
    const bool onwards = to_input || n > 0;
    signal = corrections_.empty() ? stages_[n]->pullback(stage.inside.at(0), signal, onwards)
                                  : corrections_[n]->pullback(*stages_[n], {stage.input, u, s, strength},
                                                              signal, Correction::Learns::stage, onwards);
  }
  return signal;
}

void PhysicalNetworkImpl::pullback_model(const std::vector<State>& states,
                                         const std::vector<torch::Tensor>& dL_ds,
                                         Correction::Learns learns) const {
  check_count("corrections", corrections_.size(), stages_.size());
  check_count("states", states.size(), stages_.size());
  check_count("signals", dL_ds.size(), stages_.size());
  torch::Tensor signal;
  for (size_t n = stages_.size(); n-- > 0;) {
    if (signal.defined() && between_[n] != nullptr) {
      signal = between_[n]->pullback(between_[n]->propagate(states[n].fused), signal);
    }
    if (dL_ds[n].defined()) {
      signal = signal.defined() ? signal + dL_ds[n] : dL_ds[n];
    }
    if (signal.defined()) {
      signal = corrections_[n]->pullback(*stages_[n], states[n].prediction, signal, learns, n > 0);
    }
  }
}

torch::Tensor PhysicalNetworkImpl::tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  check_single("tpfp_update");
  check_unchanged(pass);
  // The model's pass of a field is complex, so that its pull-back takes a real signal too, and checks the
  // shape.
  const auto& stage = stages_.front();
  return stage->pullback(stage->propagate(pass.input), signal, to_input);
}

void PhysicalNetworkImpl::check_single(const char* argument) const {
  OPTOTORCH_CHECK(stages_.size() == 1, .where = in_network, .argument = argument, .expected = "one stage",
                  .got = std::to_string(stages_.size()),
                  .remedy = "Give every stage a system and a layer of its own");
}

Adjoint PhysicalNetworkImpl::adjoint(const torch::Tensor& x) const {
  check_single("adjoint");
  auto adjoint = stages_.front()->adjoint(x);
  if (delivers_field()) {  // what stands behind the detectors is real
    adjoint.apply = [apply = adjoint.apply, type = x.scalar_type()](const torch::Tensor& u) {
      return apply(u.to(type));
    };
  }
  return adjoint;
}

Deployment PhysicalNetworkImpl::deploy() {
  reject({.where = in_network,
          .argument = "deploy",
          .expected = "a layer that is made of tensors",
          .got = "a physical system",
          .remedy = "Export a network with the layers of stages() instead"});
}

void PhysicalNetworkImpl::copy_commands(const std::vector<const Stage*>& stages) {
  const torch::NoGradGuard no_grad;
  check_count("stages", stages.size(), stages_.size());
  std::vector<std::pair<torch::Tensor, torch::Tensor>> copies;
  for (size_t n = 0; n < stages.size(); ++n) {
    const auto* mesh = dynamic_cast<const MziMeshImpl*>(stages[n]);
    check_designs("stages", mesh != nullptr ? mesh_design(mesh->layout()) : stages[n]->design(),
                  system_->stages()[n]);
    const auto from = stages[n]->commands();
    auto to = stages_[n]->commands();
    for (auto& [name, own] : to) {
      OPTOTORCH_CHECK(find(from, name).defined(), .where = in_network, .argument = "stages",
                      .expected = "a stage with " + name, .got = "one without");
      copies.emplace_back(own, from.at(name));
    }
    OPTOTORCH_CHECK(from.size() == to.size(), .where = in_network, .argument = "stages",
                    .expected = c10::str("a stage of ", to.size(), " commands"),
                    .got = std::to_string(from.size()));
  }
  for (auto& [to, from] : copies) {
    to.copy_(from);
  }
}

void PhysicalNetworkImpl::pretty_print(std::ostream& stream) const {
  stream << "optotorch::PhysicalNetwork(stages=[";
  for (size_t n = 0; n < stages_.size(); ++n) {
    stream << (n == 0 ? "" : ", ");
    stages_[n]->pretty_print(stream);
    if (n + 1 < stages_.size() && between_[n] != nullptr) {
      stream << ", ";
      between_[n]->pretty_print(stream);
    }
  }
  stream << "], detection=" << to_string(options.detection())
         << (options.internal_states() ? "" : ", internal_states=false")
         << (options.fusion() == Fusion::propagate ? "" : ", fusion=in-place") << ")";
}

}  // namespace optotorch
