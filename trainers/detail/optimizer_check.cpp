#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/trainers/detail/optimizer_fields.h>
#include <optotorch/trainers/detail/optimizer_state.h>
#include <torch/optim/adagrad.h>

#include <charconv>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

namespace optotorch {
namespace {

using json = nlohmann::json;

constexpr int64_t most_steps = int64_t{1} << 53, most_history = 1'000'000;

using Kind = OptimizerField::Kind;

bool is_finite_and(const json& number, const std::function<bool(double)>& holds) {
  return number.is_number() && std::isfinite(number.get<double>()) && holds(number.get<double>());
}

/// Domains of LibTorch's options by name, as its constructors demand them; empty: in order.
std::string wish_for_option(const std::string& name, const json& value) {
  const auto finite = [](double) { return true; };
  const auto not_negative = [](double x) { return x >= 0; };
  const auto fraction = [](double x) { return x >= 0 && x < 1; };
  static const std::set<std::string> at_least_0 = {
      "lr", "eps", "weight_decay", "momentum", "alpha", "lr_decay", "initial_accumulator_value"};
  static const std::set<std::string> any = {"dampening", "tolerance_grad", "tolerance_change"};
  if (at_least_0.contains(name)) return is_finite_and(value, not_negative) ? "" : "a number, at least 0";
  if (any.contains(name)) return is_finite_and(value, finite) ? "" : "a number";
  if (name == "betas") {
    const bool good = value.size() == 2 && is_finite_and(value[0].value("float", json()), fraction) &&
                      is_finite_and(value[1].value("float", json()), fraction);
    return good ? "" : "two numbers, at least 0 and below 1";
  }
  if (name == "max_iter" || name == "max_eval") {
    return value.is_null() || value.get<int64_t>() >= 1 ? "" : "at least 1";
  }
  if (name == "history_size") {
    const auto size = value.get<int64_t>();
    return size >= 1 && size <= most_history ? "" : c10::str("1 to ", most_history);
  }
  if (name == "line_search_fn") return value.is_null() || value == "strong_wolfe" ? "" : "strong_wolfe";
  return "";
}

/// Compares a tree with what the optimiser itself would write, place by place.
class Check {
 public:
  Check(const torch::optim::Optimizer& optimizer, const OptimizerState& own, const OptimizerState& state)
      : optimizer_(optimizer), own_(own), state_(state) {
    for (const auto& group : optimizer.param_groups()) {
      for (const auto& parameter : group.params()) {
        parameters_.push_back({parameter, &group - optimizer.param_groups().data()});
      }
    }
  }

  void run(const json& own, const json& tree) {
    const bool whole = tree.is_object() && tree.size() == own.size() && tree.contains("state") &&
                       tree.contains("param_groups");
    if (!whole) {
      refuse("", "an object with 'state' and 'param_groups'", tree.is_object() ? "another object" : "none");
    }
    check_form({{"archive", tree}}, "");
    for (const auto& [name, tensor] : state_.tensors) {
      if (!used_.contains(name)) {
        refuse(name, "no such tensor", describe(tensor));
      }
    }
    for (const auto& [name, item] : own.items()) {
      if (!tree.contains(name)) {
        refuse("", "'" + name + "'", "none");
      }
      if (name != "state") {
        check_same(item, tree[name], "/" + name, false);
      }
    }
    for (const auto& [key, item] : archive(tree["state"], "/state").items()) {
      check_parameter(tree, key, archive(item, "/state/" + key));
    }
    check_adagrad(tree["state"]["archive"]);
  }

 private:
  struct Parameter {
    torch::Tensor tensor;
    ptrdiff_t group;
  };

  [[noreturn]] static void refuse(const std::string& place, const std::string& expected,
                                  const std::string& got) {
    reject({.where = "load_optimizer_state",
            .argument = place.empty() ? "state" : place,
            .expected = expected,
            .got = got,
            .remedy = "The state is of another optimiser or network, or it is damaged"});
  }

  const torch::optim::OptimizerOptions& options_of(const Parameter& parameter) const {
    return optimizer_.param_groups()[static_cast<size_t>(parameter.group)].options();
  }

  static const json& archive(const json& item, const std::string& place) {
    if (!item.contains("archive")) {
      refuse(place, "an archive", item.dump());
    }
    return item["archive"];
  }

