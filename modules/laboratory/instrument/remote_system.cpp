#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/instrument/detail/instrument_messages.h>
#include <optotorch/modules/laboratory/instrument/detail/wire.h>
#include <optotorch/modules/laboratory/instrument/remote_system.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <thread>
#include <utility>

namespace optotorch {
namespace {

constexpr char in_remote_system[] = "RemoteSystem";
constexpr int64_t most_retries = 1000;

Connection connect_to(const std::string& address, Deadline deadline, const Stopped& stopped) {
  return {connect_socket(in_remote_system, address, deadline, stopped), in_remote_system, address, stopped};
}

/// A text from elsewhere: nothing in it moves a terminal's cursor.
std::string printable(std::string_view bytes) {
  std::string text(bytes);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\x7f' || (c >= 0 && c < ' '); }, ' ');
  return text;
}

/// The client's side of docs/instrument.md.
class Client final : public RemoteSystem {
 public:
  Client(Connection connection, const Greeting& greeting, const RemoteSystemOptions& options);

  const std::string& address() const override { return address_; }
  std::vector<std::string> between() const override { return greeting_.between; }

 protected:
  void command(const std::vector<Values>& commands) override;
  std::vector<at::Tensor> read(const at::Tensor& x) override;

 private:
  void connect_if_lost(Deadline deadline);

  /// Calls `work` when the instrument has the commands, and again after errors, as the options say.
  void persist(const std::function<void()>& work);
  bool is_stopped() const { return options_.stopped() && options_.stopped()(); }
  void say(const std::string& line) const;

  /// Sends a message and awaits the answer of the given kind, of at most `longest` bytes.
  at::Tensor ask(MessageKind kind, const std::vector<std::string_view>& pieces, MessageKind answer,
                 int64_t longest);
  /// `first`: the part's first sample in the batch.
  std::vector<at::Tensor> read_part(const at::Tensor& x, int64_t first);

