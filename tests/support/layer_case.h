#pragma once

// A row of the table of layers (layer_cases.h).

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/layer.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace optotorch::testing {

using MakeLayer = std::function<std::shared_ptr<Layer>()>;

/// What a layer takes.
enum class Takes { field, values };

/// A row of the table.
struct LayerCase {
  std::string name;
  MakeLayer make;
  Takes takes = Takes::field;
  std::vector<int64_t> sample;   ///< shape of one sample
  MakeLayer of_another_shape{};  ///< the same kind of layer with tensors of other shapes; for those that have
  bool affine = false;           ///< f(x) - f(0) is linear over the reals
  bool mixes_samples = false;    ///< a sample's output depends on the batch
  bool rounds = false;           ///< the parameters' slope is not that of the output (straight-through)
  bool binary = false;           ///< the input's slope is not that of the output (straight-through)
  int64_t meshes = 1;            ///< in a row behind one system
  bool measures = false;  ///< a physical system and its detectors: no deployment, tpfp_update at the field
};

inline std::ostream& operator<<(std::ostream& stream, const LayerCase& row) {
  return stream << row.name;
}

template <typename Impl, typename Options>
MakeLayer optical(Options options) {
  return [options] { return std::static_pointer_cast<Layer>(std::make_shared<Impl>(options)); };
}

/// A random batch for a layer, of the given real type.
inline torch::Tensor random_batch(const LayerCase& row, int64_t batch, torch::ScalarType real) {
  auto shape = row.sample;
  shape.insert(shape.begin(), batch);
  return torch::randn(shape, row.takes == Takes::field ? c10::toComplexType(real) : real);
}

inline std::string row_name(const ::testing::TestParamInfo<LayerCase>& info) {
  return info.param.name;
}

}  // namespace optotorch::testing
