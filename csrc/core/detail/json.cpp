#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/core/input_file.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace optotorch {
namespace {

using json = nlohmann::json;

struct OutOfLimits {
  std::string what;
};

/// Watches the parser's events, and ends parsing by OutOfLimits.
class Watch {
 public:
  explicit Watch(const JsonLimits& limits) : limits_(limits) {}

  bool operator()(int /*depth*/, json::parse_event_t event, json& value) {
    switch (event) {
      case json::parse_event_t::object_start:
      case json::parse_event_t::array_start:
        if (keys_.size() >= limits_.depth) {
          throw OutOfLimits{c10::str("more than ", limits_.depth, " arrays and objects within each other")};
        }
        keys_.emplace_back();
        count();
        break;
      case json::parse_event_t::object_end:
      case json::parse_event_t::array_end:
        keys_.pop_back();
        break;
      case json::parse_event_t::key:
        if (!keys_.back().insert(value.get<std::string>()).second) {
          throw OutOfLimits{"the key '" + value.get<std::string>() + "' twice"};
        }
        break;
      case json::parse_event_t::value:
        count();
        break;
    }
    return true;
  }

 private:
  void count() {
    if (++values_ > limits_.values) {
      throw OutOfLimits{c10::str("more than ", limits_.values, " values")};
    }
  }

  JsonLimits limits_;
  std::vector<std::set<std::string>> keys_;  // of every object or array that is open
  size_t values_ = 0;
};

}  // namespace

json parse_json(std::string_view text, const std::string& where, const std::string& argument,
                const std::string& expected, const std::string& remedy, const JsonLimits& limits) {
  const auto refuse = [&](const std::string& got) {
    reject({.where = where, .argument = argument, .expected = expected, .got = got, .remedy = remedy});
  };
  if (text.size() > limits.bytes) {
    refuse(c10::str(text.size(), " bytes, where ", limits.bytes, " are the limit"));
  }
  try {
    return json::parse(text.begin(), text.end(), Watch(limits));
  } catch (const OutOfLimits& error) {
    refuse(error.what);
  } catch (const json::exception& error) {
    refuse(json_complaint(error));
  }
  return {};
}

json load_json(const std::string& path, const std::string& where, const std::string& argument,
               const std::string& expected, const std::string& remedy) {
  std::error_code error;
  constexpr JsonLimits limits;
  OPTOTORCH_CHECK(std::filesystem::exists(path, error), .where = where, .argument = argument,
                  .expected = expected + " in a readable file", .got = path + ": no such file",
                  .remedy = "Check the path");
  auto file = open_regular_file(path, where);
  OPTOTORCH_CHECK(file.size() <= limits.bytes, .where = where, .argument = argument,
                  .expected = c10::str(expected, " of at most ", limits.bytes, " bytes"),
                  .got = c10::str(path, " of ", file.size(), " bytes"));
  const auto text = file.rest();
  return parse_json(text, where, argument, argument == path ? expected : expected + " in " + path, remedy);
}

std::string json_complaint(const std::exception& error) {
  const std::string said = error.what();
  const auto end = said.find("] ");
  return said.starts_with("[json.exception.") && end != std::string::npos ? said.substr(end + 2) : said;
}

}  // namespace optotorch
