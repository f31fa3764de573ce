#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/trainers/detail/optimizer_state.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/optim/lbfgs.h>
#include <torch/serialize/archive.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unordered_map>
#include <utility>

namespace optotorch {
namespace {

using json = nlohmann::json;
using Tensors = std::map<std::string, torch::Tensor>;

// An archive's keys are addresses of tensors. Numbers in order of the parameters stand for them in a file.
class Numbering {
 public:
  explicit Numbering(const torch::optim::Optimizer& optimizer) {
    for (const auto& group : optimizer.param_groups()) {
      for (const auto& parameter : group.params()) {
        numbers_.emplace(address_of(parameter), std::to_string(numbers_.size()));
      }
    }
  }

  std::string operator()(const std::string& key) const {
    const auto found = numbers_.find(key);
    return found == numbers_.end() ? key : found->second;
  }
  std::string operator()(const torch::Tensor& parameter) const { return (*this)(address_of(parameter)); }

  /// True if `number` stands for a parameter.
  bool has(const std::string& number) const {
    return std::any_of(numbers_.begin(), numbers_.end(),
                       [&](const auto& pair) { return pair.second == number; });
  }

 private:
  static std::string address_of(const torch::Tensor& parameter) {
    return std::to_string(reinterpret_cast<size_t>(parameter.unsafeGetTensorImpl()));
  }

  std::unordered_map<std::string, std::string> numbers_;
};

/// JSON has no infinities.
json float_to_json(double value) {
  return std::isfinite(value) ? json(value) : json(std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

double float_of(const json& value) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return value.is_number() ? value.get<double>()
         : value == "inf"  ? infinity
         : value == "-inf" ? -infinity
                           : std::nan("");
}

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
  if (value.isDouble()) return {{"float", float_to_json(value.toDouble())}};
  if (value.isString()) return {{"string", number(value.toStringRef())}};
  if (value.isTuple()) return {{"tuple", each(value.toTupleRef().elements().vec())}};
  if (value.isTensorList()) return {{"tensors", each(value.toListRef())}};
  if (value.isIntList()) return {{"ints", each(value.toListRef())}};
  if (value.isDoubleList()) return {{"floats", each(value.toListRef())}};
  reject({.where = "optimizer_state",
          .argument = path,
          .expected = "numbers, strings, tensors and lists of them",
          .got = value.tagKind(),
          .remedy = "Keep those in the optimiser's state"});
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

/// The tree has been checked.
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
  if (kind == "tensor") return tensors.at(value.get<std::string>()).clone();
  if (kind == "none") return {};
  if (kind == "bool") return value.get<bool>();
  if (kind == "int") return value.get<int64_t>();
  if (kind == "float") return float_of(value);
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
  return list(c10::List<double>(), [](const c10::IValue& v) { return v.toDouble(); });
}

void fill(torch::serialize::OutputArchive& archive, const json& object, const Tensors& tensors) {
  for (const auto& [key, item] : object.items()) {
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

/// The tensors of a file, which are the CPU's, where the parameters are that they belong to.
Tensors beside_parameters(const torch::optim::Optimizer& optimizer, const Tensors& tensors) {
  Tensors placed = tensors;
  const Numbering number(optimizer);
  for (const auto& group : optimizer.param_groups()) {
    for (const auto& parameter : group.params()) {
      const auto below = c10::str("/state/", number(parameter), "/");
      for (auto item = placed.lower_bound(below); item != placed.end() && item->first.starts_with(below);
           ++item) {
        item->second = item->second.to(parameter.device());
      }
    }
  }
  return placed;
}

}  // namespace

OptimizerState optimizer_state(const torch::optim::Optimizer& optimizer) {
  const torch::NoGradGuard no_grad;
  for (const auto& item : optimizer.state()) {
    // A buffer that every step fills before it reads it. Undefined entries, which it has until the history is
    // full, are what LibTorch's archives cannot hold.
    if (auto* lbfgs = dynamic_cast<torch::optim::LBFGSParamState*>(item.second.get())) {
      lbfgs->al(std::nullopt);
    }
  }
  torch::serialize::OutputArchive output;
  optimizer.save(output);
  std::ostringstream stream;
  output.save_to(stream);
  const std::string bytes = stream.str();
  torch::serialize::InputArchive input;
  input.load_from(bytes.data(), bytes.size());
  OptimizerState state;
  const Numbering number(optimizer);
  json tree = to_json(input, "", state.tensors, number);
  // LibTorch keeps the state of parameters that have left their group; its load leaves it out, too.
  json none = json::object();
  auto& states = tree.contains("state") ? tree["state"]["archive"] : none;
  for (auto item = states.begin(); item != states.end();) {
    if (number.has(item.key())) {
      ++item;
      continue;
    }
    std::erase_if(state.tensors, [before = "/state/" + item.key() + "/"](const auto& tensor) {
      return tensor.first.starts_with(before);
    });
    item = states.erase(item);
  }
  state.tree = tree.dump();
  return state;
}

void load_optimizer_state(torch::optim::Optimizer& optimizer, const OptimizerState& state) {
  check_optimizer_state(optimizer, state);
  const torch::NoGradGuard no_grad;
  json tree = parse_json(state.tree, "load_optimizer_state", "state");
  if (dynamic_cast<const torch::optim::LBFGSOptions*>(&optimizer.defaults()) != nullptr) {
    for (auto& item : tree["state"]["archive"]) {
      item["archive"].erase("al");  // its buffer: older files have it, of any length
    }
  }
  torch::serialize::OutputArchive output;
  fill(output, tree, beside_parameters(optimizer, state.tensors));
  std::ostringstream stream;
  output.save_to(stream);
  const std::string bytes = stream.str();
  torch::serialize::InputArchive input;
  input.load_from(bytes.data(), bytes.size());
  // LibTorch's load adds to what is there: of parameters that the state does not name, their own would stay.
  auto before = std::exchange(optimizer.state(), {});
  std::vector<std::unique_ptr<torch::optim::OptimizerOptions>> options;
  for (const auto& group : optimizer.param_groups()) {
    options.push_back(group.options().clone());
  }
  try {
    optimizer.load(input);
  } catch (...) {
    optimizer.state() = std::move(before);
    for (size_t i = 0; i < options.size(); ++i) {
      optimizer.param_groups()[i].set_options(std::move(options[i]));
    }
    throw;
  }
}

}  // namespace optotorch
