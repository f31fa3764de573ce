#pragma once

#include <optotorch/modules/laboratory/instrument/detail/instrument_messages.h>
#include <optotorch/modules/laboratory/instrument/detail/wire.h>
#include <optotorch/modules/laboratory/physical_system.h>
#include <torch/arg.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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
  /// timeout_s. Phases are sent again, and what was asked for is asked for again.
  TORCH_ARG(double, reconnect_s) = 0;
  /// Asked several times a second while the instrument is awaited; true ends the wait with an error.
  TORCH_ARG(Stopped, stopped) = nullptr;
  /// Told, in a line, of everything that is tried again.
  TORCH_ARG(std::function<void(const std::string&)>, log) = nullptr;
};

/// A physical system in another process or on another host, which speaks docs/instrument.md: an
/// InstrumentServer (`optotorch instrument` is one), or a program of the laboratory's own. The same phases
/// and fields give the readings that the system gives where it is, bit for bit.
///
/// A batch that is longer than the instrument takes at once is measured in parts.
///
/// After an error of the connection the next call connects anew, and phases must be set again, unless the
/// options say that it tries again by itself. An instrument that has other meshes then is an error.
class RemoteSystem : public PhysicalSystem {
 public:
  /// `address`: "unix:PATH" or "tcp:HOST:PORT". Throws c10::ValueError for a malformed address, if nobody
  /// listens there, and if what answers is no instrument or one of another version.
  ///
  /// set_phases and measure throw c10::ValueError too if the connection is lost, the time has passed, the
  /// instrument answers something else than was asked for, or reports an error, whose text is then told.
  static std::shared_ptr<RemoteSystem> connect(const std::string& address,
                                               const RemoteSystemOptions& options = {});

  const std::string& address() const { return address_; }
  BetweenMeshes between() const override { return greeting_.between; }

 protected:
  void command(const std::vector<MeshPhases>& phases) override;
  std::vector<at::Tensor> read(const at::Tensor& x) override;

 private:
  RemoteSystem(Connection connection, const Greeting& greeting, const RemoteSystemOptions& options);

  void connect_if_lost(Deadline deadline);

  /// Calls `work` when the instrument has the phases, and again after errors, as the options say.
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
  std::string phases_;                    ///< encoded, as last commanded
  bool has_phases_ = false;               ///< whether the instrument has them, for all that is known
};

}  // namespace optotorch
