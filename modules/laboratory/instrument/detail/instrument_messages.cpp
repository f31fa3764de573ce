#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/instrument/detail/instrument_messages.h>

#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

namespace optotorch {
namespace {

constexpr std::string_view magic = "optoinst";
constexpr uint32_t oldest_version = 1, version = 2;
constexpr int64_t most_meshes = 1024;

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

template <typename Enum>
Enum take_convention(Reader& reader) {
  const auto value = reader.take<uint8_t>();
  reader.check(value <= 1, "0 or 1 for a convention", std::to_string(value));
  return static_cast<Enum>(value);
}

MeshLayout take_layout(Reader& reader) {
  MeshLayout layout;
  layout.ports = reader.take<uint32_t>();
  layout.columns = reader.take<uint32_t>();
  layout.grid = take_convention<MeshGrid>(reader);
  layout.phi_arm = take_convention<PhiArm>(reader);
  layout.zero_state = take_convention<ZeroState>(reader);
  layout.idle_port = take_convention<IdlePort>(reader);
  return layout;
}

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
  const int64_t bytes = int64_t{head.value_size} * head.meshes * head.samples * head.ports;
  check_equal(where, "length of the message", data_head_size + bytes, payload.numel());
  return payload.narrow(0, data_head_size, bytes);
}

int64_t real_size(const at::Tensor& x) {
  return static_cast<int64_t>(x.element_size()) / 2;
}

}  // namespace

std::string_view bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

std::string_view bytes_of(const DataHead& head) {
  return {reinterpret_cast<const char*>(&head), sizeof head};
}

void send_greeting(Connection& connection, const Greeting& greeting, Deadline deadline) {
  std::string opening(magic), payload;
  append(opening, version);
  append(payload, static_cast<uint32_t>(greeting.samples));
  append(payload, uint32_t{greeting.monitors});
  append(payload, static_cast<uint32_t>(greeting.layouts.size()));
  for (const auto& layout : greeting.layouts) {
    append(payload, static_cast<uint32_t>(layout.ports));
    append(payload, static_cast<uint32_t>(layout.columns));
    append(payload, static_cast<uint8_t>(layout.grid));
    append(payload, static_cast<uint8_t>(layout.phi_arm));
    append(payload, static_cast<uint8_t>(layout.zero_state));
    append(payload, static_cast<uint8_t>(layout.idle_port));
  }
  append(payload, static_cast<uint32_t>(greeting.between.kind));
  append(payload, static_cast<uint32_t>(greeting.between.constants.size()));
  for (const double constant : greeting.between.constants) {
    append(payload, constant);
  }
  connection.write(opening, deadline);
  connection.send(MessageKind::greeting, {payload}, deadline);
}

namespace {

BetweenMeshes take_between(const std::string& where, Reader& reader) {
  const auto kind = reader.take<uint32_t>();
  check_number(where, "what stands between the meshes", c10::str("0 to ", BetweenMeshes::kinds - 1), kind,
               kind < BetweenMeshes::kinds);
  BetweenMeshes between{static_cast<BetweenMeshes::Kind>(kind), {}};
  const auto& names = constant_names(between.kind);
  check_equal(where, "constants between the meshes", static_cast<int64_t>(names.size()),
              reader.take<uint32_t>());
  for (const auto& name : names) {
    between.constants.push_back(reader.take<double>());
    reader.check(std::isfinite(between.constants.back()), "a finite " + name,
                 std::to_string(between.constants.back()));
  }
  return between;
}

}  // namespace