  /// Every value is of one known kind, and every tensor stands at the place whose name it has.
  void check_form(const json& item, const std::string& place) {
    if (!item.is_object() || item.size() != 1) {
      refuse(place, "one kind per value", item.dump());
    }
    const std::string kind = item.begin().key();
    const json& value = item.begin().value();
    const auto demand = [&](bool holds) {
      if (!holds) {
        refuse(place, "a value of kind '" + kind + "'", value.dump());
      }
    };
    const auto each = [&](const char* kind_of_elements) {
      demand(value.is_array());
      for (size_t i = 0; i < value.size(); ++i) {
        check_form(value[i], c10::str(place, "/", i));
        demand(kind_of_elements == nullptr || value[i].contains(kind_of_elements));
      }
    };
    if (kind == "archive") {
      demand(value.is_object());
      for (const auto& [key, nested] : value.items()) {
        check_form(nested, place + "/" + key);
      }
    } else if (kind == "tensor") {
      demand(value == place);
      if (!state_.tensors.contains(place)) {
        refuse(place, "a tensor", "none");
      }
      used_.insert(place);
    } else if (kind == "none") {
      demand(value.is_null());
    } else if (kind == "bool") {
      demand(value.is_boolean());
    } else if (kind == "int") {
      demand(value.is_number_integer() &&
             (!value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t{INT64_MAX}));
    } else if (kind == "float") {
      demand(value.is_number() || value == "nan" || value == "inf" || value == "-inf");
    } else if (kind == "string") {
      demand(value.is_string());
    } else if (kind == "tuple") {
      each(nullptr);
    } else if (kind == "tensors") {
      each("tensor");
    } else if (kind == "ints") {
      each("int");
    } else if (kind == "floats") {
      each("float");
    } else {
      refuse(place, "a known kind of value", "'" + kind + "'");
    }
  }

  /// The same groups of the same parameters; options of the same names and kinds within their domains.
  void check_same(const json& own, const json& item, const std::string& place, bool in_options) {
    const std::string kind = own.begin().key(), got = item.begin().key();
    const std::string name = place.substr(place.rfind('/') + 1);
    if (kind == "archive" && got == kind) {
      for (const auto& [key, nested] : own["archive"].items()) {
        if (!item["archive"].contains(key)) {
          refuse(place, "this optimiser's '" + key + "'", "none");
        }
        check_same(nested, item["archive"][key], place + "/" + key, in_options || key == "options");
      }
      if (item["archive"].size() != own["archive"].size()) {
        refuse(place, "this optimiser's options and parameters", "more of them");
      }
      return;
    }
    const bool may_be_none = (name == "max_eval" && (got == "int" || got == "none")) ||
                             (name == "line_search_fn" && (got == "string" || got == "none"));
    if (kind != got && !(in_options && may_be_none)) {
      refuse(place, "a value of kind '" + kind + "'", "'" + got + "'");
    }
    if (kind == "tensor") {
      const auto &mine = own_.tensors.at(place), &other = state_.tensors.at(place);
      if (mine.scalar_type() != other.scalar_type() || !mine.equal(other)) {
        refuse(place, "this optimiser's numbers of groups and parameters", describe(other));
      }
    } else if (!in_options) {
      if (item != own) {
        refuse(place, own.dump(), item.dump());
      }
    } else if (const auto wish = wish_for_option(name, item.begin().value()); !wish.empty()) {
      refuse(place, wish, item.begin().value().dump());
    }
  }

  /// An option of a parameter's group, as the state has it.
  static const json& option(const json& tree, const Parameter& parameter, const std::string& name) {
    return tree["param_groups"]["archive"][c10::str("param_groups/", parameter.group)]["archive"]["options"]
               ["archive"][name]
                   .begin()
                   .value();
  }

  static bool is_needed(const json& tree, const Parameter& parameter, const OptimizerField& field) {
    if (field.needed.empty() || field.needed == OptimizerField::always) {
      return !field.needed.empty();
    }
    const json& value = option(tree, parameter, field.needed);
    return value.is_boolean() ? value.get<bool>() : value.is_number() && value.get<double>() > 0;
  }

  void check_parameter(const json& tree, const std::string& key, const json& entries) {
    size_t index = 0;
    const auto end = std::from_chars(key.data(), key.data() + key.size(), index).ptr;
    if (end != key.data() + key.size() || index >= parameters_.size() || std::to_string(index) != key) {
      refuse("/state/" + key, c10::str("the number of one of ", parameters_.size(), " parameters"), key);
    }
    const auto& parameter = parameters_[index];
    const auto known = optimizer_fields(options_of(parameter));
    if (!known) {
      check_tensors_of("/state/" + key, parameter.tensor);
      return;
    }
    std::set<std::string> names;
    for (const auto& field : *known) {
      names.insert(field.name);
      const std::string place = c10::str("/state/", key, "/", field.name);
      if (entries.contains(field.name)) {
        check_field(place, field.kind, entries[field.name], parameter.tensor);
      } else if (is_needed(tree, parameter, field)) {
        refuse(place, "a value", "none");
      }
    }
    for (const auto& [name, item] : entries.items()) {
      if (!names.contains(name)) {
        refuse(c10::str("/state/", key), "no '" + name + "'", item.dump());
      }
    }
    if (names.contains("old_dirs")) {
      check_history(tree, parameter, index, entries);
    }
  }

