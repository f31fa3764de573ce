#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/physical_system.h>
#include <optotorch/modules/optics/mzi_mesh.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace optotorch {
namespace {

constexpr char in_system[] = "PhysicalSystem";

/// A copy for sending, which no optimiser steps.
at::Tensor checked_copy(const std::string& argument, const at::Tensor& value, at::IntArrayRef shape) {
  OPTOTORCH_CHECK(value.defined() && value.sizes() == shape &&
                      (value.scalar_type() == at::kFloat || value.scalar_type() == at::kDouble),
                  .where = in_system, .argument = argument,
                  .expected = c10::str("float32 or float64 ", shape), .got = describe(value),
                  .remedy = "The commands must fit the design of the system");
  check_finite(in_system, argument, value);
  return value.detach().to(at::TensorOptions(at::kCPU).dtype(at::kDouble), /*non_blocking=*/false,
                           /*copy=*/true);
}

/// The commands of a stage, checked; `of`: which one, for errors.
Values checked_copy(const StageDesign& design, const Values& commands, const std::string& of) {
  Values checked;
  for (const auto& [name, command] : design.commands) {
    const auto value = find(commands, name);
    if (value.defined() || command.required) {
      checked[name] = checked_copy(name + of, value, command.shape);
    }
  }
  for (const auto& [name, value] : commands) {
    OPTOTORCH_CHECK(!value.defined() || design.commands.contains(name), .where = in_system,
                    .argument = name + of, .expected = "no such command", .got = describe(value),
                    .remedy = "The commands must fit the design of the system");
  }
  return checked;
}

bool same(const Values& some, const Values& others) {
  return std::equal(some.begin(), some.end(), others.begin(), others.end(), [](const auto& a, const auto& b) {
    return a.first == b.first && a.second.equal(b.second);
  });
}

Values copy(const Values& values) {
  Values copied;
  for (const auto& [name, value] : values) {
    copied[name] = value.clone();
  }
  return copied;
}

std::vector<StageDesign> designs_of(const std::vector<MeshLayout>& layouts) {
  std::vector<StageDesign> designs;
  for (const auto& layout : layouts) {
    layout.check(in_system);
    OPTOTORCH_CHECK(layout.ports == layouts.front().ports, .where = in_system, .argument = "layouts",
                    .expected = c10::str("meshes of ", layouts.front().ports, " ports, as the first"),
                    .got = std::to_string(layout.ports));
    designs.push_back(mesh_design(layout));
  }
  return designs;
}

}  // namespace

PhysicalSystem::PhysicalSystem(const std::vector<MeshLayout>& layouts, bool monitors)
    : PhysicalSystem(designs_of(layouts), monitors) {}

PhysicalSystem::PhysicalSystem(std::vector<StageDesign> stages, bool monitors)
    : stages_(std::move(stages)), monitors_(monitors) {
  OPTOTORCH_CHECK(!stages_.empty(), .where = in_system, .argument = "stages",
                  .expected = "at least one stage", .got = "none");
  for (size_t n = 0; n < stages_.size(); ++n) {
    check_design(in_system, stages_[n]);
    OPTOTORCH_CHECK(n == 0 || stages_[n].input == stages_[n - 1].output, .where = in_system,
                    .argument = c10::str("stage ", n),
                    .expected = c10::str("one that takes what the stage before delivers, ",
                                         at::IntArrayRef(stages_[n - 1].output)),
                    .got = c10::str(at::IntArrayRef(stages_[n].input)));
  }
}

Values commands_of(const MeshPhases& phases) {
  Values commands{{"theta", phases.theta}, {"phi", phases.phi}};
  if (phases.gamma.defined()) {
    commands["gamma"] = phases.gamma;
  }
  return commands;
}

void PhysicalSystem::set_phases(const std::vector<MeshPhases>& phases) {
  std::vector<Values> commands;
  for (const auto& mesh : phases) {
    commands.push_back(commands_of(mesh));
  }
  set_commands(commands);
}

void PhysicalSystem::set_commands(const std::vector<Values>& commands) {
  OPTOTORCH_CHECK(commands.size() == stages_.size(), .where = in_system, .argument = "commands",
                  .expected = c10::str("those of ", stages_.size(), " stages"),
                  .got = std::to_string(commands.size()));
  std::vector<Values> next, sent;
  for (size_t n = 0; n < commands.size(); ++n) {
    const auto of = commands.size() == 1 ? std::string() : c10::str(" of stage ", n);
    next.push_back(checked_copy(stages_[n], commands[n], of));
    sent.push_back(copy(next.back()));
  }
  if (std::equal(commands_set_.begin(), commands_set_.end(), next.begin(), next.end(), same)) {
    return;
  }
  commands_set_.clear();  // a command that fails leaves them unknown: the next one is sent in any case
  command(sent);
  commands_set_ = std::move(next);
  ++commands_;
}

Readings PhysicalSystem::measure(const at::Tensor& x) {
  OPTOTORCH_CHECK(!commands_set_.empty(), .where = in_system, .argument = "commands",
                  .expected = "commands that are set", .got = "none", .remedy = "Call set_commands first");
  check_stage_input(in_system, x, stages_.front());
  check_finite(in_system, "x", x);
  const at::NoGradGuard no_grad;
  auto sent =
      std::exchange(commands_set_, {});  // as with a command: a reading that fails leaves them unknown
  const auto read_out = read(x.detach());
  commands_set_ = std::move(sent);
  const size_t expected = monitors_ ? stages_.size() : 1;
  OPTOTORCH_CHECK(read_out.size() == expected, .where = in_system, .argument = "readings",
                  .expected = std::to_string(expected), .got = std::to_string(read_out.size()),
                  .remedy = "The implementation of the system is wrong");
  Readings readings{std::vector<at::Tensor>(stages_.size())};
  for (size_t i = 0; i < expected; ++i) {
    const auto& reading = read_out[i];
    const size_t stage = stages_.size() - expected + i;
    auto shape = stages_[stage].output;
    shape.insert(shape.begin(), x.size(0));
    OPTOTORCH_CHECK(
        reading.defined() && reading.is_floating_point() && reading.sizes() == at::IntArrayRef(shape),
        .where = in_system, .argument = "reading", .expected = c10::str("real ", at::IntArrayRef(shape)),
        .got = describe(reading), .remedy = "The implementation of the system is wrong");
    check_reading(i, reading);
    readings.behind[stage] = reading.to(x.options().dtype(c10::toRealValueType(x.scalar_type())));
  }
  measurements_ += x.size(0);
  ++batches_;
  return readings;
}

void PhysicalSystem::check_reading(size_t number, const at::Tensor& reading, int64_t first) const {
  if (std::isfinite(reading.sum(at::kDouble).item<double>())) {  // fast, and too strict at worst
    return;
  }
  const auto flat = reading.reshape({reading.size(0), -1});
  const auto bad = flat.isfinite().logical_not().nonzero();
  if (bad.size(0) == 0) {
    return;
  }
  const int64_t sample = bad[0][0].item<int64_t>(), port = bad[0][1].item<int64_t>();
  const bool is_nan = std::isnan(flat[sample][port].item<double>());
  reject({.where = in_system,
          .argument = c10::str("reading behind stage ", monitors_ ? number : stages_.size() - 1),
          .expected = "finite readings",
          .got = c10::str(is_nan ? "NaN" : "infinity", " at sample ", first + sample, ", port ", port,
                          ", of batch ", batches_, " that was measured"),
          .remedy = "Stage, sample, port and batch are counted from 0. Look at the detectors"});
}

}  // namespace optotorch
