// Memory of one training step, against the depth of the network.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/loss.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <sstream>
#include <utility>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "recipes/recipes.h"
#include "reproduce/formatted.h"
#include "reproduce/memory_meter.h"
#include "reproduce/page.h"
#include "reproduce/process.h"

namespace optotorch::tools {
namespace {

constexpr int64_t width = 256, classes = 10;
constexpr int64_t warm_up_samples = 8;
constexpr int least_mapped = 64 << 10;
constexpr double mebibyte = 1 << 20;

enum class TrainerKind { autograd, dfa, tpfp_kept, tpfp };

struct MeasuredSystem {
  TrainerKind trainer;
  const char* title;
};
constexpr MeasuredSystem systems[] = {{TrainerKind::autograd, "BP by autograd"},
                                      {TrainerKind::dfa, "DFA"},
                                      {TrainerKind::tpfp_kept, "TPFP, first pass kept"},
                                      {TrainerKind::tpfp, "TPFP, first pass repeated"}};

/// depth x (Linear, Tanh) and a read-out, as the rules want it or as LibTorch has it.
template <typename Network>
Network make_network(int64_t depth) {
  torch::manual_seed(0);
  Network network;
  for (int64_t layer = 0; layer < depth; ++layer) {
    network->push_back(torch::nn::Linear(width, width));
    network->push_back(torch::nn::Tanh());
  }
  network->push_back(torch::nn::Linear(width, classes));
  for (auto& parameter : network->parameters()) {
    parameter.mutable_grad() = at::zeros_like(parameter);
  }
  return network;
}

std::unique_ptr<Rule> make_rule(TrainerKind trainer) {
  if (trainer == TrainerKind::dfa) {
    return std::make_unique<DirectFeedback>();
  }
  return std::make_unique<TwoPassForward>(TwoPassForwardOptions().recompute(trainer == TrainerKind::tpfp));
}

struct Samples {
  explicit Samples(int64_t count)
      : x(at::randn({count, width})), target(at::randint(classes, {count}, at::kLong)) {}
  at::Tensor x, target;
};

/// One step: forward and gradients, without an optimiser.
std::function<void(const Samples&)> make_step(TrainerKind trainer, int64_t depth) {
  if (trainer == TrainerKind::autograd) {
    return [network = make_network<torch::nn::Sequential>(depth)](const Samples& samples) mutable {
      torch::nn::CrossEntropyLoss()(network->forward(samples.x), samples.target).backward();
    };
  }
  return [network = make_network<Hybrid>(depth),
          rule = std::shared_ptr(make_rule(trainer))](const Samples& samples) mutable {
    rule->step(*network, samples.x, samples.target, torch::nn::CrossEntropyLoss());
  };
}

struct Need {
  double tensors = 0, resident = 0, heap = 0;  ///< bytes; see `kinds`
};

/// From now on every larger block is mapped by itself, and returned when it is freed: what is resident is
/// then what is in use.
void map_blocks() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, least_mapped);
#endif
}

/// Freed memory that still counted as resident would hide as much of the step's need.
void return_freed_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

/// Peaks of one step, of tensors and of the process, beyond what is there before it: weights, gradients,
/// feedback matrices and the batch. In a process of its own, since a heap that has once grown stays.
std::pair<double, double> measure_once(TrainerKind trainer, int64_t depth, int64_t batch, bool mapped) {
  const auto text = run_in_child([=] {
    count_tensor_bytes();
    if (mapped) {
      map_blocks();
    }
    at::set_num_threads(1);
    const auto step = make_step(trainer, depth);
    // Things made once are no need of a step: random matrices, code that is loaded, workspaces.
    step(Samples(warm_up_samples));
    return_freed_memory();
    const Samples samples(batch);
    const int64_t tensors = tensor_bytes(), resident = resident_bytes();
    reset_peak_tensor_bytes();
    step(samples);
    return c10::str(peak_tensor_bytes() - tensors, " ", peak_resident_bytes() - resident);
  });
  std::pair<double, double> peaks;
  std::istringstream(text) >> peaks.first >> peaks.second;
  return peaks;
}

