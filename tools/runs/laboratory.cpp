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

#include "runs/settings.h"
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
  each_laboratory_setting(laboratory,
                          [](const Setting& setting, const auto& value) { check_range(setting, value); });
  OPTOTORCH_CHECK(laboratory.instrument.empty() || laboratory.errors.empty(), .where = "optotorch",
                  .argument = "--errors", .expected = "none beside --instrument", .got = laboratory.errors,
                  .remedy = "Errors are those of simulated chips");
  bool says_errors = laboratory.chip_seed >= 0;
  const Laboratory plain;
  each_chip_setting(laboratory, [&](const Setting& setting, const auto& value) {
    each_chip_setting(plain, [&](const Setting& other, const auto& usual) {
      if constexpr (std::is_same_v<decltype(value), decltype(usual)>) {
        says_errors = says_errors || (std::string(setting.name) == other.name && value != usual);
      }
    });
  });
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
}

Laboratory on_paper(Laboratory laboratory) {
  laboratory.instrument.clear();
  laboratory.errors.clear();
  laboratory.imperfections = {};
  return laboratory;
}

std::vector<Chip> make_chips(const Laboratory& laboratory, const MeshLayout& layout, int64_t meshes,
                             int64_t seed) {
  OPTOTORCH_CHECK(laboratory.instrument.empty(), .where = "optotorch", .argument = "--instrument",
                  .expected = "simulated chips, whose errors are known", .got = laboratory.instrument,
                  .remedy = "Leave it out");
  const auto& imperfections = laboratory.imperfections;
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

namespace {

/// Layers that are measured together.
struct Stretch {
  std::vector<std::shared_ptr<MziMeshImpl>> meshes;
  std::shared_ptr<Layer> between;
  size_t end = 0;
  Detection detection = Detection::intensity;
};

/// The stretch that begins with part number `begin`; none there: no meshes.
Stretch stretch_at(const std::vector<HybridImpl::Part>& parts, size_t begin) {
  Stretch stretch;
  size_t i = begin;
  const auto mesh_at = [&](size_t index) {
    return index < parts.size() ? std::dynamic_pointer_cast<MziMeshImpl>(parts[index].layer) : nullptr;
  };
  for (auto mesh = mesh_at(i); mesh != nullptr; mesh = mesh_at(i)) {
    stretch.meshes.push_back(mesh);
    ++i;
    if (mesh_at(i + 1) != nullptr && parts[i].layer != nullptr && parts[i].layer->parameters().empty()) {
      stretch.between = parts[i].layer;
      ++i;
    }
  }
  if (stretch.meshes.empty()) {
    return stretch;
  }
  const auto* detector =
      i < parts.size() ? dynamic_cast<const PhotodetectorImpl*>(parts[i].layer.get()) : nullptr;
  OPTOTORCH_CHECK(detector != nullptr, .where = "optotorch", .argument = "--network",
                  .expected = "a Photodetector behind a stage that is measured",
                  .got = i < parts.size() && parts[i].layer != nullptr ? parts[i].layer->name() : "none",
                  .remedy = "A laboratory reads intensities");
  stretch.detection = detector->options.detection();
  stretch.end = i + 1;
  return stretch;
}

}  // namespace

Hybrid in_laboratory(const HybridImpl& network, const Laboratory& laboratory, bool monitors, int64_t seed) {
  const auto& parts = network.parts();
  Hybrid measured;
  bool found = false;
  for (size_t i = 0; i < parts.size();) {
    const bool is_numbered = parts[i].name == std::to_string(i);
    const auto name = is_numbered ? std::to_string(measured->parts().size()) : parts[i].name;
    auto stretch = stretch_at(parts, i);
    if (stretch.meshes.empty()) {
      if (parts[i].layer != nullptr) {
        measured->push_back(name, parts[i].layer);
      } else {
        measured->push_back(name, std::dynamic_pointer_cast<HybridImpl>(parts[i].container));
      }
      ++i;
      continue;
    }
    found = true;
    const auto& layout = stretch.meshes.front()->layout();
    const auto system =
        make_system(laboratory, layout, static_cast<int64_t>(stretch.meshes.size()), stretch.between, seed);
    const auto options = PhysicalNetworkOptions(layout.ports)
                             .activation(stretch.between)
                             .detection(stretch.detection)
                             .internal_states(monitors)
                             .fusion(laboratory.fusion == "in-place" ? Fusion::in_place : Fusion::propagate);
    auto physical = std::make_shared<PhysicalNetworkImpl>(system, options, stretch.meshes);
    correct(*physical, laboratory, seed);
    measured->push_back(name, std::static_pointer_cast<Layer>(physical));
    i = stretch.end;
  }
  OPTOTORCH_CHECK(found, .where = "optotorch", .argument = "--network",
                  .expected = "a network with stages that a laboratory can measure: MziMesh",
                  .got = "one without", .remedy = "Leave the options of the laboratory out");
  return measured;
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
