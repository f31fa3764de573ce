#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/export/detail/onnx_operators.h>
#include <optotorch/modules/export/detail/onnx_walk.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <exception>

namespace optotorch::onnx {
namespace {

namespace jit = torch::jit;

/// "add_" of aten::add_.
std::string operator_name(const jit::Node* node) {
  return node->kind().toUnqualString();
}

bool is_in_place(const std::string& name) {
  return name.size() > 1 && name.back() == '_' && name[name.size() - 2] != '_';
}

/// Gives a new tensor of the shape of another one.
bool takes_shape_only(const std::string& name) {
  return name.ends_with("_like");
}

/// The same numbers in the same order, so that a registered tensor keeps its name.
bool keeps_numbers(const std::string& name, const Traced& from, const Traced& to) {
  static const std::set<std::string> some{
      "alias", "detach", "view_as_complex", "resolve_conj", "type_as", "contiguous", "to", "resolve_neg"};
  return some.contains(name) && from.small.isTensor() && to.small.isTensor() &&
         c10::toRealValueType(from.small.toTensor().scalar_type()) ==
             c10::toRealValueType(to.small.toTensor().scalar_type());
}

/// Computed by the model from a registered tensor, which then stands in the file as it is.
bool transposes(const std::string& name) {
  static const std::set<std::string> some{"t", "mT", "numpy_T", "transpose", "permute"};
  return some.contains(name);
}

bool same_sizes(const Traced& traced) {
  return traced.small.isTensor() && traced.small.toTensor().sizes() == traced.large.toTensor().sizes();
}

}  // namespace

void Walk::refuse(const jit::Node* node, const std::string& expected, const std::string& got) const {
  reject({.where = in_export,
          .argument = layer_.name() + ": " + node->kind().toQualString(),
          .expected = expected,
          .got = got,
          .remedy = "Export the network as TorchScript"});
}

Traced Walk::run(const Traced& input) {
  const auto graph = layer_.module().get_method("compute").graph();
  values_[graph->inputs().at(0)] = {.small = layer_.module()._ivalue(),
                                    .large = layer_.module()._ivalue(),
                                    .constant = true,
                                    .name = prefix_};
  values_[graph->inputs().at(1)] = input;
  walk(*graph->block());
  return values_.at(graph->outputs().at(0));
}

void Walk::walk(jit::Block& block) {
  for (auto* node : block.nodes()) {
    visit(node);
  }
}

void Walk::visit(jit::Node* node) {
  if (node->kind() == c10::prim::Constant) {
    const auto value = *jit::toIValue(node->output());
    values_[node->output()] = {.small = value, .large = value, .constant = true};
  } else if (node->kind() == c10::prim::GetAttr) {
    const auto& owner = values_.at(node->input());
    const auto& name = node->s(c10::attr::name);
    const auto value = owner.small.toObject()->getAttr(name);
    values_[node->output()] = {
        .small = value, .large = value, .constant = true, .name = owner.name + "." + name};
  } else if (node->kind() == c10::prim::If) {
    enter_branch(node);
  } else if (node->kind() == c10::prim::ListConstruct) {
    make_list(node);
  } else if (node->kind() == c10::prim::ListUnpack) {
    const auto& items = values_.at(node->input()).items;
    for (size_t i = 0; i < items.size(); ++i) {
      values_[node->output(i)] = items[i];
    }
  } else if (node->kind().is_aten()) {
    operate(node);
  } else {
    refuse(node, "an operator of tensors", "another");
  }
}

void Walk::enter_branch(jit::Node* node) {
  const auto& condition = values_.at(node->input());
  const bool taken = condition.small.toBool();
  if (taken != condition.large.toBool()) {
    refuse(node, "a condition that is the same for every batch size", "one that is not");
  }
  auto* block = node->blocks().at(taken ? 0 : 1);
  walk(*block);
  for (size_t i = 0; i < node->outputs().size(); ++i) {
    values_[node->output(i)] = values_.at(block->outputs().at(i));
  }
}

void Walk::make_list(jit::Node* node) {
  const auto type = node->output()->type()->expectRef<c10::ListType>().getElementType();
  Traced list{.small = c10::impl::GenericList(type), .large = c10::impl::GenericList(type), .constant = true};
  auto small = list.small.toList(), large = list.large.toList();
  for (const auto* item : node->inputs()) {
    list.items.push_back(values_.at(item));
    small.push_back(list.items.back().small);
    large.push_back(list.items.back().large);
    list.constant = list.constant && list.items.back().constant;
  }
  values_[node->output()] = std::move(list);
}

void Walk::operate(jit::Node* node) {
  const auto name = operator_name(node);
  std::vector<Traced> inputs;
  for (const auto* input : node->inputs()) {
    inputs.push_back(values_.at(input));
  }
  const bool constant =
      std::all_of(inputs.begin(), inputs.end(), [](const Traced& input) { return input.constant; });
  if (!constant && is_in_place(name)) {
    prepare_in_place(node, inputs);
  }
  auto outputs = results(node, inputs, constant);
  if (takes_shape_only(name) && same_sizes(outputs[0])) {
    outputs[0].large = outputs[0].small;
    outputs[0].constant = true;
  }
  if (outputs[0].constant && keeps_numbers(name, inputs[0], outputs[0])) {
    outputs[0].name = inputs[0].name;
    outputs[0].value = inputs[0].value;
  }
  const bool registered = !inputs.empty() && inputs[0].small.isTensor() &&
                          (!inputs[0].name.empty() || inputs[0].value.has_value());
  if (!outputs[0].constant || (transposes(name) && registered)) {
    emit(node, inputs, outputs);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    values_[node->output(i)] = std::move(outputs[i]);
  }
}

std::vector<Traced> Walk::results(jit::Node* node, const std::vector<Traced>& inputs, bool constant) {
  const auto run = [&](c10::IValue Traced::*shadow) {
    jit::Stack stack;
    for (const auto& input : inputs) {
      stack.push_back(input.*shadow);
    }
    try {
      node->getOperation()(stack);
    } catch (const std::exception& error) {
      const std::string text = error.what();
      refuse(node, "an operator that runs at every batch size", text.substr(0, text.find('\n')));
    }
    return stack;
  };
  const auto small = run(&Traced::small), large = constant ? small : run(&Traced::large);
  std::vector<Traced> outputs;
  for (size_t i = 0; i < small.size(); ++i) {
    outputs.push_back({.small = small[i], .large = large[i], .constant = constant});
    if (small[i].isTensorList()) {
      const auto items = small[i].toTensorVector(), others = large[i].toTensorVector();
      for (size_t k = 0; k < items.size(); ++k) {
        outputs.back().items.push_back({.small = items[k], .large = others[k], .constant = constant});
      }
    }
  }
  return outputs;
}

/// What the trace still calls by its old name would be out of date in the model, where nothing changes in
/// place.
void Walk::prepare_in_place(jit::Node* node, std::vector<Traced>& inputs) {
  auto& self = inputs[0];
  const auto storage = self.small.toTensor().storage().unsafeGetStorageImpl();
  for (const auto& [value, traced] : values_) {
    if (!traced.small.isTensor() || !traced.small.toTensor().defined() ||
        traced.small.toTensor().storage().unsafeGetStorageImpl() != storage) {
      continue;
    }
    const bool read = std::any_of(value->uses().begin(), value->uses().end(), [&](const jit::Use& use) {
      return use.user->owningBlock() != node->owningBlock() || use.user->isAfter(node);
    });
    if (read) {
      refuse(node, "a tensor changed in place that nothing reads under another name", "one that is read");
    }
  }
  if (self.constant) {
    self.small = self.small.toTensor().clone();
    self.large = self.large.toTensor().clone();
    self.constant = false;
  }
}

void Walk::emit(jit::Node* node, const std::vector<Traced>& inputs, std::vector<Traced>& outputs) {
  if (!outputs[0].small.isTensor() && !outputs[0].small.isTensorList()) {
    return;  // a size
  }
  auto name = operator_name(node);
  if (is_in_place(name)) {
    name.pop_back();
  }
  const auto found = emitters().find(name);
  if (found == emitters().end()) {
    refuse(node, "an operator that ONNX models can compute", "another");
  }
  Call call(graph_, layer_.name(), name, inputs, outputs);
  auto values = found->second(call);
  if (outputs[0].small.isTensorList()) {
    for (size_t i = 0; i < values.size(); ++i) {
      outputs[0].items.at(i).value = std::move(values[i]);
    }
    return;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    outputs.at(i).value = std::move(values[i]);
  }
}

}  // namespace optotorch::onnx