  void check_field(const std::string& place, Kind kind, const json& item, const torch::Tensor& parameter) {
    const auto demand = [&](const char* name) {
      if (!item.contains(name)) {
        refuse(place, c10::str("a value of kind '", name, "'"), item.dump());
      }
    };
    const auto check_one = [&](const std::string& at, at::IntArrayRef sizes) {
      const auto& tensor = state_.tensors.at(at);
      if (tensor.sizes() != sizes || tensor.scalar_type() != parameter.scalar_type()) {
        refuse(at, type_name(parameter.scalar_type()) + " " + c10::str(sizes), describe(tensor));
      }
      // A square is never NaN unless training has gone wrong long before.
      const bool good =
          kind == Kind::square ? tensor.ge(0).all().item<bool>() : !tensor.isnan().any().item<bool>();
      if (!good) {
        refuse(at, kind == Kind::square ? "no value below 0" : "no NaN", "some");
      }
    };
    const auto check_list = [&](at::IntArrayRef sizes) {
      demand("tensors");
      for (size_t i = 0; i < item["tensors"].size(); ++i) {
        check_one(c10::str(place, "/", i), sizes);
      }
    };
    int64_t all = 0;
    for (const auto& one : parameters_) {
      all += one.tensor.numel();
    }
    switch (kind) {
      case Kind::count: {
        demand("int");
        const auto count = item["int"].get<int64_t>();
        if (count < 0 || count > most_steps) {
          refuse(place, c10::str("0 to ", most_steps), std::to_string(count));
        }
        break;
      }
      case Kind::number:
        demand("float");
        if (!item["float"].is_number()) {
          refuse(place, "a finite number", item["float"].dump());
        }
        break;
      case Kind::moment:
      case Kind::square:
        demand("tensor");
        check_one(place, parameter.sizes());
        break;
      case Kind::flat:
        demand("tensor");
        check_one(place, {all});
        break;
      case Kind::scalar:
        demand("tensor");
        check_one(place, {});
        break;
      case Kind::flats:
        check_list({all});
        break;
      case Kind::scalars:
        check_list({});
        break;
      case Kind::anything:
        break;
    }
  }

  /// LBFGS keeps one state for all parameters, under the first, and three lists in step.
  static void check_history(const json& tree, const Parameter& parameter, size_t index, const json& entries) {
    const std::string place = c10::str("/state/", index);
    if (index != 0) {
      refuse(place, "one state, under the number 0", std::to_string(index));
    }
    const bool begun = entries["n_iter"]["int"].get<int64_t>() > 0;
    for (const auto* name : {"d", "H_diag", "prev_flat_grad"}) {
      if (begun && !entries.contains(name)) {
        refuse(place + "/" + name, "a value", "none");
      }
    }
    const auto most = option(tree, parameter, "history_size").get<size_t>();
    const size_t count = entries["ro"]["tensors"].size();
    if (count > most || entries["old_dirs"]["tensors"].size() != count ||
        entries["old_stps"]["tensors"].size() != count) {
      refuse(place, c10::str("histories of equal length, at most ", most),
             c10::str(entries["old_dirs"]["tensors"].size(), ", ", entries["old_stps"]["tensors"].size(),
                      ", ", count));
    }
  }

  /// Adagrad has a state for every parameter from the beginning and looks for no other case.
  void check_adagrad(const json& states) const {
    using torch::optim::AdagradOptions;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      if (dynamic_cast<const AdagradOptions*>(&options_of(parameters_[i])) != nullptr &&
          !states.contains(std::to_string(i))) {
        refuse(c10::str("/state/", i), "a state", "none");
      }
    }
  }

  /// A tensor of an optimiser that is not LibTorch's has its parameter's shape, or is a scalar or a vector.
  void check_tensors_of(const std::string& place, const torch::Tensor& parameter) const {
    for (const auto& [name, tensor] : state_.tensors) {
      if (name.starts_with(place + "/") && tensor.dim() > 1 && tensor.sizes() != parameter.sizes()) {
        refuse(name, describe(parameter), describe(tensor));
      }
    }
  }

  const torch::optim::Optimizer& optimizer_;
  const OptimizerState &own_, &state_;
  std::vector<Parameter> parameters_;
  std::set<std::string> used_;
};

}  // namespace

void check_optimizer_state(const torch::optim::Optimizer& optimizer, const OptimizerState& state) {
  const torch::NoGradGuard no_grad;
  const auto own = optimizer_state(optimizer);
  const json own_tree = parse_json(own.tree, "load_optimizer_state", "optimizer");
  const json tree = parse_json(state.tree, "load_optimizer_state", "state", "an optimiser's tree");
  Check(optimizer, own, state).run(own_tree, tree);
}

}  // namespace optotorch
