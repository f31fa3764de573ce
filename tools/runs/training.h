#pragma once

// How a network is trained unless the user says otherwise: the section "training" of its file.

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/schedule.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runs/laboratory.h"

namespace optotorch::tools {

/// Learning rates over the steps of a run, as factors.
enum class Rates {
  constant,
  warm_cosine,             ///< a warm-up over the first 2.5 % of the steps, then a cosine to 0
  long_warm_cosine,        ///< the same with a tenth: norms behind the sums want it
  floored_cosine,          ///< max(.02, (1 + cos(pi t / T)) / 2)
  halved_every_ten_epochs  ///< as arXiv 2212.06141
};
const std::vector<std::string>& words(Rates);

struct Training {
  std::string dataset = "mnist";
  int64_t epochs = 10, batch_size = 128;
  double learning_rate = 1e-3;  ///< of Adam
  double electronic_rate = 1;   ///< learning rate of the electronic parameters, as a multiple
  Rates schedule = Rates::warm_cosine;
  double beta2 = 0.999;            ///< Adam's second: how long a gradient's size is remembered
  std::string matmul = "highest";  ///< precision of matrix products, LibTorch's name for it
  int64_t shift = 0;               ///< random shifts of training images, in pixels
  bool flip = false;               ///< random mirror images
  int64_t threads = 1;             ///< a small network gains nothing from more than one
  /// Characters in a window of text, which the network learns to continue; 0: it tells images apart.
  int64_t context = 0;
  int64_t steps = 500;  ///< of an epoch of text: windows begin at random places
  /// The read-out begins as the transpose of what direct feedback sends, with every rule.
  bool aligned_start = false;
  /// The only rules that suit it, of those that teach component by component; empty: all.
  std::vector<std::string> only = {};
  /// Of training images, and of those that are tested on: descriptions (describe_transform.h); empty: none.
  std::string transform = {}, test_transform = {};
  /// Options of rules by name (rules.h), or of all rules of a kind.
  std::map<std::string, nlohmann::json> rules = {};
  /// Its stages stand in a laboratory, with these settings unless the user says otherwise.
  std::optional<Laboratory> laboratory = {};

  bool learns_text() const { return context > 0; }
  Schedule make_schedule(int64_t total_epochs, int64_t total_steps) const;

  /// Everything but the last four, by name (fields.h).
  void fields(FieldVisitor& visit);
};

/// Throws c10::ValueError, naming the place within `where`, for unknown names and values out of their ranges.
Training read_training(const nlohmann::json& object, const std::string& where);

}  // namespace optotorch::tools
