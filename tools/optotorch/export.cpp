#include <ATen/Parallel.h>
#include <optotorch/core/check.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/export/onnx.h>
#include <optotorch/modules/export/phase_program.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/network_file.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "optotorch/command.h"
#include "runs/run_config.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

struct ExportOptions {
  std::string folder, path, examples, phases, network, onnx, program, calibration;
  bool has_target() const {
    return !(path.empty() && phases.empty() && network.empty() && onnx.empty() && program.empty());
  }
  bool best = false, float64 = false, trainable = false;
};

/// Characters are numbers in any precision.
torch::Tensor in_precision(const torch::Tensor& input, torch::ScalarType type) {
  return input.is_floating_point() ? input.to(type) : input;
}

void export_run(const ExportOptions& options) {
  OPTOTORCH_CHECK(
      options.has_target(), .where = "optotorch", .argument = "--out",
      .expected = "a file to write, or --onnx or --network with one, or --phases or --program with a folder",
      .got = "none of them");
  OPTOTORCH_CHECK(options.onnx.empty() || options.onnx != options.path, .where = "optotorch",
                  .argument = "--onnx", .expected = "another file than --out", .got = options.onnx);
  OPTOTORCH_CHECK(options.calibration.empty() || !options.program.empty(), .where = "optotorch",
                  .argument = "--calibration", .expected = "--program beside it", .got = "none");
  OPTOTORCH_CHECK(options.examples.empty() || !options.path.empty(), .where = "optotorch",
                  .argument = "--examples", .expected = "--out beside it", .got = "none");
  OPTOTORCH_CHECK(!options.trainable || !options.path.empty(), .where = "optotorch",
                  .argument = "--trainable", .expected = "--out beside it: no other file holds parameters",
                  .got = "none");
  const auto run = load_run(options.folder);
  const char* const as_tensors = !options.path.empty()      ? "--out"
                                 : !options.network.empty() ? "--network"
                                 : !options.onnx.empty()    ? "--onnx"
                                                            : nullptr;
  OPTOTORCH_CHECK(as_tensors == nullptr || !run.in_laboratory, .where = "optotorch", .argument = as_tensors,
                  .expected = "a network that is made of tensors",
                  .got = run.network.name + ", with a physical system in it",
                  .remedy = "--phases DIR writes the phases of its meshes, --program DIR all its commands");
  at::set_num_threads(static_cast<int>(run.config.threads));
  auto model = load_model_on_paper(run, options.folder, options.best);
  if (!options.phases.empty()) {
    std::printf("wrote %s: phases of %lld meshes\n", options.phases.c_str(),
                static_cast<long long>(export_phases_of(*model, options.phases)));
  }
  if (!options.program.empty()) {
    std::optional<CalibrationTable> calibration;
    if (!options.calibration.empty()) {
      calibration = CalibrationTable::read(options.calibration);
    }
    const auto stages = export_phase_program(*model, options.program, calibration ? &*calibration : nullptr);
    std::printf("wrote %s: commands of %lld stages\n", options.program.c_str(),
                static_cast<long long>(stages));
  }
  if (!options.network.empty()) {
    save_network(*model, options.network);
    std::printf("wrote %s: architecture and weights\n", options.network.c_str());
  }
  if (!options.onnx.empty()) {
    const auto type = options.float64 ? torch::kFloat64 : torch::kFloat32;
    model->to(type);
    model->eval();
    export_onnx(*model, in_precision(example_input(run, 2), type), options.onnx);
    std::printf("wrote %s: ONNX, opset 17, %s\n", options.onnx.c_str(),
                options.float64 ? "float64" : "float32");
  }
  if (options.path.empty()) {
    return;
  }
  const auto type = options.float64 ? torch::kFloat64 : torch::kFloat32;
  model->to(type);
  model->eval();
  const double difference = export_torchscript(model, in_precision(example_input(run, 2), type), options.path,
                                               TorchScriptOptions().trainable(options.trainable));
  std::printf("wrote %s; loaded again: relative difference %.3g\n", options.path.c_str(), difference);
  if (!options.examples.empty()) {
    SafeTensors examples;
    examples.metadata["threads"] = std::to_string(at::get_num_threads());
    for (const int64_t batch : {1, 7, 64}) {
      const auto input = in_precision(example_input(run, batch), type);
      const std::string number = std::to_string(examples.tensors.size() / 2);
      examples.tensors["input_" + number] = input;
      examples.tensors["output_" + number] = model->forward(input);
    }
    save_safetensors(options.examples, examples);
    std::printf("wrote %s: inputs and outputs of three batches\n", options.examples.c_str());
  }
}

}  // namespace

void add_export(CLI::App& app) {
  auto* command = app.add_subcommand(
      "export",
      "Write a RUN's network as TorchScript or ONNX, which need no OptoTorch, or its hardware's commands");
  auto options = std::make_shared<ExportOptions>();
  command->add_option("RUN", options->folder, "Folder that train wrote")->required();
  command->add_option("--out", options->path, "File to write, e.g. model.pt");
  command->add_option("--network", options->network,
                      "Network file to write, e.g. net.safetensors, for load_network in C++ and in Python");
  command->add_option("--onnx", options->onnx, "ONNX model to write, e.g. model.onnx, in float32");
  command->add_option("--program", options->program,
                      "New folder for all commands of the hardware: program.json and .npy files");
  command->add_option("--calibration", options->calibration,
                      "Table by which the program also holds heater powers, converter codes or the like");
  command->add_option("--phases", options->phases,
                      "New folder for the phases of the meshes as .npy: mesh0_theta.npy, ...");
  command->add_option("--examples", options->examples,
                      "Also write inputs and outputs here, to check the export with");
  command->add_flag("--best", options->best,
                    "Weights of the best epoch on the validation set, not of the last");
  command->add_flag("--float64", options->float64, "In double precision");
  command->add_flag(
      "--trainable", options->trainable,
      "Weights and matrices of --out as parameters that want gradients, for PyTorch to go on with");
  command->callback([options] { export_run(*options); });
}

}  // namespace optotorch::tools
