#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/json.h>
#include <optotorch/trainers/optimizer_state.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/serialize/archive.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <unordered_map>
#include <utility>

namespace optotorch {
namespace {

using json = nlohmann::json;
using Tensors = std::map<std::string, torch::Tensor>;

[[noreturn]] void reject_state(const std::string& expected, const std::string& got) {
  reject({.where = "load_optimizer_state",
          .argument = "state",
          .expected = expected,
          .got = got,
          .remedy = "The checkpoint was written with another optimiser or network"});
}

// An archive's keys are addresses of tensors. Numbers in order of the parameters stand for them in a file.
class Numbering {
 public:
  explicit Numbering(const torch::optim::Optimizer& optimizer) {
    for (const auto& group : optimizer.param_groups()) {
      for (const auto& parameter : group.params()) {
        const auto address = std::to_string(reinterpret_cast<size_t>(parameter.unsafeGetTensorImpl()));
        numbers_.emplace(address, std::to_string(numbers_.size()));
        shapes_.push_back(parameter.sizes().vec());
      }
    }
  }

  std::string operator()(const std::string& key) const {
    const auto found = numbers_.find(key);
    return found == numbers_.end() ? key : found->second;
  }

  const std::vector<std::vector<int64_t>>& shapes() const { return shapes_; }