  std::string address_;
  RemoteSystemOptions options_;
  Greeting greeting_;
  std::optional<Connection> connection_;  ///< empty after an error
  std::string commands_;                  ///< encoded, as last commanded
  bool has_commands_ = false;             ///< true if the instrument has them, for all that is known
};

Client::Client(Connection connection, const Greeting& greeting, const RemoteSystemOptions& options)
    : RemoteSystem(greeting.stages, greeting.monitors),
      address_(connection.address()),
      options_(options),
      greeting_(greeting),
      connection_(std::move(connection)) {}

void Client::say(const std::string& line) const {
  if (options_.log()) {
    options_.log()(line);
  }
}

void Client::connect_if_lost(Deadline deadline) {
  if (connection_) {
    return;
  }
  has_commands_ = false;
  auto connection = connect_to(address_, deadline, options_.stopped());
  OPTOTORCH_CHECK(receive_greeting(connection, deadline) == greeting_, .where = in_remote_system,
                  .argument = address_, .expected = "the stages that were there before",
                  .got = "an instrument with others", .remedy = "Make a new RemoteSystem");
  connection_ = std::move(connection);
}

at::Tensor Client::ask(MessageKind kind, const std::vector<std::string_view>& pieces, MessageKind answer,
                       int64_t longest) {
  const auto deadline = deadline_after(options_.timeout_s());
  // Given up until the answer is whole: an error leaves it in the middle of something.
  auto connection = std::exchange(connection_, std::nullopt);
  const bool had_commands = std::exchange(has_commands_, false);
  connection->send(kind, pieces, deadline);
  const auto message = connection->receive(
      [&](MessageKind got) {
        return got == answer ? longest : got == MessageKind::failure ? longest_failure : -1;
      },
      deadline);
  connection_ = std::move(connection);
  OPTOTORCH_CHECK(message.kind == answer, .where = in_remote_system, .argument = address_,
                  .expected = "success",
                  .got = c10::str("the instrument's error '", printable(bytes_of(message.payload)), "'"));
  has_commands_ = had_commands || kind == MessageKind::commands;
  return message.payload;
}

void Client::persist(const std::function<void()>& work) {
  constexpr auto pause = std::chrono::milliseconds(100);
  int64_t failures = 0;
  std::optional<Deadline> give_up;  // while the connection is lost
  for (;;) {
    try {
      connect_if_lost(give_up.value_or(deadline_after(options_.timeout_s())));
      try {
        if (!has_commands_) {
          ask(MessageKind::commands, {commands_}, MessageKind::done, 0);
        }
        work();
        if (give_up) {
          say(address_ + ": it is there again");
        }
        return;
      } catch (const LostConnection&) {
        throw;
      } catch (const c10::ValueError& error) {
        if (is_stopped() || ++failures > options_.retries()) {
          throw;
        }
        say(c10::str(error.what_without_backtrace(), " Tried again, ", failures, " of ", options_.retries(),
                     " times."));
      }
    } catch (const LostConnection& error) {
      if (!give_up) {
        give_up = deadline_after(options_.reconnect_s());
        if (options_.reconnect_s() > 0 && !is_stopped()) {
          say(c10::str(error.what_without_backtrace(), " Tried again for ", options_.reconnect_s(), " s."));
        }
      }
      if (is_stopped() || std::chrono::steady_clock::now() >= *give_up) {
        throw;
      }
    }
    std::this_thread::sleep_for(pause);
  }
}

void Client::command(const std::vector<Values>& commands) {
  commands_ = encode_commands(greeting_.stages, commands);
  has_commands_ = false;
  persist([] {});
}

std::vector<at::Tensor> Client::read_part(const at::Tensor& x, int64_t first) {
  const DataHead head{static_cast<uint32_t>(x.element_size()), 1, static_cast<uint32_t>(x.size(0)),
                      static_cast<uint32_t>(c10::multiply_integers(x.sizes().slice(1)))};
  std::vector<at::Tensor> readings;
  persist([&] {
    const auto payload = ask(MessageKind::fields, {bytes_of(head), bytes_of(x)}, MessageKind::readings,
                             length_of_readings(greeting_, x));
    try {
      readings = decode_readings(in_remote_system, payload, greeting_, x);
    } catch (...) {
      connection_.reset();  // an instrument that is confused may be so about the next message too
      throw;
    }
    for (size_t i = 0; i < readings.size(); ++i) {
      check_reading(i, readings[i], first);
    }
  });
  return readings;
}

std::vector<at::Tensor> Client::read(const at::Tensor& x) {
  const auto fields = x.to(at::kCPU).resolve_conj().resolve_neg().contiguous();
  if (fields.size(0) <= greeting_.samples) {
    return read_part(fields, 0);
  }
  std::vector<std::vector<at::Tensor>> parts(greeting_.read().size());
  int64_t first = 0;
  for (const auto& part : fields.split(greeting_.samples)) {
    const auto readings = read_part(part, first);
    first += part.size(0);
    for (size_t i = 0; i < parts.size(); ++i) {
      parts[i].push_back(readings[i]);
    }
  }
  std::vector<at::Tensor> readings;
  std::transform(parts.begin(), parts.end(), std::back_inserter(readings),
                 [](const std::vector<at::Tensor>& part) { return at::cat(part); });
  return readings;
}

}  // namespace

std::shared_ptr<RemoteSystem> RemoteSystem::connect(const std::string& address,
                                                    const RemoteSystemOptions& options) {
  check_seconds(in_remote_system, "timeout_s", options.timeout_s());
  OPTOTORCH_CHECK(options.retries() >= 0 && options.retries() <= most_retries, .where = in_remote_system,
                  .argument = "retries", .expected = c10::str("0 to ", most_retries),
                  .got = std::to_string(options.retries()));
  if (options.reconnect_s() != 0) {
    check_seconds(in_remote_system, "reconnect_s", options.reconnect_s());
  }
  const auto deadline = deadline_after(options.timeout_s());
  auto connection = connect_to(address, deadline, options.stopped());
  const auto greeting = receive_greeting(connection, deadline);
  return std::make_shared<Client>(std::move(connection), greeting, options);
}

}  // namespace optotorch
