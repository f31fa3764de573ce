#include <optotorch/trainers/rules/laboratory/laboratory.h>
#include <optotorch/trainers/rules/laboratory/oracle.h>

namespace optotorch {

std::vector<Pass> Oracle::first_pass(HybridImpl& model, const torch::Tensor& input) {
  return passes_around(name(), model, input, keep_of_first_pass(),
                       [](PhysicalNetworkImpl& network, size_t /*number*/, const torch::Tensor& x) {
                         return network.through_system(x);
                       });
}

}  // namespace optotorch
