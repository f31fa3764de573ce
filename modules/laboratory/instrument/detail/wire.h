#pragma once

// Messages between a rule and an instrument; docs/instrument.md has them byte by byte.

#include <ATen/core/Tensor.h>
#include <optotorch/modules/laboratory/instrument/detail/socket.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace optotorch {

enum class MessageKind : uint32_t {
  greeting = 1,  ///< from the instrument, first
  commands,      ///< to it; the answer is `done`
  fields,        ///< to it; the answer is `readings`
  done,
  readings,
  failure,  ///< instead of an answer: a text
};

struct Message {
  MessageKind kind;
  at::Tensor payload;  ///< uint8 [length]
};

/// One side of a connection, which sends and receives: whole messages, or an error. After an error the other
/// side's next byte may belong to anything: give the connection up.
///
/// Every function throws LostConnection, in the name of `where`, when the connection ends, the deadline
/// passes, or the wait is stopped; `receive` throws c10::ValueError for another message than may come.
class Connection {
 public:
  /// `address` is what errors call the other side.
  Connection(Socket socket, std::string where, std::string address, Stopped stopped = {});

  /// A message whose payload is the pieces one after another.
  void send(MessageKind kind, const std::vector<std::string_view>& pieces, Deadline deadline);

  /// The next message. `longest` is the largest payload, in bytes, of a kind that may come now, and negative
  /// for every other kind; it is asked before memory is taken.
  Message receive(const std::function<int64_t(MessageKind)>& longest, Deadline deadline);

  /// Waits without a deadline for the beginning of a message; false if the other side ended the connection.
  /// It throws when `impatient`, asked several times a second, says that the other side had its time.
  bool has_next(const Stopped& impatient = {});

  void write(std::string_view bytes, Deadline deadline);
  void read(void* bytes, size_t size, Deadline deadline);

  const std::string& where() const { return where_; }
  const std::string& address() const { return address_; }

 private:
  [[noreturn]] void fail(const std::string& expected, const std::string& got) const;
  [[noreturn]] void fail_message(const std::string& expected, const std::string& got) const;
  [[noreturn]] void fail_waiting(const std::string& expected) const;

  Socket socket_;
  std::string where_, address_;
  Stopped stopped_;
};

}  // namespace optotorch
