#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <optotorch/core/check.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/optimizer_state.h>

namespace optotorch {
namespace {

using Tensors = std::map<std::string, torch::Tensor>;

constexpr const char* format = "optotorch-checkpoint-1";

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

SafeTensors read(const std::string& path) {
  auto file = load_safetensors(path);
  const auto found = file.metadata.find("format");
  OPTOTORCH_CHECK(found != file.metadata.end() && found->second == format, .where = "load_checkpoint",
                  .argument = path, .expected = std::string("a file of format ") + format,
                  .got = found == file.metadata.end() ? "a file without a format" : found->second,
                  .remedy = "");
  return file;
}

}  // namespace

Tensors weights_of(const torch::nn::Module& model) {
  Tensors weights;
  for (const auto& item : model.named_parameters()) {
    weights[item.key()] = item.value().detach().clone();
  }
  for (const auto& item : model.named_buffers()) {
    weights[item.key()] = item.value().detach().clone();
  }
  return weights;
}

void load_weights(torch::nn::Module& model, const Tensors& weights) {
  const torch::NoGradGuard no_grad;
  Tensors own;
  for (const auto& item : model.named_parameters()) {
    own[item.key()] = item.value();
  }
  for (const auto& item : model.named_buffers()) {
    own[item.key()] = item.value();
  }
  const std::string remedy = "The weights are another network's";
  for (const auto& [name, tensor] : own) {
    const auto found = weights.find(name);
    OPTOTORCH_CHECK(found != weights.end() && found->second.sizes() == tensor.sizes() &&
                        found->second.scalar_type() == tensor.scalar_type(),
                    .where = "load_weights", .argument = name, .expected = describe(tensor),
                    .got = found == weights.end() ? "nothing" : describe(found->second), .remedy = remedy);
    check_finite("load_weights", name, found->second);
  }
  for (const auto& [name, tensor] : weights) {
    OPTOTORCH_CHECK(own.contains(name), .where = "load_weights", .argument = name,
                    .expected = "no such tensor", .got = describe(tensor), .remedy = remedy);
  }
  for (auto& [name, tensor] : own) {
    tensor.copy_(weights.at(name));
  }
}

void save_checkpoint(const std::string& path, const HybridImpl& model,
                     const torch::optim::Optimizer& optimizer, const Rule& rule,
                     const Checkpoint& checkpoint) {
  SafeTensors file;
  put(file.tensors, "model/", weights_of(model));
  put(file.tensors, "best/", checkpoint.best_weights);
  put(file.tensors, "rule/", rule.state());
  const auto optimizer_now = optimizer_state(optimizer);
  put(file.tensors, "optimizer", optimizer_now.tensors);
  file.tensors["generator"] = at::detail::getDefaultCPUGenerator().get_state();
  file.metadata = {{"format", format}, {"rule", rule.name()}, {"optimizer", optimizer_now.tree}};
  for (const auto& [name, text] : checkpoint.progress) {
    file.metadata["progress/" + name] = text;
  }
  save_safetensors(path, file);
}

Checkpoint load_checkpoint(const std::string& path, HybridImpl& model, torch::optim::Optimizer& optimizer,
                           Rule& rule) {
  const auto file = read(path);
  const auto rule_name = file.metadata.find("rule");
  OPTOTORCH_CHECK(rule_name != file.metadata.end() && rule_name->second == rule.name(),
                  .where = "load_checkpoint", .argument = path, .expected = "a run by rule " + rule.name(),
                  .got = rule_name == file.metadata.end() ? "none" : rule_name->second,
                  .remedy = "Resume with the rule that the run began with");
  const auto generator = file.tensors.find("generator");
  auto own_generator = at::detail::getDefaultCPUGenerator();
  OPTOTORCH_CHECK(generator != file.tensors.end() && generator->second.scalar_type() == torch::kUInt8 &&
                      generator->second.sizes() == own_generator.get_state().sizes(),
                  .where = "load_checkpoint", .argument = path, .expected = "LibTorch's random state",
                  .got = generator == file.tensors.end() ? "none" : describe(generator->second),
                  .remedy = "");
  const auto tree = file.metadata.find("optimizer");
  const auto before = weights_of(model);
  load_weights(model, take(file.tensors, "model/"));
  try {
    load_optimizer_state(optimizer, {take(file.tensors, "optimizer"),
                                     tree == file.metadata.end() ? std::string() : tree->second});
    rule.load_state(take(file.tensors, "rule/"));
  } catch (...) {
    load_weights(model, before);
    throw;
  }
  own_generator.set_state(generator->second);

  Checkpoint checkpoint;
  checkpoint.best_weights = take(file.tensors, "best/");
  const std::string prefix = "progress/";
  for (const auto& [name, text] : file.metadata) {
    if (name.rfind(prefix, 0) == 0) {
      checkpoint.progress[name.substr(prefix.size())] = text;
    }
  }
  return checkpoint;
}

Tensors load_checkpoint_rule(const std::string& path) {
  return take(read(path).tensors, "rule/");
}

void load_checkpoint_weights(const std::string& path, HybridImpl& model, bool best) {
  const auto file = read(path);
  const auto weights = take(file.tensors, best ? "best/" : "model/");
  OPTOTORCH_CHECK(!weights.empty(), .where = "load_checkpoint", .argument = path,
                  .expected = best ? "weights of the best epoch on a validation set" : "weights",
                  .got = "none", .remedy = best ? "Train with a validation split" : "");
  load_weights(model, weights);
}

}  // namespace optotorch
