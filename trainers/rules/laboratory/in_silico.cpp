#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>

namespace optotorch {

void InSilico::meet(HybridImpl& model) {
  auto corrections = laboratory_network(name(), model).first->corrections();
  if (!pending_.empty()) {
    load_parameters(name(), corrections, pending_);  // throws again next time: without it is another run
    pending_.clear();
  }
  corrections_ = std::move(corrections);
  met_ = true;
}

std::map<std::string, torch::Tensor> InSilico::state() const {
  return met_ ? parameters_of(corrections_) : pending_;
}

void InSilico::load_state(const std::map<std::string, torch::Tensor>& state) {
  if (met_) {
    load_parameters(name(), corrections_, state);
  } else {
    pending_ = state;  // until the network brings its corrections
  }
}

std::vector<Pass> InSilico::first_pass(HybridImpl& model, const torch::Tensor& input) {
  auto [network, index] = laboratory_network(name(), model);
  network->strength = 1;  // whatever another rule left
  const size_t frozen = frozen_meshes(*network);
  return passes_around(model, index, input, keep_of_first_pass(), [&](const torch::Tensor& x) {
    Readings readings{std::vector<torch::Tensor>(network->meshes().size())};
    if (frozen > 0) {
      const auto measured = network->readings_of(network->measure(x)).behind[frozen - 1];
      OPTOTORCH_CHECK(measured.defined(), .where = name(), .argument = "system", .expected = "monitors",
                      .got = "none", .remedy = "The rule records the states behind every mesh");
      readings.behind[frozen - 1] = measured;
    }
    return network->with_model({x, {}, readings.behind});
  });
}

void InSilico::teach(HybridImpl& model, const Lesson& lesson) {
  teach_backwards(model, lesson.passes, lesson.dL_dy(), &Layer::dat_update);
  auto* const network = laboratory_network(name(), model).first;
  for (size_t n = 0; n < frozen_meshes(*network); ++n) {
    for (auto& phases : network->meshes()[n]->parameters()) {
      phases.mutable_grad() = torch::Tensor();  // no gradient: an optimiser passes them over, moments and all
    }
  }
}

}  // namespace optotorch
