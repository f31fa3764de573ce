#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/detail/gradient_sink.h>
#include <optotorch/modules/layer.h>

#include <algorithm>
#include <mutex>

namespace optotorch {
namespace {

constexpr char frozen_key[] = "frozen_parameters";  // in archives of torch::save

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

/// Name in errors of a tensor that a pull-back reads.
std::string name_of(const torch::Tensor& tensor, const Pass& pass, const torch::nn::Module& layer) {
  if (tensor.is_same(pass.input)) {
    return "input";
  }
  if (tensor.is_same(pass.output)) {
    return "output";
  }
  for (const auto& items : {layer.named_parameters(), layer.named_buffers()}) {
    for (const auto& item : items) {
      if (tensor.is_same(item.value())) {
        return item.key();
      }
    }
  }
  return "pass";
}

bool are_equal(const std::vector<torch::Tensor>& some, const std::vector<torch::Tensor>& others) {
  return std::equal(some.begin(), some.end(), others.begin(), others.end(), [](const auto& a, const auto& b) {
    return a.scalar_type() == b.scalar_type() && a.device() == b.device() && a.equal(b);
  });
}

std::vector<std::string> frozen_in(const c10::IValue& value, const std::string& where) {
  std::vector<std::string> names;
  OPTOTORCH_CHECK(value.isList(), .where = where, .argument = frozen_key, .expected = "a list of names",
                  .got = value.tagKind(), .remedy = "The file is damaged");
  for (const c10::IValue& name : value.toListRef()) {
    OPTOTORCH_CHECK(name.isString(), .where = where, .argument = frozen_key, .expected = "a list of names",
                    .got = name.tagKind(), .remedy = "The file is damaged");
    names.push_back(name.toStringRef());
  }
  return names;
}

}  // namespace

torch::Tensor Layer::forward(const torch::Tensor& x) {
  check_no_graph(*this, x);
  const torch::NoGradGuard no_grad;
  check_input(x);
  return is_training() ? compute(x.detach(), nullptr) : evaluate(x.detach());
}

/// The deployment that eval mode runs, and the values that it was made of: version counters miss whoever
/// steps `p.data()`, as LibTorch's SGD does.
struct Layer::Deployed {
  std::mutex mutex;  // a served network is called from many threads
  std::vector<torch::Tensor> values;
  std::shared_ptr<const Deployment> deployment;
};

std::shared_ptr<Layer::Deployed> Layer::nothing_deployed() {
  return std::make_shared<Deployed>();
}

void Layer::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

void Layer::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  to(device, non_blocking);
  to(dtype, non_blocking);
}

void Layer::to(torch::Dtype dtype, bool non_blocking) {
  for (const auto& child : children()) {
    child->to(dtype, non_blocking);
  }
  const auto convert = [&](torch::OrderedDict<std::string, torch::Tensor> tensors) {
    for (auto& item : tensors) {
      if (!c10::isIntegralType(item.value().scalar_type(), /*includeBool=*/true)) {
        item.value().set_data(item.value().to(dtype, non_blocking));
      }
    }
  };
  convert(named_parameters(/*recurse=*/false));
  convert(named_buffers(/*recurse=*/false));
}

void Layer::train(bool on) {
  torch::nn::Module::train(on);
  if (on) {
    const std::scoped_lock lock(deployed_->mutex);
    deployed_->values.clear();
    deployed_->deployment.reset();
  }
}

torch::Tensor Layer::evaluate(const torch::Tensor& x) {
  auto own = parameters();
  const auto others = buffers();
  own.insert(own.end(), others.begin(), others.end());
  if (own.empty()) {
    return deploy().forward(x);
  }
  std::shared_ptr<const Deployment> deployment;
  {
    const std::scoped_lock lock(deployed_->mutex);
    if (deployed_->deployment == nullptr || !are_equal(own, deployed_->values)) {
      deployed_->deployment = std::make_shared<const Deployment>(deploy());
      deployed_->values.clear();
      for (const auto& tensor : own) {
        deployed_->values.push_back(tensor.detach().clone());
      }
    }
    deployment = deployed_->deployment;
  }
  return deployment->forward(x);
}

Pass Layer::propagate(const torch::Tensor& x, Keep keep) {
  const torch::NoGradGuard no_grad;
  check_input(x);
  Pass pass{x.detach(), {}};
  pass.output = compute(pass.input, keep == Keep::context ? &pass : nullptr);
  mark(pass);
  return pass;
}

torch::Tensor Layer::pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(dL_dy.defined() && dL_dy.sizes() == pass.output.sizes(), .where = name(),
                  .argument = "dL_dy", .expected = "the shape of the pass's output, " + describe(pass.output),
                  .got = describe(dL_dy));
  OPTOTORCH_CHECK(pass.output.is_complex() || !dL_dy.is_complex(), .where = name(), .argument = "dL_dy",
                  .expected = "a real signal for the real output " + describe(pass.output),
                  .got = describe(dL_dy));
  check_unchanged(pass);
  return compute_pullback(pass, dL_dy.detach().to(pass.output.scalar_type()), to_input);
}

