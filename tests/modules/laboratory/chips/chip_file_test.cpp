#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/laboratory/chips/chip_file.h>
#include <support/mesh_cases.h>
#include <support/temporary_folder.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace optotorch {
namespace {

// Values that no short decimal number is.
const Imperfections everything = Imperfections()
                                     .splitter_error(0.1 / 3)
                                     .phase_error(std::nextafter(0.06, 1))
                                     .loss_db(1e-17)
                                     .crosstalk(0.01 / 7)
                                     .phase_bits(12)
                                     .drift(std::numeric_limits<double>::denorm_min())
                                     .relative_noise(0.02 / 3)
                                     .additive_noise(12345.678901234567);

std::vector<Chip> row() {
  std::vector<Chip> chips;
  for (const auto& layout : all_layouts(5)) {
    chips.push_back(
        Chip(layout, Imperfections(everything).drift(0.1 / 3), -7 - static_cast<int64_t>(chips.size()))
            .at(static_cast<double>(chips.size()) / 7));
  }
  chips.push_back(Chip(universal(MeshGrid::rectangular, 8), everything, std::numeric_limits<int64_t>::min()));
  chips.push_back(Chip(universal(MeshGrid::rectangular, 2), Imperfections(), 0));
  return chips;
}

class ChipFileTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/chips.safetensors"; }

  /// Saves a sound file, changes it, and expects the complaint.
  void expect_rejected(const std::string& part, const std::function<void(SafeTensors&)>& spoil) const {
    save_chips(path(), row());
    auto content = load_safetensors(path());
    spoil(content);
    save_safetensors(path(), content);
    expect_complaint({"load_chips", path(), part}, [&] { load_chips(path()); });
  }

 private:
  testing::TemporaryFolder folder_;
};

TEST_F(ChipFileTest, ARoundTripKeepsEveryBit) {
  const auto chips = row();
  save_chips(path(), chips);
  const auto loaded = load_chips(path());
  ASSERT_EQ(loaded.size(), chips.size());
  at::manual_seed(3);
  for (size_t i = 0; i < chips.size(); ++i) {
    const auto &saved = chips[i], &read = loaded[i];
    EXPECT_EQ(read.layout(), saved.layout());
    EXPECT_EQ(read.seed(), saved.seed());
    EXPECT_EQ(read.hours(), saved.hours());
    auto before = saved.imperfections(), after = read.imperfections();
    for (const auto& field : imperfection_fields()) {
      EXPECT_EQ((after.*field.value)(), (before.*field.value)()) << field.name;
    }
    EXPECT_EQ(after.phase_bits(), before.phase_bits());
    const int64_t mzis = saved.layout().mzis();
    const ops::MeshTensors commanded{.theta = at::randn({mzis}, at::kDouble), .phi = at::randn({mzis})};
    for (const double hours : {saved.hours(), 33.3}) {
      const auto there = saved.at(hours).realise(commanded), here = read.at(hours).realise(commanded);
      EXPECT_TRUE(here.theta.equal(there.theta));
      EXPECT_TRUE(here.phi.equal(there.phi));
      EXPECT_EQ(here.splitter_error.has_value(), there.splitter_error.has_value());
      EXPECT_TRUE(read.tensors().splitter_error.equal(saved.tensors().splitter_error));
      EXPECT_TRUE(read.tensors().transmission.equal(saved.tensors().transmission));
    }
    const auto intensity = at::rand({3, saved.layout().ports}, at::kDouble);
    EXPECT_TRUE(read.read_out(intensity, 17).equal(saved.read_out(intensity, 17)));
  }
}

