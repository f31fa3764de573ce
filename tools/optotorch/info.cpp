#include <openssl/evp.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/printable.h>
#include <optotorch/modules/export/detail/torchscript_archive.h>
#include <optotorch/modules/optics/detail/power.h>
#include <optotorch/modules/optics/diffractive_layer.h>
#include <optotorch/modules/optics/free_space.h>
#include <optotorch/trainers/checkpoint.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "optotorch/command.h"
#include "optotorch/cost.h"
#include "runs/run_config.h"
#include "runs/run_network.h"
#include "runs/validators.h"
#include "runs/versions.h"

namespace optotorch::tools {
namespace {

/// SHA-256 over names, types, shapes and bytes, one tensor after the other.
class Sha256 {
 public:
  Sha256() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }

  void add(const std::string& name, const std::string& description, const torch::Tensor& bytes) {
    const std::string head = name + " " + description + "\n";
    EVP_DigestUpdate(context_.get(), head.data(), head.size());
    EVP_DigestUpdate(context_.get(), bytes.const_data_ptr(), bytes.nbytes());
  }

  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
      char byte[3];
      std::snprintf(byte, sizeof byte, "%02x", digest[i]);
      text += byte;
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

std::string sha256(const std::map<std::string, torch::Tensor>& tensors) {
  Sha256 digest;
  for (const auto& [name, tensor] : tensors) {
    digest.add(name, describe(tensor), tensor.contiguous());
  }
  return digest.hex();
}

void print_versions() {
  const auto all = versions();
  for (const auto& [name, value] : all.items()) {
    std::printf("%-10s %s\n", name.c_str(),
                value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
  }
}

int64_t count(const std::vector<torch::Tensor>& parameters) {
  int64_t sum = 0;
  for (const auto& parameter : parameters) {
    sum += parameter.numel();
  }
  return sum;
}

std::string shape_of(const torch::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes().slice(1) << (tensor.is_complex() ? " field" : "");
  return text.str();
}

/// Sampling finer than light can carry, which is allowed: said once.
void warn_of_evanescent_waves(const HybridImpl& model) {
  for (const auto& module : model.modules()) {
    const auto* const plane = dynamic_cast<const DiffractiveLayerImpl*>(module.get());
    const auto* const space = dynamic_cast<const FreeSpaceImpl*>(module.get());
    if ((plane != nullptr && plane->options.sample_hop().samples_evanescent_waves()) ||
        (space != nullptr && space->options.hop().samples_evanescent_waves())) {
      std::printf(
          "\nwarning: %s has samples below half a wavelength: they hold evanescent waves, which fade before "
          "they arrive\n",
          module->name().c_str());
      return;
    }
  }
}

void print_run(const std::string& folder) {
  const auto run = load_run(folder);
  const auto& config = run.config;
  auto model = load_model_on_paper(run, folder);
  std::printf("network    %s, %s on %s, seed %lld\n\n", config.network.c_str(), config.rule.c_str(),
              config.dataset.c_str(), static_cast<long long>(config.seed));
  // Where light gets lost nothing before learns: the power behind every layer, of an example.
  std::printf("%-5s %-24s %-18s %12s %8s %6s %10s\n", "layer", "kind", "output", "parameters", "MZIs",
              "block", "mean |y|^2");
  model->eval();  // a norm of one sample is none
  const auto passes = model->propagate(example_input(run, 1));
  int64_t parameters = 0;
  Footprint all;
  for (size_t index = 0; index < model->size(); ++index) {
    auto& layer = model->layer(index);
    size_t block = 0;
    while (model->blocks()[block].end <= index) {
      ++block;
    }
    parameters += count(layer.parameters());
    auto footprint = layer.footprint();
    add(all, footprint);
    std::printf("%-5zu %-24s %-18s %12lld %8lld %6zu %10.2g\n", index, layer.name().c_str(),
                shape_of(passes[index].output).c_str(), static_cast<long long>(count(layer.parameters())),
                static_cast<long long>(footprint[parts::mzis]), block, mean_power(passes[index].output));
  }
  std::printf("%-5s %-24s %-18s %12lld %8lld\n\n", "", "all", "", static_cast<long long>(parameters),
              static_cast<long long>(all[parts::mzis]));
  std::string hardware;
  for (const auto& [kind, number] : all) {
    if (number > 0) {
      hardware += (hardware.empty() ? "" : ", ") + std::to_string(number) + " " + kind;
    }
  }
  std::printf("hardware   %s\nsha256     %s\n", hardware.empty() ? "electronics alone" : hardware.c_str(),
              sha256(weights_of(*model)).c_str());
  warn_of_evanescent_waves(*model);
}

/// Looks at the file and never runs it: it may be anyone's.
void print_export(const std::string& path) {
  TorchScriptArchive archive(path);
  Sha256 digest;
  // Tensors that repeat the file's bytes may be larger than any memory.
  constexpr uint64_t repeats = 8;
  uint64_t left = repeats * archive.size();
  bool whole = true;
  for (const auto& tensor : archive.tensors()) {
    std::printf("%-32s %s\n", printable(tensor.name).c_str(), tensor.description().c_str());
    const auto bytes = static_cast<uint64_t>(tensor.elements()) * c10::elementSize(tensor.type);
    whole = whole && bytes <= left;
    if (whole) {
      left -= bytes;
      digest.add(tensor.name, tensor.description(), archive.bytes(tensor));
    }
  }
  std::printf("\nsha256     %s\n",
              whole ? digest.hex().c_str() : "none: the tensors repeat the file's bytes too often");
}

}  // namespace

void add_info(CLI::App& app) {
  auto* command =
      app.add_subcommand("info", "Versions, SIMD target and threads; the network of a RUN or an export");
  auto target = std::make_shared<std::string>();
  auto network = std::make_shared<std::string>();
  auto shows_cost = std::make_shared<bool>(false);
  auto cost = std::make_shared<CostArguments>();
  command->add_option("TARGET", *target, "A RUN folder, or a TorchScript file, which is looked at, not run");
  command->add_option("--network", *network,
                      "Print a network's file, to start one of your own from (optotorch info --network vit)");
  command->add_flag("--cost", *shows_cost,
                    "What the RUN's network costs to run: loss, laser, energy, time, area, multiply-adds");
  command->add_option("--components", cost->components,
                      "Table of component figures (default: the program's)");
  command->add_option("--snr-db", cost->snr_db, "Wanted at every detector, of power, decibels")
      ->check(within({0, 200}))
      ->capture_default_str();
  command->add_option("--json", cost->json, "Write the cost here, too");
  command->callback([target, network, shows_cost, cost, command] {
    OPTOTORCH_CHECK(!*shows_cost || network->empty(), .where = "optotorch", .argument = "--cost",
                    .expected = "a RUN", .got = "--network " + *network,
                    .remedy = "Its data say how large a network is: train it, be it for an epoch");
    if (!network->empty()) {
      std::printf("%s", find_network(*network).text.c_str());
      return;
    }
    for (const char* option : {"--components", "--json", "--snr-db"}) {
      OPTOTORCH_CHECK(*shows_cost || command->count(option) == 0, .where = "optotorch", .argument = option,
                      .expected = "--cost beside it", .got = "none");
    }
    if (*shows_cost) {
      print_cost(*target, *cost);
      return;
    }
    print_versions();
    if (target->empty()) {
      return;
    }
    std::printf("\n");
    std::error_code ignored;
    if (std::filesystem::is_regular_file(*target, ignored)) {
      print_export(*target);
    } else {
      print_run(*target);
    }
  });
}

}  // namespace optotorch::tools
