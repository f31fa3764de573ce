#include <ATen/ATen.h>
#include <c10/util/Type.h>
#include <optotorch/core/check.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/detail/optimizer_state.h>
#include <optotorch/trainers/detail/random_state.h>
#include <optotorch/trainers/model_device.h>

#include <iomanip>
#include <limits>
#include <sstream>
#include <typeinfo>

namespace optotorch {
namespace {

using Tensors = std::map<std::string, torch::Tensor>;

constexpr const char* format = "optotorch-checkpoint-3";
constexpr const char* second_format = "optotorch-checkpoint-2";  // which described layers in other words
constexpr const char* first_format = "optotorch-checkpoint-1";   // not each of them says what it is of

void put(Tensors& all, const std::string& prefix, const Tensors& some) {
  for (const auto& [name, tensor] : some) {
    all[prefix + name] = tensor;
  }
}

Tensors take(const Tensors& all, const std::string& prefix) {
  Tensors some;
  for (auto item = all.lower_bound(prefix); item != all.end() && item->first.rfind(prefix, 0) == 0; ++item) {
    some[item->first.substr(prefix.size())] = item->second;
  }
  return some;
}

std::string class_of(const torch::optim::Optimizer& optimizer) {
  return c10::demangle(typeid(optimizer).name());
}

/// Names that are frozen in the file; those frozen now, if it has none.
std::vector<std::string> frozen_in(const SafeTensors& file, const torch::nn::Module& model) {
  const auto found = file.metadata.find("frozen");
  if (found == file.metadata.end()) {
    return frozen_parameters(model);
  }
  const auto own = model.named_parameters();
  std::vector<std::string> names;
  std::istringstream lines(found->second);
  for (std::string name; std::getline(lines, name);) {
    OPTOTORCH_CHECK(own.contains(name), .where = "load_checkpoint", .argument = "frozen",
                    .expected = "names of parameters", .got = "'" + name + "'",
                    .remedy = "The weights are another network's");
    names.push_back(name);
  }
  return names;
}

std::map<std::string, std::string> progress_in(const SafeTensors& file) {
  std::map<std::string, std::string> progress;
  const std::string prefix = "progress/";
  for (const auto& [name, value] : file.metadata) {
    if (name.starts_with(prefix)) {
      progress[name.substr(prefix.size())] = value;
    }
  }
  return progress;
}

/// Errors of `look` are told with the file's name.
template <typename Look>
void in_file(const std::string& path, Look&& look) {
  try {
    look();
  } catch (const c10::Error& error) {
    std::string said = error.what_without_backtrace();
    if (said.find(path) != std::string::npos) {
      throw;
    }
    said.resize(said.find_last_not_of('.') + 1);
    reject({.where = "load_checkpoint",
            .argument = path,
            .expected = "what fits this network, optimiser and rule",
            .got = said});
  }
}

/// Layers with their options, numbers in full: what decides how weights of the same shapes are used.
std::string description_of(const torch::nn::Module& model) {
  std::ostringstream stream;
  stream << std::setprecision(std::numeric_limits<double>::max_digits10) << model;
  return stream.str();
}

/// Files of older formats do not say which network they are of, or in other words.
void check_network(const std::string& path, const SafeTensors& file, const torch::nn::Module& model) {
  const auto found = file.metadata.find("network");
  if (file.metadata.at("format") != format || found == file.metadata.end() ||
      found->second == description_of(model)) {
    return;
  }
  std::istringstream own(description_of(model)), other(found->second);
  std::string expected, got;
  while (std::getline(own, expected) && std::getline(other, got) && expected == got) {
  }
  reject({.where = "load_checkpoint",
          .argument = path,
          .expected = "weights of " + expected,
          .got = got == expected ? "those of fewer layers" : got,
          .remedy = "The weights are another network's"});
}

void check_optimizer_class(const std::string& path, const SafeTensors& file,
                           const torch::optim::Optimizer& optimizer) {
  const auto found = file.metadata.find("optimizer_class");
  OPTOTORCH_CHECK(found == file.metadata.end() || found->second == class_of(optimizer),
                  .where = "load_checkpoint", .argument = path,
                  .expected = "a run with " + class_of(optimizer), .got = found->second,
                  .remedy = "Resume with the optimiser that the run began with");
}

SafeTensors read_checkpoint(const std::string& path) {
  auto file = load_safetensors(path);
  const auto found = file.metadata.find("format");
  const auto said = found == file.metadata.end() ? "a file without a format" : found->second;
  OPTOTORCH_CHECK(said == format || said == second_format || said == first_format, .where = "load_checkpoint",
                  .argument = path, .expected = std::string("a file of format ") + format, .got = said);
  for (const char* name : {"network", "frozen", "optimizer_class"}) {
    OPTOTORCH_CHECK(said == first_format || file.metadata.contains(name), .where = "load_checkpoint",
                    .argument = path, .expected = c10::str("'", name, "' among the metadata"), .got = "none",
                    .remedy = "The checkpoint is damaged");
  }
  return file;
}

}  // namespace

void save_checkpoint(const std::string& path, const HybridImpl& model,
                     const torch::optim::Optimizer& optimizer, const Rule& rule,
                     const Checkpoint& checkpoint) {
  SafeTensors file;
  put(file.tensors, "model/", weights_of(model));
  put(file.tensors, "best/", checkpoint.best_weights);
  put(file.tensors, "rule/", rule.state());
  const auto optimizer_now = optimizer_state(optimizer);
  put(file.tensors, "optimizer", optimizer_now.tensors);
  file.tensors["generator"] = random_state(device_of(model));
  file.metadata = {{"format", format},
                   {"rule", rule.name()},
                   {"network", description_of(model)},
                   {"frozen", c10::Join("\n", frozen_parameters(model))},
                   {"optimizer", optimizer_now.tree},
                   {"optimizer_class", class_of(optimizer)}};
  for (const auto& [name, text] : checkpoint.progress) {
    file.metadata["progress/" + name] = text;
  }
  save_safetensors(path, file);
}

Checkpoint load_checkpoint(const std::string& path, HybridImpl& model, torch::optim::Optimizer& optimizer,
                           Rule& rule, const std::function<void(const Checkpoint&)>& accept) {
  const auto file = read_checkpoint(path);
  const auto text = [&](const std::string& name) {
    const auto found = file.metadata.find(name);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  OPTOTORCH_CHECK(text("rule") == rule.name(), .where = "load_checkpoint", .argument = path,
                  .expected = "a run by rule " + rule.name(),
                  .got = text("rule").empty() ? "none" : text("rule"),
                  .remedy = "Resume with the rule that the run began with");
  const auto generator = file.tensors.find("generator");
  OPTOTORCH_CHECK(generator != file.tensors.end() && generator->second.scalar_type() == torch::kUInt8 &&
                      generator->second.dim() == 1 &&
                      generator->second.numel() >= random_state(torch::kCPU).numel(),
                  .where = "load_checkpoint", .argument = path, .expected = "LibTorch's random state",
                  .got = generator == file.tensors.end() ? "none" : describe(generator->second));
  check_network(path, file, model);
  check_optimizer_class(path, file, optimizer);
  const auto weights = take(file.tensors, "model/");
  const OptimizerState state{take(file.tensors, "optimizer"), text("optimizer")};
  const Checkpoint checkpoint{progress_in(file), take(file.tensors, "best/")};
  std::vector<std::string> frozen;
  in_file(path, [&] {
    check_weights(model, weights);
    frozen = frozen_in(file, model);
    if (!checkpoint.best_weights.empty()) {
      check_weights(model, checkpoint.best_weights);
    }
    check_optimizer_state(optimizer, state);
    check_random_state(generator->second);
    if (accept) {
      accept(checkpoint);
    }
    // Nothing has changed so far, and of what is left only the rule may still find something wrong.
    const auto rule_before = rule.state();
    rule.load_state(take(file.tensors, "rule/"));
    try {
      rule.meet(model);
      load_optimizer_state(optimizer, state);
    } catch (...) {
      rule.load_state(rule_before);
      throw;
    }
  });
  load_weights(model, weights);
  set_frozen(model, frozen);
  set_random_state(generator->second, device_of(model));
  return checkpoint;
}

Tensors load_checkpoint_rule(const std::string& path) {
  return take(read_checkpoint(path).tensors, "rule/");
}

std::map<std::string, std::string> load_checkpoint_progress(const std::string& path) {
  return progress_in(read_checkpoint(path));
}

void load_checkpoint_weights(const std::string& path, HybridImpl& model, bool best) {
  const auto file = read_checkpoint(path);
  const auto weights = take(file.tensors, best ? "best/" : "model/");
  OPTOTORCH_CHECK(!weights.empty(), .where = "load_checkpoint", .argument = path,
                  .expected = best ? "weights of the best epoch on a validation set" : "weights",
                  .got = "none", .remedy = best ? "Train with a validation split" : "");
  check_network(path, file, model);
  in_file(path, [&] { load_weights(model, weights); });
}

}  // namespace optotorch
