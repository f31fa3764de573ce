#include "recipes/xor_trials.h"

#include <ATen/Parallel.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <atomic>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <thread>

namespace optotorch::tools::gate {

const Rails dual_rail{"dual-rail", "(a, 1 - a, b, 1 - b)", [](const at::Tensor& a, const at::Tensor& b) {
                        return at::stack({a, 1 - a, b, 1 - b}, 1);
                      }};
const Rails phase{"phase", "(2 a - 1, 2 b - 1, 1, 0)", [](const at::Tensor& a, const at::Tensor& b) {
                    return at::stack({2 * a - 1, 2 * b - 1, at::ones_like(a), at::zeros_like(a)}, 1);
                  }};
const Rails amplitude{"amplitude", "(a, b, 1, 0)", [](const at::Tensor& a, const at::Tensor& b) {
                        return at::stack({a, b, at::ones_like(a), at::zeros_like(a)}, 1);
                      }};

namespace {

constexpr int64_t never = std::numeric_limits<int64_t>::max();

TwoPassForwardOptions trained_by(Signal signal, Feedback feedback = Feedback::adjoint) {
  return TwoPassForwardOptions()
      .signal(signal)
      .feedback(feedback)
      .presynaptic(Presynaptic::clean)
      .strength(0.1);
}

Hybrid make_xor_network(int64_t seed) {
  torch::manual_seed(seed);
  torch::nn::Linear read_out(torch::nn::LinearOptions(ports, 1).bias(false));
  const at::NoGradGuard no_grad;
  read_out->weight.copy_(at::tensor({1.F, -1.F, 0.F, 0.F}).unsqueeze(0));
  read_out->weight.requires_grad_(false);
  return Hybrid(Modulator(ports), MziMesh(ports),
                Photodetector(PhotodetectorOptions().detection(Detection::intensity)), read_out);
}

std::unique_ptr<Rule> make_rule(const Variant& variant, int64_t seed) {
  if (variant.teacher == Teacher::back_propagation) {
    return std::make_unique<BackPropagation>();
  }
  if (variant.teacher == Teacher::zeroth_order) {
    return std::make_unique<ZerothOrder>(ZerothOrderOptions(variant.measured).seed(seed));
  }
  return std::make_unique<TwoPassForward>(TwoPassForwardOptions(variant.options).seed(seed));
}

void train(Trial& trial, const Variant& variant, int64_t seed, int64_t epochs) {
  const TruthTable table;
  const auto x = variant.rails->fields(table.a, table.b);
  const auto judge = [&](const at::Tensor& y) {
    trial.errors.push_back((y - table.target).square().mean().item<double>());
    trial.margins.push_back((y * table.target).min().item<double>());
  };
  if (variant.teacher != Teacher::none) {
    const auto rule = make_rule(variant, seed);
    torch::optim::Adam adam(trial.network->layer(mesh_at).parameters(),
                            torch::optim::AdamOptions(learning_rate));
    // Half the square: the error that the second pass sees is y - t.
    const Loss loss = [](const at::Tensor& y, const at::Tensor& t) { return (y - t).square().mean() / 2; };
    for (int64_t epoch = 0; epoch < epochs; ++epoch) {
      adam.zero_grad();
      judge(rule->step(*trial.network, x, table.target, loss).output);
      adam.step();
    }
  }
  judge(trial.network->forward(x));
}

}  // namespace

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const auto* rails : {&dual_rail, &phase, &amplitude}) {
    const std::string name = rails->name;
    const bool shown = rails == &dual_rail;
    all.push_back(
        {"TPFP, difference, " + name, rails, Teacher::two_pass, trained_by(Signal::difference), shown});
    all.push_back({"TPFP, quadrature (an extension), " + name, rails, Teacher::two_pass,
                   trained_by(Signal::quadrature), shown});
    all.push_back({"BP, " + name, rails, Teacher::back_propagation, {}, shown});
    all.push_back({"frozen optics, " + name, rails, Teacher::none, {}, false});
  }
  for (const auto& [signal, name] :
       {std::pair{Signal::difference, "difference"}, std::pair{Signal::quadrature, "quadrature"}}) {
    all.push_back({c10::str("TPFP, ", name, ", dual-rail, fixed random F"), &dual_rail, Teacher::two_pass,
                   trained_by(signal, Feedback::random), signal == Signal::difference});
  }
  for (const int64_t refresh : {int64_t{10}, int64_t{50}, never}) {
    all.push_back({"TPFP, difference, dual-rail, F measured " +
                       (refresh == never ? std::string("once") : c10::str("every ", refresh, " steps")),
                   &dual_rail, Teacher::two_pass, trained_by(Signal::difference).refresh(refresh)});
  }
  for (const double strength : {0.5, 1.0}) {
    all.push_back({c10::str("TPFP, difference, dual-rail, s = ", strength), &dual_rail, Teacher::two_pass,
                   trained_by(Signal::difference).strength(strength)});
  }
  for (const int64_t directions : {1, 4}) {
    all.push_back({c10::str("zeroth order, ", directions, directions == 1 ? " direction" : " directions",
                            ", dual-rail"),
                   &dual_rail,
                   Teacher::zeroth_order,
                   {},
                   false,
                   ZerothOrderOptions().directions(directions)});
  }
  all.push_back({"zeroth order, 2 coordinates, dual-rail",
                 &dual_rail,
                 Teacher::zeroth_order,
                 {},
                 false,
                 ZerothOrderOptions().method(Perturbation::coordinates).coordinates(2)});
  return all;
}

std::vector<Trial> train_all(const Variant& variant, int64_t seeds, int64_t epochs, int64_t threads) {
  std::vector<Trial> trials(static_cast<size_t>(seeds));
  for (size_t seed = 0; seed < trials.size(); ++seed) {
    trials[seed].network =
        make_xor_network(static_cast<int64_t>(seed));  // LibTorch's generator is everybody's
  }
  std::atomic<size_t> next = 0;
  std::vector<std::exception_ptr> failures(static_cast<size_t>(threads));
  const auto work = [&](std::exception_ptr& failure) {
    at::set_num_threads(1);  // four samples of four ports: nothing to share
    try {
      for (size_t seed = next++; seed < trials.size(); seed = next++) {
        train(trials[seed], variant, static_cast<int64_t>(seed), epochs);
      }
    } catch (...) {
      failure = std::current_exception();
    }
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < failures.size(); ++i) {
    others.emplace_back(work, std::ref(failures[i]));
  }
  work(failures[0]);
  for (auto& other : others) {
    other.join();
  }
  for (const auto& failure : failures) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  }
  return trials;
}

int64_t forward_passes(const Variant& variant) {
  if (variant.teacher == Teacher::back_propagation) {
    return 1;
  }
  if (variant.teacher == Teacher::zeroth_order) {
    const auto& o = variant.measured;
    constexpr int64_t phases = 16;  // of the mesh
    const int64_t each = o.coordinates() > 0 ? o.coordinates() : phases;
    return 1 + 2 * (o.method() == Perturbation::coordinates ? each : o.directions());
  }
  return variant.options.signal() == Signal::quadrature ? 3 : 2;
}

}  // namespace optotorch::tools::gate
