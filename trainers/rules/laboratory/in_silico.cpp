#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/laboratory/in_silico.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>

namespace optotorch {

void InSilico::meet(HybridImpl& model) {
  auto corrections = corrections_of(name(), model);
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
  return passes_around(name(), model, input, keep_of_first_pass(),
                       [&](PhysicalNetworkImpl& network, size_t /*number*/, const torch::Tensor& x) {
                         network.strength = 1;  // whatever another rule left
                         const size_t frozen = frozen_stages(network);
                         Readings readings{std::vector<torch::Tensor>(network.stages().size())};
                         if (frozen > 0) {
                           const auto measured = network.readings_of(network.measure(x)).behind[frozen - 1];
                           OPTOTORCH_CHECK(measured.defined(), .where = name(), .argument = "system",
                                           .expected = "monitors", .got = "none",
                                           .remedy = "The rule records the states behind every stage");
                           readings.behind[frozen - 1] = measured;
                         }
                         return network.with_model({x, {}, readings.behind});
                       });
}

void InSilico::teach(HybridImpl& model, const Lesson& lesson) {
  teach_backwards(model, lesson.passes, lesson.dL_dy(), &Layer::dat_update);
  for (const auto& placed : laboratory_networks(name(), model)) {
    for (size_t n = 0; n < frozen_stages(*placed.network); ++n) {
      for (auto& command : placed.network->stages()[n]->parameters()) {
        command.mutable_grad() =
            torch::Tensor();  // no gradient: an optimiser passes them over, moments and all
      }
    }
  }
}

}  // namespace optotorch
