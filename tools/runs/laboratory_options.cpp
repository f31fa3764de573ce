#include "runs/laboratory_options.h"

#include <c10/util/StringUtil.h>

#include "runs/validators.h"

namespace optotorch::tools {

void add_chip_options(CLI::App& command, Laboratory& laboratory, const std::string& group) {
  const auto sigma = [&](const std::string& option, double& value, const std::string& description) {
    command.add_option(option, value, description)
        ->check(not_negative())
        ->capture_default_str()
        ->group(group);
  };
  command
      .add_option("--errors", laboratory.errors,
                  "Folders of .npy with the chips' errors, separated by commas, instead of drawn ones")
      ->group(group);
  sigma("--splitter", laboratory.splitter, "Standard deviation of splitter errors");
  sigma("--phase", laboratory.phase, "Standard deviation of phase errors, radians");
  sigma("--loss-db", laboratory.loss_db, "Loss of power in an interferometer's arm, decibels");
  sigma("--crosstalk", laboratory.crosstalk, "Part of a heater's phase that reaches each neighbour");
  command
      .add_option("--phase-bits", laboratory.phase_bits, "Phases are set to 2^bits levels; 0: continuously")
      ->check(not_negative())
      ->capture_default_str()
      ->group(group);
  sigma("--relative-noise", laboratory.relative_noise, "Noise of a reading as a part of it");
  sigma("--additive-noise", laboratory.additive_noise, "Noise of a reading, as intensity");
}

void add_patience_options(CLI::App& command, Laboratory& laboratory, const std::string& group) {
  command
      .add_option("--retries", laboratory.retries,
                  "How often a measurement of the instrument that failed, or has a NaN in it, is repeated")
      ->check(not_negative())
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--reconnect", laboratory.reconnect,
                  "For how many seconds a lost connection to the instrument is tried again")
      ->check(not_negative())
      ->capture_default_str()
      ->group(group);
}

void add_model_options(CLI::App& command, Laboratory& laboratory, const std::string& group) {
  command
      .add_option("--correction", laboratory.correction,
                  "Correction of the model: " + c10::Join(", ", correction_names()))
      ->check(one_of(correction_names()))
      ->group(group);
  command.add_option("--correction-lr", laboratory.correction_rate, "Learning rate of its Adam")
      ->check(positive())
      ->group(group);
  command.add_option("--calibration", laboratory.calibration, "Epochs in which the correction learns alone")
      ->check(not_negative())
      ->group(group);
  command
      .add_option("--warm-up", laboratory.warm_up, "Epochs, after those, in which phases see no correction")
      ->check(not_negative())
      ->group(group);
  command
      .add_option("--compared-ports", laboratory.compared_ports,
                  "Ports behind the last mesh that a correction learns from; 0: all")
      ->check(not_negative())
      ->group(group);
  command
      .add_option(
          "--fusion", laboratory.fusion,
          "How measured states enter the model: handed on to the next mesh (propagate), or only into the "
          "pull-back (in-place)")
      ->check(one_of({"propagate", "in-place"}))
      ->group(group);
  command
      .add_option("--similarity-to-phases", laboratory.similarity_to_phases,
                  "Part of the similarity loss's gradient that the phases get")
      ->check(not_negative())
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--identify", laboratory.identify,
                  "Fit the correction to so many batches, at phases with random offsets, before training")
      ->check(not_negative())
      ->capture_default_str()
      ->group(group);
}

}  // namespace optotorch::tools
