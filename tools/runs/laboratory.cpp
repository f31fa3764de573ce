#include "runs/laboratory.h"

#include <ATen/CPUGeneratorImpl.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/at_layer.h>
#include <optotorch/modules/laboratory/chips/mesh_import.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>
#include <optotorch/modules/laboratory/fine_planes.h>
#include <optotorch/modules/laboratory/instrument/remote_system.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/trainers/interrupt.h>
#include <optotorch/trainers/model_device.h>
#include <optotorch/trainers/rules/laboratory/identify.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>
#include <torch/nn/modules/container/sequential.h>

#include <cmath>
#include <cstdio>
#include <functional>

#include "runs/corrections.h"
#include "runs/settings.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

/// A white box that knows what no measurement told it.
std::shared_ptr<Correction> exact_correction(const Stage& stage, const BuiltStage& built) {
  auto correction = std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(stage));
  correction->set_errors(built.errors());
  return correction;
}

/// Images behind a network's layers before the laboratory.
class Light : public BatchSource {
 public:
  Light(HybridImpl& model, const Placed& placed, const BatchSource& images)
      : model_(model), placed_(placed), images_(images) {}
  int64_t size() const override { return images_.size(); }
  Batch batch(int64_t epoch, int64_t index) const override {
    auto batch = on_device_of(model_, images_.batch(epoch, index));
    for (size_t i = 0; i < placed_.index; ++i) {
      batch.data = at_layer(i, model_.layer(i), [&] { return model_.layer(i).forward(batch.data); });
    }
    batch.data = placed_.meets(batch.data);
    return batch;
  }

 private:
  HybridImpl& model_;
  Placed placed_;
  const BatchSource& images_;
};

int64_t seed_of_stage(const Laboratory& laboratory, int64_t stage, int64_t seed) {
  constexpr uint64_t apart = 1000;  // chips of neighbouring seeds share no stage
  const int64_t chip_seed = laboratory.chip_seed < 0 ? seed : laboratory.chip_seed;
  return static_cast<int64_t>(static_cast<uint64_t>(chip_seed) * apart + static_cast<uint64_t>(stage));
}

