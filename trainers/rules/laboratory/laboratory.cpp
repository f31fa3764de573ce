#include <optotorch/core/check.h>
#include <optotorch/modules/at_layer.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>

namespace optotorch {

torch::Tensor Placed::meets(const torch::Tensor& x) const {
  return around != nullptr ? around->patches(x) : x;
}

Pass Placed::whole(const torch::Tensor& x, Pass pass) const {
  return around != nullptr ? around->around(x, std::move(pass)) : pass;
}

std::optional<Placed> placed_at(const HybridImpl& model, size_t index) {
  auto* layer = &model.layer(index);
  auto* const around = dynamic_cast<ConvolutionImpl*>(layer);
  if (around != nullptr) {
    layer = around->options.component().get();
  }
  auto* const network = dynamic_cast<PhysicalNetworkImpl*>(layer);
  return network != nullptr ? std::optional<Placed>({network, index, around}) : std::nullopt;
}

std::vector<Placed> laboratory_networks(const std::string& rule, const HybridImpl& model) {
  std::vector<Placed> found;
  for (size_t i = 0; i < model.size(); ++i) {
    if (const auto placed = placed_at(model, i)) {
      found.push_back(*placed);
    }
  }
  OPTOTORCH_CHECK(!found.empty(), .where = rule, .argument = "model",
                  .expected = "at least one PhysicalNetwork, or Convolution with one", .got = "none",
                  .remedy = "A network without any trains in silico");
  return found;
}

std::pair<PhysicalNetworkImpl*, size_t> laboratory_network(const std::string& rule, const HybridImpl& model) {
  const auto found = laboratory_networks(rule, model);
  OPTOTORCH_CHECK(found.size() == 1, .where = rule, .argument = "model", .expected = "one PhysicalNetwork",
                  .got = std::to_string(found.size()));
  return {found.front().network, found.front().index};
}

std::vector<Pass> passes_around(
    const std::string& rule, HybridImpl& model, const torch::Tensor& input, Keep keep,
    const std::function<Pass(PhysicalNetworkImpl& network, size_t number, const torch::Tensor& x)>& pass_at) {
  const torch::NoGradGuard no_grad;
  std::vector<Pass> passes;
  const auto reached = [&] { return passes.empty() ? input : passes.back().output; };
  const auto go_to = [&](size_t end) {
    if (passes.size() < end) {
      for (auto& pass : model.propagate(reached(), passes.size(), keep, end)) {
        passes.push_back(std::move(pass));
      }
    }
  };
  size_t number = 0;
  for (const auto& placed : laboratory_networks(rule, model)) {
    go_to(placed.index);
    passes.push_back(at_layer(placed.index, model.layer(placed.index), [&] {
      const auto x = reached();
      return placed.whole(x, pass_at(*placed.network, number, placed.meets(x)));
    }));
    ++number;
  }
  go_to(model.size());
  return passes;
}

std::vector<std::shared_ptr<Correction>> corrections_of(const std::string& rule, const HybridImpl& model) {
  std::vector<std::shared_ptr<Correction>> all;
  for (const auto& placed : laboratory_networks(rule, model)) {
    const auto& own = placed.network->corrections();
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
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
