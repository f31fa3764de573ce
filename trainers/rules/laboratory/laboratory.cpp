#include <optotorch/core/check.h>
#include <optotorch/modules/at_layer.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>

namespace optotorch {

std::pair<PhysicalNetworkImpl*, size_t> laboratory_network(const std::string& rule, const HybridImpl& model) {
  std::vector<std::pair<PhysicalNetworkImpl*, size_t>> found;
  for (size_t i = 0; i < model.size(); ++i) {
    if (auto* const network = dynamic_cast<PhysicalNetworkImpl*>(&model.layer(i))) {
      found.emplace_back(network, i);
    }
  }
  OPTOTORCH_CHECK(found.size() == 1, .where = rule, .argument = "model", .expected = "one PhysicalNetwork",
                  .got = std::to_string(found.size()),
                  .remedy = "It may hold any number of meshes; without any train in silico");
  return found.front();
}

std::vector<Pass> passes_around(HybridImpl& model, size_t index, const torch::Tensor& input, Keep keep,
                                const std::function<Pass(const torch::Tensor& x)>& pass_at) {
  const torch::NoGradGuard no_grad;
  auto passes = index > 0 ? model.propagate(input, 0, keep, index) : std::vector<Pass>();
  passes.push_back(at_layer(index, model.layer(index),
                            [&] { return pass_at(passes.empty() ? input : passes.back().output); }));
  if (index + 1 < model.size()) {
    for (auto& after : model.propagate(passes.back().output, index + 1, keep)) {
      passes.push_back(std::move(after));
    }
  }
  return passes;
}

std::map<std::string, torch::Tensor> parameters_of(
    const std::vector<std::shared_ptr<Correction>>& corrections) {
  std::map<std::string, torch::Tensor> state;
  for (size_t n = 0; n < corrections.size(); ++n) {
    for (const auto& item : corrections[n]->named_parameters()) {
      state[c10::str("correction.", n, ".", item.key())] = item.value().detach().clone();
    }
  }
  return state;
}

void load_parameters(const std::string& rule, const std::vector<std::shared_ptr<Correction>>& corrections,
                     const std::map<std::string, torch::Tensor>& state) {
  const torch::NoGradGuard no_grad;
  std::vector<std::pair<torch::Tensor, torch::Tensor>> copies;
  for (size_t n = 0; n < corrections.size(); ++n) {
    for (const auto& item : corrections[n]->named_parameters()) {
      const auto key = c10::str("correction.", n, ".", item.key());
      const auto found = state.find(key);
      OPTOTORCH_CHECK(found != state.end() && found->second.scalar_type() == item.value().scalar_type() &&
                          found->second.sizes() == item.value().sizes(),
                      .where = rule, .argument = "state", .expected = key + ", " + describe(item.value()),
                      .got = found == state.end() ? "none" : describe(found->second),
                      .remedy = "The checkpoint was written with another rule or other corrections");
      check_finite(rule, key, found->second);
      copies.emplace_back(item.value(), found->second);
    }
  }
  for (auto& [to, from] : copies) {
    to.copy_(from);
  }
}

}  // namespace optotorch
