#include "runs/pictures.h"

#include <ATen/ATen.h>
#include <optotorch/trainers/model_device.h>

#include <cmath>
#include <numbers>

namespace optotorch::tools {

at::Tensor phase_map(const MziMeshImpl& mesh) {
  const MeshLayout& layout = mesh.layout();
  const at::Tensor theta =
      at::remainder(mesh.theta.detach().to(at::kCPU, at::kDouble), 2 * std::numbers::pi).contiguous();
  at::Tensor map = at::full({layout.ports, layout.columns}, std::nan(""), at::kDouble);
  auto to = map.accessor<double, 2>();
  const double* from = theta.const_data_ptr<double>();
  for (int64_t column = 0; column < layout.columns; ++column) {
    for (int64_t pair = 0; pair < layout.pairs(column); ++pair) {
      const int64_t port = MeshLayout::first_port(column) + 2 * pair;
      to[port][column] = to[port + 1][column] = *from++;
    }
  }
  return map;
}

at::Tensor confusion_counts(HybridImpl& model, const BatchSource& source, int64_t classes) {
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.eval();
  auto counts = at::zeros({classes * classes}, at::kLong);
  for (int64_t index = 0; index < source.size(); ++index) {
    const auto batch = on_device_of(model, source.batch(0, index));
    const auto places = batch.target * classes + model.forward(batch.data).argmax(1);
    counts += at::bincount(places, {}, classes * classes).cpu();
  }
  model.train(was_training);
  return counts.view({classes, classes});
}

}  // namespace optotorch::tools