void tell(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace

Compared compared_of(const Laboratory& laboratory) {
  return laboratory.compared == "amplitudes" ? Compared::amplitudes : Compared::intensities;
}

void check(const Laboratory& laboratory, const std::string& rule) {
  require_word("optotorch", "--correction", laboratory.correction, correction_names());
  require_word("optotorch", "--fusion", laboratory.fusion, {"propagate", "in-place"});
  require_word("optotorch", "--simulation", laboratory.simulation, {"model", "fine"});
  OPTOTORCH_CHECK(laboratory.simulation == "model" || laboratory.correction != "exact", .where = "optotorch",
                  .argument = "--correction", .expected = "one that learns, beside --simulation fine",
                  .got = "'exact'",
                  .remedy = "No model holds all errors of such planes; --rule oracle knows their slopes");
  OPTOTORCH_CHECK(
      rule != "oracle" || (laboratory.simulation == "fine" && laboratory.instrument.empty()),
      .where = "optotorch", .argument = "--simulation", .expected = "fine, for --rule oracle",
      .got = laboratory.instrument.empty() ? "'" + laboratory.simulation + "'" : "an instrument",
      .remedy = "Of other simulated stages '--rule in-silico --correction exact' knows the errors");
  require_word("optotorch", "--compared", laboratory.compared, words(Compared()));
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
  std::vector<Chip> chips;
  for (int64_t k = 0; k < meshes; ++k) {
    chips.emplace_back(layout, imperfections, seed_of_stage(laboratory, k, seed));
  }
  return chips;
}

namespace {

/// Layers that are measured together.
struct Stretch {
  std::vector<std::shared_ptr<Stage>> stages;
  std::vector<std::shared_ptr<Layer>> between;
  size_t end = 0;  ///< the part behind it
  Detection detection = Detection::intensity;
  std::shared_ptr<ConvolutionImpl> around = nullptr;  ///< whose component the only stage is
};

/// Ends a stretch whose stages deliver light before part number i with the detector that must be there.
void detect(Stretch& stretch, const std::vector<HybridImpl::Part>& parts, size_t i) {
  const auto layer = i < parts.size() ? parts[i].layer : nullptr;
  const auto* detector = dynamic_cast<const PhotodetectorImpl*>(layer.get());
  OPTOTORCH_CHECK(detector != nullptr, .where = "optotorch", .argument = "--network",
                  .expected = "a Photodetector behind stages that are measured",
                  .got = layer != nullptr ? layer->name() : "none",
                  .remedy = "A laboratory reads intensities");
  stretch.detection = detector->options.detection();
  stretch.end = i + 1;
}

/// The stretch that begins with part number `begin`; none there: no stages.
Stretch stretch_at(const std::vector<HybridImpl::Part>& parts, size_t begin) {
  Stretch stretch;
  const auto layer_at = [&](size_t i) { return i < parts.size() ? parts[i].layer : nullptr; };
  const auto stage_at = [&](size_t i) { return std::dynamic_pointer_cast<Stage>(layer_at(i)); };
  size_t i = begin;
  stretch.around = std::dynamic_pointer_cast<ConvolutionImpl>(layer_at(i));
  if (stretch.around != nullptr) {
    if (auto stage = std::dynamic_pointer_cast<Stage>(stretch.around->options.component())) {
      stretch.stages.push_back(stage);
      stretch.end = i + 1;
      if (stage->design().delivers_field) {
        detect(stretch, parts, i + 1);
      }
    }
    return stretch;
  }
  for (auto stage = stage_at(i); stage != nullptr; stage = stage_at(i)) {
    if (!stretch.stages.empty()) {
      stretch.between.resize(stretch.stages.size());  // nothing, unless something was found there
    }
    stretch.stages.push_back(stage);
    ++i;
    if (!stage->design().delivers_field) {
      stretch.end = i;
      return stretch;
    }
    const auto next = layer_at(i);
    if (stage_at(i + 1) != nullptr && next != nullptr && stage_at(i) == nullptr &&
        next->role() == Layer::Role::response && next->parameters().empty()) {
      stretch.between.resize(stretch.stages.size());
      stretch.between.back() = next;
      ++i;
    }
  }
  if (stretch.stages.empty()) {
    return stretch;
  }
  stretch.between.resize(stretch.stages.size() - 1);
  detect(stretch, parts, i);
  return stretch;
}

/// Hardware of a stretch whose first stage is number `first` of the network's.
std::vector<std::shared_ptr<BuiltStage>> build_stages(const Laboratory& laboratory, const Stretch& stretch,
                                                      int64_t first, int64_t seed) {
  std::vector<std::shared_ptr<BuiltStage>> stages;
  if (!laboratory.errors.empty()) {
    std::vector<MeshLayout> layouts;
    for (const auto& stage : stretch.stages) {
      const auto* mesh = dynamic_cast<const MziMeshImpl*>(stage.get());
      OPTOTORCH_CHECK(mesh != nullptr && first == 0, .where = "optotorch", .argument = "--errors",
                      .expected = "meshes in a row, whose errors such folders hold",
                      .got = mesh == nullptr ? stage->name() : "meshes in two places");
      layouts.push_back(mesh->layout());
    }
    for (const auto& chip :
         import_chips(split_at_commas(laboratory.errors), layouts, laboratory.imperfections)) {
      stages.push_back(built(chip));
    }
    return stages;
  }
  for (size_t k = 0; k < stretch.stages.size(); ++k) {
    stages.push_back(built(*stretch.stages[k], laboratory.imperfections,
                           seed_of_stage(laboratory, first + static_cast<int64_t>(k), seed)));
  }
  return stages;
}

std::vector<std::shared_ptr<Correction>> make_corrections(
    const Laboratory& laboratory, const Stretch& stretch,
    const std::vector<std::shared_ptr<BuiltStage>>& built_stages) {
  std::vector<std::shared_ptr<Correction>> each;
  const auto& entry = find_by_name("optotorch", "--correction", corrections(), laboratory.correction);
  for (size_t k = 0; k < stretch.stages.size(); ++k) {
    if (entry.name == "exact") {
      each.push_back(exact_correction(*stretch.stages[k], *built_stages.at(k)));
    } else if (entry.make) {
      each.push_back(entry.make(*stretch.stages[k]));
    }
  }
  return each;
}

/// Planes by another simulation than the model's.
std::shared_ptr<PhysicalSystem> fine_planes(const Laboratory& laboratory, const Stretch& stretch,
                                            int64_t first, int64_t seed) {
  std::vector<std::shared_ptr<const DiffractiveLayerImpl>> planes;
  for (const auto& stage : stretch.stages) {
    planes.push_back(std::dynamic_pointer_cast<const DiffractiveLayerImpl>(stage->clone()));
  }
  const bool are_bare = std::all_of(stretch.between.begin(), stretch.between.end(),
                                    [](const auto& layer) { return layer == nullptr; });
  OPTOTORCH_CHECK(are_bare && std::find(planes.begin(), planes.end(), nullptr) == planes.end(),
                  .where = "optotorch", .argument = "--simulation", .expected = "diffractive planes in a row",
                  .got = "other stages, or layers between", .remedy = "Use '--simulation model'");
  const int64_t samples = std::max<int64_t>(3, 2 * planes.front()->options.oversampling());
  return std::make_shared<FinePlanes>(planes, laboratory.imperfections,
                                      seed_of_stage(laboratory, first, seed),
                                      FinePlanesOptions().monitors(true).oversampling(samples));
}

std::shared_ptr<Layer> physical_network(const Laboratory& laboratory, Stretch stretch, bool monitors,
                                        int64_t first, int64_t seed) {
  std::shared_ptr<PhysicalSystem> system;
  std::vector<std::shared_ptr<BuiltStage>> built_stages;
  // A stage that is built here draws weights that nobody sees: what is drawn later is as with an instrument elsewhere.
  auto generator = at::detail::getDefaultCPUGenerator();
  const auto drawn_so_far = generator.get_state();
  if (laboratory.instrument.empty() && laboratory.simulation == "fine") {
    system = fine_planes(laboratory, stretch, first, seed);
  } else if (laboratory.instrument.empty()) {
    built_stages = build_stages(laboratory, stretch, first, seed);
    system = std::make_shared<SimulatedSystem>(
        built_stages, SimulatedSystemOptions().between(stretch.between).monitors(true));
  } else {
    OPTOTORCH_CHECK(first == 0, .where = "optotorch", .argument = "--instrument",
                    .expected = "a network whose stages stand in one row", .got = "another row behind it",
                    .remedy = "In C++ every PhysicalNetwork may have an instrument of its own");
    system = RemoteSystem::connect(laboratory.instrument, RemoteSystemOptions()
                                                              .retries(laboratory.retries)
                                                              .reconnect_s(laboratory.reconnect)
                                                              .stopped(InterruptGuard::requested)
                                                              .log(tell));
  }
  generator.set_state(drawn_so_far);
  auto each = make_corrections(laboratory, stretch, built_stages);
  auto network = std::make_shared<PhysicalNetworkImpl>(
      system, std::move(stretch.stages),
      PhysicalNetworkOptions()
          .between(stretch.between)
          .detection(stretch.detection)
          .internal_states(monitors)
          .fusion(laboratory.fusion == "in-place" ? Fusion::in_place : Fusion::propagate));
  if (!each.empty()) {
    network->set_corrections(std::move(each));
  }
  return network;
}

}  // namespace

Hybrid in_laboratory(const HybridImpl& network, const Laboratory& laboratory, bool monitors, int64_t seed) {
  const auto& parts = network.parts();
  Hybrid measured;
  int64_t stages = 0;
  for (size_t i = 0; i < parts.size();) {
    const bool is_numbered = parts[i].name == std::to_string(i);
    const auto name = is_numbered ? std::to_string(measured->parts().size()) : parts[i].name;
    auto stretch = stretch_at(parts, i);
    if (!stretch.stages.empty()) {
      i = stretch.end;
      const auto count = static_cast<int64_t>(stretch.stages.size());
      const auto around = stretch.around;
      std::shared_ptr<Layer> layer = physical_network(laboratory, std::move(stretch), monitors, stages, seed);
      if (around != nullptr) {
        layer = std::make_shared<ConvolutionImpl>(ConvolutionOptions(around->options).component(layer));
      }
      measured->push_back(name, layer);
      stages += count;
      continue;
    }
    if (parts[i].layer != nullptr) {
      measured->push_back(name, parts[i].layer);
    } else if (const auto hybrid = std::dynamic_pointer_cast<HybridImpl>(parts[i].container)) {
      measured->push_back(name, hybrid);
    } else {
      measured->push_back(name, std::dynamic_pointer_cast<torch::nn::SequentialImpl>(parts[i].container));
    }
    ++i;
  }
  OPTOTORCH_CHECK(stages > 0, .where = "optotorch", .argument = "--network",
                  .expected =
                      "a network with stages that a laboratory can measure: MziMesh, PhaseScreen, "
                      "DiffractiveLayer, WeightBank, a Convolution by one of them, or one's own",
                  .got = "one without", .remedy = "Leave the options of the laboratory out");
  return measured;
}

void identify_errors(HybridImpl& model, const BatchSource& images, const Laboratory& laboratory,
                     int64_t seed) {
  for (const auto& placed : laboratory_networks("optotorch", model)) {
    const auto* network = placed.network;
    const auto losses = identify(
        *placed.network, Light(model, placed, images),
        IdentifyOptions()
            .batches(laboratory.identify)
            .cleared(laboratory.cleared)
            .similarity(network->options.internal_states() ? Similarity::unitary : Similarity::output)
            .compared(compared_of(laboratory))
            .rate(laboratory.correction_rate)
            .seed(seed)
            .stopped(InterruptGuard::requested));
    std::fprintf(stderr, "identified from %lld samples: similarity loss %.3g, then %.3g\n",
                 static_cast<long long>(network->system()->measurements()), losses.front(), losses.back());
  }
}

}  // namespace optotorch::tools
