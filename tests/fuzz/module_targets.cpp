// Readers of modules: chips, phases of others, an instrument's messages, TorchScript files.

#include <ATen/ATen.h>
#include <optotorch/core/npy.h>
#include <optotorch/modules/export/detail/pickle.h>
#include <optotorch/modules/export/detail/torchscript_archive.h>
#include <optotorch/modules/laboratory/chips/chip_file.h>
#include <optotorch/modules/laboratory/chips/mesh_import.h>
#include <optotorch/modules/laboratory/instrument/detail/instrument_messages.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <sys/socket.h>
#include <torch/csrc/jit/api/module.h>
#include <unistd.h>

#include <array>
#include <sstream>
#include <stdexcept>

#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"

namespace optotorch::fuzz {
namespace {

MeshLayout layout_of(int64_t ports) {
  return {.ports = ports, .columns = ports};
}

int chips(const uint8_t* data, size_t size) {
  return attempt([&] { read_chips(InputFile(text_of(data, size), "file")); });
}

std::vector<std::string> chips_seeds() {
  const MemoryFolder folder("chips");
  std::vector<std::string> seeds;
  for (const auto& imperfections :
       {Imperfections(),
        Imperfections().phase_error(.1).splitter_error(.05).loss_db(.1).crosstalk(.01).phase_bits(6)}) {
    save_chips(folder / "file", {Chip(layout_of(4), imperfections, 3), Chip(layout_of(2), imperfections, 4)});
    seeds.push_back(without_checksum(folder.read("file")));
  }
  return seeds;
}

const Registered chips_target({"chips",
                               chips,
                               chips_seeds,
                               {"chip0/", "chip1/", "\"ports\":\"", "triangular", "rectangular", "bar",
                                "wire", "cross", "nan", "inf", "-1", "1e308", "9223372036854775807",
                                "\"shape\":[", "F64", "chips\":\"0"}});

/// theta, phi and gamma one after the other, each with its length in front.
int mesh_import(const uint8_t* data, size_t size) {
  static const MemoryFolder folder("mesh");
  auto left = text_of(data, size);
  for (const std::string what : {"theta", "phi", "gamma"}) {
    uint16_t length = 0;
    left.copy(reinterpret_cast<char*>(&length), sizeof length);
    left.remove_prefix(std::min(left.size(), sizeof length));
    folder.write("mesh0_" + what + ".npy", left.substr(0, length));
    left.remove_prefix(std::min<size_t>(left.size(), length));
  }
  return attempt([&] { import_phases(folder.path(), layout_of(4), 0); });
}

std::vector<std::string> mesh_import_seeds() {
  const MemoryFolder folder("mesh-seeds");
  const auto bytes = [&](const at::Tensor& tensor) {
    save_npy(folder / "file", tensor);
    const auto written = folder.read("file");
    const auto length = static_cast<uint16_t>(written.size());
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + written;
  };
  const auto slots = at::zeros({4, 2});
  return {bytes(slots) + bytes(slots) + bytes(at::zeros({4})),
          bytes(slots.to(at::kDouble)) + bytes(slots) + bytes(at::zeros({1, 4}, at::kDouble))};
}

const Registered mesh_import_target({"mesh-import",
                                     mesh_import,
                                     mesh_import_seeds,
                                     {"(4, 2)", "(2, 4)", "<f8", "<f4", "<i8", "<c8", "|b1", "True", "False",
                                      std::string("\0\0\xc0\x7f", 4), std::string("\0\0\x80\x7f", 4)}});

/// The bytes of one side of a connection, read by the other.
class Incoming {
 public:
  explicit Incoming(std::string_view bytes) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw std::runtime_error("socketpair");
    }
    const Socket sender(ends[1]);
    connection_.emplace(Socket(ends[0]), "fuzz", "peer");
    if (::send(ends[1], bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("send");
    }
  }
  Connection& operator*() { return *connection_; }

