#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/export/detail/onnx_graph.h>

#include <algorithm>
#include <set>

namespace optotorch::onnx {
namespace {

// Field numbers of onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
namespace model_field {
constexpr uint32_t ir_version = 1, producer_name = 2, graph = 7, opset_import = 8;
}
namespace opset_field {
constexpr uint32_t domain = 1, version = 2;
}
namespace graph_field {
constexpr uint32_t node = 1, name = 2, initializer = 5, doc_string = 10, input = 11, output = 12;
}
namespace node_field {
constexpr uint32_t input = 1, output = 2, name = 3, op_type = 4, attribute = 5;
}
namespace attribute_field {
constexpr uint32_t name = 1, f = 2, i = 3, s = 4, ints = 8, type = 20;
}
namespace attribute_type {
constexpr int64_t real = 1, whole = 2, text = 3, wholes = 7;
}
namespace tensor_field {
constexpr uint32_t dims = 1, data_type = 2, name = 8, raw_data = 9;
}
namespace value_field {
constexpr uint32_t name = 1, type = 2, tensor_type = 1, elem_type = 1, shape = 2, dim = 1, dim_value = 1,
                   dim_param = 2;
}

constexpr int64_t opset = 17, ir_version = 8;  // IR 8 is that of opset 17

Protobuf attribute_message(const Attribute& attribute) {
  Protobuf message;
  message.bytes(attribute_field::name, attribute.name);
  if (const auto* whole = std::get_if<int64_t>(&attribute.value)) {
    message.integer(attribute_field::i, *whole).integer(attribute_field::type, attribute_type::whole);
  } else if (const auto* real = std::get_if<double>(&attribute.value)) {
    message.float32(attribute_field::f, static_cast<float>(*real))
        .integer(attribute_field::type, attribute_type::real);
  } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    message.bytes(attribute_field::s, *text).integer(attribute_field::type, attribute_type::text);
  } else {
    message.integers(attribute_field::ints, std::get<std::vector<int64_t>>(attribute.value))
        .integer(attribute_field::type, attribute_type::wholes);
  }
  return message;
}

Protobuf node_message(const std::string& type, const std::vector<std::string>& inputs,
                      const std::string& output, const std::vector<Attribute>& attributes) {
  Protobuf message;
  for (const auto& input : inputs) {
    message.bytes(node_field::input, input);
  }
  message.bytes(node_field::output, output).bytes(node_field::name, output).bytes(node_field::op_type, type);
  for (const auto& attribute : attributes) {
    message.message(node_field::attribute, attribute_message(attribute));
  }
  return message;
}

Protobuf port_message(const Port& port) {
  Protobuf shape;
  for (const int64_t size : port.sizes) {
    Protobuf dim;
    if (size < 0) {
      dim.bytes(value_field::dim_param, "batch");
    } else {
      dim.integer(value_field::dim_value, size);
    }
    shape.message(value_field::dim, dim);
  }
  Protobuf tensor, type, value;
  tensor.integer(value_field::elem_type, onnx_type(port.type)).message(value_field::shape, shape);
  type.message(value_field::tensor_type, tensor);
  value.bytes(value_field::name, port.name).message(value_field::type, type);
  return value;
}

/// All of a stored tensor but its data, which follow.
Protobuf tensor_head(const std::string& name, const at::Tensor& tensor) {
  Protobuf head;
  head.integers(tensor_field::dims, tensor.sizes().vec())
      .integer(tensor_field::data_type, onnx_type(tensor.scalar_type()))
      .bytes(tensor_field::name, name)
      .announce(tensor_field::raw_data, tensor.nbytes());
  return head;
}

std::string bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

}  // namespace

int64_t onnx_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return 1;
    case at::kByte:
      return 2;
    case at::kChar:
      return 3;
    case at::kShort:
      return 5;
    case at::kInt:
      return 6;
    case at::kLong:
      return 7;
    case at::kBool:
      return 9;
    case at::kHalf:
      return 10;
    case at::kDouble:
      return 11;
    case at::kBFloat16:
      return 16;
    default:
      reject({.where = in_export,
              .argument = "type of a tensor",
              .expected = "a real or whole number",
              .got = type_name(type)});
  }
}