Need measure(TrainerKind trainer, int64_t depth, int64_t batch) {
  const auto [tensors, resident] = measure_once(trainer, depth, batch, /*mapped=*/true);
  return {tensors, resident, measure_once(trainer, depth, batch, /*mapped=*/false).second};
}

/// Repeating the first pass must not change a bit of any gradient.
void check_gradients(int64_t depth, int64_t batch) {
  const auto text = run_in_child([=] {
    at::set_num_threads(1);
    std::vector<std::vector<at::Tensor>> gradients;
    for (const auto trainer : {TrainerKind::tpfp_kept, TrainerKind::tpfp}) {
      auto network = make_network<Hybrid>(depth);
      torch::manual_seed(1);
      const Samples samples(batch);
      make_rule(trainer)->step(*network, samples.x, samples.target, torch::nn::CrossEntropyLoss());
      gradients.emplace_back();
      for (const auto& parameter : network->parameters()) {
        gradients.back().push_back(parameter.grad());
      }
    }
    for (size_t i = 0; i < gradients[0].size(); ++i) {
      if (!gradients[0][i].equal(gradients[1][i]) || gradients[0][i].count_nonzero().item<int64_t>() == 0) {
        return c10::str("parameter ", i, " has another");
      }
    }
    return std::string();
  });
  OPTOTORCH_CHECK(text.empty(), .where = "tpfp-memory", .argument = "gradients",
                  .expected = "the same bits with and without the first pass repeated", .got = text);
}

struct Curve {
  MeasuredSystem system;
  std::vector<std::vector<Need>> needs;  ///< by depth and repetition
};

RecipeRow row(std::string system, const std::vector<Need>& needs, double Need::*which) {
  double sum = 0, least = INFINITY, most = 0;
  for (const auto& need : needs) {
    sum += need.*which;
    least = std::min(least, need.*which);
    most = std::max(most, need.*which);
  }
  const auto count = static_cast<double>(needs.size());
  return {std::move(system),           {},
          sum / count / mebibyte,      (most - least) / mebibyte,
          static_cast<int64_t>(count), "peak of one step"};
}

struct Kind {
  const char* name;
  double Need::*value;
  const char* title;
  const char* explanation;
};
constexpr Kind kinds[] = {
    {"tensors", &Need::tensors, "Live tensors",
     "The most bytes that tensors held at a time, counted at LibTorch's allocator: exact, the same in every "
     "run."},
    {"resident", &Need::resident, "Resident memory",
     "The most memory that the process had resident (VmHWM), as the system counts it, with the libraries' "
     "workspaces. Every block of 64 KiB or more was mapped by itself (mallopt, or MALLOC_MMAP_THRESHOLD_ in "
     "the environment), so that freed memory goes back to the system."},
    {"resident in glibc's heap", &Need::heap, "Resident memory in glibc's heap",
     "The same where freed blocks stay in the heap, as this program has it for speed. A freed block is not "
     "always found again when LibTorch asks for an aligned one of its size, so that the peak is larger and "
     "depends on the order of small allocations."},
};

/// How often a curve's need at one depth fits into that at another.
double factor(const Curve& curve, const Kind& kind, size_t from, size_t to) {
  return row("", curve.needs[to], kind.value).measured / row("", curve.needs[from], kind.value).measured;
}

