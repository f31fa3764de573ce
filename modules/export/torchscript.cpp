#include <ATen/ATen.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/detail/eval_mode.h>
#include <optotorch/modules/export/detail/traced_sizes.h>
#include <optotorch/modules/export/torchscript.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace optotorch {
namespace {

namespace jit = torch::jit;

constexpr char in_export[] = "export_torchscript";

/// The layers one after the other. A batch of no samples passes them as one dark sample: not every operator
/// of LibTorch takes an empty one.
std::string forward_source(size_t layers, bool by_samples) {
  std::string source = "def forward(self, input: Tensor) -> Tensor:\n  x = input\n";
  if (by_samples) {
    source +=
        "  empty = input.size(0) == 0\n"
        "  if empty:\n"
        "    x = torch.cat([x, x.new_zeros([1] + x.size()[1:])])\n";
  }
  for (size_t index = 0; index < layers; ++index) {
    source += c10::str("  x = self.layer", index, ".forward(x)\n");
  }
  if (by_samples) {
    source += "  if empty:\n    x = x.narrow(0, 0, 0)\n";
  }
  return source + "  return x\n";
}

/// The traced network, in parts.
class Export {
 public:
  Export(HybridImpl& model, const torch::Tensor& example, const TorchScriptOptions& options)
      : example_(example), root_("OptoTorch") {
    TracedTensors tensors{.trainable = options.trainable()};
    for (const auto& buffer : model.buffers()) {
      tensors.fixed.insert(buffer.unsafeGetTensorImpl());
    }
    auto x = example;
    for (size_t index = 0; index < model.size(); ++index) {
      layers_.emplace_back(model.layer(index), index, x, tensors, root_._ivalue()->compilation_unit());
      auto& layer = layers_.back();
      check_batch_sizes(layer, x);
      define_forward(layer, x);
      root_.register_module("layer" + std::to_string(index), layer.module());
      x = layer.untraced(x);
    }
    const bool by_samples = x.dim() > 0 && x.size(0) == example.size(0);
    root_.define(forward_source(model.size(), by_samples));
    root_.eval();
  }

  const jit::Module& root() const { return root_; }

  /// The largest difference between network and reloaded file, over batches of several sizes.
  double compare(jit::Module reloaded) const {
    double largest = 0;
    for (const int64_t batch : {example_.size(0), example_.size(0) + 1, int64_t{1}, int64_t{0}}) {
      const auto x = batch == 0 ? example_.narrow(0, 0, 0) : resized(example_, 0, batch);
      torch::Tensor expected;
      try {
        expected = untraced(x);
      } catch (const std::exception&) {
        if (batch > 0) {
          throw;
        }
        continue;  // the network itself does not take an empty batch
      }
      const auto got = reloaded.forward({x}).toTensor();
      const double difference = relative_difference(expected, got);
      const double allowed = allowed_difference(expected);
      OPTOTORCH_CHECK(
          difference <= allowed, .where = in_export,
          .argument = c10::str("reloaded output of ", batch, " samples"),
          .expected = c10::str(describe(expected), ", a relative difference of at most ", allowed),
          .got = c10::str(describe(got), ", ", difference),
          .remedy = "Is a layer's forward random in eval mode?");
      largest = std::max(largest, difference);
    }
    return largest;
  }

 private:
  torch::Tensor untraced(torch::Tensor x) const {
    for (const auto& layer : layers_) {
      x = layer.untraced(x);
    }
    return x;
  }

  torch::Tensor example_;
  jit::Module root_;
  std::vector<TracedLayer> layers_;
};

}  // namespace

double export_torchscript(HybridImpl& model, const torch::Tensor& example, const std::string& path,
                          const TorchScriptOptions& options) {
  // Traces and what autograd may read later are made of ordinary tensors.
  const c10::InferenceMode ordinary(false);
  const torch::NoGradGuard no_grad;
  const EvalMode eval(model);
  OPTOTORCH_CHECK(example.defined() && example.dim() >= 1 && example.size(0) >= 1, .where = in_export,
                  .argument = "example", .expected = "[batch, ...], at least one sample",
                  .got = describe(example), .remedy = "Take a batch of the network's data");
  OPTOTORCH_CHECK(model.size() >= 1, .where = in_export, .argument = "model",
                  .expected = "at least one layer", .got = "none");
  const auto input = example.detach().clone();
  const auto expected = model.forward(input);  // also checks that the network accepts the example
  Export traced(model, input, options);

  double difference = 0;
  write_atomically(path, [&](const std::string& temporary) {
    // By way of memory: the archive's writer ends the process if its file can't take the last bytes.
    std::ostringstream archive;
    traced.root().save(archive);
    std::ofstream file;
    file.exceptions(std::ios::failbit | std::ios::badbit);
    file.open(temporary, std::ios::binary);
    file << archive.str();
    file.close();
    auto reloaded = jit::load(temporary);
    difference = std::max(traced.compare(reloaded),
                          relative_difference(expected, reloaded.forward({input}).toTensor()));
    OPTOTORCH_CHECK(difference <= allowed_difference(expected), .where = in_export,
                    .argument = "reloaded output",
                    .expected = c10::str("a relative difference of at most ", allowed_difference(expected)),
                    .got = c10::str(difference), .remedy = "Is a layer's forward random in eval mode?");
  });
  return difference;
}

}  // namespace optotorch