TEST_F(ChipFileTest, WrongContentIsRejected) {
  expect_rejected("'optotorch-chips-1', got 'optotorch-chips-2'",
                  [](auto& c) { c.metadata["format"] = "optotorch-chips-2"; });
  expect_rejected("'format'", [](auto& c) { c.metadata.erase("format"); });
  for (const std::string bad : {"", "-1", "x", "1 ", "99999999999999999999"}) {
    expect_rejected("'chips', got '" + bad + "'", [&](auto& c) { c.metadata["chips"] = bad; });
  }
  expect_rejected("at least one", [](auto& c) { c.metadata["chips"] = "0"; });
  expect_rejected("nothing more", [](auto& c) { c.metadata["chips"] = "2"; });
  expect_rejected("'chip18/grid'", [](auto& c) { c.metadata["chips"] = "999999999999"; });
  expect_rejected("nothing more, got 'note'", [](auto& c) { c.metadata["note"] = "x"; });
  expect_rejected("nothing more, got 'more'", [](auto& c) { c.tensors["more"] = at::ones(1); });
  for (const std::string field : {"grid", "ports", "phi_arm", "zero_state", "idle_port", "columns", "seed",
                                  "hours", "phase_bits", "crosstalk", "additive_noise"}) {
    expect_rejected("'chip3/" + field + "', got none", [&](auto& c) { c.metadata.erase("chip3/" + field); });
    expect_rejected("", [&](auto& c) { c.metadata["chip3/" + field] = "brick"; });
    expect_rejected("", [&](auto& c) { c.metadata["chip3/" + field] = ""; });
  }
  for (const std::string bad : {"nan", "-0.1", "0.6", "inf", "0.1x", "1e999", " 0.1"}) {
    expect_rejected("crosstalk", [&](auto& c) { c.metadata["chip1/crosstalk"] = bad; });
  }
  expect_rejected("chip number 1, got 'Chip: phase_bits",
                  [](auto& c) { c.metadata["chip1/phase_bits"] = "25"; });
  expect_rejected("hours", [](auto& c) { c.metadata["chip1/hours"] = "-1"; });
  expect_rejected("ports", [](auto& c) { c.metadata["chip1/ports"] = "1"; });
  expect_rejected("theta_offset", [](auto& c) { c.metadata["chip1/ports"] = "6"; });
  expect_rejected("columns", [](auto& c) { c.metadata["chip1/columns"] = "9223372036854775807"; });
}

TEST_F(ChipFileTest, WrongTensorsAreRejected) {
  for (const std::string name : {"theta_offset", "phi_offset", "splitter_error", "transmission"}) {
    const auto in = "chip2/" + name;
    expect_rejected("'" + in + "', got none", [&](auto& c) { c.tensors.erase(in); });
    expect_rejected(name, [&](auto& c) { c.tensors[in] = c.tensors[in].narrow(0, 1, 3); });
    expect_rejected(name, [&](auto& c) { c.tensors[in] = c.tensors[in].unsqueeze(0); });
    expect_rejected(name, [&](auto& c) { c.tensors[in] = c.tensors[in].to(at::kFloat); });
    expect_rejected(name, [&](auto& c) { c.tensors[in].view(-1)[1] = std::nan(""); });
  }
  expect_rejected("splitter_error", [](auto& c) { c.tensors["chip2/splitter_error"][0][0] = 1.1; });
  expect_rejected("transmission", [](auto& c) { c.tensors["chip2/transmission"][0][0] = 0; });
}

TEST_F(ChipFileTest, DamagedFilesAreRejected) {
  expect_complaint({"save_chips", "chips"}, [&] { save_chips(path(), {}); });
  expect_complaint({path()}, [&] { load_chips(path()); });
  save_chips(path(), row());
  const auto size = std::filesystem::file_size(path());
  for (uintmax_t kept = size - 1; kept < size; kept = kept < 211 ? size : kept - 211) {
    std::filesystem::resize_file(path(), kept);
    expect_complaint({path()}, [&] { load_chips(path()); });
  }
  save_safetensors(path(), {{{"weights", at::ones({3})}}, {}});
  expect_complaint({"load_chips", path(), "'format'"}, [&] { load_chips(path()); });
}

}  // namespace
}  // namespace optotorch
