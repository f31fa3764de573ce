#pragma once

// Networks that the program knows by name, with settings that train them well by every rule.

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/rules/two_pass_forward.h>

#include <memory>
#include <string>
#include <vector>

namespace optotorch::tools {

/// A network and how it is trained unless the user says otherwise.
struct Preset {
  std::string name;
  std::string description;
  Hybrid (*make)(int64_t classes);  ///< for images [batch, 1, 28, 28]; drawn by LibTorch's generator
  std::vector<int64_t> input;       ///< shape of one sample
  int64_t epochs, batch_size;
  double learning_rate;  ///< of Adam; warm-up over the first 2.5 % of the steps, then a cosine to 0
  int64_t shift;         ///< random shifts of training images, in pixels
  int64_t threads;       ///< a small network gains nothing from more than one
  TwoPassForwardOptions two_pass;
};

const std::vector<Preset>& presets();
std::vector<std::string> preset_names();

/// Throws c10::ValueError that names the nearest preset.
const Preset& find_preset(const std::string& name);

std::vector<std::string> rule_names();

/// "bp", "tpfp", "dfa" or "shallow". Throws c10::ValueError that names the nearest rule.
std::shared_ptr<Rule> make_rule(const std::string& name, const Preset& preset, int64_t seed);

}  // namespace optotorch::tools
