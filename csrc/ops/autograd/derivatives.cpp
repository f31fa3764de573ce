#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <c10/core/InferenceMode.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/autograd/derivatives.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

namespace optotorch::ops {
namespace {

using torch::autograd::variable_list;

bool has_tangent(const at::Tensor& tensor) {
  return tensor.defined() && tensor._fw_grad(/*level=*/0).defined();
}

bool have_tangents(at::TensorList tensors) {
  return std::any_of(tensors.begin(), tensors.end(), has_tangent);
}

bool require_grad(at::TensorList tensors) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const at::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); });
}

/// The same values, to be differentiated by, still part of the graph that made them.
at::Tensor variable(const at::Tensor& tensor) {
  auto result = tensor.view_as(tensor);
  return result.requires_grad() ? result : result.requires_grad_();
}

Tensors variables(const Tensors& tensors) {
  Tensors result;
  std::transform(tensors.begin(), tensors.end(), std::back_inserter(result), variable);
  return result;
}

/// Gradients at `inputs`; zeros where nothing depends. torch::autograd::grad would do, but Python's engine,
/// which it calls, throws where a tracer holds the interpreter's lock; these graphs have no nodes of
/// Python's. Another device has a thread of each engine's, and two engines would wait for each other there:
/// the one that calls goes on.
Tensors pull_back(const Tensors& outputs, const Tensors& signals, const Tensors& inputs, bool create_graph) {
  if (std::none_of(outputs.begin(), outputs.end(), [](const auto& y) { return y.requires_grad(); })) {
    Tensors zeros;  // as of an empty batch
    std::transform(inputs.begin(), inputs.end(), std::back_inserter(zeros),
                   [](const at::Tensor& input) { return at::zeros_like(input); });
    return zeros;
  }
  auto& engine = outputs.front().is_cpu() ? torch::autograd::Engine::get_base_engine()
                                          : torch::autograd::Engine::get_default_engine();
  torch::autograd::edge_list roots, ends;
  for (const auto& output : outputs) {
    roots.push_back(torch::autograd::impl::gradient_edge(output));
  }
  for (const auto& input : inputs) {
    ends.push_back(torch::autograd::impl::gradient_edge(input));
  }
  auto gradients = engine.execute(roots, signals, /*keep_graph=*/create_graph, create_graph,
                                  /*accumulate_grad=*/false, ends);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!gradients[i].defined()) {
      gradients[i] = at::zeros_like(inputs[i]);
    }
  }
  return gradients;
}

/// What a node's pull-back is: gradients at what the node was made from, from the signals at its outputs and
/// what it keeps. Signals may be undefined, which means 0; so may gradients that are not wanted.
using PullBack =
    std::function<Tensors(const Tensors& signals, const Tensors& kept, const std::vector<bool>&)>;

/// A node of autograd's graph. torch::autograd::Function would do, but it throws under torch.func's
/// transforms, whereas a node that is made inside the dispatcher, as those of ATen's operators are, is right
/// there, too.
class OperatorNode : public torch::autograd::Node {
 public:
  OperatorNode(std::string name, PullBack pull_back, const Tensors& inputs)
      : name_(std::move(name)), pull_back_(std::move(pull_back)) {
    set_next_edges(torch::autograd::collect_next_edges(at::TensorList(inputs)));
  }

  std::string name() const override { return name_; }

  void keep(const at::Tensor& tensor, bool is_output) { kept_.emplace_back(tensor, is_output); }

  void release_variables() override {
    const std::scoped_lock lock(mutex_);
    for (auto& variable : kept_) {
      variable.reset_data();
    }
  }

  variable_list apply(variable_list&& signals) override {
    const std::scoped_lock lock(mutex_);
    if (std::none_of(signals.begin(), signals.end(), [](const auto& signal) { return signal.defined(); })) {
      return variable_list(num_outputs());
    }
    Tensors kept;
    for (const auto& variable : kept_) {
      kept.push_back(variable.unpack(c10::intrusive_ptr<torch::autograd::Node>::reclaim_copy(this)));
    }
    std::vector<bool> wanted;
    for (size_t i = 0; i < num_outputs(); ++i) {
      wanted.push_back(task_should_compute_output(i));
    }
    auto gradients = pull_back_(signals, kept, wanted);
    for (size_t i = 0; i < gradients.size(); ++i) {
      if (!wanted[i]) {
        gradients[i] = at::Tensor();
      }
    }
    return gradients;
  }

