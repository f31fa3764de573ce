#pragma once

// Things on the table of a laboratory: the system that is measured, and what corrects its model.

#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/chips/chip.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/trainers/batch_source.h>
#include <optotorch/trainers/rules/laboratory/similarity_learner.h>

#include <string>

#include "runs/corrections.h"

namespace optotorch::tools {

/// Settings of a run in a laboratory. Numbers below zero and empty texts: the network's.
struct Laboratory {
  // The system: an instrument elsewhere, or simulated chips.
  std::string instrument;            ///< address of a running instrument (remote_system.h)
  int64_t retries = 3;               ///< of a measurement that failed or has a NaN in it
  double reconnect = 60;             ///< seconds in which a lost connection is tried again
  std::string errors;                ///< folders of .npy with known errors, separated by commas
  Imperfections imperfections = {};  ///< of simulated chips; `drift` is for recipes that let time pass
  int64_t chip_seed = -1;            ///< below zero: the run's
  std::string simulation = "model";  ///< what simulates diffractive planes: model, fine (fine_planes.h)

  // The numerical model.
  std::string correction;       ///< one of correction_names()
  double correction_rate = -1;  ///< Adam's; below zero: the correction's usual one
  int64_t calibration = -1;     ///< epochs in which the corrections learn alone
  int64_t warm_up = -1;         ///< epochs, after those, with uncorrected models
  std::string compared;         ///< intensities, amplitudes
  int64_t compared_ports = -1;  ///< behind the last mesh; 0: all
  std::string fusion;           ///< propagate, in-place
  double similarity_to_phases = 0;
  int64_t identify = 0;  ///< batches that are measured before training, and none after (rule in-silico)
  double cleared = 0;    ///< part of the stages without phases when that begins
};

/// Of fields, what a correction is taught by.
Compared compared_of(const Laboratory& laboratory);

/// Throws c10::ValueError for unknown names, for values out of their ranges, and for a system that lacks what `rule`
/// needs.
void check(const Laboratory& laboratory, const std::string& rule);

/// The same with perfect chips in place of what is measured: for whoever looks at weights and measures
/// nothing. Neither an instrument nor files of errors need be there.
Laboratory on_paper(Laboratory laboratory);

/// The simulated chips of meshes by themselves. Throws c10::ValueError for an instrument elsewhere: nobody
/// knows its errors.
std::vector<Chip> make_chips(const Laboratory& laboratory, const MeshLayout& layout, int64_t meshes,
                             int64_t seed);

/// The network with its stages in a laboratory. Stages that hand light on to each other, and the detectors
/// behind the last, are one PhysicalNetwork; so is a stage that delivers values, as a weight bank. Each has
/// corrections, and measures a simulated system of its own, or the instrument (of which there is one: then
/// there must be one PhysicalNetwork). `monitors`: readings between stages are used. The stages are the
/// network's own. `seed` is the run's. Waits for an instrument end when an InterruptGuard was asked for an
/// end. Throws c10::ValueError if the network has no stages, and for light that no detector reads.
Hybrid in_laboratory(const HybridImpl& network, const Laboratory& laboratory, bool monitors, int64_t seed);

/// Fits the corrections of the laboratories in `model` to `images` before training (identify.h), as their
/// settings ask for, and tells on standard error how well. `seed` is the run's.
void identify_errors(HybridImpl& model, const BatchSource& images, const Laboratory& laboratory,
                     int64_t seed);

}  // namespace optotorch::tools
