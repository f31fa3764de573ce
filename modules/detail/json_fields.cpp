#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/detail/json_fields.h>
#include <optotorch/modules/electronic_block.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace optotorch {
namespace {

/// The value of a product of names and whole numbers, "32*height/4", where a division is of the factor before
/// it, rounded down; nothing if it is none, or beyond 2^62.
std::optional<int64_t> product_of(const std::string& text, const Sizes& sizes) {
  constexpr int64_t most = int64_t{1} << 62;
  int64_t product = 1, factor = 1;
  bool divides = false, has_name = false;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find_first_of("*/", begin), text.size());
    const auto word = text.substr(begin, end - begin);
    const auto named = sizes.find(word);
    int64_t number = named == sizes.end() ? 0 : named->second;
    has_name = has_name || named != sizes.end();
    if (named == sizes.end()) {
      const auto* const last = word.data() + word.size();
      const auto [stop, error] = std::from_chars(word.data(), last, number);
      if (word.empty() || stop != last || error != std::errc()) {
        return std::nullopt;
      }
    }
    if (number < 1) {
      return std::nullopt;
    }
    factor = divides ? factor / number : number;
    divides = end < text.size() && text[end] == '/';
    if (!divides) {
      if (factor > 0 && product > most / factor) {
        return std::nullopt;
      }
      product *= factor;
    }
    begin = end + 1;
  }
  return has_name ? std::optional(product) : std::nullopt;
}

constexpr size_t most_structs = 10'000;

std::string guess(const std::string& word, const std::vector<std::string>& known) {
  const auto nearest = nearest_name(word, known);
  return nearest.empty() ? "" : "Did you mean '" + nearest + "'?";
}

}  // namespace

void JsonWriter::value(const char* name, std::shared_ptr<Layer>& field) {
  object_[name] = describe_part(*field, c10::str(place_, ".", name));
}

void JsonWriter::word(const char* name, const std::vector<std::string>& words, size_t& index) {
  object_[name] = words.at(index);
}

void JsonWriter::object(const char* name, const std::function<void(FieldVisitor&)>& fields) {
  auto object = nlohmann::ordered_json::object();
  JsonWriter writer(object, c10::str(place_, ".", name));
  fields(writer);
  object_[name] = std::move(object);
}

void JsonWriter::structs(const char* name, size_t count, const std::function<void(size_t)>& /*resize*/,
                         const std::function<void(size_t, FieldVisitor&)>& element) {
  auto list = nlohmann::ordered_json::array();
  for (size_t index = 0; index < count; ++index) {
    auto object = nlohmann::ordered_json::object();
    JsonWriter writer(object, c10::str(place_, ".", name, "[", index, "]"));
    element(index, writer);
    list.push_back(std::move(object));
  }
  object_[name] = std::move(list);
}

void JsonReader::refuse(const std::string& name, const std::string& expected,
                        const nlohmann::json& got) const {
  constexpr size_t longest = 60;
  reject({.where = where_,
          .argument = place_of(name),
          .expected = expected,
          .got = got.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, longest)});
}

const nlohmann::json* JsonReader::find(const char* name) {
  names_.emplace_back(name);
  const auto found = object_.find(name);
  OPTOTORCH_CHECK(found != object_.end() || seen_ >= required_, .where = where_, .argument = place_,
                  .expected = c10::str("'", name, "', which has no default"), .got = "none");
  ++seen_;
  return found == object_.end() ? nullptr : &*found;
}

void JsonReader::expect_nothing_more() const {
  for (const auto& [name, value] : object_.items()) {
    OPTOTORCH_CHECK(std::find(names_.begin(), names_.end(), name) != names_.end(), .where = where_,
                    .argument = place_, .expected = "one of " + c10::Join(", ", names_),
                    .got = "'" + name + "'", .remedy = guess(name, names_));
  }
}

void JsonReader::value(const char* name, bool& field) {
  if (const auto* found = find(name)) {
    if (!found->is_boolean()) {
      refuse(name, "true or false", *found);
    }
    field = found->get<bool>();
  }
}

