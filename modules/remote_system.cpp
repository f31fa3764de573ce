#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/remote_system.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace optotorch {
namespace {

constexpr char where[] = "RemoteSystem";

Connection connect_to(const std::string& address, Deadline deadline) {
  return {connect_socket(where, address, deadline), where, address};
}

/// A text from elsewhere: nothing in it moves a terminal's cursor.
std::string printable(std::string_view bytes) {
  std::string text(bytes);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\x7f' || (c >= 0 && c < ' '); }, ' ');
  return text;
}

}  // namespace

std::shared_ptr<RemoteSystem> RemoteSystem::connect(const std::string& address,
                                                    const RemoteSystemOptions& options) {
  check_seconds(where, "timeout_s", options.timeout_s());
  const auto deadline = deadline_after(options.timeout_s());
  auto connection = connect_to(address, deadline);
  const auto greeting = receive_greeting(connection, deadline);
  return std::shared_ptr<RemoteSystem>(new RemoteSystem(std::move(connection), greeting, options));
}

RemoteSystem::RemoteSystem(Connection connection, const Greeting& greeting,
                           const RemoteSystemOptions& options)
    : PhysicalSystem(greeting.layouts, greeting.taps),
      address_(connection.address()),
      timeout_s_(options.timeout_s()),
      greeting_(greeting),
      connection_(std::move(connection)) {}

at::Tensor RemoteSystem::ask(MessageKind kind, const std::vector<std::string_view>& pieces,
                             MessageKind answer, int64_t longest) {
  const auto deadline = deadline_after(timeout_s_);
  if (!connection_) {
    auto connection = connect_to(address_, deadline);
    OPTOTORCH_CHECK(receive_greeting(connection, deadline) == greeting_, .where = where, .argument = address_,
                    .expected = "the meshes that were there before", .got = "an instrument with others",
                    .remedy = "Make a new RemoteSystem");
    connection_ = std::move(connection);
  }
  // Given up until the answer is whole: an error leaves it in the middle of something.
  auto connection = std::exchange(connection_, std::nullopt);
  connection->send(kind, pieces, deadline);
  const auto message = connection->receive(
      [&](MessageKind got) {
        return got == answer ? longest : got == MessageKind::failure ? longest_failure : -1;
      },
      deadline);
  connection_ = std::move(connection);
  OPTOTORCH_CHECK(message.kind == answer, .where = where, .argument = address_, .expected = "success",
                  .got = c10::str("the instrument's error '", printable(bytes_of(message.payload)), "'"),
                  .remedy = "");
  return message.payload;
}

void RemoteSystem::command(const std::vector<MeshPhases>& phases) {
  ask(MessageKind::phases, {encode_phases(phases)}, MessageKind::done, 0);
}

std::vector<at::Tensor> RemoteSystem::read_part(const at::Tensor& x) {
  const DataHead head{static_cast<uint32_t>(x.element_size()), 1, static_cast<uint32_t>(x.size(0)),
                      static_cast<uint32_t>(x.size(1))};
  const auto payload = ask(MessageKind::fields, {bytes_of(head), bytes_of(x)}, MessageKind::readings,
                           length_of_readings(greeting_, x));
  try {
    return decode_readings(where, payload, greeting_, x);
  } catch (...) {
    connection_.reset();  // an instrument that is confused may be so about the next message too
    throw;
  }
}

std::vector<at::Tensor> RemoteSystem::read(const at::Tensor& x) {
  const auto fields = x.to(at::kCPU).resolve_conj().resolve_neg().contiguous();
  if (fields.size(0) <= greeting_.samples) {
    return read_part(fields);
  }
  std::vector<std::vector<at::Tensor>> parts(greeting_.readings());
  for (const auto& part : fields.split(greeting_.samples)) {
    const auto readings = read_part(part);
    for (size_t i = 0; i < parts.size(); ++i) {
      parts[i].push_back(readings[i]);
    }
  }
  std::vector<at::Tensor> readings;
  std::transform(parts.begin(), parts.end(), std::back_inserter(readings),
                 [](const std::vector<at::Tensor>& part) { return at::cat(part); });
  return readings;
}

}  // namespace optotorch
