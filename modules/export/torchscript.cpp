#include <ATen/ATen.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/export/torchscript.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/serialization/import.h>

#include <fstream>
#include <sstream>

namespace optotorch {
namespace {

namespace jit = torch::jit;

/// A submodule that holds a layer's tensors, nested as the dots in their names say.
void register_tensors(jit::Module& module, const Deployment& deployment) {
  for (const auto& [name, tensor] : deployment.tensors) {
    jit::Module owner = module;
    std::string rest = name;
    for (auto dot = rest.find('.'); dot != std::string::npos; dot = rest.find('.')) {
      const std::string head = rest.substr(0, dot);
      rest = rest.substr(dot + 1);
      if (!owner.hasattr(head)) {
        owner.register_module(head, jit::Module("Part", owner._ivalue()->compilation_unit(), true));
      }
      owner = owner.attr(head).toModule();
    }
    owner.register_parameter(rest, tensor, /*is_buffer=*/true);
  }
}

/// Puts a network into eval mode and back into the mode it came in.
class EvalMode {
 public:
  explicit EvalMode(torch::nn::Module& module) : module_(module), was_training_(module.is_training()) {
    module_.eval();
  }
  ~EvalMode() { module_.train(was_training_); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  torch::nn::Module& module_;
  bool was_training_;
};

double relative_difference(const torch::Tensor& a, const torch::Tensor& b) {
  OPTOTORCH_CHECK(a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type(), .where = "export_torchscript",
                  .argument = "reloaded output", .expected = describe(a), .got = describe(b), .remedy = "");
  if (a.numel() == 0) {
    return 0;
  }
  const double scale = a.abs().max().item<double>();
  return (a - b).abs().max().item<double>() / (scale > 0 ? scale : 1);
}

}  // namespace

double export_torchscript(HybridImpl& model, const torch::Tensor& example, const std::string& path) {
  const torch::NoGradGuard no_grad;
  const EvalMode eval(model);
  const auto expected = model.forward(example);  // also checks that the network accepts the example

  jit::Module root("OptoTorch");
  std::vector<Deployment> deployments;
  for (size_t index = 0; index < model.size(); ++index) {
    deployments.push_back(model.layer(index).deploy());
    jit::Module child("Layer" + std::to_string(index), root._ivalue()->compilation_unit());
    register_tensors(child, deployments.back());
    root.register_module("layer" + std::to_string(index), child);
  }
  const auto forward = [&deployments](jit::Stack inputs) -> jit::Stack {
    torch::Tensor y = inputs.at(0).toTensor();
    for (const auto& deployment : deployments) {
      y = deployment.forward(y);
    }
    return {y};
  };
  const auto traced = jit::tracer::trace({example.detach()}, forward,
                                         [](const torch::autograd::Variable&) { return std::string(); },
                                         /*strict=*/true, /*force_outplace=*/false, &root, {"input"});
  const auto graph = traced.first->graph;
  auto method = root._ivalue()->compilation_unit()->create_function(
      c10::QualifiedName(*root.type()->name(), "forward"), graph);
  root.type()->addMethod(method);
  root.eval();

  double difference = 0;
  write_atomically(path, [&](const std::string& temporary) {
    // By way of memory: the archive's writer ends the process if its file can't take the last bytes.
    std::ostringstream archive;
    root.save(archive);
    std::ofstream file;
    file.exceptions(std::ios::failbit | std::ios::badbit);
    file.open(temporary, std::ios::binary);
    file << archive.str();
    file.close();
    auto reloaded = jit::load(temporary);
    difference = relative_difference(expected, reloaded.forward({example}).toTensor());
    const double allowed = c10::toRealValueType(expected.scalar_type()) == at::kDouble ? 1e-12 : 1e-6;
    OPTOTORCH_CHECK(difference <= allowed, .where = "export_torchscript", .argument = "reloaded output",
                    .expected = c10::str("a relative difference of at most ", allowed),
                    .got = c10::str(difference), .remedy = "Is a layer's forward random in eval mode?");
  });
  return difference;
}

}  // namespace optotorch
