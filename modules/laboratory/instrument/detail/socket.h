#pragma once

// Stream sockets by address, none of which blocks: every wait has an end.
//
// Addresses are "unix:PATH" and "tcp:HOST:PORT" (a HOST with colons in brackets: "tcp:[::1]:7000").

#include <c10/util/Exception.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/instrument/stopped.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace optotorch {

using Deadline = std::chrono::steady_clock::time_point;

/// Throws c10::ValueError, in the name of `where`, unless seconds are above 0 and at most 1e6.
void check_seconds(const std::string& where, const std::string& argument, double seconds);
Deadline deadline_after(double seconds);

/// A connection did not come about, ended, or stayed silent for too long: what may be otherwise in a while.
class LostConnection : public c10::ValueError {
 public:
  using c10::ValueError::ValueError;
};
/// Throws it, as reject() in core/check.h throws its own.
[[noreturn]] void reject_connection(const WrongInput& wrong);

/// Owns a descriptor.
class Socket {
 public:
  explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int descriptor() const { return descriptor_; }

  /// Waits for POLLIN or POLLOUT (an error or the other side's end counts too); false: the time has passed,
  /// or the wait was stopped.
  bool wait(int16_t events, Deadline deadline, const Stopped& stopped = {}) const;

 private:
  int descriptor_;
};

/// Where those that wait already leave no room, it waits until the deadline, or until `stopped`. Throws, in
/// the name of `where`, c10::ValueError for a malformed address, and LostConnection if nobody listens there.
Socket connect_socket(const std::string& where, const std::string& address, Deadline deadline,
                      const Stopped& stopped = {});

/// A socket that listens. The file of a "unix:" address has mode 0600, whatever the umask: its owner alone
/// connects. It is removed with the listener; one that an ended process left behind is replaced.
class Listener {
 public:
  /// Port 0: the system chooses one. Throws c10::ValueError for a malformed address and for one that is in
  /// use or not to be had.
  Listener(std::string where, const std::string& address);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  Listener(Listener&&) = delete;
  Listener& operator=(Listener&&) = delete;

  /// Where clients connect: with the port that was chosen.
  const std::string& address() const { return address_; }

  /// True if other hosts may reach it.
  bool is_beyond_loopback() const { return beyond_loopback_; }

  /// True if a client waits to be accepted.
  bool has_waiting() const;

  /// The next client; nothing when `stopped`.
  std::optional<Socket> accept(const Stopped& stopped) const;

 private:
  std::string address_, file_;
  bool beyond_loopback_ = false;
  Socket socket_;
};

}  // namespace optotorch