 private:
  std::optional<Connection> connection_;
};

const Greeting greeting_of_two{.stages = {mesh_design(layout_of(4)), mesh_design(layout_of(4))},
                               .monitors = true,
                               .samples = 3,
                               .between = {}};

/// What an instrument sends: its greeting, `done`, and readings of two fields.
int from_instrument(const uint8_t* data, size_t size) {
  return attempt([&] {
    Incoming incoming(text_of(data, size));
    const auto deadline = deadline_after(10);
    const auto greeting = receive_greeting(*incoming, deadline);
    const auto values = c10::multiply_integers(greeting.stages.front().input);
    const auto x = at::zeros({2, std::min<int64_t>(values, 64)}, at::kComplexFloat);
    const auto most = [&](MessageKind kind) {
      return kind == MessageKind::done       ? 0
             : kind == MessageKind::readings ? length_of_readings(greeting, x)
             : kind == MessageKind::failure  ? longest_failure
                                             : -1;
    };
    while ((*incoming).has_next()) {
      const auto message = (*incoming).receive(most, deadline);
      if (message.kind == MessageKind::readings) {
        for (const auto& reading : decode_readings("fuzz", message.payload, greeting, x)) {
          static_cast<void>(reading.sum().item<float>());
        }
      }
    }
  });
}

/// What a program sends to an instrument: commands and fields.
int to_instrument(const uint8_t* data, size_t size) {
  return attempt([&] {
    Incoming incoming(text_of(data, size));
    const auto deadline = deadline_after(10);
    const auto most = [&](MessageKind kind) {
      return kind == MessageKind::commands ? longest_commands(greeting_of_two.stages)
             : kind == MessageKind::fields ? longest_fields(greeting_of_two)
                                           : -1;
    };
    while ((*incoming).has_next()) {
      const auto message = (*incoming).receive(most, deadline);
      if (message.kind == MessageKind::commands) {
        for (const auto& mesh : decode_commands("fuzz", message.payload, greeting_of_two.stages)) {
          static_cast<void>((mesh.at("theta").sum() + mesh.at("phi").sum()).item<double>());
        }
      } else {
        static_cast<void>(at::abs(decode_fields("fuzz", message.payload, greeting_of_two)).sum().item());
      }
    }
  });
}

/// What a connection carries when `send` writes to it.
template <typename Send>
std::string sent(Send&& send) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("socketpair");
  }
  const Socket receiver(ends[1]);
  Connection connection(Socket{ends[0]}, "fuzz", "peer");
  send(connection);
  std::string bytes(1 << 16, '\0');
  const auto count = ::recv(ends[1], bytes.data(), bytes.size(), 0);
  bytes.resize(count < 0 ? 0 : static_cast<size_t>(count));
  return bytes;
}

std::vector<std::string> from_instrument_seeds() {
  std::vector<std::string> seeds;
  for (const bool monitors : {false, true}) {
    auto greeting = greeting_of_two;
    greeting.monitors = monitors;
    seeds.push_back(sent([&](Connection& connection) {
      const auto deadline = deadline_after(10);
      send_greeting(connection, greeting, deadline);
      connection.send(MessageKind::done, {}, deadline);
      const DataHead head{4, monitors ? 2U : 1U, 2, monitors ? 8U : 4U};
      const auto readings = at::ones({monitors ? 2 : 1, 2, 4});
      connection.send(MessageKind::readings, {bytes_of(head), bytes_of(readings)}, deadline);
      connection.send(MessageKind::failure, {"a lamp has failed"}, deadline);
    }));
  }
  return seeds;
}

std::vector<std::string> to_instrument_seeds() {
  std::vector<std::string> seeds;
  const auto mzis = layout_of(4).mzis();
  const auto phases = [&](const at::Tensor& gamma) {
    return commands_of({at::zeros({mzis}, at::kDouble), at::zeros({mzis}, at::kDouble), gamma});
  };
  for (const auto type : {at::kComplexFloat, at::kComplexDouble}) {
    seeds.push_back(sent([&](Connection& connection) {
      const auto deadline = deadline_after(10);
      const auto payload =
          encode_commands(greeting_of_two.stages, {phases(at::zeros({4}, at::kDouble)), phases({})});
      connection.send(MessageKind::commands, {payload}, deadline);
      const auto x = at::ones({2, 4}, type);
      const DataHead head{static_cast<uint32_t>(x.element_size()), 1, 2, 4};
      connection.send(MessageKind::fields, {bytes_of(head), bytes_of(x)}, deadline);
    }));
  }
  return seeds;
}

