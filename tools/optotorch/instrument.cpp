#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/instrument/instrument_server.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/trainers/interrupt.h>
#include <optotorch/trainers/rules/laboratory/laboratory.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "optotorch/command.h"
#include "runs/command_line.h"
#include "runs/run_network.h"
#include "runs/standard_streams.h"
#include "runs/validators.h"

namespace optotorch::tools {
namespace {

struct InstrumentConfig {
  std::string listen, network;
  std::vector<int64_t> input = {1, 28, 28};
  int64_t classes = 10;
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

/// A system, and in words what it is.
struct Served {
  std::shared_ptr<PhysicalSystem> system;
  std::string what;
};

Served row_of_meshes(const InstrumentConfig& config) {
  const MeshLayout layout{.ports = config.ports,
                          .columns = MeshLayout::universal_columns(MeshGrid::rectangular, config.ports),
                          .idle_port = idle_port(config.idle_ports)};
  return {std::make_shared<SimulatedSystem>(make_chips(config.laboratory, layout, config.meshes, config.seed),
                                            SimulatedSystemOptions()
                                                .activation(std::make_shared<ElectroOpticActivationImpl>())
                                                .monitors(config.monitors)),
          c10::str(config.meshes, config.meshes == 1 ? " mesh" : " meshes", " of ", config.ports, " ports")};
}

Served stages_of_network(const InstrumentConfig& config) {
  RunConfig said;
  said.network = config.network;
  said.rule = "in-silico";
  said.classes = config.classes;
  said.input = config.input;
  said.seed = config.seed;
  auto run = resolve(said);
  // Not the network's own errors: what the help says.
  run.config.laboratory.imperfections = config.laboratory.imperfections;
  run.config.laboratory.errors = config.laboratory.errors;
  const auto measured = make_network(run);
  const auto laboratories = laboratory_networks("optotorch", *measured);
  OPTOTORCH_CHECK(laboratories.size() == 1, .where = "optotorch", .argument = "--network",
                  .expected = "a network whose stages stand in one row",
                  .got = c10::str(laboratories.size(), " rows"));
  const auto* const stages = laboratories.front().network;
  const auto count = stages->stages().size();
  return {stages->system(), c10::str(count, count == 1 ? " stage of " : " stages of ", config.network)};
}

void serve(const InstrumentConfig& config) {
  const InterruptGuard guard;
  std::signal(SIGPIPE, SIG_IGN);
  const auto [system, what] = config.network.empty() ? row_of_meshes(config) : stages_of_network(config);
  InstrumentServer server(*system, config.listen,
                          InstrumentServerOptions().log(print_line).idle_s(config.idle));
  print_line(c10::str(server.address(), " serves ", what, ", ",
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
  auto* const network =
      command->add_option("--network", config->network,
                          "Serve the stages of this network, by name or as a .json file, instead of meshes");
  command->add_option("--input", config->input, "Shape of an image that the network gets: 1,28,28")
      ->delimiter(',')
      ->expected(3)
      ->check(within(1, 1 << 14))
      ->needs(network);
  command->add_option("--classes", config->classes, "Classes that the network tells apart")
      ->check(within(1, 100'000))
      ->capture_default_str()
      ->needs(network);
  command->add_option("--ports", config->ports, "Ports of every mesh")
      ->excludes(network)
      ->check(within(2, 4096))
      ->capture_default_str();
  command
      ->add_option("--meshes", config->meshes, "In a row, with the electro-optic nonlinearity between them")
      ->check(within(1, 1024))
      ->excludes(network)
      ->capture_default_str();
  command
      ->add_option("--idle-ports", config->idle_ports,
                   "The meshes' ports without an MZI in a column: wire or bar")
      ->check(one_of({"wire", "bar"}))
      ->excludes(network)
      ->capture_default_str();
  each_chip_setting(config->laboratory, [command](Setting setting, auto& value) {
    setting.group = "Errors of the chips";
    add_setting(*command, setting, value);
  });
  command->add_option("--seed", config->seed, "Seed of errors and noise, as --chip-seed of train")
      ->capture_default_str();
  command
      ->add_flag_callback(
          "--no-monitors", [config] { config->monitors = false; },
          "Only the intensities behind the last mesh are read")
      ->excludes(network);
  command
      ->add_option("--idle", config->idle,
                   "A client that says nothing for so many seconds makes way if another waits")
      ->check(positive())
      ->capture_default_str();
  command->callback([config] { serve(*config); });
}

}  // namespace optotorch::tools
