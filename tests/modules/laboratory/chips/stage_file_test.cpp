#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/laboratory/chips/stage_file.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <support/mesh_cases.h>
#include <support/temporary_folder.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace optotorch {
namespace {

/// A plane and a mesh behind it.
std::vector<std::shared_ptr<BuiltStage>> plane_and_mesh() {
  const DiffractiveLayer plane(DiffractiveLayerOptions({4, 5}).hop(HopOptions().distance(2e-3)));
  const auto errors = Imperfections().offset_error(.3).amplitude_coupling(.1).distance_error(.02);
  return {built(*plane, errors, 3), built(*MziMesh(6), Imperfections().phase_error(.1), 4)};
}

class StageFileTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/stages.safetensors"; }

  /// Saves a sound file, changes it, and expects the complaint.
  void expect_rejected(const std::string& part, const std::function<void(SafeTensors&)>& spoil) const {
    save_stages(path(), plane_and_mesh());
    auto content = load_safetensors(path());
    spoil(content);
    save_safetensors(path(), content);
    expect_complaint({"load_stages", path(), part}, [&] { load_stages(path()); });
  }

 private:
  testing::TemporaryFolder folder_;
};

TEST_F(StageFileTest, WrongContentIsRejected) {
  expect_rejected("'optotorch-stages-1', got 'optotorch-chips-1'",
                  [](auto& c) { c.metadata["format"] = "optotorch-chips-1"; });
  expect_rejected("at least one stage", [](auto& c) { c.metadata["stages"] = "0"; });
  expect_rejected("nothing more", [](auto& c) { c.metadata["stages"] = "1"; });
  expect_rejected("'stage2/kind'", [](auto& c) { c.metadata["stages"] = "999999999999"; });
  expect_rejected("nothing more, got 'note'", [](auto& c) { c.metadata["note"] = "x"; });
  expect_rejected("'chip' or 'errors'", [](auto& c) { c.metadata["stage0/kind"] = "plane"; });
  for (const std::string field : {"layer", "seed", "hours", "offset_error", "phase_bits", "error_drift"}) {
    const auto name = "stage0/" + field;
    expect_rejected("'" + name + "', got none", [&](auto& c) { c.metadata.erase(name); });
    expect_rejected("", [&](auto& c) { c.metadata[name] = "brick"; });
  }
  expect_rejected("hours", [](auto& c) { c.metadata["stage0/hours"] = "-1"; });
  expect_rejected("offset_error", [](auto& c) { c.metadata["stage0/offset_error"] = "nan"; });
  expect_rejected("'stage1/theta_offset', got none", [](auto& c) { c.tensors.erase("stage1/theta_offset"); });
}

TEST_F(StageFileTest, WrongLayersAreRejected) {
  const auto with_layers = [](const std::string& layers) {
    return [layers](SafeTensors& c) {
      c.metadata["stage0/layer"] = R"({"format": "optotorch-network-1", "layers": [)" + layers + "]}";
    };
  };
  const std::string plane = R"({"type": "DiffractiveLayer", "pixels": [4, 5]})";
  expect_rejected("one stage", with_layers(""));
  expect_rejected("one stage", with_layers(plane + ", " + plane));
  expect_rejected("one stage", with_layers(R"({"type": "Photodetector"})"));
  expect_rejected("stage number 0", with_layers(R"({"type": "DiffractiveLayer", "pixels": [0, 5]})"));
  // The gibibytes of such planes are not taken.
  expect_rejected("a described stage", with_layers(R"({"type": "DiffractiveLayer", "pixels": [16384, 16384],
      "modulation": "both", "oversampling": 1})"));
}

TEST_F(StageFileTest, WrongErrorsAreRejected) {
  const std::string offset = "stage0/errors/offset", coupling = "stage0/errors/coupling";
  expect_rejected("offset", [&](auto& c) { c.tensors[offset] = c.tensors[offset].narrow(0, 0, 1); });
  expect_rejected("offset", [&](auto& c) { c.tensors[offset] = c.tensors[offset].to(at::kFloat); });
  expect_rejected("offset", [&](auto& c) { c.tensors[offset][1] = std::nan(""); });
  expect_rejected("0 to 1", [&](auto& c) { c.tensors[coupling][0] = 1.5; });
  expect_rejected("an error of DiffractiveLayer",
                  [&](auto& c) { c.tensors["stage0/errors/loss"] = at::ones(1, at::kDouble); });
}

TEST_F(StageFileTest, DamagedFilesAreRejected) {
  expect_complaint({"save_stages", "stages"}, [&] { save_stages(path(), {}); });
  expect_complaint({path()}, [&] { load_stages(path()); });
  save_stages(path(), plane_and_mesh());
  const auto size = std::filesystem::file_size(path());
  for (uintmax_t kept = size - 1; kept < size; kept = kept < 101 ? size : kept - 101) {
    std::filesystem::resize_file(path(), kept);
    expect_complaint({path()}, [&] { load_stages(path()); });
  }
}

}  // namespace
}  // namespace optotorch
