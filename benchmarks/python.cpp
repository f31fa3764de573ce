// A mesh forward and backward from Python against C++.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/npy.h>
#include <optotorch/modules/optics/mzi_mesh.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "benchmarks.h"
#include "peer_program.h"
#include "rows.h"
#include "tensors.h"

namespace optotorch::bench {
namespace {

constexpr int64_t mesh_ports = 64, mesh_batch = 128;
constexpr int python_repeats = 20;  // as in python_layers.py

}  // namespace

void run_python(const std::string& json, const std::string& python, bool neurophox) {
  at::manual_seed(1);
  at::set_num_threads(1);
  MziMesh mesh(mesh_ports);
  const auto x = at::randn({mesh_batch, mesh_ports}, at::kComplexFloat);
  const auto dL_dy = at::randn({mesh_batch, mesh_ports}, at::kComplexFloat);
  const auto step = [&] {
    mesh->zero_grad();
    const auto pass = mesh->propagate(x);
    const auto dL_dx = mesh->pullback(pass, dL_dy);
    return Results{pass.output, dL_dx, mesh->theta.grad(), mesh->phi.grad(), mesh->gamma.grad()};
  };

  const TemporaryFolder folder;
  const auto at = [&](const char* name) { return folder.path() + "/" + name + ".npy"; };
  save_npy(at("x"), x);
  save_npy(at("dL_dy"), dL_dy);
  for (const auto& parameter : mesh->named_parameters()) {
    save_npy(at(parameter.key().c_str()), parameter.value().detach());
  }
  if (neurophox) {
    setenv("OPTOTORCH_NEUROPHOX", "1", /*overwrite=*/1);
  }
  const auto script = std::filesystem::path(__FILE__).parent_path() / "python_layers.py";
  PeerProgram peer(python, script, folder.path(), neurophox ? "optotorch and neurophox" : "optotorch");
  peer.run("check");
  Results theirs;
  for (const auto* name : {"y", "dL_dx", "dL_dtheta", "dL_dphi", "dL_dgamma"}) {
    theirs.push_back(load_npy(at(name)));
  }
  const double difference = verified("python", step(), theirs);

  std::printf("mesh of %lld ports, batch %lld, 1 thread, both ways\n", static_cast<long long>(mesh_ports),
              static_cast<long long>(mesh_batch));
  print_header();
  std::vector<Row> rows;
  auto row = time_pair(
      "C++, 20 times", "python",
      [&] {
        for (int i = 0; i < python_repeats; ++i) {
          step();
        }
      },
      [&] { peer.run("ours"); }, 10);
  row.max_difference = difference;
  row.how = "optotorch.nn.MziMesh, 20 times";
  rows.push_back(row);
  print_row(row);
  if (neurophox) {
    row = time_pair(
        "Python, 20 times", "neurophox", [&] { peer.run("ours"); }, [&] { peer.run("neurophox"); }, 20);
    row.peer_ms *= python_repeats;
    row.how = "RMTorch, one times 20";
    row.max_difference = load_npy(at("neurophox")).item<double>();
    rows.push_back(row);
    print_row(row);
  }
  write_json(rows, json);
}

}  // namespace optotorch::bench
