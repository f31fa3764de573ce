#include <ATen/ATen.h>
#include <c10/util/ScopeExit.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/alignment.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/detail/kept_buffers.h>

namespace optotorch {
namespace {

void load_same(std::vector<torch::Tensor> to, const std::vector<torch::Tensor>& from) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(to.size() == from.size(), .where = "alignment", .argument = "truth",
                  .expected = c10::str("a network of ", from.size(), " parameters"),
                  .got = std::to_string(to.size()));
  for (size_t i = 0; i < to.size(); ++i) {
    OPTOTORCH_CHECK(to[i].sizes() == from[i].sizes(), .where = "alignment", .argument = "truth",
                    .expected = describe(from[i]), .got = describe(to[i]));
    to[i].copy_(from[i]);
  }
}

}  // namespace

std::vector<double> alignment(Rule& rule, HybridImpl& model, const torch::Tensor& input,
                              const torch::Tensor& target, const Loss& loss,
                              const std::optional<TrueGradient>& truth) {
  auto parameters = model.parameters();
  std::vector<torch::Tensor> before, values;
  for (auto& parameter : parameters) {
    before.push_back(parameter.grad());
    values.push_back(parameter.detach().clone());
  }
  // A rule may write to parameters itself.
  const auto give_values_back = [&] {
    const torch::NoGradGuard no_grad;
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (!parameters[i].equal(values[i])) {
        parameters[i].copy_(values[i]);
      }
    }
  };
  rule.meet(model);
  const auto saved_state = rule.state();
  const KeptBuffers kept(model);
  const auto restore = c10::make_scope_exit([&] {
    rule.load_state(saved_state);
    give_values_back();
    for (size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].mutable_grad() = before[i];
    }
  });
  const auto gradients_by = [&](Rule& source, HybridImpl& network) {
    for (auto& parameter : network.parameters()) {
      parameter.mutable_grad() = torch::Tensor();
    }
    source.step(network, input, target, loss);
    std::vector<torch::Tensor> per_block;
    for (const auto& block : network.trainable_blocks()) {
      std::vector<torch::Tensor> flat;
      for (size_t index = block.begin; index < block.end; ++index) {
        for (const auto& parameter : network.layer(index).parameters()) {
          flat.push_back(
              (parameter.grad().defined() ? parameter.grad() : at::zeros_like(parameter)).flatten());
        }
      }
      per_block.push_back(at::cat(flat).to(torch::kFloat64));
    }
    return per_block;
  };
  const auto updates = gradients_by(rule, model);
  give_values_back();
  std::vector<torch::Tensor> gradients;
  if (truth) {
    load_same(truth->model->parameters(), parameters);
    gradients = gradients_by(*truth->rule, *truth->model);
  } else {
    BackPropagation exact;
    exact.watch_nothing();
    gradients = gradients_by(exact, model);
  }
  std::vector<double> cosines;
  for (size_t i = 0; i < updates.size(); ++i) {
    cosines.push_back(
        (at::dot(updates[i], gradients[i]) / (updates[i].norm() * gradients[i].norm())).item<double>());
  }
  return cosines;
}

}  // namespace optotorch