const std::vector<std::string> message_words = {"optoinst",
                                                std::string("\1\0\0\0", 4),
                                                std::string("\2\0\0\0", 4),
                                                std::string("\3\0\0\0", 4),
                                                std::string("\4\0\0\0\0\0\0\0\0\0\0\0", 12),
                                                std::string("\5\0\0\0", 4),
                                                std::string("\6\0\0\0\1\0\0\0\0\0\0\0x", 13),
                                                "\xff\xff\xff\xff",
                                                std::string(8, '\0')};
const Registered from_instrument_target({"from-instrument", from_instrument, from_instrument_seeds,
                                         message_words});
const Registered to_instrument_target({"to-instrument", to_instrument, to_instrument_seeds, message_words});

int archive(const uint8_t* data, size_t size) {
  return attempt([&] {
    TorchScriptArchive read(InputFile(text_of(data, size), "file"));
    for (const auto& tensor : read.tensors()) {
      static_cast<void>(tensor.description());
      if (tensor.elements() <= 1 << 16) {
        static_cast<void>(read.bytes(tensor).sum().item());
      }
    }
  });
}

std::vector<std::string> archive_seeds() {
  std::vector<std::string> seeds;
  for (const auto& tensor :
       {at::arange(6).view({2, 3}).to(at::kFloat), at::ones({3}, at::kComplexFloat).conj(),
        at::zeros({1}).expand({4}), at::ones({2}, at::kMeta)}) {
    torch::jit::Module part("Part"), root("Root");
    part.register_parameter("weight", tensor.is_meta() ? at::ones({2}) : at::ones({2, 2}).t(), false);
    root.register_buffer("b", tensor);
    root.register_module("part", part);
    std::ostringstream stream;
    root.save(stream);
    seeds.push_back(stream.str());
  }
  return seeds;
}

const std::vector<std::string> pickle_words = {"\x80\2",
                                               "(",
                                               ")",
                                               "]",
                                               "}",
                                               "t",
                                               "\x85",
                                               "\x86",
                                               "\x87",
                                               "u",
                                               "s",
                                               "a",
                                               "e",
                                               "b",
                                               "R",
                                               "\x81",
                                               "Q",
                                               "N",
                                               "\x88",
                                               "K\1",
                                               "q\0",
                                               "h\0",
                                               "r\xff\xff\xff\xff",
                                               "j\1\0\0\0",
                                               "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
                                               "X\4\0\0\0data",
                                               "ctorch\nFloatStorage\n",
                                               "ctorch._utils\n_rebuild_tensor_v2\n",
                                               "storage",
                                               "cpu",
                                               "meta",
                                               ".",
                                               "PK\1\2",
                                               "PK\3\4",
                                               "PK\5\6",
                                               "PK\6\6",
                                               "PK\6\7"};
const Registered archive_target({"archive", archive, archive_seeds, pickle_words});

int pickle(const uint8_t* data, size_t size) {
  return attempt([&] {
    const Pickle read(std::string(text_of(data, size)), "fuzz", "pickle");
    for (const auto& item : read.items(read.root())) {
      static_cast<void>(read.text(item));
    }
  });
}

std::vector<std::string> pickle_seeds() {
  using namespace std::string_literals;
  return {"\x80\2(K\7M\1\2J\xfe\xff\xff\xff\x8a\2\0\x80X\2\0\0\0hi\x88NG\0\0\0\0\0\0\0\0t."s,
          "\x80\2}q\0(X\1\0\0\0aq\1]q\2(K\1K\2eX\1\0\0\0b)u."s,
          "\x80\2c__torch__\nM\nq\0)\x81}(X\1\0\0\0bNub."s, "\x80\2cos\nsystem\nX\1\0\0\0x\x85Rq\1h\1\x86."s,
          "\x80\2]q\0h\0a."s};
}

const Registered pickle_target({"pickle", pickle, pickle_seeds, pickle_words});

}  // namespace
}  // namespace optotorch::fuzz