 private:
  std::string name_;
  PullBack pull_back_;
  std::vector<torch::autograd::SavedVariable> kept_;
  std::mutex mutex_;
};

/// Outputs of `compute`, below autograd, with a node behind them if a gradient may be asked for. The node
/// keeps the inputs and, if told so, the first output behind them.
Tensors with_node(const char* name, const Tensors& inputs, const std::function<Tensors()>& compute,
                  const PullBack& pull_back, bool keep_inputs, bool keep_output) {
  const bool listening = at::GradMode::is_enabled() && require_grad(inputs);
  Tensors outputs;
  {
    at::AutoDispatchBelowADInplaceOrView guard;
    outputs = compute();
  }
  if (listening) {
    const auto node = c10::make_intrusive<OperatorNode>(name, pull_back, inputs);
    for (const auto& output : outputs) {
      torch::autograd::set_history(output, node);
    }
    if (keep_inputs) {
      for (const auto& input : inputs) {
        node->keep(input, /*is_output=*/false);
      }
    }
    if (keep_output) {
      node->keep(outputs[0], /*is_output=*/true);
    }
  }
  return outputs;
}

/// While it lives, autograd listens below itself and in inference mode.
class Listening {
 private:
  c10::InferenceMode no_inference_{false};
  c10::impl::ForceDispatchKeyGuard keys_{c10::impl::LocalDispatchKeySet(c10::impl::PODLocalDispatchKeySet{})};
  at::AutoGradMode enabled_{true};
};

/// The same values without a graph, for use where autograd listens.
at::Tensor plain(const at::Tensor& tensor) {
  return tensor.defined() && tensor.is_inference() ? tensor.clone()
         : tensor.defined()                        ? tensor.detach()
                                                   : tensor;
}

Tensors plain(const Tensors& tensors) {
  Tensors result;
  std::transform(tensors.begin(), tensors.end(), std::back_inserter(result),
                 [](const at::Tensor& tensor) { return plain(tensor); });
  return result;
}

/// As the shapes' face promises it.
at::Tensor as_promised(const at::Tensor& tensor) {
  return tensor.detach().resolve_conj().resolve_neg().contiguous();
}

/// Gradients at (dL_dy, inputs) of Re sum conj(v) times the reference face's gradients, by autograd twice.
Tensors differentiate_twice(const DifferentiableCall& call, const Tensors& v, const at::Tensor& dL_dy,
                            const Tensors& inputs, bool create_graph) {
  const at::AutoGradMode enabled(true);
  const auto g = variable(dL_dy);
  const auto x = variables(inputs);
  const auto gradients = pull_back({call.reference(x)}, {g}, x, /*create_graph=*/true);
  Tensors outputs, signals;
  for (size_t i = 0; i < x.size(); ++i) {
    if (v[i].defined() && gradients[i].requires_grad()) {
      outputs.push_back(gradients[i]);
      signals.push_back(v[i]);
    }
  }
  Tensors by{g};
  by.insert(by.end(), x.begin(), x.end());
  if (outputs.empty()) {
    Tensors zeros;
    std::transform(by.begin(), by.end(), std::back_inserter(zeros),
                   [](const at::Tensor& tensor) { return at::zeros_like(tensor.detach()); });
    return zeros;
  }
  return pull_back(outputs, signals, by, create_graph);
}

}  // namespace

at::Tensor differentiable_forward(const CallPointer& call, const Tensors& inputs) {
  if (have_tangents(inputs)) {
    {
      // The reference reads no values: the operator checks them.
      at::AutoDispatchBelowADInplaceOrView guard;
      call->forward(inputs);
    }
    return call->reference(inputs);
  }
  const size_t count = inputs.size();
  return with_node(
      "OptotorchBackward", inputs, [&] { return Tensors{call->forward(inputs)}; },
      [call, count](const Tensors& signals, const Tensors& kept, const std::vector<bool>& wanted) {
        const auto output = call->keeps_output ? kept[count] : at::Tensor();
        return call->backward(signals[0], Tensors(kept.begin(), kept.begin() + static_cast<int64_t>(count)),
                              output, wanted);
      },
      /*keep_inputs=*/true, call->keeps_output)[0];
}

