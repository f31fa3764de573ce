#pragma once

// The settings of a run, one table: names in config.json, options of `train`, help and ranges.

#include <optotorch/core/check.h>

#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "runs/run_config.h"
#include "runs/validators.h"

namespace optotorch::tools {

/// A setting, as it is for every run.
struct Setting {
  const char* name;    ///< in config.json
  const char* option;  ///< of `train`; nullptr: a run finds it out
  const char* help;
  Range range = {};
  const char* group = "";   ///< heading in the help
  bool has_default = true;  ///< shown in the help; otherwise the network says
};

inline constexpr char system_group[] = "The physical system (a network whose stages are measured)",
                      model_group[] =
                          "Its numerical model (rules dat-..., in-silico; defaults: the network's)";

/// Names of LibTorch for the precision of matrix products.
std::vector<std::string> matmul_words();

/// Errors of simulated chips: what `instrument` takes, too.
template <typename Laboratory, typename Visit>
void each_chip_setting(Laboratory& laboratory, Visit visit) {
  constexpr double all = std::numeric_limits<double>::max();
  auto& chip = laboratory.imperfections;
  visit(Setting{"errors",
                "--errors",
                "Folders of .npy with the chips' errors, separated by commas, instead of drawn ones",
                {},
                system_group,
                false},
        laboratory.errors);
  visit(Setting{"splitter", "--splitter", "Standard deviation of splitter errors", {0, 1}, system_group},
        chip.splitter_error());
  visit(Setting{"phase", "--phase", "Standard deviation of phase errors, radians", {0, 100}, system_group},
        chip.phase_error());
  visit(Setting{"resonance",
                "--resonance",
                "Standard deviation of the resonances of rings and filters, half linewidths",
                {0, 100},
                system_group},
        chip.resonance_error());
  visit(Setting{"width_error",
                "--width-error",
                "Relative standard deviation of the widths of spectral filters",
                {0, 10},
                system_group},
        chip.width_error());
  visit(Setting{"aberration",
                "--aberration",
                "Smooth aberration of a diffractive plane, radians, its mean over the plane",
                {0, 100},
                system_group},
        chip.aberration());
  visit(
      Setting{
          "offset", "--offset", "Standard deviation of a plane's offset, pixels", {0, 1000}, system_group},
      chip.offset_error());
  visit(Setting{"rotation", "--rotation", "Of its rotation, radians", {0, 1}, system_group},
        chip.rotation_error());
  visit(Setting{"tilt", "--tilt", "Of its tilt, radians", {0, 1}, system_group}, chip.tilt_error());
  visit(
      Setting{"distance", "--distance", "Of the distance behind it, as a part of it", {0, 0.5}, system_group},
      chip.distance_error());
  visit(Setting{"gain", "--gain", "Of its modulator's gain", {0, 1}, system_group}, chip.gain_error());
  visit(Setting{"curve", "--curve", "Of both terms of its modulator's curve, radians", {0, 1}, system_group},
        chip.curve_error());
  visit(Setting{"coupling",
                "--coupling",
                "Amplitude that its modulator loses at a phase of pi",
                {0, 1},
                system_group},
        chip.amplitude_coupling());
  visit(Setting{"loss_db",
                "--loss-db",
                "Loss of power in an interferometer's arm, or in a bus at each ring, decibels",
                {0, 100},
                system_group},
        chip.loss_db());
  visit(Setting{"crosstalk",
                "--crosstalk",
                "Part of a heater's phase that reaches each neighbour",
                {0, 0.5},
                system_group},
        chip.crosstalk());
  visit(Setting{"phase_bits",
                "--phase-bits",
                "Phases are set to 2^bits levels; 0: continuously",
                {0, 24},
                system_group},
        chip.phase_bits());
  visit(
      Setting{
          "relative_noise", "--relative-noise", "Noise of a reading as a part of it", {0, all}, system_group},
      chip.relative_noise());
  visit(
      Setting{
          "additive_noise", "--additive-noise", "Noise of a reading, as intensity", {0, all}, system_group},
      chip.additive_noise());
}

template <typename Laboratory, typename Visit>
void each_laboratory_setting(Laboratory& laboratory, Visit visit) {
  constexpr double all = std::numeric_limits<double>::max(), million = 1e6;
  visit(Setting{"instrument",
                "--instrument",
                "Measure this running instrument, unix:PATH or tcp:HOST:PORT, instead of simulated chips",
                {},
                system_group,
                false},
        laboratory.instrument);
  visit(Setting{"retries",
                "--retries",
                "How often a measurement of the instrument that failed, or has a NaN in it, is repeated",
                {0, 1000},
                system_group},
        laboratory.retries);
  visit(Setting{"reconnect",
                "--reconnect",
                "For how many seconds a lost connection to the instrument is tried again",
                {0, million},
                system_group},
        laboratory.reconnect);
  each_chip_setting(laboratory, visit);
  visit(Setting{"chip_seed",
                "--chip-seed",
                "Seed of the drawn errors (default: --seed)",
                {-1},
                system_group,
                false},
        laboratory.chip_seed);
  visit(Setting{"simulation",
                "--simulation",
                "Simulation of diffractive planes: the model's own, or fine, with several samples a pixel",
                {},
                system_group},
        laboratory.simulation);
  visit(Setting{"correction", "--correction", "Correction of the model", {}, model_group, false},
        laboratory.correction);
  visit(Setting{"correction_rate",
                "--correction-lr",
                "Learning rate of its Adam",
                {0, million, true},
                model_group,
                false},
        laboratory.correction_rate);
  visit(Setting{"calibration",
                "--calibration",
                "Epochs in which the correction learns alone",
                {0, million},
                model_group,
                false},
        laboratory.calibration);
  visit(Setting{"warm_up",
                "--warm-up",
                "Epochs, after those, in which phases see no correction",
                {0, million},
                model_group,
                false},
        laboratory.warm_up);
  visit(Setting{"compared",
                "--compared",
                "Comparison of model and readings that teaches a correction: intensities, amplitudes",
                {},
                model_group,
                false},
        laboratory.compared);
  visit(Setting{"compared_ports",
                "--compared-ports",
                "Ports behind the last stage that a correction learns from; 0: all",
                {0, million},
                model_group,
                false},
        laboratory.compared_ports);
  visit(Setting{"fusion",
                "--fusion",
                "How measured states enter the model: handed on to the next stage (propagate), or only into "
                "the pull-back (in-place)",
                {},
                model_group,
                false},
        laboratory.fusion);
  visit(Setting{"similarity_to_phases",
                "--similarity-to-phases",
                "Part of the similarity loss's gradient that the phases get",
                {0, all},
                model_group},
        laboratory.similarity_to_phases);
  visit(Setting{"identify",
                "--identify",
                "Fit the correction to so many batches, at phases with random offsets, before training",
                {0, million},
                model_group},
        laboratory.identify);
  visit(Setting{"cleared",
                "--cleared",
                "Part of the stages without phases, as glass, when such a fit begins",
                {0, 1},
                model_group},
        laboratory.cleared);
}

/// Calls visit(setting, value) for every setting of a run, a RunConfig, const or not.
template <typename Config, typename Visit>
void each_setting(Config& config, Visit visit) {
  constexpr double million = 1e6;
  visit(Setting{"dataset", "--dataset", "Data set (default: the network's)", {}, "", false}, config.dataset);
  visit(Setting{"data_root", "--data-root", "Folder as torchvision lays it out: DIR/MNIST/raw/..."},
        config.data_root);
  visit(Setting{"network", "--network", "Network, by name or as a .json file"}, config.network);
  visit(Setting{"rule", "--rule", "Update rule"}, config.rule);
  visit(Setting{"set", "--set", "An option of the rule, KEY=VALUE; may come more than once", {}, "", false},
        config.set);
  visit(Setting{"epochs",
                "--epochs",
                "Times through the training set (default: the network's)",
                {1, million},
                "",
                false},
        config.epochs);
  visit(
      Setting{
          "batch_size", "--batch-size", "Samples a step (default: the network's)", {1, million}, "", false},
      config.batch_size);
  visit(Setting{"learning_rate",
                "--lr",
                "Learning rate of Adam (default: the network's)",
                {0, million, true},
                "",
                false},
        config.learning_rate);
  visit(Setting{"validation", "--validation",
                "Training images held back to choose the best epoch: a fraction below 1, a number, or 0"},
        config.validation);
  visit(Setting{"seed",
                "--seed",
                "Seed of initial weights, order, shifts and random matrices",
                {-std::numeric_limits<double>::max()}},
        config.seed);
  visit(Setting{"threads", "--threads", "Default: the network's", {1, 1024}, "", false}, config.threads);
  visit(Setting{"device", "--device",
                "Device that the network trains on: cpu, or what LibTorch serves, as cuda:1"},
        config.device);
  visit(Setting{"classes", nullptr, ""}, config.classes);
  visit(Setting{"input", nullptr, ""}, config.input);
  visit(Setting{"samples",
                "--samples",
                "Train on the first so many images (characters of a text) at most; 0: on all",
                {0, 1e9}},
        config.samples);
  visit(Setting{"transform",
                "--transform",
                "Transforms of training images, torchvision's, as JSON or a file of it: "
                R"([{"type": "RandomCrop", "size": 32, "padding": 4}, ...]) (default: the network's)",
                {},
                "",
                false},
        config.transform);
  visit(Setting{"test_transform",
                "--test-transform",
                "The same for images that are held back or tested on",
                {},
                "",
                false},
        config.test_transform);
  visit(Setting{"workers", "--workers", "Threads that read and transform images ahead", {0, 1024}},
        config.workers);
  visit(Setting{"matmul",
                "--matmul",
                "Precision of matrix products: highest, high, medium (bfloat16 inside, where the processor "
                "has it; default: the network's)",
                {},
                "",
                false},
        config.matmul);
  visit(Setting{"start",
                "--start",
                "Begin with the weights of another RUN, or with its meshes' phases from a folder of .npy",
                {},
                "",
                false},
        config.start);
  each_laboratory_setting(config.laboratory, visit);
}

/// Throws c10::ValueError, naming option or setting, for a number out of the setting's range; texts have none.
template <typename Value>
void check_range(const Setting& setting, const Value& value) {
  if constexpr (std::is_arithmetic_v<Value>) {
    OPTOTORCH_CHECK(contains(setting.range, static_cast<double>(value)), .where = "optotorch",
                    .argument = setting.option != nullptr ? setting.option : setting.name,
                    .expected = in_words(setting.range), .got = c10::str(value));
  }
}

}  // namespace optotorch::tools
