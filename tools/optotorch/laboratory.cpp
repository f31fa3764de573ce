#include "optotorch/laboratory.h"

#include <optotorch/core/check.h>
#include <optotorch/modules/linear_correction.h>
#include <optotorch/modules/mesh_import.h>
#include <optotorch/modules/remote_system.h>
#include <optotorch/modules/sepn.h>
#include <optotorch/modules/simulated_system.h>
#include <optotorch/modules/white_box_correction.h>

#include <filesystem>
#include <functional>

#include "optotorch/run.h"
#include "optotorch/words.h"

namespace optotorch::tools {
namespace {

struct CorrectionEntry {
  std::string name;
  double rate;  ///< Adam's
  std::function<std::shared_ptr<Correction>(const MeshLayout&)> make;
};

const std::vector<CorrectionEntry>& corrections() {
  static const std::vector<CorrectionEntry> all = {
      {"none", 1e-3, {}},
      {"unet-10k", 1e-3,
       [](const MeshLayout& mesh) { return std::make_shared<Sepn>(SepnOptions(mesh.ports)); }},
      {"unet-4k", 1e-3,
       [](const MeshLayout& mesh) {
         return std::make_shared<Sepn>(SepnOptions(mesh.ports).features({4, 6, 8}));
       }},
      {"linear", 3e-3, [](const MeshLayout& mesh) { return std::make_shared<LinearCorrection>(mesh.ports); }},
      {"white-box", 3e-3,
       [](const MeshLayout& mesh) {
         return std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(mesh));
       }},
      {"white-box-phases", 3e-3,
       [](const MeshLayout& mesh) {
         return std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(mesh).splitters(false));
       }},
      {"exact", 1e-3, {}},
  };
  return all;
}

/// A white box that knows what no measurement told it.
std::shared_ptr<Correction> exact_correction(const Chip& chip) {
  auto correction = std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(chip.layout()));
  const torch::NoGradGuard no_grad;
  const auto errors = chip.tensors();
  correction->theta_offset.copy_(errors.theta_offset);
  correction->phi_offset.copy_(errors.phi_offset);
  correction->splitter_error.copy_(errors.splitter_error);
  return correction;
}

std::vector<MziMeshImpl*> meshes_of(HybridImpl& model) {
  std::vector<MziMeshImpl*> meshes;
  for (const auto& module : model.modules(/*include_self=*/false)) {
    if (auto* mesh = module->as<MziMeshImpl>()) {
      meshes.push_back(mesh);
    }
  }
  return meshes;
}

void copy(const torch::Tensor& from, torch::Tensor& to) {
  OPTOTORCH_CHECK(from.defined() == to.defined() && (!from.defined() || from.sizes() == to.sizes()),
                  .where = "optotorch", .argument = "--start", .expected = describe(to),
                  .got = describe(from), .remedy = "The meshes must be of one design");
  if (to.defined()) {
    to.copy_(from);
  }
}

}  // namespace

std::vector<std::string> correction_names() {
  return names_of(corrections());
}

double usual_rate(const std::string& correction) {
  return find_by_name("optotorch", "--correction", corrections(), correction).rate;
}

void check(const Laboratory& laboratory) {
  require_word("optotorch", "--correction", laboratory.correction, correction_names());
  require_word("optotorch", "--fusion", laboratory.fusion, {"propagate", "in-place"});
  OPTOTORCH_CHECK(laboratory.instrument.empty() || laboratory.errors.empty(), .where = "optotorch",
                  .argument = "--errors", .expected = "none beside --instrument", .got = laboratory.errors,
                  .remedy = "Errors are those of simulated chips");
  const bool says_errors = laboratory.splitter != 0 || laboratory.phase != 0 || laboratory.loss_db != 0 ||
                           laboratory.crosstalk != 0 || laboratory.phase_bits != 0 ||
                           laboratory.relative_noise != 0 || laboratory.additive_noise != 0 ||
                           laboratory.chip_seed >= 0;
  OPTOTORCH_CHECK(laboratory.instrument.empty() || !says_errors, .where = "optotorch",
                  .argument = "--instrument", .expected = "no sizes of errors, noise or chip seed beside it",
                  .got = "some",
                  .remedy = "Give them to what is measured: optotorch instrument --splitter ...");
  OPTOTORCH_CHECK(laboratory.instrument.empty() || laboratory.correction != "exact", .where = "optotorch",
                  .argument = "--correction", .expected = "one that learns, beside --instrument",
                  .got = "'exact'", .remedy = "Nobody knows the errors of an instrument");
  OPTOTORCH_CHECK(laboratory.identify == 0 || laboratory.correction != "none", .where = "optotorch",
                  .argument = "--identify", .expected = "a correction to fit", .got = "--correction none",
                  .remedy = "Use 'white-box'");
  OPTOTORCH_CHECK(laboratory.identify >= 0 && laboratory.identify <= 1'000'000, .where = "optotorch",
                  .argument = "--identify", .expected = "0 to 1000000",
                  .got = std::to_string(laboratory.identify), .remedy = "");
}

