#pragma once

#include <optotorch/modules/laboratory/instrument/stopped.h>
#include <optotorch/modules/laboratory/physical_system.h>
#include <torch/arg.h>

#include <functional>
#include <memory>
#include <string>

namespace optotorch {

/// Options for InstrumentServer.
struct InstrumentServerOptions {
  /// The longest time, in seconds, from the first byte of a client's message to its last, and for it to take
  /// an answer: above 0 and at most 1e6.
  TORCH_ARG(double, timeout_s) = 60;
  /// A client that has said nothing for so many seconds is dropped as soon as another waits: above 0 and at
  /// most 1e6. If nobody waits it has all the time it wants.
  TORCH_ARG(double, idle_s) = 60;
  /// The most samples in one message, 1 to 2^31 - 1; 0: as many as fit into 64 MiB of complex128.
  TORCH_ARG(int64_t, samples) = 0;
  /// Told of every client that comes or goes, in a line.
  TORCH_ARG(std::function<void(const std::string&)>, log) = nullptr;
};

/// Lends a physical system to programs that connect by RemoteSystem, or by anything else that speaks
/// docs/instrument.md; one client after another. Nothing is encrypted and nobody is asked for a password:
/// listen where only those come who may.
class InstrumentServer {
 public:
  /// Listens at once; `address`: "unix:PATH" or "tcp:HOST:PORT", port 0 for any that is free. The system must
  /// outlive the server. Throws c10::ValueError for an address that is malformed or not to be had, and for
  /// options out of their ranges.
  InstrumentServer(PhysicalSystem& system, const std::string& address,
                   const InstrumentServerOptions& options = {});

  ~InstrumentServer();
  InstrumentServer(const InstrumentServer&) = delete;
  InstrumentServer& operator=(const InstrumentServer&) = delete;

  /// Where clients connect, with the port that was chosen.
  const std::string& address() const;

  /// True if that is open to other hosts.
  bool is_beyond_loopback() const;

  /// Serves in the calling thread until `stopped` is true; it is asked several times a second. An error of
  /// the system is sent to the client as a text. A client that does not keep to the format is dropped.
  void serve(const Stopped& stopped);

 private:
  class Service;
  std::unique_ptr<Service> service_;
};

}  // namespace optotorch