Greeting receive_greeting(Connection& connection, Deadline deadline) {
  const auto& where = connection.where();
  std::array<char, magic.size()> opening{};
  connection.read(opening.data(), opening.size(), deadline);
  OPTOTORCH_CHECK(std::string_view(opening.data(), opening.size()) == magic, .where = where,
                  .argument = connection.address(), .expected = "an instrument", .got = "something else",
                  .remedy = "Look at the address");
  uint32_t theirs = 0;
  connection.read(&theirs, sizeof theirs, deadline);
  OPTOTORCH_CHECK(theirs >= oldest_version && theirs <= version, .where = where,
                  .argument = connection.address(),
                  .expected = c10::str("version ", oldest_version, " or ", version, " of the format"),
                  .got = std::to_string(theirs), .remedy = "Update the older side");
  constexpr int64_t before_layouts = 12, layout_size = 12, longest_between = 8 + 8 * 3;
  const auto longest = [](MessageKind kind) {
    return kind == MessageKind::greeting ? before_layouts + most_meshes * layout_size + longest_between : -1;
  };
  const auto message = connection.receive(longest, deadline);
  Reader reader(where, message.payload);
  Greeting greeting;
  greeting.samples = reader.take<uint32_t>();
  greeting.monitors = take_flag(reader);
  const auto meshes = reader.take<uint32_t>();
  check_number(where, "samples", "at least 1", greeting.samples, greeting.samples >= 1);
  check_number(where, "meshes", c10::str("1 to ", most_meshes), meshes, meshes >= 1 && meshes <= most_meshes);
  for (uint32_t m = 0; m < meshes; ++m) {
    greeting.layouts.push_back(take_layout(reader));
    greeting.layouts.back().check(where);
    check_equal(where, "ports", greeting.ports(), greeting.layouts.back().ports);
  }
  if (theirs > oldest_version) {
    greeting.between = take_between(where, reader);
  }
  reader.check_end();
  return greeting;
}

std::string encode_phases(const std::vector<MeshPhases>& phases) {
  std::string payload;
  for (const auto& mesh : phases) {
    append(payload, uint32_t{mesh.gamma.defined()});
    payload += bytes_of(mesh.theta.contiguous());
    payload += bytes_of(mesh.phi.contiguous());
    if (mesh.gamma.defined()) {
      payload += bytes_of(mesh.gamma.contiguous());
    }
  }
  return payload;
}

std::vector<MeshPhases> decode_phases(const std::string& where, const at::Tensor& payload,
                                      const std::vector<MeshLayout>& layouts) {
  Reader reader(where, payload);
  std::vector<MeshPhases> phases;
  for (const auto& layout : layouts) {
    const bool screen = take_flag(reader);
    const int64_t mzis = layout.mzis();
    auto theta = reader.take_doubles(mzis), phi = reader.take_doubles(mzis);
    phases.push_back({theta, phi, screen ? reader.take_doubles(layout.ports) : at::Tensor()});
  }
  reader.check_end();
  return phases;
}

int64_t longest_phases(const std::vector<MeshLayout>& layouts) {
  int64_t bytes = 0;
  for (const auto& layout : layouts) {
    bytes += static_cast<int64_t>(sizeof(uint32_t)) + 8 * (2 * layout.mzis() + layout.ports);
  }
  return bytes;
}

at::Tensor decode_fields(const std::string& where, const at::Tensor& payload, const Greeting& greeting) {
  const auto head = Reader(where, payload).take<DataHead>();
  check_number(where, "bytes of a value", "8 (complex64) or 16 (complex128)", head.value_size,
               head.value_size == 8 || head.value_size == 16);
  check_equal(where, "meshes", 1, head.meshes);
  check_number(where, "samples", c10::str("at most ", greeting.samples), head.samples,
               head.samples <= greeting.samples);
  check_equal(where, "ports", greeting.ports(), head.ports);
  return values_behind(where, payload, head)
      .view(head.value_size == 8 ? at::kComplexFloat : at::kComplexDouble)
      .view({head.samples, head.ports});
}

int64_t longest_fields(const Greeting& greeting) {
  return data_head_size + 16 * greeting.samples * greeting.ports();
}

std::vector<at::Tensor> decode_readings(const std::string& where, const at::Tensor& payload,
                                        const Greeting& greeting, const at::Tensor& x) {
  const auto head = Reader(where, payload).take<DataHead>();
  check_equal(where, "bytes of a reading", real_size(x), head.value_size);
  check_equal(where, "meshes that are read", static_cast<int64_t>(greeting.readings()), head.meshes);
  check_equal(where, "samples", x.size(0), head.samples);
  check_equal(where, "ports", x.size(1), head.ports);
  return values_behind(where, payload, head)
      .view(c10::toRealValueType(x.scalar_type()))
      .view({head.meshes, head.samples, head.ports})
      .unbind(0);
}

int64_t length_of_readings(const Greeting& greeting, const at::Tensor& x) {
  return data_head_size + static_cast<int64_t>(greeting.readings()) * x.numel() * real_size(x);
}

}  // namespace optotorch
