#pragma once

// Networks that the program knows by name, with settings that train them well by every rule.

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/rules/two_pass_forward.h>

#include <optional>
#include <string>
#include <vector>

namespace optotorch::tools {

/// What a rule can read of a network's hidden components; each includes those before it.
enum class Readable {
  values,       ///< electronic values
  intensities,  ///< light, by detectors
  fields,       ///< light itself
};

/// A network and how it is trained unless the user says otherwise.
struct Preset {
  std::string name;
  std::string description;
  Hybrid (*make)(int64_t classes);  ///< for images [batch, 1, 28, 28]; drawn by LibTorch's generator
  std::vector<int64_t> input;       ///< shape of one sample
  int64_t epochs, batch_size;
  double learning_rate;        ///< of Adam; warm-up over the first 2.5 % of the steps, then a cosine to 0
  bool deployable = true;      ///< can be exported
  double electronic_rate = 1;  ///< learning rate of the electronic parameters, as a multiple
  bool constant_rate = false;  ///< no warm-up and no cosine
  int64_t shift = 0;           ///< random shifts of training images, in pixels
  bool flip = false;           ///< random mirror images
  Readable hidden = Readable::fields;
  int64_t threads = 1;  ///< a small network gains nothing from more than one
  TwoPassForwardOptions two_pass;
  /// Of the multi-point variant; default: as two_pass, with Entrance::inputs and gain 1.
  std::optional<TwoPassForwardOptions> multi_point = {};
};

const std::vector<Preset>& presets();
std::vector<std::string> preset_names();

/// Throws c10::ValueError that names the nearest preset.
const Preset& find_preset(const std::string& name);

}  // namespace optotorch::tools
