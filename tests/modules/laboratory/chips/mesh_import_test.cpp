#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/core/npy.h>
#include <optotorch/modules/laboratory/chips/mesh_import.h>
#include <support/mesh_cases.h>
#include <support/npy_files.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace optotorch {
namespace {

const MeshLayout brick = universal(MeshGrid::rectangular, 6);  // 6 columns of 3 slots, 15 MZIs

/// Errors of two meshes in two folders, and the weights of both in a third.
class MeshImportTest : public ::testing::Test {
 protected:
  MeshImportTest() {
    at::manual_seed(3);
    for (int64_t mesh = 0; mesh < 2; ++mesh) {
      for (const std::string what : {"splitter_left", "splitter_right"}) {
        write("splitters", mesh, what, at::rand({6, 3}, at::kDouble) - 0.5);
      }
      for (const std::string folder : {"phases", "weights"}) {
        for (const std::string what : {"theta", "phi"}) {
          write(folder, mesh, what, at::randn({6, 3}, at::kDouble));
        }
      }
      write("weights", mesh, "gamma", at::randn({6}, at::kDouble));
    }
  }

  std::string folder(const std::string& name) const { return folder_.path() + "/" + name; }

  void write(const std::string& folder, int64_t mesh, const std::string& what, const at::Tensor& tensor) {
    const auto name = c10::str(folder, "/mesh", mesh, "_", what, ".npy");
    folder_.write(name, testing::npy(tensor));
    written_[name] = tensor;
  }

  void remove(const std::string& name) const { std::filesystem::remove(folder(name)); }

  /// What was written, MZI by MZI.
  at::Tensor expected(const std::string& name) const {
    const auto& slots = written_.at(name);
    auto values = at::empty({15}, at::kDouble);
    int64_t mzi = 0;
    for (int64_t column = 0; column < 6; ++column) {
      for (int64_t port = column % 2; port + 1 < 6; port += 2) {
        values[mzi++] = slots[column][port / 2];
      }
    }
    EXPECT_EQ(mzi, 15);
    return values;
  }

  std::vector<Chip> import(const std::vector<std::string>& names) const {
    std::vector<std::string> folders;
    for (const auto& name : names) {
      folders.push_back(folder(name));
    }
    return import_chips(folders, {brick, brick}, Imperfections().drift(0.1), 40);
  }

