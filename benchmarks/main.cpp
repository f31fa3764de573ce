// optotorch_bench: each subcommand verifies that ours and its peers compute the same, then times them.

#include <optotorch/core/allocation.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "benchmarks.h"

int main(int argc, char** argv) {
  optotorch::keep_freed_memory();  // ours and peers alike
  CLI::App app{"OptoTorch's benchmarks: verify, then time"};
  app.require_subcommand(1);
  std::string json;
  auto* mesh = app.add_subcommand("mesh", "mzi_mesh, forward and backward, against LibTorch's operators");
  mesh->add_option("--json", json, "write the rows to this file");
  auto* step = app.add_subcommand("step", "a training step by TPFP and DFA, against LibTorch's autograd");
  step->add_option("--json", json, "write the rows to this file");
  auto* sepn = app.add_subcommand("sepn", "the error-prediction network, against LibTorch's convolutions");
  sepn->add_option("--json", json, "write the rows to this file");
  auto* free_space = app.add_subcommand("free-space", "a diffractive layer's step, against LibTorch's fft2");
  free_space->add_option("--json", json, "write the rows to this file");
  std::string torchoptics;
  free_space->add_option("--python", torchoptics, "a Python with torchoptics, as another peer");
  auto* filter_bank =
      app.add_subcommand("filter-bank", "spectral filters on waveforms, against LibTorch's fft");
  filter_bank->add_option("--json", json, "write the rows to this file");
  auto* all_reduce = app.add_subcommand("all-reduce", "gradients summed over two processes, against a copy");
  all_reduce->add_option("--json", json, "write the rows to this file");
  auto* projection =
      app.add_subcommand("projection", "4096 x 4096 random projections, against LibTorch's matmul");
  projection->add_option("--json", json, "write the rows to this file");
  auto* eval = app.add_subcommand("eval", "layers in eval mode, against training mode");
  eval->add_option("--json", json, "write the rows to this file");
  auto* data =
      app.add_subcommand("data", "batches of images, against torchvision's data sets and DataLoader");
  std::string python = "python3";
  data->add_option("--json", json, "write the rows to this file");
  data->add_option("--python", python, "a Python with torchvision and Pillow")->capture_default_str();
  auto* layers = app.add_subcommand("python", "a mesh from Python, against C++");
  bool neurophox = false;
  layers->add_option("--json", json, "write the rows to this file");
  layers->add_option("--python", python, "a Python with optotorch: PYTHONPATH=build/python")
      ->capture_default_str();
  layers->add_flag("--neurophox", neurophox, "neurophox's torch layer as another peer");
  CLI11_PARSE(app, argc, argv);
  try {
    if (*mesh) {
      optotorch::bench::run_mesh(json);
    }
    if (*step) {
      optotorch::bench::run_step(json);
    }
    if (*sepn) {
      optotorch::bench::run_sepn(json);
    }
    if (*free_space) {
      optotorch::bench::run_free_space(json, torchoptics);
    }
    if (*all_reduce) {
      optotorch::bench::run_all_reduce(json);
    }
    if (*filter_bank) {
      optotorch::bench::run_filter_bank(json);
    }
    if (*eval) {
      optotorch::bench::run_eval(json);
    }
    if (*data) {
      optotorch::bench::run_data(json, python);
    }
    if (*layers) {
      optotorch::bench::run_python(json, python, neurophox);
    }
    if (*projection) {
      optotorch::bench::run_projection(json);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "optotorch_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
