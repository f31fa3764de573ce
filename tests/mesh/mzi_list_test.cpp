#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/mesh/decomposition.h>
#include <optotorch/mesh/mzi_list.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/mesh_cases.h"

namespace optotorch {
namespace {

struct Golden {
  std::string name;
  MziList list;
  at::Tensor matrix;
};

at::Tensor matrix(const nlohmann::json& rows) {
  std::vector<at::Tensor> result;
  for (const auto& row : rows) {
    result.push_back(at::tensor(row.get<std::vector<double>>(), at::kDouble));
  }
  return at::stack(result);
}

/// What the packages themselves compute (tests/goldens/mzi_lists.py).
std::vector<Golden> goldens() {
  std::ifstream file(OPTOTORCH_SOURCE_DIR "/tests/goldens/mzi_lists.json");
  std::vector<Golden> result;
  for (const auto& entry : nlohmann::json::parse(file)) {
    Golden golden{entry.at("name"), {}, at::complex(matrix(entry.at("real")), matrix(entry.at("imaginary")))};
    auto& list = golden.list;
    list.convention = mzi_convention(entry.at("convention"));
    list.ports = golden.matrix.size(0);
    for (const auto& mzi : entry.at("mzis")) {
      list.mzis.push_back({mzi[0].get<int64_t>(), mzi[1].get<double>(), mzi[2].get<double>()});
    }
    list.input = entry.at("input").get<std::vector<double>>();
    list.output = entry.at("output").get<std::vector<double>>();
    list.idle_port = idle_port(entry.at("idle"));
    result.push_back(std::move(golden));
  }
  return result;
}

class MziListTest : public OneThreadTest {};

TEST_F(MziListTest, MatricesAreThoseOfThePackages) {
  const auto all = goldens();
  EXPECT_EQ(all.size(), 12);
  for (const auto& [name, list, matrix] : all) {
    EXPECT_LT(distance(matrix_of(list), matrix), 1e-13) << name;
  }
}

TEST_F(MziListTest, EveryUniversalLayoutRealisesThem) {
  for (const auto& [name, list, matrix] : goldens()) {
    for (const auto& layout : all_layouts(list.ports)) {
      EXPECT_LT(distance(reconstruct(import_mzi_list(list, layout), layout), matrix), 1e-13)
          << name << ", " << optotorch::name(layout);
    }
  }
}

TEST_F(MziListTest, AListInPlaceOnlyMovesItsPhases) {
  // Two columns of four ports are not universal: there is nothing to decompose.
  MziList list{
      .convention = MziConvention::neurophox, .ports = 4, .mzis = {{0, .3, .4}, {2, .5, .6}, {1, .7, .8}}};
  for (const auto idle : {IdlePort::wire, IdlePort::bar}) {
    list.idle_port = idle;
    for (const auto& layout : conventions({.ports = 4, .columns = 2})) {
      EXPECT_LT(distance(reconstruct(import_mzi_list(list, layout), layout), matrix_of(list)), 1e-14)
          << name(layout);
    }
  }
  // It is our own convention: the phases come back as they are.
  const auto phases = import_mzi_list(list, {.ports = 4, .columns = 2, .idle_port = IdlePort::bar});
  EXPECT_LT(distance(phases.theta, at::tensor({.3, .5, .7}, at::kDouble)), 1e-15);
  EXPECT_LT(distance(phases.phi, at::tensor({.4, .6, .8}, at::kDouble)), 1e-15);
  // Further columns are wires.
  list.idle_port = IdlePort::wire;
  const MeshLayout deeper{.ports = 4, .columns = 3};
  EXPECT_LT(distance(reconstruct(import_mzi_list(list, deeper), deeper), matrix_of(list)), 1e-14);
}

TEST_F(MziListTest, AnEmptyListIsItsPhases) {
  const MziList list{.ports = 3, .input = {.1, .2, .3}, .output = {1, 2, 3}};
  const auto angle = at::tensor({1.1, 2.2, 3.3}, at::kDouble);
  EXPECT_LT(distance(matrix_of(list), at::diag(at::complex(angle.cos(), angle.sin()))), 1e-15);
  const auto layout = universal(MeshGrid::rectangular, 3);
  EXPECT_LT(distance(reconstruct(import_mzi_list(list, layout), layout), matrix_of(list)), 1e-14);
}

TEST_F(MziListTest, RejectsWhatIsNoMesh) {
  const MziList good{.ports = 4, .mzis = {{0, .1, .2}, {2, .3, .4}}};
  const auto expect = [](const std::string& part, const MziList& list) {
    expect_complaint({"matrix_of: " + part}, [&] { matrix_of(list); });
  };
  auto bad = good;
  bad.mzis[1].mode = 3;
  expect("mzis[1].mode: expected 0 to 2, the upper of two neighbours among 4 ports, got 3", bad);
  bad.mzis[1].mode = -1;
  expect("mzis[1].mode: ", bad);
  bad = good;
  bad.mzis[0].phi = NAN;
  expect("mzis[0]: expected finite phases", bad);
  bad = good;
  bad.output = {1, 2};
  expect("output: expected none or 4 phases, got 2", bad);
  bad = good;
  bad.input = {1, 2, 3, INFINITY};
  expect("input: expected finite phases", bad);
  bad = good;
  bad.ports = 1;
  expect("ports: expected at least 2, got 1", bad);
  expect_complaint({"import_mzi_list: layout: expected 4 ports"},
                   [&] { import_mzi_list(good, universal(MeshGrid::rectangular, 5)); });
  bad = good;
  bad.mzis.push_back({1, .1, .2});
  expect_complaint(
      {"import_mzi_list: layout: expected 2 columns of a rectangular grid, as the list has, or 5"},
      [&] { import_mzi_list(bad, {.grid = MeshGrid::triangular, .ports = 4, .columns = 3}); });
  expect_complaint({"mzi_convention", "'sf'", "perceval-phase-last"}, [] { mzi_convention("sf"); });
}

TEST_F(MziListTest, ConventionsHaveNames) {
  for (const auto& golden : goldens()) {
    EXPECT_EQ(mzi_convention(to_string(golden.list.convention)), golden.list.convention);
  }
}

}  // namespace
}  // namespace optotorch
