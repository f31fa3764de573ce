#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <string>
#include <vector>

namespace optotorch {

/// How real values ride on light.
enum class Encoding {
  amplitude,  ///< E = x
  phase,      ///< E = exp(i pi x)
  complex,    ///< E = x[0:ports] + i x[ports:2 ports]
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Encoding) {
  static const std::vector<std::string> all{"amplitude", "phase", "complex"};
  return all;
}

/// Options for Modulator: ModulatorOptions(784).encoding(Encoding::phase).
struct ModulatorOptions {
  /// Amplitude modulators on `ports` ports.
  ModulatorOptions(int64_t ports) : ports_(ports) {}  // NOLINT(google-explicit-constructor): Modulator(784)
  /// Ports of the field, at least 1.
  TORCH_ARG(int64_t, ports);
  /// Way in which values are written on light.
  TORCH_ARG(Encoding, encoding) = Encoding::amplitude;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("ports", ports_);
    visit("encoding", encoding_);
  }
};

/// The way in: real values [batch, ...] -> field [batch, ports]. All but the batch dimension is flattened;
/// fewer values than ports leave the last ports dark (amplitude 0 in every encoding). No parameters.
class ModulatorImpl : public CloneableLayer<ModulatorImpl> {
 public:
  /// Throws c10::ValueError for fewer than 1 port.
  explicit ModulatorImpl(ModulatorOptions options);

  Role role() const override { return Role::source; }
  Deployment deploy() override;
  Footprint footprint() const override { return {{parts::modulators, options.ports()}}; }

  /// The options it was made from.
  ModulatorOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
};

TORCH_MODULE(Modulator);

}  // namespace optotorch
