#pragma once

// Networks that the program knows by name, with settings that train them well by every rule.

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <optotorch/trainers/schedule.h>

#include <optional>
#include <string>
#include <vector>

#include "runs/laboratory.h"

namespace optotorch::tools {

/// What a rule can read of a network's hidden components; each includes those before it.
enum class Readable {
  values,       ///< electronic values
  intensities,  ///< light, by detectors
  fields,       ///< light itself
};

/// Learning rates over the steps of a run.
using MakeSchedule = Schedule (*)(int64_t epochs, int64_t steps);
/// A warm-up over the first 2.5 % of the steps, then a cosine to 0.
Schedule warm_cosine(int64_t epochs, int64_t steps);

/// How a text is cut for a network of characters.
struct Text {
  int64_t context = 0;  ///< characters in a window
  int64_t steps = 0;    ///< of an epoch: windows begin at random places
};

/// A network and how it is trained unless the user says otherwise.
struct Preset {
  std::string name;
  std::string description;
  /// For images [batch, 1, 28, 28], or windows of a text; drawn by LibTorch's generator. nullptr: in a
  /// laboratory alone.
  Hybrid (*make)(int64_t classes) = nullptr;
  std::vector<int64_t> input = {};  ///< shape of one image
  int64_t epochs = 1, batch_size = 1;
  double learning_rate = 0;    ///< of Adam
  bool deployable = true;      ///< can be exported
  double electronic_rate = 1;  ///< learning rate of the electronic parameters, as a multiple
  MakeSchedule schedule = warm_cosine;
  double beta2 = 0.999;            ///< Adam's second: how long a gradient's size is remembered
  std::string matmul = "highest";  ///< precision of matrix products, LibTorch's name for it
  int64_t shift = 0;               ///< random shifts of training images, in pixels
  bool flip = false;               ///< random mirror images
  Readable hidden = Readable::fields;
  std::vector<std::string> rules = {};  ///< the only ones that suit it; empty: all that can read it
  int64_t threads = 1;                  ///< a small network gains nothing from more than one
  std::string dataset = "mnist";
  std::optional<Text> text = {};      ///< learns to continue a text, and not to tell images apart
  DirectFeedbackOptions direct = {};  ///< all but its seed, its projector and the frames
  /// The read-out begins as the transpose of what direct feedback sends, with every rule.
  bool aligned_start = false;
  TwoPassForwardOptions two_pass = {};
  /// Options of the multi-point variant; default: as two_pass, with Entrance::inputs and gain 1.
  std::optional<TwoPassForwardOptions> multi_point = {};
  /// In a laboratory: the same network there, and how its model is corrected unless the user says otherwise.
  Hybrid (*make_in)(int64_t classes, std::shared_ptr<PhysicalSystem> system, bool monitors,
                    Fusion fusion) = nullptr;
  Laboratory laboratory = {};
};

const std::vector<Preset>& presets();
std::vector<std::string> preset_names();

/// Throws c10::ValueError that names the nearest preset.
const Preset& find_preset(const std::string& name);

}  // namespace optotorch::tools
