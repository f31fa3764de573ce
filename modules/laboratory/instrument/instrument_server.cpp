#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/instrument/detail/instrument_messages.h>
#include <optotorch/modules/laboratory/instrument/detail/socket.h>
#include <optotorch/modules/laboratory/instrument/detail/wire.h>
#include <optotorch/modules/laboratory/instrument/instrument_server.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <limits>
#include <utility>

namespace optotorch {
namespace {

constexpr char in_server[] = "InstrumentServer";

Greeting greeting_of(const PhysicalSystem& system, const InstrumentServerOptions& options) {
  constexpr int64_t most_bytes = 64 << 20, most_samples = std::numeric_limits<int32_t>::max();
  OPTOTORCH_CHECK(options.samples() >= 0 && options.samples() <= most_samples, .where = in_server,
                  .argument = "samples", .expected = c10::str("0 to ", most_samples),
                  .got = std::to_string(options.samples()));
  int64_t most_values = 1;
  for (const auto& stage : system.stages()) {
    most_values =
        std::max({most_values, c10::multiply_integers(stage.input), c10::multiply_integers(stage.output)});
  }
  const int64_t that_fit = std::max<int64_t>(1, most_bytes / (16 * most_values));
  return {system.stages(), system.has_monitors(), options.samples() == 0 ? that_fit : options.samples(),
          system.between()};
}

std::string text_of(const std::exception& error) {
  const auto* own = dynamic_cast<const c10::Error*>(&error);
  return own != nullptr ? own->what_without_backtrace() : error.what();
}

/// The answer, and the memory that the pieces of the message lie in.
struct Answer {
  MessageKind kind;
  std::string text;
  DataHead head = {};
  std::vector<at::Tensor> tensors;

  void send(Connection& connection, Deadline deadline) const {
    std::vector<std::string_view> pieces{text};
    if (kind == MessageKind::readings) {
      pieces.push_back(bytes_of(head));
    }
    std::transform(tensors.begin(), tensors.end(), std::back_inserter(pieces),
                   [](const at::Tensor& tensor) { return bytes_of(tensor); });
    connection.send(kind, pieces, deadline);
  }
};

}  // namespace

class InstrumentServer::Service {
 public:
  Service(PhysicalSystem& system, const std::string& address, const InstrumentServerOptions& options);
  const Listener& listener() const { return listener_; }
  void serve(const Stopped& stopped);

 private:
  void attend(Connection& connection);
  Answer answer(const Message& message, bool& commands_are_set);
  void say(const std::string& line) const;

  PhysicalSystem& system_;
  InstrumentServerOptions options_;
  Greeting greeting_;
  Listener listener_;
};

InstrumentServer::Service::Service(PhysicalSystem& system, const std::string& address,
                                   const InstrumentServerOptions& options)
    : system_(system),
      options_(options),
      greeting_(greeting_of(system, options)),
      listener_(in_server, address) {
  check_seconds(in_server, "timeout_s", options.timeout_s());
  check_seconds(in_server, "idle_s", options.idle_s());
}

void InstrumentServer::Service::say(const std::string& line) const {
  if (options_.log()) {
    options_.log()(line);
  }
}

Answer InstrumentServer::Service::answer(const Message& message, bool& commands_are_set) {
  const bool were_set = std::exchange(commands_are_set, false);  // unknown again after any error
  if (message.kind == MessageKind::commands) {
    system_.set_commands(decode_commands(in_server, message.payload, greeting_.stages));
    commands_are_set = true;
    return {.kind = MessageKind::done, .text = {}, .tensors = {}};
  }
  OPTOTORCH_CHECK(were_set, .where = in_server, .argument = "commands", .expected = "commands before fields",
                  .got = "none", .remedy = "Those of another client, or before an error, may be anything");
  const auto x = decode_fields(in_server, message.payload, greeting_);
  Answer answer{.kind = MessageKind::readings, .text = {}, .tensors = {}};
  for (const auto& reading : system_.measure(x).behind) {
    if (reading.defined()) {
      answer.tensors.push_back(reading.contiguous());
    }
  }
  answer.head = head_of_readings(greeting_, x);
  commands_are_set = true;
  return answer;
}

void InstrumentServer::Service::attend(Connection& connection) {
  const auto deadline = [this] { return deadline_after(options_.timeout_s()); };
  send_greeting(connection, greeting_, deadline());
  const auto longest = [this](MessageKind kind) {
    return kind == MessageKind::commands ? longest_commands(greeting_.stages)
           : kind == MessageKind::fields ? longest_fields(greeting_)
                                         : -1;
  };
  bool commands_are_set = false;
  const auto has_next = [&] {
    return connection.has_next([this, patience = deadline_after(options_.idle_s())] {
      return std::chrono::steady_clock::now() > patience && listener_.has_waiting();
    });
  };
  while (has_next()) {
    const auto message = connection.receive(longest, deadline());
    Answer reply{.kind = MessageKind::failure, .text = {}, .tensors = {}};
    try {
      reply = answer(message, commands_are_set);
    } catch (const std::exception& error) {
      reply.text = text_of(error).substr(0, longest_failure);
    }
    reply.send(connection, deadline());
  }
}

void InstrumentServer::Service::serve(const Stopped& stopped) {
  while (auto client = listener_.accept(stopped)) {
    say("connected");
    std::string why;
    try {
      Connection connection(std::move(*client), in_server, "client", stopped);
      attend(connection);
    } catch (const std::exception& error) {
      why = ": " + text_of(error);
    }
    say("disconnected" + why);
  }
}

InstrumentServer::InstrumentServer(PhysicalSystem& system, const std::string& address,
                                   const InstrumentServerOptions& options)
    : service_(std::make_unique<Service>(system, address, options)) {}

InstrumentServer::~InstrumentServer() = default;

const std::string& InstrumentServer::address() const {
  return service_->listener().address();
}

bool InstrumentServer::is_beyond_loopback() const {
  return service_->listener().is_beyond_loopback();
}

void InstrumentServer::serve(const Stopped& stopped) {
  service_->serve(stopped);
}

}  // namespace optotorch
