#pragma once

// Physical systems lent over a socket, by a thread or by another process, and what a client asks of them.

#include <ATen/ATen.h>
#include <optotorch/modules/laboratory/instrument/instrument_server.h>
#include <optotorch/modules/laboratory/instrument/remote_system.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <support/mesh_cases.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace optotorch::testing::instruments {

inline constexpr int64_t ports = 6;

inline MeshLayout six_ports() {
  return universal(MeshGrid::rectangular, ports);
}

inline std::vector<Chip> chips(int64_t meshes, const MeshLayout& layout = six_ports()) {
  const auto errors =
      Imperfections().splitter_error(0.1).phase_error(0.2).relative_noise(0.05).additive_noise(0.01);
  std::vector<Chip> result;
  for (int64_t m = 0; m < meshes; ++m) {
    result.emplace_back(layout, errors, m);
  }
  return result;
}

inline SimulatedSystemOptions optics(bool monitors) {
  return SimulatedSystemOptions().monitors(monitors).activation(
      std::make_shared<ElectroOpticActivationImpl>());
}

inline std::vector<MeshPhases> random_phases(const PhysicalSystem& system, bool screen = true) {
  std::vector<MeshPhases> phases;
  for (const auto& stage : system.stages()) {
    const auto &mzis = stage.commands.at("theta").shape, &screens = stage.commands.at("gamma").shape;
    phases.push_back({at::rand(mzis, at::kDouble) * pi, at::rand(mzis, at::kDouble) * 6,
                      screen ? at::rand(screens, at::kDouble) * 6 : at::Tensor()});
  }
  return phases;
}

inline at::Tensor light(int64_t batch, at::ScalarType type = at::kComplexDouble) {
  return at::randn({batch, ports}, type);
}

/// A thread that ends with the scope.
class Background {
 public:
  explicit Background(std::function<void(const Stopped&)> work)
      : thread_([this, work] { work([this] { return stop_.load(); }); }) {}
  ~Background() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

/// Serves in the same process.
struct Served {
  explicit Served(PhysicalSystem& system, const std::string& address,
                  const InstrumentServerOptions& options = {})
      : server(system, address, options), thread([this](const Stopped& stopped) { server.serve(stopped); }) {}
  InstrumentServer server;
  Background thread;
};

/// Another process, ended with the scope.
class Process {
 public:
  explicit Process(const std::function<void()>& work) : child_(::fork()) {
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      try {
        work();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
      ::_exit(0);
    }
  }
  ~Process() { end(SIGKILL); }
  void end(int signal) {
    if (child_ > 0) {
      ::kill(child_, signal);
      ::waitpid(std::exchange(child_, -1), nullptr, 0);
    }
  }

 private:
  pid_t child_;
};

inline std::shared_ptr<RemoteSystem> connect_when_ready(const std::string& address) {
  for (int attempt = 0;; ++attempt) {
    try {
      return RemoteSystem::connect(address);
    } catch (const c10::ValueError&) {
      if (attempt == 200) {
        throw;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
}

inline void serve_here(const std::string& address, int64_t meshes, bool monitors) {
  SimulatedSystem lent(chips(meshes), optics(monitors));
  InstrumentServer(lent, address).serve([] { return false; });
}

/// An address for every test, in a folder of its own.
class InstrumentFixture : public OneThreadTest {
 protected:
  InstrumentFixture() {
    at::manual_seed(3);
    folder = std::filesystem::temp_directory_path() / c10::str("optotorch-remote-", ::getpid());
    std::filesystem::create_directories(folder);
    address = "unix:" + (folder / "instrument").string();
  }
  ~InstrumentFixture() override { std::filesystem::remove_all(folder); }

  std::filesystem::path folder;
  std::string address;
};

}  // namespace optotorch::testing::instruments