int64_t JsonReader::whole(const char* name, const nlohmann::json& got) const {
  if (got.is_string() && !sizes_.empty()) {
    if (const auto value = product_of(got.get<std::string>(), sizes_)) {
      return *value;
    }
  }
  const bool fits =
      got.is_number_integer() && (!got.is_number_unsigned() || got.get<uint64_t>() <= uint64_t{INT64_MAX});
  if (!fits) {
    std::vector<std::string> names;
    for (const auto& [size, value] : sizes_) {
      names.push_back("'" + size + "'");
    }
    refuse(name,
           names.empty() ? "a whole number"
                         : "a whole number, or " + c10::Join(", ", names) + ", or such as '9*channels'",
           got);
  }
  return got.get<int64_t>();
}

void JsonReader::value(const char* name, int64_t& field) {
  if (const auto* found = find(name)) {
    field = whole(name, *found);
  }
}

void JsonReader::value(const char* name, std::string& field) {
  if (const auto* found = find(name)) {
    if (!found->is_string()) {
      refuse(name, "a text", *found);
    }
    field = found->get<std::string>();
  }
}

void JsonReader::value(const char* name, double& field) {
  if (const auto* found = find(name)) {
    if (!found->is_number() || !std::isfinite(found->get<double>())) {
      refuse(name, "a number", *found);
    }
    field = found->get<double>();
  }
}

void JsonReader::value(const char* name, std::vector<int64_t>& field) {
  if (const auto* found = find(name)) {
    if (!found->is_array()) {
      refuse(name, "a list of whole numbers", *found);
    }
    std::vector<int64_t> numbers;
    for (const auto& number : *found) {
      numbers.push_back(whole(name, number));
    }
    field = std::move(numbers);
  }
}

void JsonReader::value(const char* name, std::vector<double>& field) {
  if (const auto* found = find(name)) {
    const bool fits = found->is_array() && std::all_of(found->begin(), found->end(), [](const auto& number) {
                        return number.is_number() && std::isfinite(number.template get<double>());
                      });
    if (!fits) {
      refuse(name, "a list of numbers", *found);
    }
    field = found->get<std::vector<double>>();
  }
}

void JsonReader::value(const char* name, std::vector<std::string>& field) {
  if (const auto* found = find(name)) {
    if (!found->is_array() ||
        !std::all_of(found->begin(), found->end(), [](const auto& text) { return text.is_string(); })) {
      refuse(name, "a list of texts", *found);
    }
    field = found->get<std::vector<std::string>>();
  }
}

void JsonReader::object(const char* name, const std::function<void(FieldVisitor&)>& fields) {
  if (const auto* found = find(name)) {
    require_object(*found, place_of(name), where_);
    JsonReader reader(*found, place_of(name), 0, sizes_, where_);
    fields(reader);
    reader.expect_nothing_more();
  }
}

void JsonReader::value(const char* name, std::shared_ptr<Layer>& field) {
  if (const auto* found = find(name)) {
    const auto made = build_part(*found, place_of(name), sizes_);
    field = std::dynamic_pointer_cast<Layer>(made.ptr());
    if (field == nullptr) {
      field = std::make_shared<ElectronicBlock>(made);
    }
  }
}

void JsonReader::word(const char* name, const std::vector<std::string>& words, size_t& index) {
  if (const auto* found = find(name)) {
    const auto said = found->is_string() ? found->get<std::string>() : std::string();
    const auto known = std::find(words.begin(), words.end(), said);
    OPTOTORCH_CHECK(known != words.end(), .where = where_, .argument = place_of(name),
                    .expected = "one of " + c10::Join(", ", words),
                    .got = found->is_string() ? "'" + said + "'" : found->type_name(),
                    .remedy = guess(said, words));
    index = static_cast<size_t>(known - words.begin());
  }
}

void JsonReader::structs(const char* name, size_t /*count*/, const std::function<void(size_t)>& resize,
                         const std::function<void(size_t, FieldVisitor&)>& element) {
  if (const auto* found = find(name)) {
    if (!found->is_array() || found->size() > most_structs) {
      refuse(name, c10::str("a list of at most ", most_structs), *found);
    }
    resize(found->size());
    for (size_t index = 0; index < found->size(); ++index) {
      const auto place = c10::str(place_of(name), "[", index, "]");
      require_object((*found)[index], place, where_);
      JsonReader reader((*found)[index], place, 0, sizes_, where_);
      element(index, reader);
      reader.expect_nothing_more();
    }
  }
}

void require_object(const nlohmann::json& object, const std::string& place, const std::string& where) {
  OPTOTORCH_CHECK(object.is_object(), .where = where, .argument = place, .expected = "a JSON object",
                  .got = object.type_name());
}

}  // namespace optotorch
