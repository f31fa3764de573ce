#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/instrument/detail/wire.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace optotorch {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are sent as they lie in memory");

/// In front of every payload: its kind and its length.
constexpr size_t head_size = sizeof(uint32_t) + sizeof(uint64_t);

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

}  // namespace

Connection::Connection(Socket socket, std::string where, std::string address, Stopped stopped)
    : socket_(std::move(socket)),
      where_(std::move(where)),
      address_(std::move(address)),
      stopped_(std::move(stopped)) {}

void Connection::fail(const std::string& expected, const std::string& got) const {
  reject_connection({.where = where_, .argument = address_, .expected = expected, .got = got});
}

void Connection::fail_message(const std::string& expected, const std::string& got) const {
  reject({.where = where_, .argument = address_, .expected = expected, .got = got});
}

void Connection::fail_waiting(const std::string& expected) const {
  if (stopped_ && stopped_()) {
    fail(expected, "a request to stop");
  }
  reject_connection(
      {.where = where_,
       .argument = address_,
       .expected = expected,
       .got = "a timeout",
       .remedy = "timeout_s is how long it may take; an instrument serves one client after another"});
}

void Connection::write(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_.descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<size_t>(count));
    } else if (would_block(errno)) {
      if (!socket_.wait(POLLOUT, deadline, stopped_)) {
        fail_waiting(c10::str("another ", bytes.size(), " bytes to be taken"));
      }
    } else if (errno != EINTR) {
      fail("a connection to write to", std::strerror(errno));
    }
  }
}

void Connection::read(void* bytes, size_t size, Deadline deadline) {
  auto* next = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t count = ::recv(socket_.descriptor(), next, size, 0);
    if (count > 0) {
      next += count;
      size -= static_cast<size_t>(count);
    } else if (count == 0) {
      fail(c10::str("another ", size, " bytes"), "the end of the connection");
    } else if (would_block(errno)) {
      if (!socket_.wait(POLLIN, deadline, stopped_)) {
        fail_waiting(c10::str("another ", size, " bytes"));
      }
    } else if (errno != EINTR) {
      fail(c10::str("another ", size, " bytes"), std::strerror(errno));
    }
  }
}

bool Connection::has_next(const Stopped& impatient) {
  const auto is_stopped = [this] { return stopped_ && stopped_(); };
  const auto enough = [&] { return is_stopped() || (impatient && impatient()); };
  while (true) {
    char byte = 0;
    const ssize_t count = ::recv(socket_.descriptor(), &byte, 1, MSG_PEEK);
    if (count >= 0) {
      return count > 0;
    }
    if (would_block(errno)) {
      if (!socket_.wait(POLLIN, Deadline::max(), enough)) {
        fail("a message", is_stopped() ? "the end of the service" : "silence while another client waits");
      }
    } else if (errno != EINTR) {
      fail("a message", std::strerror(errno));
    }
  }
}

void Connection::send(MessageKind kind, const std::vector<std::string_view>& pieces, Deadline deadline) {
  uint64_t length = 0;
  for (const auto& piece : pieces) {
    length += piece.size();
  }
  std::array<char, head_size> head{};
  std::memcpy(head.data(), &kind, sizeof kind);
  std::memcpy(head.data() + sizeof kind, &length, sizeof length);
  write({head.data(), head.size()}, deadline);
  for (const auto& piece : pieces) {
    write(piece, deadline);
  }
}

Message Connection::receive(const std::function<int64_t(MessageKind)>& longest, Deadline deadline) {
  std::array<char, head_size> head{};
  read(head.data(), head.size(), deadline);
  MessageKind kind{};
  uint64_t length = 0;
  std::memcpy(&kind, head.data(), sizeof kind);
  std::memcpy(&length, head.data() + sizeof kind, sizeof length);
  const int64_t most = longest(kind);
  if (most < 0) {
    fail_message("a message that belongs here", c10::str("kind ", static_cast<uint32_t>(kind)));
  }
  if (length > static_cast<uint64_t>(most)) {
    fail_message(c10::str("a message of at most ", most, " bytes"), std::to_string(length));
  }
  Message message{kind, at::empty({static_cast<int64_t>(length)}, at::kByte)};
  read(message.payload.mutable_data_ptr(), length, deadline);
  return message;
}

}  // namespace optotorch