std::vector<torch::Tensor> Layer::own_tensors() const {
  auto tensors = parameters();
  for (const auto& buffer : buffers()) {
    if (buffer.is_floating_point() || buffer.is_complex()) {
      tensors.push_back(buffer);
    }
  }
  return tensors;
}

std::vector<torch::Tensor> Layer::read_by_pullback(const Pass& pass) const {
  auto tensors = own_tensors();
  tensors.insert(tensors.end(), {pass.input, pass.output});
  const auto saved = saved_tensors(pass);
  tensors.insert(tensors.end(), saved.begin(), saved.end());
  return tensors;
}

std::vector<torch::Tensor> Layer::saved_tensors(const Pass& pass) {
  auto tensors = pass.saved;
  for (const auto& inner : pass.inside) {
    tensors.insert(tensors.end(), {inner.input, inner.output});
    const auto deeper = saved_tensors(inner);
    tensors.insert(tensors.end(), deeper.begin(), deeper.end());
  }
  return tensors;
}

void Layer::mark(Pass& pass) const {
  pass.marks.clear();
  for (const auto& tensor : read_by_pullback(pass)) {
    pass.marks.emplace_back(tensor);
  }
}

void Layer::check_unchanged(const Pass& pass) const {
  for (size_t i = 0; i < pass.marks.size(); ++i) {
    if (pass.marks[i].is_passed()) {
      const auto tensors = read_by_pullback(pass);
      reject({.where = name(),
              .argument = i < tensors.size() ? name_of(tensors[i], pass, *this) : "pass",
              .expected = "what it was in the forward pass, which the pull-back reads",
              .got = "changed in place since then",
              .remedy = "Change a copy, y = y * 2 instead of y.mul_(2); step the optimiser after all "
                        "pull-backs of the pass"});
    }
  }
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

void Layer::save(torch::serialize::OutputArchive& archive) const {
  torch::nn::Module::save(archive);
  save_frozen(*this, archive);
}

void Layer::load(torch::serialize::InputArchive& archive) {
  load_checked(*this, archive, [&] { torch::nn::Module::load(archive); });
}

void Layer::accumulate(torch::Tensor& parameter, const torch::Tensor& dL_dparameter) {
  if (!parameter.requires_grad()) {
    return;
  }
  if (auto* const sink = GradientSink::innermost()) {
    sink->add(parameter, dL_dparameter);
    return;
  }
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
  return register_parameter(name, std::move(tensor));
}

std::vector<torch::Tensor> ResponseLayer::read_by_pullback(const Pass& pass) const {
  auto tensors = own_tensors();
  tensors.push_back(pass.input);
  return tensors;
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

Traversal Layer::traversal(const Pass& pass) const {
  Traversal way;
  for (const auto& [kind, count] : footprint()) {
    if (count > 0) {
      way.along[kind] = 1;
      way.detectors += kind == parts::detectors ? count : 0;
    }
  }
  if (is_matrix() && pass.input.numel() > 0) {
    const int64_t inputs = pass.input.size(-1);
    way.passes = pass.input.numel() / (pass.input.size(0) * inputs);
    way.multiply_adds = way.passes * inputs * pass.output.size(-1);
  }
  return way;
}

void add(Footprint& all, const Footprint& some, int64_t times) {
  for (const auto& [kind, count] : some) {
    all[kind] += count * times;
  }
}

void save_frozen(const torch::nn::Module& module, torch::serialize::OutputArchive& archive) {
  const auto names = frozen_parameters(module);
  archive.write(frozen_key, c10::IValue(c10::List<std::string>(c10::ArrayRef<std::string>(names))));
}

void load_checked(torch::nn::Module& module, torch::serialize::InputArchive& archive,
                  const std::function<void()>& load) {
  struct Before {
    std::string name;
    torch::Tensor tensor, value;
  };
  const auto frozen = frozen_parameters(module);
  std::vector<Before> before;
  const auto remember = [&before](const auto& items) {
    for (const auto& item : items) {
      before.push_back({item.key(), item.value(), item.value().detach().clone()});
    }
  };
  remember(module.named_parameters());
  remember(module.named_buffers());
  const auto restore = [&] {
    for (auto& [name, tensor, value] : before) {
      tensor.set_data(value);
    }
    set_frozen(module, frozen);
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
  try {
    c10::IValue written;
    if (archive.try_read(frozen_key, written)) {  // files from before it was written have none
      set_frozen(module, frozen_in(written, module.name()));
    }
  } catch (...) {
    restore();
    throw;
  }
}

}  // namespace optotorch
