#pragma once

#include <optotorch/modules/laboratory/instrument/stopped.h>
#include <optotorch/modules/laboratory/physical_system.h>
#include <torch/arg.h>

#include <functional>
#include <memory>
#include <string>

namespace optotorch {

/// Options for RemoteSystem.
struct RemoteSystemOptions {
  /// The longest time for a connection, a command or a measurement, in seconds: above 0 and at most 1e6. An
  /// instrument that serves another client answers when that one has gone.
  TORCH_ARG(double, timeout_s) = 60;
  /// How often a command or a measurement is repeated if the instrument reports an error, answers something
  /// else than was asked for, or reads what is not finite: 0 to 1000.
  TORCH_ARG(int64_t, retries) = 0;
  /// For how many seconds a lost connection is tried again, 0 to 1e6: one that ended, or was silent for
  /// timeout_s. Commands are sent again, and what was asked for is asked for again.
  TORCH_ARG(double, reconnect_s) = 0;
  /// Asked several times a second while the instrument is awaited; true ends the wait with an error.
  TORCH_ARG(Stopped, stopped) = nullptr;
  /// Told, in a line, of everything that is tried again.
  TORCH_ARG(std::function<void(const std::string&)>, log) = nullptr;
};

/// A physical system in another process or on another host, which speaks docs/instrument.md: an
/// InstrumentServer (`optotorch instrument` is one), or a program of the laboratory's own. The same commands
/// and fields give the readings that the system gives where it is, bit for bit.
///
/// A batch that is longer than the instrument takes at once is measured in parts.
///
/// After an error of the connection the next call connects anew, and commands must be set again, unless the
/// options say that it tries again by itself. An instrument that has other stages then is an error.
class RemoteSystem : public PhysicalSystem {
 public:
  /// `address`: "unix:PATH" or "tcp:HOST:PORT". Throws c10::ValueError for a malformed address, if nobody
  /// listens there, and if what answers is no instrument or one of another version.
  ///
  /// set_commands and measure throw c10::ValueError too if the connection is lost, the time has passed, the
  /// instrument answers something else than was asked for, or reports an error, whose text is then told.
  static std::shared_ptr<RemoteSystem> connect(const std::string& address,
                                               const RemoteSystemOptions& options = {});

  /// Address that was given to `connect`.
  virtual const std::string& address() const = 0;

 protected:
  using PhysicalSystem::PhysicalSystem;
};

}  // namespace optotorch