 private:
  std::unordered_map<std::string, std::string> numbers_;
  std::vector<std::vector<int64_t>> shapes_;
};

json to_json(const c10::IValue& value, const std::string& path, Tensors& tensors, const Numbering& number) {
  const auto each = [&](const auto& elements) {
    json items = json::array();
    for (size_t i = 0; i < elements.size(); ++i) {
      items.push_back(to_json(elements[i], c10::str(path, "/", i), tensors, number));
    }
    return items;
  };
  if (value.isTensor()) {
    tensors[path] = value.toTensor().detach().clone();
    return {{"tensor", path}};
  }
  if (value.isNone()) return {{"none", nullptr}};
  if (value.isBool()) return {{"bool", value.toBool()}};
  if (value.isInt()) return {{"int", value.toInt()}};
  if (value.isDouble()) return {{"float", value.toDouble()}};
  if (value.isString()) return {{"string", number(value.toStringRef())}};
  if (value.isTuple()) return {{"tuple", each(value.toTupleRef().elements().vec())}};
  if (value.isTensorList()) return {{"tensors", each(value.toListRef())}};
  if (value.isIntList()) return {{"ints", each(value.toListRef())}};
  if (value.isDoubleList()) return {{"floats", each(value.toListRef())}};
  reject_state("numbers, strings, tensors and lists of them", value.tagKind());
}

json to_json(torch::serialize::InputArchive& archive, const std::string& path, Tensors& tensors,
             const Numbering& number) {
  json object = json::object();
  for (const auto& key : archive.keys()) {
    const std::string below = c10::str(path, "/", number(key));
    torch::serialize::InputArchive nested;
    c10::IValue value;
    if (archive.try_read(key, nested)) {
      object[number(key)] = {{"archive", to_json(nested, below, tensors, number)}};
    } else {
      archive.read(key, value);
      object[number(key)] = to_json(value, below, tensors, number);
    }
  }
  return object;
}

c10::IValue to_value(const json& item, const Tensors& tensors) {
  const auto entry = item.begin();
  const std::string kind = entry.key();
  const json& value = entry.value();
  const auto list = [&](auto empty, auto convert) {
    for (const auto& element : value) {
      empty.push_back(convert(to_value(element, tensors)));
    }
    return c10::IValue(empty);
  };
  if (kind == "tensor") {
    const auto found = tensors.find(value.get<std::string>());
    if (found == tensors.end()) {
      reject_state(c10::str("a tensor '", value.get<std::string>(), "'"), "none");
    }
    return found->second.clone();
  }
  if (kind == "none") return {};
  if (kind == "bool") return value.get<bool>();
  if (kind == "int") return value.get<int64_t>();
  if (kind == "float") return value.get<double>();
  if (kind == "string") return value.get<std::string>();
  if (kind == "tuple") {
    std::vector<c10::IValue> elements;
    for (const auto& element : value) {
      elements.push_back(to_value(element, tensors));
    }
    return c10::ivalue::Tuple::create(std::move(elements));
  }
  if (kind == "tensors")
    return list(c10::List<at::Tensor>(), [](const c10::IValue& v) { return v.toTensor(); });
  if (kind == "ints") return list(c10::List<int64_t>(), [](const c10::IValue& v) { return v.toInt(); });
  if (kind == "floats") return list(c10::List<double>(), [](const c10::IValue& v) { return v.toDouble(); });
  reject_state("a known kind of value", kind);
}

void fill(torch::serialize::OutputArchive& archive, const json& object, const Tensors& tensors) {
  for (const auto& [key, item] : object.items()) {
    if (!item.is_object() || item.size() != 1) {
      reject_state("one kind per value", item.dump());
    }
    if (item.contains("archive")) {
      torch::serialize::OutputArchive nested(archive.compilation_unit());
      fill(nested, item["archive"], tensors);
      archive.write(key, nested);
    } else if (const auto value = to_value(item, tensors); value.isTensor()) {
      archive.write(key, value.toTensor(), /*is_buffer=*/true);
    } else {
      archive.write(key, value);
    }
  }
}

/// Per-parameter tensors must fit their parameter.
void check_shapes(const Tensors& tensors, const Numbering& number) {
  for (const auto& [path, tensor] : tensors) {
    const std::string prefix = "/state/";
    if (path.rfind(prefix, 0) != 0 || tensor.dim() <= 1) {
      continue;
    }
    const size_t index = std::strtoull(path.c_str() + prefix.size(), nullptr, 10);
    const bool fits =
        index < number.shapes().size() && tensor.sizes() == at::IntArrayRef(number.shapes()[index]);
    if (!fits) {
      reject_state(index < number.shapes().size() ? c10::str(number.shapes()[index]) : "fewer parameters",
                   path + " " + describe(tensor));
    }
  }
}

}  // namespace

OptimizerState optimizer_state(const torch::optim::Optimizer& optimizer) {
  const torch::NoGradGuard no_grad;
  torch::serialize::OutputArchive output;
  optimizer.save(output);
  std::ostringstream stream;
  output.save_to(stream);
  const std::string bytes = stream.str();
  torch::serialize::InputArchive input;
  input.load_from(bytes.data(), bytes.size());
  OptimizerState state;
  state.tree = to_json(input, "", state.tensors, Numbering(optimizer)).dump();
  return state;
}

void load_optimizer_state(torch::optim::Optimizer& optimizer, const OptimizerState& state) {
  const torch::NoGradGuard no_grad;
  const Numbering number(optimizer);
  const json own = parse_json(optimizer_state(optimizer).tree, "load_optimizer_state", "optimizer");
  const json tree = parse_json(state.tree, "load_optimizer_state", "state");
  if (!tree.is_object() || !tree.contains("param_groups") || !tree.contains("state")) {
    reject_state("an object with 'state' and 'param_groups'", tree.is_object() ? "another object" : "none");
  }
  // The same option names in the same groups: an Adam state does not pass for an SGD state.
  const auto outline = [](const json& object, const auto& self) -> std::string {
    std::string text;
    for (const auto& [key, item] : object.items()) {
      text += item.contains("archive") ? c10::str(key, "{", self(item["archive"], self), "}")
                                       : c10::str(key, ",");
    }
    return text;
  };
  if (!tree["param_groups"].contains("archive") ||
      outline(tree["param_groups"]["archive"], outline) != outline(own["param_groups"]["archive"], outline)) {
    reject_state("this optimiser's options and parameter groups", "others");
  }
  check_shapes(state.tensors, number);
  try {
    torch::serialize::OutputArchive output;
    fill(output, tree, state.tensors);
    std::ostringstream stream;
    output.save_to(stream);
    const std::string bytes = stream.str();
    torch::serialize::InputArchive input;
    input.load_from(bytes.data(), bytes.size());
    // LibTorch's load adds to what is there: of parameters that the state does not name, their own would
    // stay.
    auto before = std::exchange(optimizer.state(), {});
    try {
      optimizer.load(input);
    } catch (...) {
      optimizer.state() = std::move(before);
      throw;
    }
  } catch (const nlohmann::json::exception& error) {
    reject_state("numbers, strings, tensors and lists of them", json_complaint(error));
  }
}

}  // namespace optotorch
