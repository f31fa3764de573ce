#pragma once

// What tests of meshes share: layouts in all conventions, seeded generators, distances and complaints.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>
#include <optotorch/ops/mesh_layout.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

namespace optotorch {

inline constexpr double pi = std::numbers::pi;

/// A test on one thread: on small matrices the threads of a busy machine wait for each other much longer than
/// they work.
class OneThreadTest : public ::testing::Test {
 protected:
  OneThreadTest() : threads_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThreadTest() override { at::set_num_threads(threads_); }

 private:
  int threads_;
};

inline MeshLayout universal(MeshGrid grid, int64_t ports) {
  return {.grid = grid, .ports = ports, .columns = MeshLayout::universal_columns(grid, ports)};
}

/// The eight conventions of one grid.
inline std::vector<MeshLayout> conventions(MeshLayout layout) {
  std::vector<MeshLayout> all;
  for (const auto arm : {PhiArm::input, PhiArm::output}) {
    for (const auto zero : {ZeroState::cross, ZeroState::bar}) {
      for (const auto idle : {IdlePort::wire, IdlePort::bar}) {
        layout.phi_arm = arm;
        layout.zero_state = zero;
        layout.idle_port = idle;
        all.push_back(layout);
      }
    }
  }
  return all;
}

inline std::vector<MeshLayout> all_layouts(int64_t ports) {
  auto all = conventions(universal(MeshGrid::rectangular, ports));
  const auto triangles = conventions(universal(MeshGrid::triangular, ports));
  all.insert(all.end(), triangles.begin(), triangles.end());
  return all;
}

inline std::string name(const MeshLayout& layout) {
  return to_string(layout.grid) + " " + std::to_string(layout.ports) + "x" + std::to_string(layout.columns) +
         " phi " + to_string(layout.phi_arm) + ", zero " + to_string(layout.zero_state) + ", idle " +
         to_string(layout.idle_port);
}

inline at::Generator generator(uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

inline double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

inline void expect_in_range(const at::Tensor& phases, double least, double most, const std::string& what) {
  EXPECT_TRUE(phases.isfinite().all().item<bool>()) << what;
  EXPECT_GE(phases.min().item<double>(), least) << what;
  EXPECT_LE(phases.max().item<double>(), most) << what;
}

/// What a rejected call says; empty if it was not rejected as wrong input.
inline std::string complaint(const std::function<void()>& call) {
  try {
    call();
  } catch (const c10::ValueError& error) {
    return error.what_without_backtrace();
  }
  return "";
}

inline void expect_complaint(const std::vector<std::string>& parts, const std::function<void()>& call) {
  const std::string said = complaint(call);
  for (const auto& part : parts) {
    EXPECT_NE(said.find(part), std::string::npos) << "no '" << part << "' in '" << said << "'";
  }
}

}  // namespace optotorch
