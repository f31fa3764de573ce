#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/layer.h>

namespace optotorch {
namespace {

/// The memory of `tensor` belongs to it alone, or to it and a base that nothing else refers to.
bool nobody_else_holds(const torch::Tensor& tensor) {
  if (!tensor.is_non_overlapping_and_dense()) {
    return false;
  }
  return tensor.is_view() ? tensor._base().use_count() == 1 && tensor.storage().use_count() == 2
                          : tensor.use_count() == 1 && tensor.storage().use_count() == 1;
}

/// Zeros, of the shape and type of the samples of x.
torch::Tensor zero_samples(const torch::Tensor& x, int64_t batch) {
  auto shape = x.sizes().vec();
  shape[0] = batch;
  return torch::zeros(shape, x.options());
}

}  // namespace

torch::Tensor Layer::forward(const torch::Tensor& x) {
  const torch::NoGradGuard no_grad;
  check_input(x);
  return is_training() ? compute(x.detach(), nullptr) : evaluate(x.detach());
}

Pass Layer::propagate(const torch::Tensor& x, Keep keep) {
  const torch::NoGradGuard no_grad;
  check_input(x);
  Pass pass{x.detach(), {}, {}};
  pass.output = keep == Keep::parts ? compute_parts(pass.input, &pass.saved)
                                    : compute(pass.input, keep == Keep::context ? &pass.saved : nullptr);
  return pass;
}

torch::Tensor Layer::pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(dL_dy.defined() && dL_dy.sizes() == pass.output.sizes(), .where = name(),
                  .argument = "dL_dy", .expected = "the shape of the pass's output, " + describe(pass.output),
                  .got = describe(dL_dy), .remedy = "");
  OPTOTORCH_CHECK(pass.output.is_complex() || !dL_dy.is_complex(), .where = name(), .argument = "dL_dy",
                  .expected = "a real signal for the real output " + describe(pass.output),
                  .got = describe(dL_dy), .remedy = "");
  return compute_pullback(pass, dL_dy.detach().to(pass.output.scalar_type()), to_input);
}

torch::Tensor Layer::tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  return pullback(pass, signal, to_input);
}

torch::Tensor Layer::dfa_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  return pullback(pass, signal, to_input);
}

torch::Tensor Layer::dat_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  return pullback(pass, signal, to_input);
}

void Layer::tap_update(const Pass& pass, const std::vector<torch::Tensor>& signals) {
  OPTOTORCH_CHECK(signals.empty(), .where = name(), .argument = "signals",
                  .expected = "none: there are no taps inside", .got = std::to_string(signals.size()),
                  .remedy = "");
}

Adjoint Layer::adjoint(const torch::Tensor& x) const {
  const torch::NoGradGuard no_grad;
  const auto twin = std::dynamic_pointer_cast<Layer>(clone());
  twin->eval();
  Adjoint adjoint{twin->parameters(), {}};
  for (const auto& buffer : twin->buffers()) {
    adjoint.tensors.push_back(buffer);
  }
  adjoint.apply = [twin, dark = zero_samples(x, 1)](const torch::Tensor& u) {
    const auto pass = twin->propagate(zero_samples(dark, u.size(0)));
    auto back = twin->pullback(pass, u);
    twin->zero_grad(/*set_to_none=*/true);
    return back;
  };
  return adjoint;
}

Deployment Layer::deploy() {
  return {{}, [this](const torch::Tensor& x) { return compute(x, nullptr); }};
}

void Layer::load(torch::serialize::InputArchive& archive) {
  load_checked(*this, [&] { torch::nn::Module::load(archive); });
}

void Layer::accumulate(torch::Tensor& parameter, const torch::Tensor& dL_dparameter) {
  auto& grad = parameter.mutable_grad();
  if (grad.defined()) {
    grad.add_(dL_dparameter);
  } else if (nobody_else_holds(dL_dparameter)) {
    // Its data without being a view: optimisers detach gradients in place, which a view does not allow.
    grad = dL_dparameter.variable_data();
  } else {
    // LibTorch's autograd may return the signal itself, or one value expanded: neither may be added to.
    grad = dL_dparameter.clone(at::MemoryFormat::Contiguous);
  }
}

