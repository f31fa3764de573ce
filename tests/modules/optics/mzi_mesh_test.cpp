// What the layer contract does not say about a mesh: its matrix, its meshes, its shapes.

#include <gtest/gtest.h>
#include <optotorch/mesh/haar.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/mesh_cases.h>

#include <sstream>

namespace optotorch {
namespace {

using testing::expect_close;

MziMesh meshes_in_double(const MziMeshOptions& options) {
  torch::manual_seed(4);
  MziMesh mesh(options);
  mesh->to(torch::kFloat64);
  return mesh;
}

TEST(MziMeshTest, AStackHasOneOfEverythingAMesh) {
  auto mesh = meshes_in_double(MziMeshOptions(4).meshes(3).imperfect(true));
  EXPECT_EQ(mesh->theta.sizes(), (at::IntArrayRef{3, 6}));
  EXPECT_EQ(mesh->phi.sizes(), (at::IntArrayRef{3, 6}));
  EXPECT_EQ(mesh->gamma.sizes(), (at::IntArrayRef{3, 4}));
  EXPECT_EQ(mesh->splitter_error.sizes(), (at::IntArrayRef{3, 6, 2}));
  EXPECT_EQ(mesh->transmission.sizes(), (at::IntArrayRef{3, 6, 2}));
  EXPECT_EQ(mesh->footprint().at(parts::mzis), 18);
  const auto matrix = mesh->matrix();
  ASSERT_EQ(matrix.sizes(), (at::IntArrayRef{3, 4, 4}));
  expect_close(matrix.matmul(matrix.mH()), torch::eye(4, torch::kComplexDouble).expand({3, 4, 4}), 1e-14);
  EXPECT_GT(distance(matrix[0], matrix[1]), 0.1) << "every mesh is drawn";
  EXPECT_GT(distance(matrix[1], matrix[2]), 0.1);
  std::ostringstream text;
  text << *mesh;
  EXPECT_NE(text.str().find("ports=4, meshes=3, "), std::string::npos) << text.str();
}

TEST(MziMeshTest, OneMeshKeepsItsShapesAndItsRandomNumbers) {
  auto one = meshes_in_double(MziMeshOptions(4).meshes(1)), plain = meshes_in_double(4);
  EXPECT_EQ(one->theta.sizes(), (at::IntArrayRef{6}));
  EXPECT_EQ(one->matrix().sizes(), (at::IntArrayRef{4, 4}));
  EXPECT_TRUE(one->theta.equal(plain->theta));
  // The first of a stack is the mesh that would have been drawn alone.
  EXPECT_TRUE(meshes_in_double(MziMeshOptions(4).meshes(2))->theta[0].equal(plain->theta));
}

TEST(MziMeshTest, TheMatrixIsWhatTheFieldMeets) {
  auto mesh = meshes_in_double(MziMeshOptions(5).meshes(3).imperfect(true));
  mesh->transmission.uniform_(0.7, 1);
  const auto x = torch::randn({6, 3, 5}, torch::kComplexDouble);
  const auto expected = at::einsum("mpq,bmq->bmp", {mesh->matrix(), x});
  expect_close(mesh->forward(x), expected, 1e-13);
  mesh->eval();
  expect_close(mesh->forward(x), expected, 1e-13);
  for (const bool training : {true, false}) {
    mesh->train(training);
    const auto cube = x.view({2, 3, 1, 3, 5});
    expect_close(mesh->forward(cube), expected.view(cube.sizes()), 1e-13, "more batch dimensions");
    EXPECT_EQ(mesh->forward(x.narrow(0, 0, 0)).sizes(), (at::IntArrayRef{0, 3, 5}));
  }
}

TEST(MziMeshTest, SetsEveryMatrix) {
  auto mesh = meshes_in_double(MziMeshOptions(4).meshes(2));
  const auto wanted = at::stack({haar_unitary(4), haar_unitary(4)});
  mesh->set_matrix(wanted);
  expect_close(mesh->matrix(), wanted, 1e-13);
  const auto expect_refused = [&](const std::string& part, const torch::Tensor& matrix) {
    expect_complaint({part}, [&] { mesh->set_matrix(matrix); });
    expect_close(mesh->matrix(), wanted, 1e-13, "after a rejected matrix");
  };
  expect_refused("MziMesh: unitary: expected [2, 4, 4], a matrix a mesh, got complex128 [4, 4]", wanted[0]);
  expect_refused("got complex128 [3, 4, 4]", at::cat({wanted, wanted.narrow(0, 0, 1)}));
  expect_refused("expected a unitary matrix", at::stack({wanted[1], 2 * wanted[0]}));
  auto one = meshes_in_double(4);
  one->set_matrix(wanted[1]);
  expect_close(one->matrix(), wanted[1], 1e-13);
  expect_complaint({"got complex128 [1, 4, 4]"}, [&] { one->set_matrix(wanted.narrow(0, 0, 1)); });
}

TEST(MziMeshTest, SaysWhichShapesItTakes) {
  expect_complaint({"MziMesh: meshes: expected at least 1, got 0"},
                   [] { MziMesh(MziMeshOptions(4).meshes(0)); });
  auto stack = meshes_in_double(MziMeshOptions(4).meshes(2)), one = meshes_in_double(4);
  const auto field = [](at::IntArrayRef shape) { return torch::zeros(shape, torch::kComplexDouble); };
  const std::string wanted = "MziMesh: input: expected a complex field [batch, ..., 2, 4], got complex128 ";
  for (const auto& shape : {std::vector<int64_t>{4}, {2, 4}, {3, 4}, {5, 3, 4}, {5, 2, 3}, {2, 4, 2}}) {
    expect_complaint({wanted + c10::str(at::IntArrayRef(shape))}, [&] { stack->forward(field(shape)); });
  }
  for (const auto& shape : {std::vector<int64_t>{4}, {2, 3}, {4, 3}, {2, 4, 3}}) {
    expect_complaint({"MziMesh: input: expected a complex field [batch, 4]", "got complex128"},
                     [&] { one->forward(field(shape)); });
  }
  EXPECT_EQ(one->forward(field({2, 3, 4})).sizes(), (at::IntArrayRef{2, 3, 4}));
}

TEST(MziMeshTest, RefusesNegativeColumns) {
  EXPECT_SAYS(MziMesh(MziMeshOptions(4).columns(-1)), "columns: expected 1 to");
}

}  // namespace
}  // namespace optotorch
