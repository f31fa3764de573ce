#include <optotorch/trainers/rules/laboratory/laboratory.h>
#include <optotorch/trainers/rules/laboratory/physics_aware.h>

namespace optotorch {

std::vector<Pass> PhysicsAware::first_pass(HybridImpl& model, const torch::Tensor& input) {
  for (const auto& placed : laboratory_networks(name(), model)) {
    placed.network->strength = 0;
  }
  return model.propagate(input, 0, keep_of_first_pass());
}

}  // namespace optotorch