Tensors differentiable_backward(const CallPointer& call, const at::Tensor& dL_dy, const Tensors& inputs,
                                const at::Tensor& output, const std::vector<bool>& wanted) {
  Tensors all{dL_dy};
  all.insert(all.end(), inputs.begin(), inputs.end());
  if (have_tangents(all)) {
    const at::AutoGradMode enabled(true);
    const auto x = variables(inputs);
    return pull_back({call->reference(x)}, {dL_dy}, x, /*create_graph=*/true);
  }
  return with_node(
      "OptotorchDoubleBackward", all, [&] { return call->backward(dL_dy, inputs, output, wanted); },
      [call](const Tensors& signals, const Tensors& kept, const std::vector<bool>&) {
        const Tensors x(kept.begin() + 1, kept.end());
        Tensors v;
        for (size_t i = 0; i < x.size(); ++i) {
          v.push_back(signals[i].defined() ? signals[i] : at::zeros_like(x[i]));
        }
        return call->double_backward(v, kept[0], x);
      },
      /*keep_inputs=*/true, /*keep_output=*/false);
}

Tensors differentiate_reference(const DifferentiableCall& call, const Tensors& v, const at::Tensor& dL_dy,
                                const Tensors& inputs) {
  Tensors all = v;
  all.push_back(dL_dy);
  all.insert(all.end(), inputs.begin(), inputs.end());
  const bool further = (at::GradMode::is_enabled() && require_grad(all)) || have_tangents(all);
  if (!further) {
    at::AutoDispatchBelowADInplaceOrView guard;
    return call.double_backward(v, dL_dy, inputs);
  }
  return differentiate_twice(call, v, dL_dy, inputs, /*create_graph=*/true);
}

at::Tensor forward_by_reference(const CallPointer& call, const Tensors& inputs) {
  return call->reference(inputs).resolve_conj().resolve_neg().contiguous();
}

Tensors backward_by_reference(const CallPointer& call, const at::Tensor& dL_dy, const Tensors& inputs,
                              const at::Tensor& /*output*/, const std::vector<bool>& wanted) {
  const Listening listening;
  Tensors x = plain(inputs), by;
  for (size_t i = 0; i < x.size(); ++i) {
    if (wanted[i]) {
      x[i] = variable(x[i]);
      by.push_back(x[i]);
    }
  }
  Tensors result;
  for (const auto& input : inputs) {
    result.push_back(at::empty({0}, input.options()));
  }
  if (by.empty()) {
    return result;
  }
  const auto gradients = pull_back({call->reference(x)}, {plain(dL_dy)}, by, /*create_graph=*/false);
  for (size_t i = 0, next = 0; i < result.size(); ++i) {
    if (wanted[i]) {
      result[i] = as_promised(gradients[next++]);
    }
  }
  return result;
}

Tensors differentiate_reference_below(const DifferentiableCall& call, const Tensors& v,
                                      const at::Tensor& dL_dy, const Tensors& inputs) {
  const Listening listening;
  auto result = differentiate_twice(call, plain(v), plain(dL_dy), plain(inputs), /*create_graph=*/false);
  std::transform(result.begin(), result.end(), result.begin(), as_promised);
  return result;
}

at::Tensor without_derivative(const char* where, const char* argument, const char* remedy,
                              const std::function<at::Tensor(const at::Tensor&)>& forward,
                              const at::Tensor& input) {
  const WrongInput error{.where = where,
                         .argument = argument,
                         .expected = "a tensor whose gradient nobody asks for",
                         .got = describe(input) + " with one",
                         .remedy = remedy};
  if (has_tangent(input)) {
    reject(error);
  }
  return with_node(
      "OptotorchWithoutDerivative", {input}, [&] { return Tensors{forward(input)}; },
      [error](const Tensors&, const Tensors&, const std::vector<bool>&) -> Tensors { reject(error); },
      /*keep_inputs=*/false, /*keep_output=*/false)[0];
}

}  // namespace optotorch::ops
