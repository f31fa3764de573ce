#pragma once

// A fixture of one layer of the table, in float64, with an input batch.

#include <gtest/gtest.h>
#include <support/layer_cases.h>

#include <map>
#include <string>

namespace optotorch::testing {

using Tensors = std::map<std::string, torch::Tensor>;

/// Re <w, y>: a real linear functional whose gradient is w.
inline torch::Tensor functional(const torch::Tensor& w, const torch::Tensor& y) {
  return y.is_complex() ? at::real(w.conj() * y).sum() : (w * y).sum();
}

class LayerTest : public ::testing::TestWithParam<LayerCase> {
 protected:
  LayerTest() {
    torch::manual_seed(3);
    layer = GetParam().make();
    layer->to(torch::kFloat64);
    scramble(*layer);
    x = random_batch(GetParam(), batch, torch::kFloat64);
  }

  /// Values that a fresh layer does not have: a bias of 0 or a sigma of 1 would hide mistakes.
  static void scramble(Layer& layer) {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : layer.parameters()) {
      parameter.mul_(1 + 0.1 * torch::rand_like(parameter));
    }
  }

  torch::Tensor weights_for(const torch::Tensor& y) const { return torch::randn_like(y); }

  /// Gradients of all parameters, taken away from them.
  Tensors take_gradients() const {
    Tensors gradients;
    for (auto& item : layer->named_parameters()) {
      gradients[item.key()] = item.value().grad();
      item.value().mutable_grad() = torch::Tensor();
    }
    return gradients;
  }

  Tensors gradients_by_pullback(const torch::Tensor& w, torch::Tensor* dL_dx = nullptr) const {
    take_gradients();
    const auto signal = layer->pullback(layer->propagate(x), w);
    if (dL_dx != nullptr) {
      *dL_dx = signal;
    }
    return take_gradients();
  }

  static Tensors state(torch::nn::Module& module) {
    Tensors result;
    for (const auto& item : module.named_parameters()) {
      result[item.key()] = item.value().detach();
    }
    for (const auto& item : module.named_buffers()) {
      result[item.key()] = item.value().detach();
    }
    return result;
  }

  static Tensors copy(const Tensors& tensors) {
    Tensors result;
    for (const auto& [name, tensor] : tensors) {
      result[name] = tensor.clone();
    }
    return result;
  }

  static void expect_equal(const Tensors& a, const Tensors& b, const std::string& what) {
    ASSERT_EQ(a.size(), b.size()) << what;
    for (const auto& [name, tensor] : a) {
      ASSERT_TRUE(b.count(name)) << what << ": " << name;
      EXPECT_EQ(tensor.scalar_type(), b.at(name).scalar_type()) << what << ": " << name;
      EXPECT_TRUE(tensor.equal(b.at(name))) << what << ": " << name;
    }
  }

  static constexpr int64_t batch = 3;
  std::shared_ptr<Layer> layer;
  torch::Tensor x;
};

}  // namespace optotorch::testing
