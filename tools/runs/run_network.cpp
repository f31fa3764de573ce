#include "runs/run_network.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/at_layer.h>
#include <optotorch/modules/laboratory/chips/mesh_import.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/optics/discrete_readout.h>
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

/// Stages but meshes, which may be stacked.
std::vector<Stage*> other_stages_of(HybridImpl& model) {
  std::vector<Stage*> stages;
  for (const auto& module : model.modules(/*include_self=*/false)) {
    auto* stage = dynamic_cast<Stage*>(module.get());
    if (stage != nullptr && module->as<MziMeshImpl>() == nullptr) {
      stages.push_back(stage);
    }
  }
  return stages;
}

torch::nn::LinearImpl& read_out_of(HybridImpl& model) {
  torch::nn::LinearImpl* last = nullptr;
  for (const auto& module : model.modules(/*include_self=*/false)) {
    if (auto* linear = module->as<torch::nn::LinearImpl>()) {
      last = linear;
    }
  }
  OPTOTORCH_CHECK(last != nullptr, .where = "optotorch", .argument = "--network",
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

/// Names of whole numbers in a network's file.
Sizes sizes_of(const Run& run) {
  Sizes sizes{{"classes", run.config.classes}};
  if (run.training().learns_text()) {
    sizes["context"] = run.training().context;
    return sizes;
  }
  const auto& input = run.config.input;
  OPTOTORCH_CHECK(input.size() == 3 && std::all_of(input.begin(), input.end(),
                                                   [](int64_t size) { return size >= 1 && size <= 65536; }),
                  .where = "optotorch", .argument = "input",
                  .expected = "channels, height and width, 1 to 65536, in config.json",
                  .got = c10::str(at::IntArrayRef(input)));
  sizes["channels"] = input[0];
  sizes["height"] = input[1];
  sizes["width"] = input[2];
  sizes["pixels"] = input[0] * input[1] * input[2];
  return sizes;
}

/// The most that a rule can read of all hidden components. Nothing is measured.
Readable most_readable(const Run& run, HybridImpl& model) {
  const torch::NoGradGuard no_grad;
  model.eval();  // neither does dropout draw nor do norms count the example
  std::vector<Readable> behind;
  auto x = example_input(run, 1);
  for (size_t i = 0; i < model.size(); ++i) {
    auto& layer = model.layer(i);
    if (const auto placed = placed_at(model, i)) {
      const auto& last = placed->network->system()->stages().back();
      auto shape = last.output;
      shape.insert(shape.begin(), placed->meets(x).size(0));
      x = placed->whole(x, {{}, torch::zeros(shape)}).output;
      behind.push_back(last.delivers_field ? Readable::intensities : Readable::values);
    } else {
      x = at_layer(i, layer, [&] { return layer.propagate(x, Keep::nothing).output; });
      behind.push_back(x.is_complex() ? Readable::fields : Readable::values);
    }
  }
  model.train();
  auto all = Readable::fields;
  const auto blocks = model.trainable_blocks();
  for (size_t b = 0; b + 1 < blocks.size(); ++b) {
    all = std::min(all, behind[blocks[b].component]);
  }
  return all;
}

std::string in_words(Readable readable) {
  switch (readable) {
    case Readable::values:
      return "electronic values";
    case Readable::intensities:
      return "light";
    default:
      return "fields";
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

/// Gives the corrections what a rule's state says: of all in a row, or of every laboratory under its prefix.
void load_corrections(HybridImpl& model, const std::map<std::string, torch::Tensor>& rule_state) {
  const auto networks = laboratory_networks("optotorch", model);
  const bool has_prefixes = std::any_of(rule_state.begin(), rule_state.end(), [](const auto& entry) {
    return entry.first.starts_with("network1.");
  });
  if (!has_prefixes) {
    load_parameters("optotorch", corrections_of("optotorch", model), rule_state);
    return;
  }
  for (size_t k = 0; k < networks.size(); ++k) {
    const auto prefix = k == 0 ? std::string() : c10::str("network", k, ".");
    std::map<std::string, torch::Tensor> own;
    for (const auto& [name, tensor] : rule_state) {
      if (name.starts_with(prefix)) {
        own[name.substr(prefix.size())] = tensor;
      }
    }
    load_parameters("optotorch", networks[k].network->corrections(), own);
  }
}

bool holds_corrections(const std::map<std::string, torch::Tensor>& rule_state) {
  return std::any_of(rule_state.begin(), rule_state.end(),
                     [](const auto& entry) { return entry.first.starts_with("correction."); });
}

}  // namespace

Run of_rank(Run run, const Distributed* ranks) {
  const int64_t rank = ranks == nullptr ? 0 : ranks->rank();
  auto& laboratory = run.config.laboratory;
  const std::string mark = "{rank}";
  const auto at = laboratory.instrument.find(mark);
  OPTOTORCH_CHECK(
      ranks == nullptr || laboratory.instrument.empty() || at != std::string::npos, .where = "optotorch",
      .argument = "--instrument",
      .expected = c10::str("one for each of ", ranks->world_size(), " ranks, with {rank} in its place"),
      .got = laboratory.instrument, .remedy = "E.g. unix:chip{rank}.sock");
  if (at != std::string::npos) {
    laboratory.instrument.replace(at, mark.size(), std::to_string(rank));
  }
  if (rank > 0 && run.in_laboratory && laboratory.instrument.empty()) {
    laboratory.chip_seed = rank + (laboratory.chip_seed < 0 ? run.config.seed : laboratory.chip_seed);
  }
  return run;
}

Hybrid make_network(const Run& run) {
  const auto& config = run.config;
  torch::manual_seed(config.seed);
  auto model = run.network.make(sizes_of(run));
  if (run.training().aligned_start) {
    align_head(read_out_of(*model),
               feedback_options(*run.rule, run.training(), {.set = config.set, .seed = config.seed}));
  }
  return run.in_laboratory
             ? in_laboratory(*model, config.laboratory, run.rule->monitors != Monitors::unused, config.seed)
             : model;
}

std::shared_ptr<Rule> make_rule(const Run& run, HybridImpl& model, int64_t steps_per_epoch) {
  const auto& rule = *run.rule;
  int64_t stages = 0;
  for (size_t i = 0; i < model.size(); ++i) {
    if (const auto placed = placed_at(model, i)) {
      const auto count = static_cast<int64_t>(placed->network->stages().size());
      stages += count;
      OPTOTORCH_CHECK(rule.for_laboratory || rule.family == "zeroth-order" || count == 1,
                      .where = "optotorch", .argument = "--rule",
                      .expected = "a rule for a laboratory, as 'pat' or 'dat-unitary'",
                      .got = "'" + rule.name + "', which teaches component by component",
                      .remedy = "Stages in a row behind one detector are one component");
    }
  }
  bool discrete = rule.family != "annealing";
  for (size_t i = 0; i < model.size(); ++i) {
    discrete = discrete || dynamic_cast<const DiscreteReadout*>(&model.layer(i)) != nullptr;
  }
  OPTOTORCH_CHECK(discrete, .where = "optotorch", .argument = "--rule",
                  .expected = "a rule for continuous parameters, all that '" + run.network.name + "' has",
                  .got = "'" + rule.name + "', which searches a discrete read-out",
                  .remedy = "Use another rule, or the network 'ternary-mnist'");
  const auto readable = most_readable(run, model);
  OPTOTORCH_CHECK(
      rule.for_laboratory || rule.needs <= readable, .where = "optotorch", .argument = "--rule",
      .expected = "a rule for " + in_words(readable) + ", all that '" + run.network.name + "' lets one read",
      .got = "'" + rule.name + "', which needs " + in_words(rule.needs),
      .remedy = "Use 'tpfp', or another network");
  return make_rule(rule, run.training(),
                   {.set = run.config.set,
                    .seed = run.config.seed,
                    .epochs = run.config.epochs,
                    .steps_per_epoch = steps_per_epoch,
                    .stages = stages,
                    .laboratory = run.config.laboratory});
}

Hybrid load_model(const Run& run, const std::string& folder, bool best) {
  OPTOTORCH_CHECK(run.config.classes >= 1 && run.config.classes <= 100'000, .where = "optotorch",
                  .argument = "classes", .expected = "1 to 100000 in config.json",
                  .got = std::to_string(run.config.classes));
  auto model = make_network(of_rank(run, nullptr));
  const auto checkpoint = checkpoint_path(folder);
  load_checkpoint_weights(checkpoint, *model, best);
  const auto rule_state = load_checkpoint_rule(checkpoint);
  if (run.in_laboratory && holds_corrections(rule_state)) {
    load_corrections(*model, rule_state);
  }
  return model;
}

Hybrid load_model_on_paper(Run run, const std::string& folder, bool best) {
  run.config.laboratory = on_paper(run.config.laboratory);
  return load_model(run, folder, best);
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

namespace {

/// Parameters and buffers of the electronic layers, in their order.
std::vector<torch::Tensor> electronics_of(HybridImpl& model) {
  std::vector<torch::Tensor> all;
  for (size_t i = 0; i < model.size(); ++i) {
    if (dynamic_cast<const ElectronicBlock*>(&model.layer(i)) != nullptr) {
      for (const auto& tensors : {model.layer(i).parameters(), model.layer(i).buffers()}) {
        all.insert(all.end(), tensors.begin(), tensors.end());
      }
    }
  }
  return all;
}

void copy_electronics(HybridImpl& from, HybridImpl& to, const std::string& start) {
  const auto given = electronics_of(from), taking = electronics_of(to);
  const bool fits = std::equal(given.begin(), given.end(), taking.begin(), taking.end(),
                               [](const auto& a, const auto& b) { return a.sizes() == b.sizes(); });
  OPTOTORCH_CHECK(fits, .where = "optotorch", .argument = "--start",
                  .expected = "electronic layers of the same shapes", .got = "others in " + start,
                  .remedy = "Start from a run of the same network");
  for (size_t k = 0; k < taking.size(); ++k) {
    torch::Tensor(taking[k]).copy_(given[k]);
  }
}

}  // namespace

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
  auto run = load_model_on_paper(load_run(start), start);
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
  const auto given = other_stages_of(*run), taking = other_stages_of(model);
  OPTOTORCH_CHECK(given.size() == taking.size(), .where = "optotorch", .argument = "--start",
                  .expected = c10::str(taking.size(), " planes, screens and banks"),
                  .got = c10::str(given.size(), " in ", start),
                  .remedy = "Start from a run of the same network");
  for (size_t k = 0; k < taking.size(); ++k) {
    OPTOTORCH_CHECK(given[k]->design().commands == taking[k]->design().commands, .where = "optotorch",
                    .argument = "--start", .expected = describe(taking[k]->design()),
                    .got = describe(given[k]->design()), .remedy = "Start from a run of the same network");
    const auto values = given[k]->commands();
    for (auto& parameter : taking[k]->named_parameters()) {
      parameter.value().copy_(values.at(parameter.key()));
    }
  }
  copy_electronics(*run, model, start);
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

torch::Tensor example_input(const Run& run, int64_t batch) {
  if (run.training().learns_text()) {
    return torch::arange(batch * run.training().context).remainder(run.config.classes).reshape({batch, -1});
  }
  auto shape = run.config.input;
  shape.insert(shape.begin(), batch);
  // A ramp with a wrap: neither constant nor random.
  return (torch::arange(c10::multiply_integers(shape), torch::kFloat32) * 0.37).fmod(1).reshape(shape);
}

}  // namespace optotorch::tools