void show(const std::vector<Curve>& curves, const std::vector<int64_t>& depths, Page& page) {
  for (const auto& kind : kinds) {
    LinePlot plot{kind.title, "layers", "peak of one step, MiB"};
    plot.log_x = plot.log_y = true;
    std::vector<std::string> headers{"Layers"};
    std::vector<std::vector<std::string>> cells;
    for (const int64_t depth : depths) {
      cells.push_back({std::to_string(depth)});
    }
    for (const auto& curve : curves) {
      headers.push_back(std::string(curve.system.title) + ", MiB");
      Series line{curve.system.title, {}, {}};
      for (size_t i = 0; i < depths.size(); ++i) {
        const double value = row("", curve.needs[i], kind.value).measured;
        line.x.push_back(static_cast<double>(depths[i]));
        line.y.push_back(value);
        cells[i].push_back(formatted("%.2f", value));
      }
      plot.series.push_back(std::move(line));
    }
    page.heading(plot.title);
    page.paragraph(kind.explanation);
    page.table(headers, cells);
    page.plot(plot);
  }
}

}  // namespace

std::vector<RecipeRow> tpfp_memory(const RecipeOptions& options, Page& page) {
  // Growth is told from 16 layers on; below, the step's own few tensors weigh.
  const std::vector<int64_t> depths =
      options.quick ? std::vector<int64_t>{4, 16} : std::vector<int64_t>{4, 8, 16, 32, 64, 128, 256};
  const size_t from = options.quick ? 0 : 2, to = depths.size() - 1;
  const int64_t batch = options.quick ? 512 : 4096;
  const int64_t checked = options.quick ? 16 : 64;
  check_gradients(checked, batch);
  tell(options,
       c10::str("gradients with and without the first pass repeated: the same bits at ", checked, " layers"));
  std::vector<Curve> curves;
  std::vector<RecipeRow> rows, summary;
  for (const auto& system : systems) {
    curves.push_back({system, {}});
    for (const int64_t depth : depths) {
      std::vector<Need> needs;
      for (int64_t seed = 0; seed < options.seeds; ++seed) {
        needs.push_back(measure(system.trainer, depth, batch));
      }
      std::string line = c10::str(system.title, ", ", depth, " layers, MiB:");
      for (const auto& kind : kinds) {
        rows.push_back(
            row(c10::str(system.title, ", depth ", depth, ", ", kind.name, ", MiB"), needs, kind.value));
        line += formatted(" %.2f ", rows.back().measured) + kind.name;
      }
      tell(options, line);
      curves.back().needs.push_back(std::move(needs));
    }
    for (const auto& kind : kinds) {
      const double times = factor(curves.back(), kind, from, to);
      const std::string where = c10::str(depths[from], " to ", depths[to], " layers, ", kind.name);
      summary.push_back({c10::str(system.title, ", growth from ", where, ", %"),
                         {},
                         100 * (times - 1),
                         0,
                         options.seeds,
                         "peak of one step"});
    }
  }
  page.paragraph(
      c10::str("A network of equal layers, ", width,
               " wide, each linear with tanh behind it, and a linear "
               "read-out takes one training step on ",
               batch,
               " samples. Told is the most memory of the step beyond what is there before it: weights, "
               "gradients, the batch and the feedback matrices. Each figure is from a process of its own "
               "with one thread, after a step on ",
               warm_up_samples, " samples. The optimiser's step is not in it."));
  page.paragraph(
      "Back-propagation must keep every layer's activation until the error comes back. Two-pass forward "
      "propagation (TPFP) sends nothing back. If it runs the first pass once more beside the second, layer "
      "by layer, it keeps nothing either, at the price of one more forward pass; the gradients are the same "
      "bits. If it keeps the first pass instead, its memory grows too, and so does that of direct feedback "
      "alignment (DFA).");
  page.heading("Growth");
  std::vector<std::vector<std::string>> cells;
  for (const auto& line : summary) {
    std::printf("%-70s %10.2f\n", line.system.c_str(), line.measured);
    cells.push_back({line.system, formatted("%.2f", line.measured)});
  }
  std::fflush(stdout);
  page.table({"System", "Growth, %"}, cells);
  show(curves, depths, page);
  rows.insert(rows.end(), summary.begin(), summary.end());
  return rows;
}

}  // namespace optotorch::tools
