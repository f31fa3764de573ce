#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/detail/json_fields.h>
#include <optotorch/modules/detail/part_types.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/container/sequential.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace optotorch {
namespace {

using json = nlohmann::json;
using ordered_json = nlohmann::ordered_json;

constexpr char network_format[] = "optotorch-network-1";
constexpr char hybrid_type[] = "Hybrid", sequential_type[] = "Sequential";

std::vector<PartType>& part_types() {
  static std::vector<PartType> all = libtorch_part_types();
  return all;
}

std::vector<std::string> type_names() {
  std::vector<std::string> names{hybrid_type, sequential_type};
  for (const auto& type : part_types()) {
    names.push_back(type.name);
  }
  return names;
}

// --- describe

template <typename Modules>
ordered_json describe_all(const Modules& modules, const std::string& place) {
  auto list = ordered_json::array();
  for (const auto& [name, module] : modules) {
    const auto at = c10::str(place, "[", list.size(), "]");
    auto object = describe_part(*module, at);
    if (name != std::to_string(list.size())) {
      object["name"] = name;
    }
    list.push_back(std::move(object));
  }
  return list;
}

ordered_json describe_hybrid(const HybridImpl& network, const std::string& place) {
  std::vector<std::pair<std::string, std::shared_ptr<torch::nn::Module>>> modules;
  for (const auto& part : network.parts()) {
    modules.emplace_back(part.name, part.layer != nullptr
                                        ? std::static_pointer_cast<torch::nn::Module>(part.layer)
                                        : part.container);
  }
  return describe_all(modules, place);
}

// --- build

/// A layer's complaint about its options is told with its place.
template <typename Make>
auto at_place(const std::string& place, Make&& make) {
  try {
    return make();
  } catch (const c10::Error& error) {
    const std::string said = error.what_without_backtrace();
    if (said.starts_with("build: ")) {
      throw;
    }
    reject({.where = "build", .argument = place, .expected = "options that fit", .got = said});
  }
}

const json& list_at(const json& object, const char* name, const std::string& place) {
  const auto found = object.find(name);
  OPTOTORCH_CHECK(found != object.end() && found->is_array(), .where = "build", .argument = place,
                  .expected = c10::str("a list '", name, "'"),
                  .got = found == object.end() ? "none" : found->type_name());
  return *found;
}

std::string type_of(const json& object, const std::string& place) {
  require_object(object, place);
  const auto found = object.find("type");
  OPTOTORCH_CHECK(found != object.end() && found->is_string(), .where = "build", .argument = place,
                  .expected = "a 'type'", .got = "none");
  return found->get<std::string>();
}

std::string name_of(const json& object, size_t index, const std::string& place) {
  const auto found = object.find("name");
  if (found == object.end()) {
    return std::to_string(index);
  }
  OPTOTORCH_CHECK(found->is_string() && !found->get<std::string>().empty() &&
                      found->get<std::string>().find('.') == std::string::npos,
                  .where = "build", .argument = place + ".name", .expected = "a name without dots",
                  .got = found->dump());
  return found->get<std::string>();
}

/// Biases of zero, and weights as the word says.
void begin_as(torch::nn::Module& module, const PartType& type, const json& word, const std::string& place) {
  const torch::NoGradGuard no_grad;
  static const std::vector<std::string> words{"zero", "glorot", "he", "normal"};
  const auto said = word.is_string() ? word.get<std::string>() : word.dump();
  OPTOTORCH_CHECK(std::find(words.begin(), words.end(), said) != words.end(), .where = "build",
                  .argument = place + ".initial", .expected = "one of " + c10::Join(", ", words),
                  .got = "'" + said + "'");
  auto parameters = module.named_parameters(/*recurse=*/false);
  auto* const own = parameters.find("weight");
  const auto weight = type.weight ? type.weight(module) : own == nullptr ? torch::Tensor() : *own;
  OPTOTORCH_CHECK(weight.defined() && weight.dim() >= 2, .where = "build", .argument = place + ".initial",
                  .expected = "a module with a weight of two dimensions or more", .got = module.name());
  if (auto* const bias = parameters.find("bias")) {
    bias->zero_();
  }
  if (said == "zero") {
    weight.zero_();
  } else if (said == "glorot") {
    torch::nn::init::xavier_uniform_(weight);
  } else if (said == "he") {
    torch::nn::init::kaiming_uniform_(weight, /*a=*/0, torch::kFanIn, torch::kReLU);
  } else {
    const int64_t inputs = weight.numel() / weight.size(0);
    weight.normal_(0, 1 / std::sqrt(static_cast<double>(inputs)));
  }
  if (type.set_weight) {
    type.set_weight(module, weight);
  }
}

Hybrid build_hybrid(const json& list, const std::string& place, const Sizes& sizes);

torch::nn::Sequential build_sequential(const json& list, const std::string& place, const Sizes& sizes) {
  torch::nn::Sequential sequential;
  size_t index = 0;
  for (const auto& object : list) {
    const auto at = c10::str(place, "[", index, "]");
    OPTOTORCH_CHECK(type_of(object, at) != sequential_type, .where = "build", .argument = at,
                    .expected = "no Sequential within a Sequential", .got = "one",
                    .remedy = "Write its layers into the outer one");
    sequential->push_back(name_of(object, index, at), build_part(object, at, sizes));
    ++index;
  }
  return sequential;
}

Hybrid build_hybrid(const json& list, const std::string& place, const Sizes& sizes) {
  Hybrid network;
  size_t index = 0;
  for (const auto& object : list) {
    const auto at = c10::str(place, "[", index, "]");
    const bool is_sequential = type_of(object, at) == sequential_type;
    const auto name = name_of(object, index, at);
    if (is_sequential) {
      network->push_back(name, build_sequential(list_at(object, "layers", at), at + ".layers", sizes).ptr());
    } else {
      auto part = build_part(object, at, sizes);
      at_place(at, [&] {
        network->push_back(name, std::move(part));
        return true;
      });
    }
    ++index;
  }
  return network;
}

}  // namespace

