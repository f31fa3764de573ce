#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/detail/gradient_sink.h>
#include <optotorch/modules/differentiable.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

namespace optotorch {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct Held : torch::CustomClassHolder {
  Held(std::shared_ptr<Layer> layer, Pass pass) : layer(std::move(layer)), pass(std::move(pass)) {}
  std::shared_ptr<Layer> layer;
  Pass pass;
};

class LayerFunction : public torch::autograd::Function<LayerFunction> {
 public:
  static Variable forward(AutogradContext* context, const Variable& x, at::TensorList /*parameters*/,
                          const std::shared_ptr<Layer>& layer) {
    auto held = c10::make_intrusive<Held>(layer, layer->propagate(x));
    context->saved_data["pass"] = c10::IValue::make_capsule(held);
    // Autograd hangs its history on what is returned: a fresh tensor, lest the pass own its own graph node.
    return held->pass.output.detach();
  }

  static variable_list backward(AutogradContext* context, const variable_list& dL_dy) {
    const auto capsule = context->saved_data["pass"].toCapsule();
    auto& held = static_cast<Held&>(*capsule);
    OPTOTORCH_CHECK(!torch::GradMode::is_enabled(), .where = held.layer->name(), .argument = "create_graph",
                    .expected = "false: a pull-back is differentiable once", .got = "true");
    const GradientSink sink;
    variable_list gradients{held.layer->pullback(held.pass, dL_dy[0], context->needs_input_grad(0))};
    for (const auto& parameter : held.layer->parameters()) {
      gradients.push_back(sink.of(parameter));
    }
    gradients.emplace_back();  // for the layer
    return gradients;
  }
};

thread_local const Deployments* deployed = nullptr;

}  // namespace

DeployedScope::DeployedScope(const Deployments& deployments) : outer_(deployed) {
  deployed = &deployments;
}

DeployedScope::~DeployedScope() {
  deployed = outer_;
}

DifferentiableImpl::DifferentiableImpl(std::shared_ptr<Layer> layer)
    : torch::nn::Module("Differentiable"), layer_(register_module("layer", std::move(layer))) {}

torch::Tensor DifferentiableImpl::forward(const torch::Tensor& x) {
  if (deployed != nullptr) {
    const auto found = deployed->find(layer_.get());
    if (found != deployed->end()) {
      return found->second.forward(x);
    }
  }
  if (!torch::GradMode::is_enabled()) {
    return layer_->forward(x);
  }
  const auto parameters = layer_->parameters();
  return LayerFunction::apply(x, at::TensorList(parameters), layer_);
}

std::shared_ptr<torch::nn::Module> DifferentiableImpl::clone(
    const std::optional<torch::Device>& device) const {
  auto copy = std::make_shared<DifferentiableImpl>(std::dynamic_pointer_cast<Layer>(layer_->clone(device)));
  const bool layer_training = copy->layer_->is_training();
  copy->train(is_training());
  copy->layer_->train(layer_training);
  return copy;
}

void DifferentiableImpl::clone_(torch::nn::Module& other, const std::optional<torch::Device>& device) {
  *this = *std::dynamic_pointer_cast<DifferentiableImpl>(other.clone(device));
}

}  // namespace optotorch