torch::Tensor& Layer::register_phases(const std::string& name, torch::Tensor tensor) {
  return register_parameter(name, std::move(tensor), /*requires_grad=*/false);
}

torch::Tensor ResponseLayer::tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  if (!parameters(/*recurse=*/true).empty()) {
    pullback(pass, signal, /*to_input=*/false);
  }
  return to_input ? carry(pass, signal) : torch::Tensor();
}

Adjoint ResponseLayer::adjoint(const torch::Tensor& x) const {
  const auto self = std::dynamic_pointer_cast<ResponseLayer>(clone());
  return {{}, [self, dark = zero_samples(x, 1)](const torch::Tensor& u) {
            return self->carry({zero_samples(dark, u.size(0)), {}, {}}, u);
          }};
}

torch::Tensor ResponseLayer::carry(const Pass& pass, const torch::Tensor& signal) const {
  OPTOTORCH_CHECK(signal.sizes() == pass.input.sizes(), .where = name(), .argument = "signal",
                  .expected = "the shape of the input, " + describe(pass.input), .got = describe(signal),
                  .remedy = "A response that regroups its input must override carry()");
  return pass.input.is_complex() || !signal.is_complex() ? signal.to(pass.input.scalar_type())
                                                         : at::real(signal);
}

void check_field(const torch::nn::Module& module, const torch::Tensor& x, int64_t ports) {
  OPTOTORCH_CHECK(x.defined() && x.is_complex() && x.dim() == 2 && x.size(1) == ports, .where = module.name(),
                  .argument = "input", .expected = c10::str("a complex field [batch, ", ports, "]"),
                  .got = describe(x),
                  .remedy = x.defined() && !x.is_complex() ? "A Modulator turns real values into a field"
                                                           : "Match the ports of the layer before it");
}

void check_field(const torch::nn::Module& module, const torch::Tensor& x) {
  OPTOTORCH_CHECK(x.defined() && x.is_complex(), .where = module.name(), .argument = "input",
                  .expected = "a complex field", .got = describe(x),
                  .remedy = "A Modulator turns real values into a field");
}

void check_precision(const torch::nn::Module& module, const torch::Tensor& x,
                     const torch::Tensor& parameter) {
  OPTOTORCH_CHECK(!parameter.is_complex(), .where = module.name(), .argument = "parameters",
                  .expected = "real numbers, as phases are", .got = type_name(parameter.scalar_type()),
                  .remedy =
                      "Convert the module back: module->to(torch::kFloat64) is for fields of complex128, "
                      "module->to(torch::kFloat32) for those of complex64");
  const auto real = c10::toRealValueType(x.scalar_type());
  OPTOTORCH_CHECK(real == parameter.scalar_type(), .where = module.name(), .argument = "input",
                  .expected = "the precision of the parameters, " + type_name(parameter.scalar_type()),
                  .got = describe(x), .remedy = "Convert one: module->to(torch::kFloat64), or the input");
}

void load_checked(torch::nn::Module& module, const std::function<void()>& load) {
  struct Before {
    std::string name;
    torch::Tensor tensor, value;
  };
  std::vector<Before> before;
  const auto remember = [&before](const auto& items) {
    for (const auto& item : items) {
      before.push_back({item.key(), item.value(), item.value().detach().clone()});
    }
  };
  remember(module.named_parameters());
  remember(module.named_buffers());
  const auto restore = [&before] {
    for (auto& [name, tensor, value] : before) {
      tensor.set_data(value);
    }
  };
  try {
    load();
  } catch (...) {
    restore();
    throw;
  }
  for (const auto& [name, tensor, value] : before) {
    if (tensor.sizes() != value.sizes() || tensor.scalar_type() != value.scalar_type()) {
      const WrongInput wrong{.where = module.name(),
                             .argument = name,
                             .expected = describe(value),
                             .got = describe(tensor),
                             .remedy = "The file holds another network's weights"};
      restore();
      reject(wrong);
    }
  }
}

}  // namespace optotorch
