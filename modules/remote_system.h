#pragma once

#include <optotorch/modules/instrument_messages.h>
#include <optotorch/modules/physical_system.h>
#include <optotorch/modules/wire.h>
#include <torch/arg.h>

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
};

/// A physical system in another process or on another host, which speaks docs/instrument.md: an
/// InstrumentServer (`optotorch instrument` is one), or a program of the laboratory's own. The same phases
/// and fields give the readings that the system gives where it is, bit for bit.
///
/// A batch that is longer than the instrument takes at once is measured in parts.
///
/// After an error of the connection the next call connects anew, and phases must be set again. An instrument
/// that has other meshes then is an error.
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

 protected:
  void command(const std::vector<MeshPhases>& phases) override;
  std::vector<at::Tensor> read(const at::Tensor& x) override;

 private:
  RemoteSystem(Connection connection, const Greeting& greeting, const RemoteSystemOptions& options);

  /// Sends a message and awaits the answer of the given kind, of at most `longest` bytes.
  at::Tensor ask(MessageKind kind, const std::vector<std::string_view>& pieces, MessageKind answer,
                 int64_t longest);
  std::vector<at::Tensor> read_part(const at::Tensor& x);

  std::string address_;
  double timeout_s_;
  Greeting greeting_;
  std::optional<Connection> connection_;  ///< empty after an error
};

}  // namespace optotorch
