#pragma once

// Corrections of a stage's numerical model, by name.

#include <optotorch/modules/laboratory/corrections/correction.h>
#include <optotorch/modules/stage.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace optotorch::tools {

struct CorrectionEntry {
  std::string name;
  double rate, beta2;      ///< Adam's
  double most_phase_rate;  ///< what knows no phases has to follow them
  std::function<std::shared_ptr<Correction>(const Stage&)> make;
};

/// All of them, in the order in which help names them. 'none' and 'exact', which is made of a built stage, have no
/// `make`.
const std::vector<CorrectionEntry>& corrections();

/// none, unet-10k, unet-4k, linear, screen, white-box, white-box-phases, exact.
std::vector<std::string> correction_names();

/// The learning rate that suits a correction. Throws c10::ValueError for an unknown name.
double usual_rate(const std::string& correction);
/// Likewise Adam's second beta.
double usual_beta2(const std::string& correction);

/// The learning rate of the phases that suits it, if `rate` is the network's. Throws likewise.
double usual_phase_rate(const std::string& correction, double rate);

}  // namespace optotorch::tools
