#include <optotorch/modules/laboratory/instrument/instrument_server.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/trainers/interrupt.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "optotorch/command.h"
#include "runs/command_line.h"
#include "runs/standard_streams.h"
#include "runs/validators.h"

namespace optotorch::tools {
namespace {

struct InstrumentConfig {
  std::string listen;
  int64_t ports = 64, meshes = 3, seed = 0;
  std::string idle_ports = "wire";
  Laboratory laboratory;
  bool monitors = true;
  double idle = 60;
};

/// Nobody who reads this, or no longer does, holds up the service.
void print_line(const std::string& line) {
  write_line_or_drop(STDOUT_FILENO, line);
}

void serve(const InstrumentConfig& config) {
  const InterruptGuard guard;
  std::signal(SIGPIPE, SIG_IGN);
  const MeshLayout layout{.ports = config.ports,
                          .columns = MeshLayout::universal_columns(MeshGrid::rectangular, config.ports),
                          .idle_port = idle_port(config.idle_ports)};
  SimulatedSystem system(make_chips(config.laboratory, layout, config.meshes, config.seed),
                         SimulatedSystemOptions()
                             .activation(std::make_shared<ElectroOpticActivationImpl>())
                             .monitors(config.monitors));
  InstrumentServer server(system, config.listen,
                          InstrumentServerOptions().log(print_line).idle_s(config.idle));
  print_line(c10::str(server.address(), " serves ", config.meshes, config.meshes == 1 ? " mesh" : " meshes",
                      " of ", config.ports, " ports, ",
                      config.monitors ? "with monitors" : "without monitors"));
  if (server.is_beyond_loopback()) {
    write_line_or_drop(
        STDERR_FILENO,
        "optotorch: warning: " + server.address() +
            " is open to other hosts: whoever reaches it may use it, and nothing is encrypted");
  }
  server.serve(InterruptGuard::requested);
}

}  // namespace

void add_instrument(CLI::App& app) {
  auto* command = app.add_subcommand("instrument", "Serve simulated chips to RemoteSystem until Ctrl-C");
  auto config = std::make_shared<InstrumentConfig>();
  command
      ->add_option("--listen", config->listen,
                   "unix:PATH or tcp:HOST:PORT (port 0: any that is free). Whoever reaches it may use it")
      ->required();
  command->add_option("--ports", config->ports, "Ports of every mesh")
      ->check(within(2, 4096))
      ->capture_default_str();
  command
      ->add_option("--meshes", config->meshes, "In a row, with the electro-optic nonlinearity between them")
      ->check(within(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--idle-ports", config->idle_ports,
                   "The meshes' ports without an MZI in a column: wire or bar")
      ->check(one_of({"wire", "bar"}))
      ->capture_default_str();
  each_chip_setting(config->laboratory, [command](Setting setting, auto& value) {
    setting.group = "Errors of the chips";
    add_setting(*command, setting, value);
  });
  command->add_option("--seed", config->seed, "Seed of errors and noise, as --chip-seed of train")
      ->capture_default_str();
  command->add_flag_callback(
      "--no-monitors", [config] { config->monitors = false; },
      "Only the intensities behind the last mesh are read");
  command
      ->add_option("--idle", config->idle,
                   "A client that says nothing for so many seconds makes way if another waits")
      ->check(positive())
      ->capture_default_str();
  command->callback([config] { serve(*config); });
}

}  // namespace optotorch::tools
