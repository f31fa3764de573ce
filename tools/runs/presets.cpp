#include "runs/presets.h"

#include <algorithm>
#include <cmath>

#include "runs/networks.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

Schedule constant(int64_t, int64_t) {
  return constant_schedule();
}

/// max(.02, (1 + cos(pi t / T)) / 2).
Schedule floored_cosine(int64_t, int64_t) {
  return [cosine = cosine_schedule()](int64_t step, int64_t total) {
    return std::max(0.02, cosine(step, total));
  };
}

/// A tenth of the steps to warm up: norms behind the sums want it.
Schedule long_warm_cosine(int64_t, int64_t steps) {
  return cosine_schedule(steps / 10);
}

/// Half of it after every ten epochs, as arXiv 2212.06141.
Schedule halved_every_ten_epochs(int64_t epochs, int64_t steps) {
  const int64_t ten = std::max<int64_t>(1, 10 * steps / epochs);
  return [ten](int64_t step, int64_t) { return std::pow(0.5, static_cast<double>(step / ten)); };
}

/// Two-pass propagation for coherent meshes: modulations of a tenth of a port's amplitude.
TwoPassForwardOptions coherent(Feedback feedback) {
  return TwoPassForwardOptions().feedback(feedback).presynaptic(Presynaptic::clean).strength(0.1);
}

/// Those that bring a transformer its signals, or none. An absolute threshold is for errors of a softmax.
std::vector<std::string> feedback_rules(ErrorOf error) {
  std::vector<std::string> rules{"bp", "dfa", "dfa-ternary", "odfa", "odfa-one-frame", "shallow"};
  if (error == ErrorOf::output) {
    rules.emplace_back("odfa-absolute");
  }
  return rules;
}

/// A vocabulary's error is projected behind its weights: as it is, frames hardly tell it (docs/reproduce.md).
DirectFeedbackOptions language_feedback() {
  return DirectFeedbackOptions().shared_rows(true).per_token(true).error(ErrorOf::head_input);
}

Preset of_characters(const char* name, const char* description, Hybrid (*make)(int64_t characters)) {
  return {.name = name,
          .description = description,
          .make = make,
          .epochs = 10,
          .batch_size = 8,
          .learning_rate = 2e-3,
          .schedule = long_warm_cosine,
          .beta2 = 0.99,
          .matmul = "medium",
          .hidden = Readable::values,
          .rules = feedback_rules(ErrorOf::head_input),
          .dataset = "tinyshakespeare",
          .text = Text{.context = charlm_context, .steps = 500},
          .direct = language_feedback()};
}

/// The white box, which knows the kinds of errors.
Laboratory ours() {
  Laboratory laboratory;
  laboratory.correction = "white-box";
  laboratory.calibration = 1;
  laboratory.warm_up = 0;
  laboratory.compared_ports = 0;
  laboratory.fusion = "propagate";
  return laboratory;
}

Laboratory published() {
  Laboratory laboratory = ours();
  laboratory.correction = "unet-10k";
  laboratory.calibration = 0;
  laboratory.warm_up = 20;
  laboratory.compared_ports = 10;
  return laboratory;
}

}  // namespace

Schedule warm_cosine(int64_t, int64_t steps) {
  constexpr double warm_up = 0.025;
  return cosine_schedule(static_cast<int64_t>(warm_up * static_cast<double>(steps)));
}

