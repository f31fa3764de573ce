#include "runs/run_network.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/chips/mesh_import.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/datasets/text/characters.h>
#include <optotorch/trainers/rules/aligned_start.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

#include "runs/networks.h"
#include "runs/presets.h"
#include "runs/rules.h"

namespace optotorch::tools {
namespace {

/// One mesh, by itself or in a stack. Its tensors are views of the network's.
struct Mesh {
  MeshLayout layout;
  torch::Tensor theta, phi, gamma;
};

std::vector<Mesh> meshes_of(HybridImpl& model) {
  std::vector<Mesh> meshes;
  for (const auto& module : model.modules(/*include_self=*/false)) {
    const auto* mesh = module->as<MziMeshImpl>();
    const int64_t count = mesh == nullptr ? 0 : mesh->options.meshes();
    for (int64_t k = 0; k < count; ++k) {
      const auto one = [&](const torch::Tensor& all) { return all.defined() && count > 1 ? all[k] : all; };
      meshes.push_back({mesh->layout(), one(mesh->theta), one(mesh->phi), one(mesh->gamma)});
    }
  }
  return meshes;
}

torch::nn::LinearImpl& read_out_of(HybridImpl& model) {
  torch::nn::LinearImpl* last = nullptr;
  for (const auto& module : model.modules(/*include_self=*/false)) {
    if (auto* linear = module->as<torch::nn::LinearImpl>()) {
      last = linear;
    }
  }
  OPTOTORCH_CHECK(last != nullptr, .where = "optotorch", .argument = "--model",
                  .expected = "a network that ends with a linear read-out", .got = "another");
  return *last;
}

/// Copies a mesh's tensor, for which `where` says mesh and file.
void copy(const std::string& where, const char* name, const torch::Tensor& from, torch::Tensor& to) {
  OPTOTORCH_CHECK(from.defined() == to.defined() && (!from.defined() || from.sizes() == to.sizes()),
                  .where = "optotorch", .argument = "--start",
                  .expected = to.defined() ? c10::str(name, " ", describe(to)) : c10::str("no ", name),
                  .got = describe(from) + " for " + where, .remedy = "The meshes must be of one design");
  if (to.defined()) {
    to.copy_(from);
  }
}

std::string checkpoint_path(const std::string& folder) {
  return folder + "/checkpoint.safetensors";
}

/// The phases of mesh number k of so many, from files. What is wrong with them is said with mesh and file.
MeshPhases phases_from(const std::string& folder, const MeshLayout& layout, size_t k, size_t meshes) {
  try {
    return import_phases(folder, layout, static_cast<int64_t>(k));
  } catch (const c10::ValueError& error) {
    C10_THROW_ERROR(ValueError, c10::str("optotorch: --start: mesh ", k, " of ", meshes, ": ", error.msg()));
  }
}

bool holds_corrections(const std::map<std::string, torch::Tensor>& rule_state) {
  return std::any_of(rule_state.begin(), rule_state.end(),
                     [](const auto& entry) { return entry.first.starts_with("correction."); });
}

}  // namespace

Hybrid make_network(const RunConfig& config) {
  torch::manual_seed(config.seed);  // a chip that the network draws is drawn as the training drew it
  const auto& preset = find_preset(config.model);
  if (preset.make_in == nullptr) {
    auto model = preset.make(config.classes);
    if (preset.aligned_start) {
      align_head(read_out_of(*model), feedback_options(config.rule, preset, config.seed));
    }
    return model;
  }
  const auto& laboratory = config.laboratory;
  auto model = preset.make_in(
      config.classes,
      make_system(laboratory, mpnn_mesh().layout(), mpnn_meshes, ElectroOpticActivation().ptr(), config.seed),
      tap_use_of(config.rule) != TapUse::unused,
      laboratory.fusion == "in-place" ? Fusion::in_place : Fusion::propagate);
  correct(*laboratory_network("optotorch", *model).first, laboratory, config.seed);
  return model;
}

Hybrid load_model(const RunConfig& config, const std::string& folder, bool best) {
  OPTOTORCH_CHECK(config.classes >= 1 && config.classes <= 100'000, .where = "optotorch",
                  .argument = "classes", .expected = "1 to 100000 in config.json",
                  .got = std::to_string(config.classes));
  auto model = make_network(config);
  const auto checkpoint = checkpoint_path(folder);
  load_checkpoint_weights(checkpoint, *model, best);
  const auto rule_state = load_checkpoint_rule(checkpoint);
  if (find_preset(config.model).make_in != nullptr && holds_corrections(rule_state)) {
    load_parameters("optotorch", laboratory_network("optotorch", *model).first->corrections(), rule_state);
  }
  return model;
}

Hybrid load_model_on_paper(RunConfig config, const std::string& folder, bool best) {
  config.laboratory = on_paper(config.laboratory);
  return load_model(config, folder, best);
}

int64_t export_phases_of(HybridImpl& model, const std::string& folder) {
  const torch::NoGradGuard no_grad;
  std::vector<MeshLayout> layouts;
  std::vector<MeshPhases> phases;
  for (const auto& mesh : meshes_of(model)) {
    layouts.push_back(mesh.layout);
    phases.push_back({mesh.theta, mesh.phi, mesh.gamma});
  }
  OPTOTORCH_CHECK(!phases.empty(), .where = "optotorch", .argument = "--phases",
                  .expected = "a network with meshes", .got = "one without");
  export_phases(folder, layouts, phases);
  return static_cast<int64_t>(phases.size());
}

bool keeps_corrections(const std::string& folder) {
  const auto checkpoint = checkpoint_path(folder);
  return std::filesystem::exists(checkpoint) && holds_corrections(load_checkpoint_rule(checkpoint));
}

void start_from(HybridImpl& model, const std::string& start) {
  const torch::NoGradGuard no_grad;
  auto to = meshes_of(model);
  OPTOTORCH_CHECK(std::filesystem::is_directory(start), .where = "optotorch", .argument = "--start",
                  .expected = "the folder of a run or of .npy files", .got = "'" + start + "'",
                  .remedy = "Check the path");
  if (!std::filesystem::exists(start + "/config.json")) {
    for (size_t k = 0; k < to.size(); ++k) {
      const auto where = c10::str("mesh ", k, " of ", to.size(), ", from ", start, "/mesh", k, "_");
      const auto phases = phases_from(start, to[k].layout, k, to.size());
      copy(where + "theta.npy", "theta", phases.theta, to[k].theta);
      copy(where + "phi.npy", "phi", phases.phi, to[k].phi);
      copy(where + "gamma.npy", "gamma", to[k].gamma.defined() ? phases.gamma : torch::Tensor(), to[k].gamma);
    }
    return;
  }
  auto run = load_model_on_paper(load_config(start), start);
  const auto from = meshes_of(*run);
  OPTOTORCH_CHECK(from.size() == to.size(), .where = "optotorch", .argument = "--start",
                  .expected = c10::str(to.size(), " meshes"), .got = c10::str(from.size(), " in ", start),
                  .remedy = "Start from a run of the same network");
  for (size_t k = 0; k < to.size(); ++k) {
    const auto where = c10::str("mesh ", k, " of ", to.size(), ", from ", checkpoint_path(start));
    const auto &had = from[k].layout, &has = to[k].layout;
    OPTOTORCH_CHECK(
        had == has, .where = "optotorch", .argument = "--start",
        .expected = c10::str("a layout of ", has.ports, " ports in ", has.columns, " columns"),
        .got = c10::str(had.ports, " ports in ", had.columns, " columns, or another grid, for ", where),
        .remedy = "Start from a run of the same network");
    copy(where, "theta", from[k].theta, to[k].theta);
    copy(where, "phi", from[k].phi, to[k].phi);
    copy(where, "gamma", from[k].gamma, to[k].gamma);
  }
}

std::string vocabulary_path(const std::string& folder) {
  return folder + "/vocabulary.txt";
}

void require_vocabulary(const std::string& folder, const std::string& vocabulary) {
  const auto characters = read_characters(vocabulary_path(folder), Characters::most_bytes, TextForm::exact);
  OPTOTORCH_CHECK(characters.decode(torch::arange(characters.vocabulary_size())) == vocabulary,
                  .where = "optotorch", .argument = "--dataset",
                  .expected = "a text of the characters in " + vocabulary_path(folder),
                  .got = "one of others", .remedy = "A network knows its characters by their numbers only");
}

torch::Tensor example_input(const RunConfig& config, int64_t batch) {
  const auto& preset = find_preset(config.model);
  if (preset.text) {
    return torch::arange(batch * preset.text->context).remainder(config.classes).reshape({batch, -1});
  }
  auto shape = preset.input;
  shape.insert(shape.begin(), batch);
  // A ramp with a wrap: neither constant nor random.
  return (torch::arange(c10::multiply_integers(shape), torch::kFloat32) * 0.37).fmod(1).reshape(shape);
}

}  // namespace optotorch::tools
