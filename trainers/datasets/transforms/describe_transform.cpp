#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/modules/detail/json_fields.h>
#include <optotorch/trainers/datasets/transforms/compose.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>

#include <algorithm>

namespace optotorch::transforms {
namespace {

using json = nlohmann::json;
using ordered_json = nlohmann::ordered_json;

constexpr char compose_type[] = "Compose", apply_type[] = "RandomApply";
constexpr char describing[] = "describe_transform", building[] = "build_transform";

std::vector<TransformType>& types() {
  static std::vector<TransformType> all;
  return all;
}

// --- describe

ordered_json described(const Transform& transform, const std::string& place);

ordered_json described_list(const Transforms& transforms, const std::string& place) {
  auto list = ordered_json::array();
  for (const auto& each : transforms) {
    list.push_back(described(*each, c10::str(place, "[", list.size(), "]")));
  }
  return list;
}

/// Type, options without usual values, and those that are not usual.
ordered_json described_options(const Transform& transform, const TransformType& type,
                               const std::string& place) {
  ordered_json usual = ordered_json::object(), all = ordered_json::object(), object{{"type", type.name}};
  JsonWriter usual_writer(usual, place), writer(all, place);
  type.look_at_usual(usual_writer);
  type.look(transform, writer);
  size_t index = 0;
  for (const auto& [name, value] : all.items()) {
    if (index++ < type.required || usual[name] != value) {
      object[name] = value;
    }
  }
  return object;
}

ordered_json described(const Transform& transform, const std::string& place) {
  if (const auto* compose = dynamic_cast<const Compose*>(&transform)) {
    return described_list(compose->transforms(), place);
  }
  if (const auto* apply = dynamic_cast<const RandomApply*>(&transform)) {
    return {{"type", apply_type},
            {"p", apply->p()},
            {"transforms", described_list(apply->transforms(), place + ".transforms")}};
  }
  const std::type_index own = typeid(transform);
  const auto known = std::find_if(types().begin(), types().end(),
                                  [&](const TransformType& type) { return type.type == own; });
  OPTOTORCH_CHECK(known != types().end(), .where = describing, .argument = place,
                  .expected = "a transform whose type is registered", .got = own.name(),
                  .remedy = "register_transform (describe_transform.h) makes a type known");
  return described_options(transform, *known, place);
}

// --- build

/// Takes a number for a list of one.
class Reader : public JsonReader {
 public:
  Reader(json& object, const std::string& place, size_t required)
      : JsonReader(object, place, required, {}, building), object_(object) {}

 protected:
  using JsonReader::value;
  void value(const char* name, std::vector<int64_t>& field) override {
    listed(name);
    JsonReader::value(name, field);
  }
  void value(const char* name, std::vector<double>& field) override {
    listed(name);
    JsonReader::value(name, field);
  }

 private:
  void listed(const char* name) {
    const auto found = object_.find(name);
    if (found != object_.end() && found->is_number()) {
      *found = json::array({*found});
    }
  }

  json& object_;
};

/// A transform's complaint about its options is told with its place.
template <typename Make>
std::shared_ptr<const Transform> at_place(const std::string& place, Make&& make) {
  try {
    return make();
  } catch (const c10::Error& error) {
    const std::string said = error.what_without_backtrace();
    if (said.starts_with(building)) {
      throw;
    }
    reject({.where = building, .argument = place, .expected = "options that fit", .got = said});
  }
}

std::shared_ptr<const Transform> built(json& value, const std::string& place);

Transforms built_list(json& list, const std::string& place) {
  Transforms transforms;
  for (auto& each : list) {
    transforms.push_back(built(each, c10::str(place, "[", transforms.size(), "]")));
  }
  return transforms;
}

/// The transforms within a Compose or RandomApply, and its p.
std::shared_ptr<const Transform> built_container(json& object, const std::string& place, bool has_p) {
  struct Probability {
    double p = 0.5;
    void fields(FieldVisitor& visit) { visit("p", p); }
  } options;
  Reader reader(object, place, 0);
  if (has_p) {
    options.fields(reader);
  }
  reader.known("type");
  reader.known("transforms");
  reader.expect_nothing_more();
  const auto list = object.find("transforms");
  OPTOTORCH_CHECK(list != object.end() && list->is_array(), .where = building, .argument = place,
                  .expected = "a list 'transforms'",
                  .got = list == object.end() ? "none" : list->type_name());
  auto transforms = built_list(*list, place + ".transforms");
  return at_place(place, [&]() -> std::shared_ptr<const Transform> {
    if (has_p) {
      return std::make_shared<const RandomApply>(std::move(transforms), options.p);
    }
    return std::make_shared<const Compose>(std::move(transforms));
  });
}

std::string type_of(const json& object, const std::string& place) {
  require_object(object, place, building);
  const auto found = object.find("type");
  OPTOTORCH_CHECK(found != object.end() && found->is_string(), .where = building, .argument = place,
                  .expected = "a 'type'", .got = found == object.end() ? "none" : found->type_name());
  return found->get<std::string>();
}

std::shared_ptr<const Transform> built(json& value, const std::string& place) {
  if (value.is_array()) {
    return std::make_shared<const Compose>(built_list(value, place));
  }
  const auto name = type_of(value, place);
  if (name == compose_type || name == apply_type) {
    return built_container(value, place, name == apply_type);
  }
  const auto known = std::find_if(types().begin(), types().end(),
                                  [&](const TransformType& type) { return type.name == name; });
  if (known == types().end()) {
    const auto nearest = nearest_name(name, transform_names());
    reject({.where = building,
            .argument = place + ".type",
            .expected = "a type that is registered",
            .got = "'" + name + "'",
            .remedy = nearest.empty() ? "One of " + c10::Join(", ", transform_names())
                                      : "Did you mean '" + nearest + "'?"});
  }
  Reader reader(value, place, known->required);
  auto transform = at_place(place, [&] { return known->make(reader); });
  reader.known("type");
  reader.expect_nothing_more();
  return transform;
}

}  // namespace

std::string describe_transform(const Transform& transform) {
  return described(transform, "transform").dump();
}

std::shared_ptr<const Transform> build_transform(const std::string& text) {
  auto value = parse_json(text, building, "transform", "a description of a transform");
  return built(value, "transform");
}

std::vector<std::string> transform_names() {
  std::vector<std::string> names{compose_type, apply_type};
  for (const auto& type : types()) {
    names.push_back(type.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void register_transform(TransformType type) {
  const auto names = transform_names();
  OPTOTORCH_CHECK(std::find(names.begin(), names.end(), type.name) == names.end(),
                  .where = "register_transform", .argument = "name", .expected = "one that is not known yet",
                  .got = "'" + type.name + "'");
  for (const auto& known : types()) {
    OPTOTORCH_CHECK(known.type != type.type, .where = "register_transform", .argument = "type",
                    .expected = "one that is not known yet", .got = "that of '" + known.name + "'");
  }
  types().push_back(std::move(type));
}

}  // namespace optotorch::transforms