const std::vector<Preset>& presets() {
  static const std::vector<Preset> known = {
      {.name = "mnist-hybrid",
       .description =
           "lens (10 x 10 lowest frequencies), 100-port mesh of 4,950 MZIs, detectors, linear read-out",
       .make = mnist_hybrid,
       .input = {1, 28, 28},
       .epochs = 15,
       .batch_size = 128,
       .learning_rate = 1e-2,
       .shift = 1,
       .threads = 1,
       .two_pass = coherent(Feedback::twin).gain(std::sqrt(0.1)).refresh(10)},
      {.name = "mnist-in-situ",
       .description = "as mnist-hybrid, with a simulated chip (errors .04) instead of the mesh",
       .make = mnist_in_situ,
       .input = {1, 28, 28},
       .epochs = 15,
       .batch_size = 128,
       .learning_rate = 1e-2,
       .deployable = false,
       .shift = 1,
       .hidden = Readable::intensities,
       .two_pass = coherent(Feedback::twin).gain(std::sqrt(0.1)).refresh(10)},
      {.name = "mnist-weight-bank",
       .description = "784-256 bank of microring weights, tanh, linear read-out",
       .make = mnist_weight_bank,
       .input = {1, 28, 28},
       .epochs = 15,
       .batch_size = 128,
       .learning_rate = 2e-3,
       .shift = 1,
       .hidden = Readable::values,
       .threads = 1,
       .two_pass = TwoPassForwardOptions()},
      {.name = "mnist-1024",
       .description = "784-1024-10 of microring weights, relu between",
       .make = mnist_wide_bank,
       .input = {1, 28, 28},
       .epochs = 20,
       .batch_size = 128,
       .learning_rate = 4e-3,
       .shift = 1,
       .hidden = Readable::values,
       .two_pass = TwoPassForwardOptions().presynaptic(Presynaptic::clean).strength(0.05).gain(10),
       .multi_point = TwoPassForwardOptions().entrance(Entrance::outputs).gain(10)},
      {.name = "mnist-mlp",
       .description = "784-1024-1024-10 with tanh, electronic: for feedback through an optical projection",
       .make = mnist_mlp,
       .input = {1, 28, 28},
       .epochs = 12,
       .batch_size = 128,
       .learning_rate = 2e-3,
       .matmul = "medium",
       .shift = 1,
       .hidden = Readable::values,
       .two_pass = TwoPassForwardOptions()},
      {.name = "vit",
       .description = "vision transformer: overlapping patches, width 64, 4 blocks, mean, linear read-out",
       .make = vit,
       .input = {1, 28, 28},
       .epochs = 15,
       .batch_size = 128,
       .learning_rate = 2e-3,
       .schedule = long_warm_cosine,
       .beta2 = 0.99,
       .matmul = "medium",
       .hidden = Readable::values,
       .rules = feedback_rules(ErrorOf::output),
       .direct = DirectFeedbackOptions().shared_rows(true).per_token(true),
       .aligned_start = true},
      of_characters("charlm",
                    "transformer of characters: context 128, width 128, 4 blocks; signals at their ends",
                    charlm),
      of_characters("charlm-micro", "the same with signals inside the blocks, too", charlm_micro),
      {.name = "mnist-mesh784",
       .description = "784-port mesh of 306,936 MZIs on all pixels, detectors, linear read-out",
       .make = mnist_mesh784,
       .input = {1, 28, 28},
       .epochs = 6,
       .batch_size = 128,
       .learning_rate = 3e-3,
       .electronic_rate = 0.5,
       .shift = 1,
       .two_pass = coherent(Feedback::adjoint).refresh(20)},
      {.name = "slices-electronic",
       .description = "a linear map 28->28->1 for every column, relu, linear read-out (arXiv 2408.08337)",
       .make = slices_electronic,
       .input = {1, 28, 28},
       .epochs = 10,
       .batch_size = 32,
       .learning_rate = 1e-3,
       .schedule = constant,
       .hidden = Readable::values,
       .two_pass = TwoPassForwardOptions(),
       .multi_point = TwoPassForwardOptions().entrance(Entrance::outputs)},
      {.name = "slices-columns",
       .description = "28-port meshes 28->28->1 for every column, detectors, linear read-out",
       .make = slices_columns,
       .input = {1, 28, 28},
       .epochs = 10,
       .batch_size = 128,
       .learning_rate = 1e-2,
       .two_pass = coherent(Feedback::adjoint).entrance(Entrance::inputs)},
      {.name = "slices-columns-rows",
       .description = "the same for every column and every row",
       .make = slices_columns_rows,
       .input = {1, 28, 28},
       .epochs = 10,
       .batch_size = 128,
       .learning_rate = 1e-2,
       .two_pass = coherent(Feedback::adjoint).entrance(Entrance::inputs)},
      {.name = "slices-direct",
       .description = "one 28-port mesh for every column and every row, all detectors read",
       .make = slices_direct,
       .input = {1, 28, 28},
       .epochs = 10,
       .batch_size = 128,
       .learning_rate = 1e-2,
       .electronic_rate = 0.15,
       .flip = true,
       .two_pass = coherent(Feedback::adjoint)},
      {.name = "slices-patches",
       .description =
           "28-port meshes on columns and rows, four 49-port meshes on 7x7 patches, all detectors read",
       .make = slices_patches,
       .input = {1, 28, 28},
       .epochs = 15,
       .batch_size = 128,
       .learning_rate = 1e-2,
       .electronic_rate = 0.15,
       .flip = true,
       .two_pass = coherent(Feedback::adjoint)},
      {.name = "mpnn",
       .description = "lens (8 x 8), three 64-port meshes, electro-optic activations, 10 of 64 detectors "
                      "(arXiv 2212.06141)",
       .make = mpnn,
       .input = {1, 28, 28},
       .epochs = 12,
       .batch_size = 125,
       .learning_rate = 2e-3,
       .schedule = floored_cosine,
       .rules = {"bp", "dfa",
                 "shallow"},  // scores I / ||I|| have no slope in the dark, where W^H A^T is taken
       .two_pass = coherent(Feedback::adjoint)},
      {.name = "mpnn-in-situ",
       .description = "the same in a laboratory: a physical system is measured, its model corrected",
       .input = {1, 28, 28},
       .epochs = 25,
       .batch_size = 500,
       .learning_rate = 2e-3,
       .deployable = false,
       .schedule = floored_cosine,
       .beta2 = 0.99,  // with .999 a linear correction lost the system after ten epochs: docs/reproduce.md
       .hidden = Readable::intensities,
       .two_pass = coherent(Feedback::adjoint),
       .make_in = mpnn_in_situ,
       .laboratory = ours()},
      {.name = "mpnn-published",
       .description = "the same with the published schedule",
       .input = {1, 28, 28},
       .epochs = 50,
       .batch_size = 500,
       .learning_rate = 1e-3,
       .deployable = false,
       .schedule = halved_every_ten_epochs,
       .hidden = Readable::intensities,
       .two_pass = coherent(Feedback::adjoint),
       .make_in = mpnn_in_situ,
       .laboratory = published()},
  };
  return known;
}

std::vector<std::string> preset_names() {
  return names_of(presets());
}

const Preset& find_preset(const std::string& name) {
  return find_by_name("optotorch", "--model", presets(), name);
}

}  // namespace optotorch::tools