void check_size(uint64_t bytes) {
  OPTOTORCH_CHECK(bytes <= most_bytes, .where = in_export, .argument = "model",
                  .expected = c10::str("at most ", most_bytes, " bytes, all that an ONNX file can hold"),
                  .got = std::to_string(bytes), .remedy = "Export it as TorchScript");
}

std::string Graph::add(const std::string& type, const std::vector<std::string>& inputs,
                       const std::vector<Attribute>& attributes) {
  const auto output = c10::str(layer_, "/", type, "_", names_++);
  nodes_.push_back({inputs, output, node_message(type, inputs, output, attributes)});
  return output;
}

std::string Graph::store(const std::string& name, const std::function<at::Tensor()>& make) {
  if (stored_.emplace(name, tensors_.size()).second) {
    tensors_.emplace_back(name, make().detach().cpu().contiguous());
  }
  return name;
}

std::string Graph::constant(const at::Tensor& tensor) {
  const auto plain = tensor.detach().cpu().contiguous();
  constexpr size_t small = 256;
  const auto fresh = [&] { return store(c10::str(layer_, "/constant_", names_++), [&] { return plain; }); };
  if (plain.nbytes() > small) {
    return fresh();
  }
  auto& name = small_[c10::str(plain.scalar_type(), plain.sizes(), bytes_of(plain))];
  if (name.empty()) {
    // A copy: it may be a view of a large tensor, which need not live on.
    name = store(c10::str("constant_", names_++), [&] { return plain.clone(); });
  }
  return name;
}

std::string Graph::numbers(const std::vector<int64_t>& values) {
  return constant(at::tensor(values, at::kLong));
}

std::string Graph::number(double value, at::ScalarType type) {
  return constant(at::scalar_tensor(value, at::TensorOptions(type)));
}

void Graph::write(std::ostream& stream, const std::string& description, const Port& input,
                  const std::string& result, const Port& output) const {
  std::set<std::string> needed{result};
  std::vector<const Node*> kept;
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
    if (needed.contains(node->output)) {
      needed.insert(node->inputs.begin(), node->inputs.end());
      kept.push_back(&*node);
    }
  }
  Protobuf body;
  for (auto node = kept.rbegin(); node != kept.rend(); ++node) {
    body.message(graph_field::node, (*node)->message);
  }
  body.message(graph_field::node, node_message("Identity", {result}, output.name, {}))
      .bytes(graph_field::name, "OptoTorch")
      .bytes(graph_field::doc_string, description)
      .message(graph_field::input, port_message(input))
      .message(graph_field::output, port_message(output));
  uint64_t size = body.text().size();
  std::vector<std::pair<std::string, const at::Tensor*>> tensors;
  for (const auto& [name, tensor] : tensors_) {
    if (needed.contains(name)) {
      const auto head = tensor_head(name, tensor).text();
      auto text = Protobuf().announce(graph_field::initializer, head.size() + tensor.nbytes()).text() + head;
      size += text.size() + tensor.nbytes();
      tensors.emplace_back(std::move(text), &tensor);
    }
  }
  Protobuf opset_import, model;
  opset_import.bytes(opset_field::domain, "").integer(opset_field::version, opset);
  model.integer(model_field::ir_version, ir_version)
      .bytes(model_field::producer_name, "OptoTorch")
      .message(model_field::opset_import, opset_import)
      .announce(model_field::graph, size);
  check_size(model.text().size() + size);
  stream << model.text() << body.text();
  for (const auto& [text, tensor] : tensors) {
    stream << text;
    stream.write(static_cast<const char*>(tensor->const_data_ptr()),
                 static_cast<std::streamsize>(tensor->nbytes()));
  }
}

}  // namespace optotorch::onnx
