#include "runs/laboratory.h"

#include <optotorch/core/check.h>
#include <optotorch/modules/at_layer.h>
#include <optotorch/modules/laboratory/chips/mesh_import.h>
#include <optotorch/modules/laboratory/corrections/linear_correction.h>
#include <optotorch/modules/laboratory/corrections/sepn.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/instrument/remote_system.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/trainers/interrupt.h>
#include <optotorch/trainers/rules/laboratory/identify.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>

#include "runs/validators.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

struct CorrectionEntry {
  std::string name;
  double rate, beta2;      ///< Adam's
  double most_phase_rate;  ///< what knows no phases has to follow them
  std::function<std::shared_ptr<Correction>(const MeshLayout&)> make;
};

const std::vector<CorrectionEntry>& corrections() {
  constexpr double any = std::numeric_limits<double>::infinity();
  static const std::vector<CorrectionEntry> all = {
      {"none", 1e-3, 0.999, any, {}},
      {"unet-10k", 1e-3, 0.999, any,
       [](const MeshLayout& mesh) { return std::make_shared<Sepn>(SepnOptions(mesh.ports)); }},
      {"unet-4k", 1e-3, 0.999, any,
       [](const MeshLayout& mesh) {
         return std::make_shared<Sepn>(SepnOptions(mesh.ports).features({4, 6, 8}));
       }},
      {"linear", 6e-3, 0.99, 1e-3,
       [](const MeshLayout& mesh) { return std::make_shared<LinearCorrection>(mesh.ports); }},
      {"white-box", 3e-3, 0.999, any,
       [](const MeshLayout& mesh) {
         return std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(mesh));
       }},
      {"white-box-phases", 3e-3, 0.999, any,
       [](const MeshLayout& mesh) {
         return std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(mesh).splitters(false));
       }},
      {"exact", 1e-3, 0.999, any, {}},
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

/// What a network's layers before the laboratory make of images.
class Light : public BatchSource {
 public:
  Light(HybridImpl& model, size_t layers, const BatchSource& images)
      : model_(model), layers_(layers), images_(images) {}
  int64_t size() const override { return images_.size(); }
  Batch batch(int64_t epoch, int64_t index) const override {
    auto batch = images_.batch(epoch, index);
    for (size_t i = 0; i < layers_; ++i) {
      batch.data = at_layer(i, model_.layer(i), [&] { return model_.layer(i).forward(batch.data); });
    }
    return batch;
  }

 private:
  HybridImpl& model_;
  size_t layers_;
  const BatchSource& images_;
};

void tell(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace

std::vector<std::string> correction_names() {
  return names_of(corrections());
}

double usual_rate(const std::string& correction) {
  return find_by_name("optotorch", "--correction", corrections(), correction).rate;
}

double usual_beta2(const std::string& correction) {
  return find_by_name("optotorch", "--correction", corrections(), correction).beta2;
}

double usual_phase_rate(const std::string& correction, double rate) {
  return std::min(rate, find_by_name("optotorch", "--correction", corrections(), correction).most_phase_rate);
}

void check(const Laboratory& laboratory) {
  require_word("optotorch", "--correction", laboratory.correction, correction_names());
  require_word("optotorch", "--fusion", laboratory.fusion, {"propagate", "in-place"});
  OPTOTORCH_CHECK(laboratory.retries >= 0 && laboratory.retries <= 1000, .where = "optotorch",
                  .argument = "--retries", .expected = "0 to 1000",
                  .got = std::to_string(laboratory.retries));
  OPTOTORCH_CHECK(laboratory.reconnect >= 0 && laboratory.reconnect <= 1e6, .where = "optotorch",
                  .argument = "--reconnect", .expected = "0 to 1e6 seconds",
                  .got = c10::str(laboratory.reconnect));
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
                  .got = std::to_string(laboratory.identify));
  // Also where the rule asks for neither: config.json has no word for NaN.
  OPTOTORCH_CHECK(laboratory.correction_rate > 0 && laboratory.correction_rate <= most_rate,
                  .where = "optotorch", .argument = "--correction-lr",
                  .expected = c10::str("a learning rate above 0 and at most ", most_rate),
                  .got = c10::str(laboratory.correction_rate));
  OPTOTORCH_CHECK(std::isfinite(laboratory.similarity_to_phases) && laboratory.similarity_to_phases >= 0,
                  .where = "optotorch", .argument = "--similarity-to-phases", .expected = "at least 0",
                  .got = c10::str(laboratory.similarity_to_phases));
}

Laboratory on_paper(Laboratory laboratory) {
  const Laboratory perfect;
  laboratory.instrument = perfect.instrument;
  laboratory.errors = perfect.errors;
  laboratory.splitter = perfect.splitter;
  laboratory.phase = perfect.phase;
  laboratory.loss_db = perfect.loss_db;
  laboratory.crosstalk = perfect.crosstalk;
  laboratory.phase_bits = perfect.phase_bits;
  laboratory.relative_noise = perfect.relative_noise;
  laboratory.additive_noise = perfect.additive_noise;
  laboratory.drift = perfect.drift;
  return laboratory;
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
    constexpr uint64_t apart = 1000;  // chips of neighbouring seeds share no mesh
    chips.emplace_back(
        layout, imperfections,
        static_cast<int64_t>(static_cast<uint64_t>(chip_seed) * apart + static_cast<uint64_t>(k)));
  }
  return chips;
}

std::shared_ptr<PhysicalSystem> make_system(const Laboratory& laboratory, const MeshLayout& layout,
                                            int64_t meshes, const std::shared_ptr<Layer>& activation,
                                            int64_t seed) {
  if (!laboratory.instrument.empty()) {
    return RemoteSystem::connect(laboratory.instrument, RemoteSystemOptions()
                                                            .retries(laboratory.retries)
                                                            .reconnect_s(laboratory.reconnect)
                                                            .stopped(InterruptGuard::requested)
                                                            .log(tell));
  }
  return std::make_shared<SimulatedSystem>(make_chips(laboratory, layout, meshes, seed),
                                           SimulatedSystemOptions().activation(activation).monitors(true));
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

void identify_errors(HybridImpl& model, const BatchSource& images, const Laboratory& laboratory,
                     int64_t seed) {
  auto [network, index] = laboratory_network("optotorch", model);
  const auto losses = identify(*network, Light(model, index, images),
                               IdentifyOptions()
                                   .batches(laboratory.identify)
                                   .rate(laboratory.correction_rate)
                                   .seed(seed)
                                   .stopped(InterruptGuard::requested));
  std::fprintf(stderr, "identified from %lld samples: similarity loss %.3g, then %.3g\n",
               static_cast<long long>(network->system()->measurements()), losses.front(), losses.back());
}

}  // namespace optotorch::tools
