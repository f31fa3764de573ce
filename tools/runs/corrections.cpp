#include "runs/corrections.h"

#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/corrections/linear_correction.h>
#include <optotorch/modules/laboratory/corrections/screen_correction.h>
#include <optotorch/modules/laboratory/corrections/sepn.h>
#include <optotorch/modules/laboratory/corrections/white_box_correction.h>

#include <algorithm>
#include <limits>

#include "runs/words.h"

namespace optotorch::tools {
namespace {

std::shared_ptr<Correction> unet(const Stage& stage, const SepnOptions::Features& features) {
  const auto design = stage.design();
  const auto& out = design.output;
  const bool is_square = out.size() == 1 || (out.size() == 3 && out[0] == 1 && out[1] == out[2]);
  OPTOTORCH_CHECK(design.delivers_field && is_square, .where = "optotorch", .argument = "--correction",
                  .expected = "a correction for a " + design.type,
                  .got = "a U-Net, which is for guided fields and square planes",
                  .remedy = "Use 'white-box', 'linear' or 'screen'");
  return std::make_shared<Sepn>(SepnOptions(c10::multiply_integers(out)).features(features));
}

}  // namespace

const std::vector<CorrectionEntry>& corrections() {
  constexpr double any = std::numeric_limits<double>::infinity();
  static const std::vector<CorrectionEntry> all = {
      {"none", 1e-3, 0.999, any, {}},
      {"unet-10k", 1e-3, 0.999, any,
       [](const Stage& stage) {
         return unet(stage, {4, 8, 16});
       }},
      {"unet-4k", 1e-3, 0.999, any,
       [](const Stage& stage) {
         return unet(stage, {4, 6, 8});
       }},
      {"linear", 6e-3, 0.99, 1e-3,
       [](const Stage& stage) { return std::make_shared<LinearCorrection>(stage.design()); }},
      {"screen", 3e-2, 0.999, any,
       [](const Stage& stage) { return std::make_shared<ScreenCorrection>(stage.design()); }},
      {"white-box", 3e-3, 0.999, any,
       [](const Stage& stage) {
         return std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(stage));
       }},
      {"white-box-phases", 3e-3, 0.999, any,
       [](const Stage& stage) {
         return std::make_shared<WhiteBoxCorrection>(WhiteBoxCorrectionOptions(stage).splitters(false));
       }},
      {"exact", 1e-3, 0.999, any, {}},
  };
  return all;
}

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

}  // namespace optotorch::tools
