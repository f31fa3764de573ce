#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/modules/laboratory/instrument/detail/instrument_messages.h>

#include <array>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

namespace optotorch {
namespace {

using json = nlohmann::json;

constexpr std::string_view magic = "optoinst";
constexpr uint32_t version = 3;
constexpr size_t most_stages = 1024;
constexpr int64_t longest_greeting = 1 << 20;

template <typename T>
void append(std::string& bytes, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Takes values from the front of a payload.
class Reader {
 public:
  Reader(std::string where, const at::Tensor& payload) : where_(std::move(where)), left_(bytes_of(payload)) {}

  template <typename T>
  T take() {
    T value{};
    copy(&value, sizeof value);
    return value;
  }

  at::Tensor take_doubles(int64_t count) {
    auto values = at::empty({count}, at::kDouble);
    copy(values.mutable_data_ptr(), values.nbytes());
    return values;
  }

  void check_end() const { check(left_.empty(), "nothing", "bytes"); }

  void check(bool right, const std::string& expected, const std::string& got) const {
    OPTOTORCH_CHECK(right, .where = where_, .argument = "message", .expected = expected, .got = got,
                    .remedy = "docs/instrument.md says what belongs there");
  }

 private:
  void copy(void* to, size_t size) {
    check(left_.size() >= size, c10::str("another ", size, " bytes"), std::to_string(left_.size()));
    std::memcpy(to, left_.data(), size);
    left_.remove_prefix(size);
  }

  std::string where_;
  std::string_view left_;
};

bool take_flag(Reader& reader) {
  const auto flag = reader.take<uint32_t>();
  reader.check(flag <= 1, "0 or 1 for a flag", std::to_string(flag));
  return flag == 1;
}

void check_number(const std::string& where, const char* argument, const std::string& expected, int64_t got,
                  bool right) {
  OPTOTORCH_CHECK(right, .where = where, .argument = argument, .expected = expected,
                  .got = std::to_string(got));
}

void check_equal(const std::string& where, const char* argument, int64_t expected, int64_t got) {
  check_number(where, argument, std::to_string(expected), got, got == expected);
}

/// Those behind a head, whose length is checked here.
at::Tensor values_behind(const std::string& where, const at::Tensor& payload, const DataHead& head) {
  const int64_t bytes = int64_t{head.value_size} * head.samples * head.values;
  check_equal(where, "length of the message", data_head_size + bytes, payload.numel());
  return payload.narrow(0, data_head_size, bytes);
}

int64_t real_size(const at::Tensor& x) {
  return static_cast<int64_t>(x.element_size()) / (x.is_complex() ? 2 : 1);
}

int64_t count(const std::vector<int64_t>& shape) {
  return c10::multiply_integers(shape);
}

std::vector<int64_t> with_samples(int64_t samples, std::vector<int64_t> shape) {
  shape.insert(shape.begin(), samples);
  return shape;
}

json in_json(const StageDesign& design) {
  json commands = json::object();
  for (const auto& [name, command] : design.commands) {
    commands[name] = {{"shape", command.shape}, {"required", command.required}};
  }
  return {{"type", design.type},
          {"options", json::parse(design.options)},
          {"input", design.input},
          {"output", design.output},
          {"takes_field", design.takes_field},
          {"delivers_field", design.delivers_field},
          {"commands", commands}};
}

StageDesign design_in(const json& object) {
  StageDesign design{.type = object.at("type"),
                     .options = object.at("options").dump(),
                     .input = object.at("input"),
                     .output = object.at("output"),
                     .takes_field = object.value("takes_field", true),
                     .delivers_field = object.value("delivers_field", true),
                     .commands = {}};
  for (const auto& [name, command] : object.at("commands").items()) {
    design.commands[name] = {command.at("shape"), command.value("required", true)};
  }
  return design;
}

Greeting greeting_in(const json& object) {
  Greeting greeting;
  greeting.samples = object.at("samples");
  greeting.monitors = object.at("monitors");
  for (const auto& stage : object.at("stages")) {
    greeting.stages.push_back(design_in(stage));
  }
  for (const auto& layer : object.value("between", json::array())) {
    greeting.between.push_back(layer.is_null() ? "nothing" : layer.is_object() ? layer.dump() : "");
  }
  return greeting;
}

}  // namespace

std::string_view bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

std::string_view bytes_of(const DataHead& head) {
  return {reinterpret_cast<const char*>(&head), sizeof head};
}

std::vector<StageDesign> Greeting::read() const {
  return monitors ? stages : std::vector<StageDesign>{stages.back()};
}

void send_greeting(Connection& connection, const Greeting& greeting, Deadline deadline) {
  std::string opening(magic);
  append(opening, version);
  json object{{"samples", greeting.samples}, {"monitors", greeting.monitors}, {"stages", json::array()}};
  for (const auto& stage : greeting.stages) {
    object["stages"].push_back(in_json(stage));
  }
  for (const auto& layer : greeting.between) {
    object["between"].push_back(layer == "nothing" ? json()
                                : layer.empty()    ? json("untold")
                                                   : json::parse(layer));
  }
  const auto payload = object.dump();
  connection.write(opening, deadline);
  connection.send(MessageKind::greeting, {payload}, deadline);
}

Greeting receive_greeting(Connection& connection, Deadline deadline) {
  const auto& where = connection.where();
  std::array<char, magic.size()> opening{};
  connection.read(opening.data(), opening.size(), deadline);
  OPTOTORCH_CHECK(std::string_view(opening.data(), opening.size()) == magic, .where = where,
                  .argument = connection.address(), .expected = "an instrument", .got = "something else",
                  .remedy = "Look at the address");
  uint32_t theirs = 0;
  connection.read(&theirs, sizeof theirs, deadline);
  OPTOTORCH_CHECK(theirs == version, .where = where, .argument = connection.address(),
                  .expected = c10::str("version ", version, " of the format"), .got = std::to_string(theirs),
                  .remedy = "Update the older side");
  const auto message = connection.receive(
      [](MessageKind kind) { return kind == MessageKind::greeting ? longest_greeting : -1; }, deadline);
  const auto remedy = "docs/instrument.md says what belongs there";
  const auto object =
      parse_json(bytes_of(message.payload), where, "greeting", "an instrument's description, JSON", remedy);
  Greeting greeting;
  try {
    greeting = greeting_in(object);
  } catch (const json::exception& error) {
    reject({.where = where,
            .argument = "greeting",
            .expected = "an instrument's description",
            .got = json_complaint(error),
            .remedy = remedy});
  }
  constexpr int64_t most_samples = std::numeric_limits<uint32_t>::max();
  check_number(where, "samples", c10::str("1 to ", most_samples), greeting.samples,
               greeting.samples >= 1 && greeting.samples <= most_samples);
  check_number(where, "stages", c10::str("1 to ", most_stages), static_cast<int64_t>(greeting.stages.size()),
               !greeting.stages.empty() && greeting.stages.size() <= most_stages);
  for (const auto& stage : greeting.stages) {
    check_design(where, stage);
  }
  check_number(where, "what stands between the stages",
               c10::str(greeting.stages.size() - 1, ", one for every two stages, or none"),
               static_cast<int64_t>(greeting.between.size()),
               greeting.between.empty() || greeting.between.size() == greeting.stages.size() - 1);
  return greeting;
}

std::string encode_commands(const std::vector<StageDesign>& stages, const std::vector<Values>& commands) {
  std::string payload;
  for (size_t n = 0; n < stages.size(); ++n) {
    for (const auto& [name, command] : stages[n].commands) {
      const auto value = find(commands[n], name);
      if (!command.required) {
        append(payload, uint32_t{value.defined()});
      }
      if (value.defined()) {
        payload += bytes_of(value.contiguous());
      }
    }
  }
  return payload;
}

std::vector<Values> decode_commands(const std::string& where, const at::Tensor& payload,
                                    const std::vector<StageDesign>& stages) {
  Reader reader(where, payload);
  std::vector<Values> commands;
  for (const auto& stage : stages) {
    auto& values = commands.emplace_back();
    for (const auto& [name, command] : stage.commands) {
      if (command.required || take_flag(reader)) {
        values[name] = reader.take_doubles(count(command.shape)).view(command.shape);
      }
    }
  }
  reader.check_end();
  return commands;
}

int64_t longest_commands(const std::vector<StageDesign>& stages) {
  int64_t bytes = 0;
  for (const auto& stage : stages) {
    for (const auto& [name, command] : stage.commands) {
      bytes += static_cast<int64_t>(sizeof(uint32_t)) + 8 * count(command.shape);
    }
  }
  return bytes;
}

at::Tensor decode_fields(const std::string& where, const at::Tensor& payload, const Greeting& greeting) {
  const auto& first = greeting.stages.front();
  const auto head = Reader(where, payload).take<DataHead>();
  const uint32_t single = first.takes_field ? 8 : 4;
  check_number(where, "bytes of a value",
               first.takes_field ? "8 (complex64) or 16 (complex128)" : "4 (float32) or 8 (float64)",
               head.value_size, head.value_size == single || head.value_size == 2 * single);
  check_equal(where, "tensors", 1, head.tensors);
  check_number(where, "samples", c10::str("at most ", greeting.samples), head.samples,
               head.samples <= greeting.samples);
  check_equal(where, "values of a sample", count(first.input), head.values);
  const auto real = head.value_size == single ? at::kFloat : at::kDouble;
  return values_behind(where, payload, head)
      .view(first.takes_field ? c10::toComplexType(real) : real)
      .view(with_samples(head.samples, first.input));
}

int64_t longest_fields(const Greeting& greeting) {
  return data_head_size + 16 * greeting.samples * count(greeting.stages.front().input);
}

DataHead head_of_readings(const Greeting& greeting, const at::Tensor& x) {
  int64_t values = 0;
  const auto stages = greeting.read();
  for (const auto& stage : stages) {
    values += count(stage.output);
  }
  return {static_cast<uint32_t>(real_size(x)), static_cast<uint32_t>(stages.size()),
          static_cast<uint32_t>(x.size(0)), static_cast<uint32_t>(values)};
}

std::vector<at::Tensor> decode_readings(const std::string& where, const at::Tensor& payload,
                                        const Greeting& greeting, const at::Tensor& x) {
  const auto head = Reader(where, payload).take<DataHead>(), expected = head_of_readings(greeting, x);
  check_equal(where, "bytes of a reading", expected.value_size, head.value_size);
  check_equal(where, "stages that are read", expected.tensors, head.tensors);
  check_equal(where, "samples", expected.samples, head.samples);
  check_equal(where, "values of a sample", expected.values, head.values);
  const auto all = values_behind(where, payload, head).view(c10::toRealValueType(x.scalar_type()));
  std::vector<at::Tensor> readings;
  int64_t first = 0;
  for (const auto& stage : greeting.read()) {
    const int64_t length = x.size(0) * count(stage.output);
    readings.push_back(all.narrow(0, first, length).view(with_samples(x.size(0), stage.output)));
    first += length;
  }
  return readings;
}

int64_t length_of_readings(const Greeting& greeting, const at::Tensor& x) {
  const auto head = head_of_readings(greeting, x);
  return data_head_size + int64_t{head.value_size} * head.samples * head.values;
}

}  // namespace optotorch
