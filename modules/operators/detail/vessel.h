#pragma once

#include <optotorch/modules/layer.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace optotorch {

/// The layer that a description stands for; of a module that is no layer, its ElectronicBlock.
std::shared_ptr<Layer> layer_of(const std::string& description);

/// The module that has a layer's tensors under its own names.
torch::nn::Module& tensors_of(Layer& layer);

/// A layer for its description; between calls it holds no values but what it has deployed.
class Vessel {
 public:
  /// That of this thread: no two calls share one.
  static Vessel& of(const std::string& description);
  explicit Vessel(const std::string& description);

  /// The layer with the values of `state`, until `empty`. Throws c10::ValueError, with nothing changed, unless number,
  /// shapes and types are the layer's.
  Layer& filled(at::TensorList state, bool training);
  void empty();

  const std::vector<torch::Tensor>& parameters() const { return parameters_; }
  /// Copies of the buffers of whole numbers.
  std::vector<torch::Tensor> counters() const;
  /// True if the pull-back needs nothing but input and output of a pass, for which the layer is tried once.
  bool keeps_nothing(const torch::Tensor& input);

 private:
  std::shared_ptr<Layer> layer_;
  std::vector<torch::Tensor> parameters_, buffers_;
  torch::Tensor nothing_;
  std::vector<std::vector<int64_t>> shapes_;
  std::optional<bool> keeps_nothing_;
};

/// Empties a vessel whatever happens.
struct Emptied {
  Vessel& vessel;
  explicit Emptied(Vessel& vessel) : vessel(vessel) {}
  ~Emptied() { vessel.empty(); }
  Emptied(const Emptied&) = delete;
  Emptied& operator=(const Emptied&) = delete;
};

}  // namespace optotorch
