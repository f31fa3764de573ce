// Readers of trainers: checkpoints, an optimiser's state, the log of a run.

#include <ATen/ATen.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/detail/optimizer_state.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <optotorch/trainers/trainer.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>

#include <cmath>
#include <memory>
#include <stdexcept>

#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"

namespace optotorch::fuzz {
namespace {

/// Two batches.
class Source : public BatchSource {
 public:
  int64_t size() const override { return 2; }
  Batch batch(int64_t epoch, int64_t index) const override {
    const auto x = at::arange(8, at::kFloat).view({2, 4}) + static_cast<double>(epoch + index);
    return {x.to(at::kComplexFloat), at::arange(2)};
  }
};

/// A run of one epoch in a folder.
struct Run {
  explicit Run(const std::string& folder)
      : model(MziMesh(4), Photodetector(), torch::nn::Linear(4, 2)),
        rule(std::make_shared<TwoPassForward>(TwoPassForwardOptions().seed(1))),
        optimizer(std::make_shared<torch::optim::Adam>(model->parameters(), torch::optim::AdamOptions(.01))),
        trainer(
            model, rule, optimizer,
            [](const torch::Tensor& y, const torch::Tensor& target) {
              return torch::nn::functional::cross_entropy(y, target);
            },
            TrainerOptions().epochs(1).folder(folder).resume(true).progress(false)) {}

  Hybrid model;
  std::shared_ptr<TwoPassForward> rule;
  std::shared_ptr<torch::optim::Adam> optimizer;
  Trainer trainer;
};

int checkpoint(const uint8_t* data, size_t size) {
  static const MemoryFolder folder("checkpoint");
  folder.write("checkpoint.safetensors", text_of(data, size));
  return attempt([&] {
    torch::manual_seed(1);
    Run run(folder.path());
    run.trainer.fit(Source());
    for (const auto& parameter : run.model->parameters()) {
      if (!std::isfinite(parameter.detach().sum().item<double>())) {
        throw std::logic_error("a checkpoint with values that are not finite was taken");
      }
    }
  });
}

std::vector<std::string> checkpoint_seeds() {
  const MemoryFolder folder("checkpoint-seeds");
  torch::manual_seed(1);
  Run(folder.path()).trainer.fit(Source());
  return {without_checksum(folder.read("checkpoint.safetensors"))};
}

const std::vector<std::string> state_words = {"\\\"archive\\\":",
                                              "\\\"tensor\\\":",
                                              "\\\"tuple\\\":",
                                              "\\\"tensors\\\":",
                                              "\\\"ints\\\":",
                                              "\\\"none\\\":null",
                                              "\"archive\":",
                                              "\"tensor\":",
                                              "\"tuple\":",
                                              "\"tensors\":",
                                              "\"ints\":",
                                              "\"none\":null",
                                              "\"string\":",
                                              "\"int\":",
                                              "\"float\":",
                                              "\"bool\":",
                                              "{}",
                                              "[]",
                                              "null",
                                              "-1",
                                              "1e308",
                                              "9223372036854775807",
                                              "params/0",
                                              "exp_avg",
                                              "\\\"epochs\\\":",
                                              "\\\"epoch\\\":",
                                              "\\\"batch\\\":",
                                              "optotorch-checkpoint-1",
                                              "optotorch-checkpoint-2", "optotorch-checkpoint-3",
                                              "F64",
                                              "F32"};
const Registered checkpoint_target({"checkpoint", checkpoint, checkpoint_seeds, state_words});

/// The tree alone, with the tensors that belong to it.
struct Adam {
  Adam() : parameter(at::ones({2, 3})), optimizer({parameter}, torch::optim::AdamOptions(.01)) {
    parameter.mutable_grad() = at::ones({2, 3});
    optimizer.step();
  }
  at::Tensor parameter;
  torch::optim::Adam optimizer;
};

int optimizer(const uint8_t* data, size_t size) {
  static Adam saved;
  static const auto state = optimizer_state(saved.optimizer);
  return attempt([&] {
    Adam adam;
    load_optimizer_state(adam.optimizer, {state.tensors, std::string(text_of(data, size))});
    adam.optimizer.step();
  });
}

std::vector<std::string> optimizer_seeds() {
  return {optimizer_state(Adam().optimizer).tree};
}

const Registered optimizer_target({"optimizer", optimizer, optimizer_seeds, state_words});

int metrics(const uint8_t* data, size_t size) {
  return attempt(
      [&] { static_cast<void>(EpochReport::from_json(std::string(text_of(data, size))).to_json()); });
}

std::vector<std::string> metrics_seeds() {
  EpochReport report;
  const auto plain = report.to_json();
  report.alignment = {.5, -.25};
  report.measures = {{"similarity_loss", .1}};
  report.metric = "bits_per_character";
  return {plain, report.to_json()};
}

const Registered metrics_target({"metrics",
                                 metrics,
                                 metrics_seeds,
                                 {"null", "1e999", "-1",
                                  "\"epoch\":", "\"metric\":", "\"measures\":", "\"alignment\":", "{}", "[]",
                                  "[null]", "\"\"", "9223372036854775808", "1.5", "true"}});

}  // namespace
}  // namespace optotorch::fuzz