  testing::TemporaryFolder folder_;
  std::map<std::string, at::Tensor> written_;
};

TEST_F(MeshImportTest, ReadsWeights) {
  for (int64_t mesh = 0; mesh < 2; ++mesh) {
    const auto file = c10::str("weights/mesh", mesh, "_");
    const auto read = import_phases(folder("weights"), brick, mesh);
    EXPECT_TRUE(read.theta.equal(expected(file + "theta.npy")));
    EXPECT_TRUE(read.phi.equal(expected(file + "phi.npy")));
    EXPECT_TRUE(read.gamma.equal(written_.at(file + "gamma.npy")));
  }
  write("weights", 0, "gamma", at::randn({1, 6}));
  const auto read = import_phases(folder("weights"), brick, 0).gamma;
  EXPECT_TRUE(read.equal(written_.at("weights/mesh0_gamma.npy")[0].to(at::kDouble)));
  EXPECT_FALSE(import_phases(folder("phases"), brick, 1).gamma.defined());
}

TEST_F(MeshImportTest, SlotsAreTheInverseOfMeshOrder) {
  for (const auto& layout : all_layouts(5)) {
    const auto values = at::randn({layout.mzis()}, at::kDouble);
    EXPECT_TRUE(in_mesh_order(in_slots(values, layout), layout).equal(values));
  }
  EXPECT_TRUE(
      in_slots(at::ones({15}), brick).sum(1).equal(at::tensor({3., 2., 3., 2., 3., 2.}).to(at::kFloat)));
  expect_complaint({"in_slots: values: expected [15]"}, [] { in_slots(at::ones({14}), brick); });
}

TEST_F(MeshImportTest, ReadsErrorsOfSeveralFolders) {
  for (const auto& names : {std::vector<std::string>{"splitters", "phases"},
                            {"phases", "splitters"},
                            {"phases"},
                            {"splitters"},
                            {}}) {
    const auto has = [&](const std::string& name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    const auto chips = import(names);
    ASSERT_EQ(chips.size(), 2U);
    for (int64_t mesh = 0; mesh < 2; ++mesh) {
      const auto tensors = chips[mesh].tensors();
      const auto file = [&](const std::string& name, const std::string& what) {
        return has(name) ? expected(c10::str(name, "/mesh", mesh, "_", what, ".npy"))
                         : at::zeros({15}, at::kDouble);
      };
      EXPECT_TRUE(tensors.theta_offset.equal(file("phases", "theta")));
      EXPECT_TRUE(tensors.phi_offset.equal(file("phases", "phi")));
      EXPECT_TRUE(tensors.splitter_error.select(1, 0).equal(file("splitters", "splitter_left")));
      EXPECT_TRUE(tensors.splitter_error.select(1, 1).equal(file("splitters", "splitter_right")));
      EXPECT_TRUE(tensors.transmission.eq(1).all().item<bool>());
      EXPECT_EQ(chips[mesh].seed(), 40 + mesh);
      EXPECT_EQ(chips[mesh].imperfections().drift(), 0.1);
      EXPECT_EQ(chips[mesh].layout(), brick);
    }
  }
}

TEST_F(MeshImportTest, LargeNumbersAreNotTakenForInfinity) {
  write("phases", 0, "theta", at::full({6, 3}, 1e308, at::kDouble));
  EXPECT_TRUE(import({"phases"})[0].tensors().theta_offset.eq(1e308).all().item<bool>());
}

TEST_F(MeshImportTest, SlotsWithoutAnMziAreNotLookedAt) {
  auto slots = written_.at("phases/mesh0_theta.npy").clone();
  for (const int64_t column : {1, 3, 5}) {
    slots[column][2] = std::nan("");
  }
  write("phases", 0, "theta", slots);
  EXPECT_TRUE(import({"phases"})[0].tensors().theta_offset.isfinite().all().item<bool>());
  // A triangle has columns of one MZI.
  const auto triangle = universal(MeshGrid::triangular, 6);
  const auto ordered = in_mesh_order(at::arange(27).view({9, 3}), triangle);
  EXPECT_TRUE(ordered.equal(at::tensor({0, 3, 6, 7, 9, 10, 12, 13, 14, 15, 16, 18, 19, 21, 24})));
}

TEST_F(MeshImportTest, WrongFilesAreRejected) {
  const auto sound = written_;
  const auto rejects = [&](const std::string& name, const std::string& part) {
    expect_complaint({name, part}, [&] { import({"splitters", "phases"}); });
    const auto& before = sound.at(name);
    folder_.write(name, testing::npy(before));
    EXPECT_EQ(complaint([&] { import({"splitters", "phases"}); }), "");
  };
  for (const auto& shape :
       std::vector<std::vector<int64_t>>{{6, 2}, {5, 3}, {18}, {3, 6}, {1, 6, 3}, {}, {0}}) {
    write("phases", 1, "phi", at::zeros(shape));
    rejects("phases/mesh1_phi.npy", "expected [6, 3]");
  }
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    auto slots = sound.at("phases/mesh1_phi.npy").clone();
    slots[1][1] = bad;
    write("phases", 1, "phi", slots);
    rejects("phases/mesh1_phi.npy", "finite");
  }
  auto slots = sound.at("splitters/mesh0_splitter_right.npy").clone();
  slots[1][1] = -1.5;
  write("splitters", 0, "splitter_right", slots);
  rejects("splitters/mesh0_splitter_right.npy", "[-1, 1]");
  save_npy(folder("phases") + "/mesh0_theta.npy", at::zeros({6, 3}, at::kComplexFloat));
  rejects("phases/mesh0_theta.npy", "real numbers, got complex64 [6, 3]");
  folder_.write("phases/mesh0_theta.npy", {1, 2, 3});
  rejects("phases/mesh0_theta.npy", "load_npy");
  for (const std::string name : {"splitters/mesh0_splitter_left.npy", "splitters/mesh1_splitter_right.npy",
                                 "phases/mesh0_phi.npy", "phases/mesh1_theta.npy"}) {
    remove(name);
    rejects(name, "readable");
  }
}

TEST_F(MeshImportTest, WhatIsExportedComesBack) {
  const std::vector<MeshLayout> layouts{brick, universal(MeshGrid::triangular, 6),
                                        universal(MeshGrid::rectangular, 5)};
  std::vector<MeshPhases> phases;
  for (const auto& layout : layouts) {
    phases.push_back({at::randn({layout.mzis()}, at::kDouble), at::randn({layout.mzis()}),
                      phases.empty() ? at::Tensor() : at::randn({layout.ports}, at::kDouble)});
  }
  for (const std::string name : {"new", "below/it/", "there"}) {
    const auto path = folder(name);
    if (name == "there") {
      std::filesystem::create_directory(path);
    }
    export_phases(path, layouts, phases);
    for (size_t k = 0; k < layouts.size(); ++k) {
      const auto read = import_phases(path, layouts[k], static_cast<int64_t>(k));
      EXPECT_TRUE(read.theta.equal(phases[k].theta));
      EXPECT_TRUE(read.phi.equal(phases[k].phi.to(at::kDouble)));
      EXPECT_EQ(read.gamma.defined(), k > 0);
      EXPECT_TRUE(k == 0 || read.gamma.equal(phases[k].gamma));
    }
    auto other = layouts[1];
    other.idle_port = IdlePort::bar;
    expect_complaint({"import_phases", "layouts.json, mesh 1", "idle_port \"bar\"", "got \"wire\""},
                     [&] { import_phases(path, other, 1); });
    expect_complaint({"layouts.json", "the layout of mesh 3"}, [&] { import_phases(path, layouts[0], 3); });
    expect_complaint({"export_phases", "empty", path}, [&] { export_phases(path, layouts, phases); });
  }
  const auto wrong = [&](const MeshPhases& mesh, const std::string& part) {
    expect_complaint({part}, [&] { export_phases(folder("wrong"), {brick, brick}, {phases[0], mesh}); });
    EXPECT_FALSE(std::filesystem::exists(folder("wrong")));
  };
  wrong({phases[0].theta, at::zeros({14}), {}}, "phi of mesh 1: expected real [15], got float32 [14]");
  wrong({phases[0].theta, phases[0].phi, at::zeros({5})}, "gamma of mesh 1: expected real [6]");
  wrong({phases[0].theta, phases[0].phi, at::ones({6}) / 0}, "gamma of mesh 1: expected finite values");
  wrong({{}, phases[0].phi, {}}, "theta of mesh 1: expected real [15], got an undefined tensor");
  expect_complaint({"export_phases", "phases"}, [&] { export_phases(folder("wrong"), {brick}, {}); });
  folder_.write("file", {1});
  expect_complaint({"export_phases", folder("file")},
                   [&] { export_phases(folder("file"), layouts, phases); });
  expect_complaint({"export_phases"}, [&] { export_phases("/proc/none/phases", layouts, phases); });
}

TEST_F(MeshImportTest, WrongFoldersAreRejected) {
  std::filesystem::create_directory(folder("empty"));
  expect_complaint({"import_chips", folder("empty"), "neither"}, [&] { import({"splitters", "empty"}); });
  expect_complaint({"import_chips", folder("absent"), "neither"}, [&] { import({"absent"}); });
  expect_complaint({"import_chips", "folders", "neither in ''"}, [&] { import_chips({""}, {brick}); });
  expect_complaint({"import_chips", "one folder with theta and phi", folder("phases"), folder("weights")},
                   [&] {
                     import({"phases", "weights"});
                   });
  expect_complaint({"import_chips", "one folder with splitter_left"}, [&] {
    import({"splitters", "splitters"});
  });
  expect_complaint({"import_chips", "layouts", "mesh1_theta.npy"},
                   [&] { import_chips({folder("phases")}, {brick}); });
  expect_complaint({"mesh2_theta.npy", "readable"}, [&] {
    import_chips({folder("phases")}, {brick, brick, brick});
  });
  expect_complaint({"import_chips", "layouts"}, [&] { import_chips({folder("phases")}, {}); });
  expect_complaint({"Chip", "crosstalk"}, [&] { import_chips({}, {brick}, Imperfections().crosstalk(-1)); });
  auto wrong = brick;
  wrong.ports = 1;
  expect_complaint({"import_chips", "ports"}, [&] { import_chips({}, {wrong}); });
}

TEST_F(MeshImportTest, WrongWeightsAreRejected) {
  expect_complaint({"mesh2_theta.npy", "readable"}, [&] { import_phases(folder("weights"), brick, 2); });
  expect_complaint({"mesh0_theta.npy", "expected [8, 4]"},
                   [&] { import_phases(folder("weights"), universal(MeshGrid::rectangular, 8), 0); });
  for (const auto& gamma : {at::zeros({5}), at::zeros({6, 1}), at::zeros({1, 1, 6}), at::zeros({2, 6})}) {
    write("weights", 0, "gamma", gamma);
    expect_complaint({"import_phases", "mesh0_gamma.npy", "[6] or [1, 6]"},
                     [&] { import_phases(folder("weights"), brick, 0); });
  }
  write("weights", 0, "gamma", at::full({6}, std::nan("")));
  expect_complaint({"import_phases", "mesh0_gamma.npy", "finite"},
                   [&] { import_phases(folder("weights"), brick, 0); });
  expect_complaint({"in_mesh_order", "slots", "[6, 3]"}, [] { in_mesh_order(at::zeros({6, 2}), brick); });
  expect_complaint({"in_mesh_order", "slots"}, [] { in_mesh_order(at::Tensor(), brick); });
}

}  // namespace
}  // namespace optotorch
