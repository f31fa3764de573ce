#include <ATen/Parallel.h>
#include <optotorch/core/check.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/network_file.h>

#include <cstdio>
#include <memory>

#include "optotorch/command.h"
#include "runs/run_config.h"
#include "runs/run_network.h"

namespace optotorch::tools {
namespace {

struct ExportOptions {
  std::string folder, path, examples, phases, network;
  bool best = false, float64 = false, trainable = false;
};

/// Characters are numbers in any precision.
torch::Tensor in_precision(const torch::Tensor& input, torch::ScalarType type) {
  return input.is_floating_point() ? input.to(type) : input;
}

void export_run(const ExportOptions& options) {
  OPTOTORCH_CHECK(!options.path.empty() || !options.phases.empty() || !options.network.empty(),
                  .where = "optotorch", .argument = "--out",
                  .expected = "a file to write, or --network with one, or --phases with a folder",
                  .got = "none of them");
  OPTOTORCH_CHECK(options.examples.empty() || !options.path.empty(), .where = "optotorch",
                  .argument = "--examples", .expected = "--out beside it", .got = "none");
  const auto run = load_run(options.folder);
  OPTOTORCH_CHECK((options.path.empty() && options.network.empty()) || !run.in_laboratory,
                  .where = "optotorch", .argument = options.path.empty() ? "--network" : "--out",
                  .expected = "a network that is made of tensors",
                  .got = run.network.name + ", with a physical system in it",
                  .remedy = "--phases DIR writes the phases of its meshes");
  at::set_num_threads(static_cast<int>(run.config.threads));
  auto model = load_model_on_paper(run, options.folder, options.best);
  if (!options.phases.empty()) {
    std::printf("wrote %s: phases of %lld meshes\n", options.phases.c_str(),
                static_cast<long long>(export_phases_of(*model, options.phases)));
  }
  if (!options.network.empty()) {
    save_network(*model, options.network);
    std::printf("wrote %s: architecture and weights\n", options.network.c_str());
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
      "export", "Write a RUN's network as TorchScript, which needs no OptoTorch, or its meshes' phases");
  auto options = std::make_shared<ExportOptions>();
  command->add_option("RUN", options->folder, "Folder that train wrote")->required();
  command->add_option("--out", options->path, "File to write, e.g. model.pt");
  command->add_option("--network", options->network,
                      "Network file to write, e.g. net.safetensors, for load_network in C++ and in Python");
  command->add_option("--phases", options->phases,
                      "New folder for the phases of the meshes as .npy: mesh0_theta.npy, ...");
  command->add_option("--examples", options->examples,
                      "Also write inputs and outputs here, to check the export with");
  command->add_flag("--best", options->best,
                    "Weights of the best epoch on the validation set, not of the last");
  command->add_flag("--float64", options->float64, "In double precision");
  command->add_flag("--trainable", options->trainable,
                    "Weights and matrices as parameters that want gradients, for PyTorch to go on with");
  command->callback([options] { export_run(*options); });
}

}  // namespace optotorch::tools
