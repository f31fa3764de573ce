#include <ATen/ATen.h>
#include <optotorch/modules/export/detail/traced_layer.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/passes/shape_analysis.h>

#include <limits>

namespace optotorch {
namespace {

namespace jit = torch::jit;

/// The module that holds the tensor of this name, nested as the dots in it say, and the name's last part.
std::pair<jit::Module, std::string> owner_of(jit::Module owner, std::string name) {
  for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.')) {
    const std::string head = name.substr(0, dot);
    name = name.substr(dot + 1);
    if (!owner.hasattr(head)) {
      owner.register_module(head, jit::Module("Part", owner._ivalue()->compilation_unit(), true));
    }
    owner = owner.attr(head).toModule();
  }
  return {owner, name};
}

bool is_real_or_complex(const torch::Tensor& tensor) {
  return tensor.is_floating_point() || tensor.is_complex();
}

/// As the file holds it, in the order of its memory: products of a transposed matrix round in another way.
torch::Tensor stored(const torch::Tensor& tensor) {
  const auto plain = tensor.detach().resolve_conj();
  return (plain.is_complex() ? at::view_as_real(plain) : plain).clone(at::MemoryFormat::Preserve);
}

std::vector<jit::Node*> nodes_of(jit::Block& block) {
  std::vector<jit::Node*> nodes;
  for (auto* node : block.nodes()) {
    nodes.push_back(node);
    for (auto* inner : node->blocks()) {
      const auto more = nodes_of(*inner);
      nodes.insert(nodes.end(), more.begin(), more.end());
    }
  }
  return nodes;
}

/// Floating-point tensors that stand in the graph become buffers: a conversion of the module reaches them.
void register_constants(jit::Graph& graph, jit::Module& module) {
  int64_t number = 0;
  for (auto* node : nodes_of(*graph.block())) {
    if (node->kind() != c10::prim::Constant || !node->hasAttribute(c10::attr::value) ||
        node->kindOf(c10::attr::value) != jit::AttributeKind::t) {
      continue;
    }
    const auto value = node->t(c10::attr::value);
    // Numbers take the precision of what they meet.
    if (value.dim() == 0 || !is_real_or_complex(value)) {
      continue;
    }
    const auto name = c10::str("constant", number++);
    module.register_buffer(name, stored(value));
    const jit::WithInsertPoint at_node(node);
    auto* replacement = graph.insertGetAttr(graph.inputs().at(0), name);
    if (value.is_complex()) {
      replacement = graph.insert(c10::aten::view_as_complex, {replacement});
    }
    replacement->setType(c10::TensorType::create(value));
    node->output()->replaceAllUsesWith(replacement);
  }
}

bool is_complex(const jit::Value* value) {
  const auto type = value->type()->cast<c10::TensorType>();
  return type != nullptr && type->scalarType().has_value() && c10::isComplexType(*type->scalarType());
}

jit::Node* alias_of(jit::Graph& graph, jit::Value* value) {
  auto* alias = graph.create(c10::aten::alias, {value}, 1);
  alias->output()->setType(value->type());
  return alias;
}

/// See TracedLayer.
void separate_complex_operators(jit::Graph& graph) {
  const auto is_tensor = [](const jit::Value* value) {
    return value->type()->kind() == c10::TypeKind::TensorType;
  };
  for (auto* node : nodes_of(*graph.block())) {
    const auto any_complex = [](c10::ArrayRef<jit::Value*> values) {
      return std::any_of(values.begin(), values.end(), is_complex);
    };
    if (node->kind() == c10::prim::Constant || node->kind() == c10::prim::GetAttr ||
        node->kind() == c10::aten::alias || (!any_complex(node->inputs()) && !any_complex(node->outputs()))) {
      continue;
    }
    for (size_t i = 0; i < node->inputs().size(); ++i) {
      auto* input = node->input(i);
      if (is_tensor(input) && input->node()->kind() != c10::aten::alias) {
        auto* alias = alias_of(graph, input);
        alias->insertBefore(node);
        node->replaceInput(i, alias->output());
      }
    }
    for (auto* output : node->outputs()) {
      if (is_tensor(output)) {
        auto* alias = alias_of(graph, output);
        alias->insertAfter(node);
        output->replaceAllUsesWith(alias->output());
        alias->replaceInput(0, output);
      }
    }
  }
}

}  // namespace

TracedLayer::TracedLayer(Layer& layer, size_t index, const torch::Tensor& example,
                         const TracedTensors& tensors, const std::shared_ptr<jit::CompilationUnit>& unit)
    : layer_(&layer),
      name_(c10::str("layer ", index, " (", layer.name(), ")")),
      deployment_(layer.deploy()),
      module_("Layer" + std::to_string(index), unit) {
  for (const auto& [name, tensor] : deployment_.tensors) {
    const bool buffer = !tensors.trainable || !is_real_or_complex(tensor) ||
                        tensors.fixed.count(tensor.unsafeGetTensorImpl()) != 0;
    stored_.push_back(stored(tensor).set_requires_grad(!buffer));
    auto [owner, last] = owner_of(module_, name);
    owner.register_parameter(last, stored_.back(), buffer);
  }
  trace(example);
}

void TracedLayer::trace(const torch::Tensor& example) {
  const auto forward = [this](const jit::Stack& inputs) -> jit::Stack {
    // The layer's own tensors are what the module makes of those that it holds.
    for (size_t i = 0; i < stored_.size(); ++i) {
      const auto& own = deployment_.tensors[i].second;
      const auto there = own.is_complex() ? at::view_as_complex(stored_[i]) : stored_[i];
      jit::tracer::setValueTrace(own, jit::tracer::getValueTrace(there));
    }
    return {deployment_.forward(inputs.at(0).toTensor())};
  };
  const auto graph =
      jit::tracer::trace({example}, forward, [](const torch::autograd::Variable&) { return std::string(); },
                         /*strict=*/true, /*force_outplace=*/false, &module_, {"input"})
          .first->graph;
  register_constants(*graph, module_);
  separate_complex_operators(*graph);
  jit::EraseShapeInformation(graph);
  module_.type()->addMethod(module_._ivalue()->compilation_unit()->create_function(
      c10::QualifiedName(*module_.type()->name(), "compute"), graph));
}

torch::Tensor TracedLayer::traced(const torch::Tensor& x) {
  return module_.get_method("compute")({x}).toTensor();
}

double relative_difference(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) {
    return std::numeric_limits<double>::infinity();
  }
  if (a.numel() == 0 || a.equal(b)) {
    return 0;
  }
  const auto type = is_real_or_complex(a) ? a.scalar_type() : at::kDouble;
  const auto both_nan = at::isnan(a) & at::isnan(b);
  const auto left = a.to(type).masked_fill(both_nan, 0), right = b.to(type).masked_fill(both_nan, 0);
  const double scale = left.abs().max().item<double>();
  return (left - right).abs().max().item<double>() / (scale > 0 ? scale : 1);
}

double allowed_difference(const torch::Tensor& output) {
  return c10::toRealValueType(output.scalar_type()) == at::kDouble ? 1e-12 : 1e-6;
}

}  // namespace optotorch