std::vector<Chip> make_chips(const Laboratory& laboratory, const MeshLayout& layout, int64_t meshes,
                             int64_t seed) {
  OPTOTORCH_CHECK(laboratory.instrument.empty(), .where = "optotorch", .argument = "--instrument",
                  .expected = "simulated chips, whose errors are known", .got = laboratory.instrument,
                  .remedy = "Leave it out");
  const auto imperfections = Imperfections()
                                 .splitter_error(laboratory.splitter)
                                 .phase_error(laboratory.phase)
                                 .loss_db(laboratory.loss_db)
                                 .crosstalk(laboratory.crosstalk)
                                 .phase_bits(laboratory.phase_bits)
                                 .relative_noise(laboratory.relative_noise)
                                 .additive_noise(laboratory.additive_noise)
                                 .drift(laboratory.drift);
  if (!laboratory.errors.empty()) {
    return import_chips(split_at_commas(laboratory.errors),
                        std::vector<MeshLayout>(static_cast<size_t>(meshes), layout), imperfections);
  }
  const int64_t chip_seed = laboratory.chip_seed < 0 ? seed : laboratory.chip_seed;
  std::vector<Chip> chips;
  for (int64_t k = 0; k < meshes; ++k) {
    constexpr int64_t apart = 1000;  // chips of neighbouring seeds share no mesh
    chips.emplace_back(layout, imperfections, chip_seed * apart + k);
  }
  return chips;
}

std::shared_ptr<PhysicalSystem> make_system(const Laboratory& laboratory, const MeshLayout& layout,
                                            int64_t meshes, const std::shared_ptr<Layer>& activation,
                                            int64_t seed) {
  if (!laboratory.instrument.empty()) {
    return RemoteSystem::connect(laboratory.instrument);
  }
  return std::make_shared<SimulatedSystem>(make_chips(laboratory, layout, meshes, seed),
                                           SimulatedSystemOptions().activation(activation).taps(true));
}

void correct(PhysicalNetworkImpl& network, const Laboratory& laboratory, int64_t seed) {
  const auto& name = laboratory.correction;
  std::vector<std::shared_ptr<Correction>> each;
  if (name == "exact") {
    const auto& layouts = network.system()->layouts();
    for (const auto& chip :
         make_chips(laboratory, layouts.front(), static_cast<int64_t>(layouts.size()), seed)) {
      each.push_back(exact_correction(chip));
    }
  } else if (name != "none") {
    for (const auto& entry : corrections()) {
      for (size_t n = 0; entry.name == name && n < network.meshes().size(); ++n) {
        each.push_back(entry.make(network.meshes()[n]->layout()));
      }
    }
  }
  if (!each.empty()) {
    network.set_corrections(std::move(each));
  }
}

void start_from(HybridImpl& model, const std::string& start) {
  const torch::NoGradGuard no_grad;
  const auto to = meshes_of(model);
  OPTOTORCH_CHECK(std::filesystem::is_directory(start), .where = "optotorch", .argument = "--start",
                  .expected = "the folder of a run or of .npy files", .got = "'" + start + "'",
                  .remedy = "Check the path");
  if (!std::filesystem::exists(start + "/config.json")) {
    for (size_t k = 0; k < to.size(); ++k) {
      const auto phases = import_phases(start, to[k]->layout(), static_cast<int64_t>(k));
      copy(phases.theta, to[k]->theta);
      copy(phases.phi, to[k]->phi);
      copy(to[k]->gamma.defined() ? phases.gamma : torch::Tensor(), to[k]->gamma);
    }
    return;
  }
  auto run = load_model(load_config(start), start);
  const auto from = meshes_of(*run);
  OPTOTORCH_CHECK(from.size() == to.size(), .where = "optotorch", .argument = "--start",
                  .expected = c10::str(to.size(), " meshes"), .got = std::to_string(from.size()),
                  .remedy = "Start from a run of the same network");
  for (size_t k = 0; k < to.size(); ++k) {
    OPTOTORCH_CHECK(from[k]->layout() == to[k]->layout(), .where = "optotorch", .argument = "--start",
                    .expected = "meshes of the same layout", .got = "others",
                    .remedy = "Start from a run of the same network");
    copy(from[k]->theta, to[k]->theta);
    copy(from[k]->phi, to[k]->phi);
    copy(from[k]->gamma, to[k]->gamma);
  }
}

}  // namespace optotorch::tools