ordered_json describe_part(const torch::nn::Module& module, const std::string& place) {
  if (const auto* electronic = dynamic_cast<const ElectronicBlock*>(&module)) {
    return describe_part(*electronic->module(), place);
  }
  if (const auto* hybrid = dynamic_cast<const HybridImpl*>(&module)) {
    return {{"type", hybrid_type}, {"layers", describe_hybrid(*hybrid, place + ".layers")}};
  }
  if (dynamic_cast<const torch::nn::SequentialImpl*>(&module) != nullptr) {
    std::vector<std::pair<std::string, std::shared_ptr<torch::nn::Module>>> modules;
    for (const auto& item : module.named_children()) {
      modules.emplace_back(item.key(), item.value());
    }
    return {{"type", sequential_type}, {"layers", describe_all(modules, place + ".layers")}};
  }
  const std::type_index type = typeid(module);
  const auto known = std::find_if(part_types().begin(), part_types().end(),
                                  [&](const PartType& candidate) { return candidate.type == type; });
  OPTOTORCH_CHECK(known != part_types().end(), .where = "describe", .argument = place,
                  .expected = "a layer or module whose type is registered", .got = module.name(),
                  .remedy = "register_part (describe.h) makes a type known");
  ordered_json object{{"type", known->name}};
  JsonWriter writer(object, place);
  known->look(module, writer);
  return object;
}

torch::nn::AnyModule build_part(const json& object, const std::string& place, const Sizes& sizes) {
  const auto name = type_of(object, place);
  if (name == hybrid_type) {
    JsonReader reader(object, place);
    for (const char* known : {"type", "name", "layers"}) {
      reader.known(known);
    }
    reader.expect_nothing_more();
    return torch::nn::AnyModule(build_hybrid(list_at(object, "layers", place), place + ".layers", sizes));
  }
  const auto known = std::find_if(part_types().begin(), part_types().end(),
                                  [&](const PartType& type) { return type.name == name; });
  if (known == part_types().end()) {
    const auto nearest = nearest_name(name, type_names());
    reject({.where = "build",
            .argument = place + ".type",
            .expected = "a type that is registered",
            .got = "'" + name + "'",
            .remedy = nearest.empty() ? "register_part (describe.h) makes a type known"
                                      : "Did you mean '" + nearest + "'?"});
  }
  JsonReader reader(object, place, known->required, sizes);
  auto module = at_place(place, [&] { return known->make(reader); });
  for (const char* extra : {"type", "name", "initial"}) {
    reader.known(extra);
  }
  reader.expect_nothing_more();
  if (const auto initial = object.find("initial"); initial != object.end()) {
    begin_as(*module.ptr(), *known, *initial, place);
  }
  return module;
}

const std::vector<PartType>& known_parts() {
  return part_types();
}

void register_part(PartType type) {
  const auto names = type_names();
  OPTOTORCH_CHECK(std::find(names.begin(), names.end(), type.name) == names.end(), .where = "register_part",
                  .argument = "name", .expected = "one that is not known yet", .got = "'" + type.name + "'");
  for (const auto& known : part_types()) {
    OPTOTORCH_CHECK(known.type != type.type, .where = "register_part", .argument = "type",
                    .expected = "one that is not known yet", .got = "that of '" + known.name + "'");
  }
  part_types().push_back(std::move(type));
}

std::string describe(const HybridImpl& network) {
  const ordered_json object{{"format", network_format}, {"layers", describe_hybrid(network, "layers")}};
  return object.dump(2);
}

std::string describe_options(const torch::nn::Module& module) {
  json options = describe_part(module, module.name());
  options.erase("type");
  return options.dump();
}

void print_part(const torch::nn::Module& module, std::ostream& stream) {
  ordered_json object;
  try {
    object = describe_part(module, module.name());
  } catch (const c10::ValueError&) {  // it, or a layer of it, is nobody's known type
    stream << module.name();
    return;
  }
  stream << "optotorch::" << object["type"].get<std::string>() << "(";
  const char* separator = "";
  for (const auto& [name, value] : object.items()) {
    if (name != "type") {
      stream << separator << name << "=" << (value.is_string() ? value.get<std::string>() : value.dump());
      separator = ", ";
    }
  }
  stream << ")";
}

Hybrid build(const std::string& text, const Sizes& sizes) {
  const auto object = parse_json(text, "build", "network", "a description of a network");
  require_object(object, "network");
  const auto said = object.find("format");
  OPTOTORCH_CHECK(said != object.end() && *said == network_format, .where = "build", .argument = "format",
                  .expected = c10::str("'", network_format, "'"),
                  .got = said == object.end() ? "none" : said->dump());
  JsonReader reader(object, "network");
  reader.known("format");
  for (const char* known : {"layers", "description", "training"}) {
    reader.known(known);
  }
  reader.expect_nothing_more();
  return build_hybrid(list_at(object, "layers", "network"), "layers", sizes);
}

}  // namespace optotorch
