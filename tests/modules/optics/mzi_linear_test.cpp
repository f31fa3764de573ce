#include <gtest/gtest.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <support/errors.h>

#include <limits>

namespace optotorch {
namespace {

TEST(MziLinearTest, ASingularValueOutOfRangeChangesNothing) {
  MziLinear layer(4, 3);
  const auto before = layer->matrix();
  const auto huge = torch::ones({3, 4}, torch::kFloat64) * 1e300;
  EXPECT_SAYS(layer->set_matrix(huge), "MziLinear: weight: expected singular values that float32 can hold");
  EXPECT_TRUE(layer->matrix().equal(before));
  EXPECT_SAYS(layer->set_matrix(huge * std::numeric_limits<double>::max()), "finite");
  layer->to(torch::kFloat64);
  layer->set_matrix(huge);
  EXPECT_TRUE(at::allclose(layer->matrix(), huge.to(torch::kComplexDouble)));
}

TEST(MziLinearTest, ParametersAreReal) {
  MziLinear layer(4, 3);
  MziMesh mesh(4);
  const auto x = torch::randn({2, 4}, torch::kComplexDouble);
  for (auto* module : {static_cast<Layer*>(layer.ptr().get()), static_cast<Layer*>(mesh.ptr().get())}) {
    module->to(torch::kComplexDouble);
    EXPECT_SAYS(module->forward(x), "parameters: expected real numbers, as phases are, got complex128");
    EXPECT_SAYS(module->forward(x), "module->to(torch::kFloat64)");
    module->to(torch::kFloat64);
    EXPECT_EQ(module->forward(x).scalar_type(), torch::kComplexDouble);
  }
}

}  // namespace
}  // namespace optotorch
