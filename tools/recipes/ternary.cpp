#include "recipes/ternary.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/ScopeExit.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/boolean_readout.h>
#include <optotorch/modules/optics/ternary_readout.h>
#include <optotorch/trainers/datasets/headers.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/ridge.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>

namespace optotorch::tools {
namespace {

constexpr double mnist_fill = 0.13;  // part of MNIST's pixels above one half
constexpr int64_t quick_tests = 1000, header_tests = 5000, header_mirrors = 16;
constexpr double header_noise = 0.1;
constexpr int64_t states_at_a_time = 4096;

at::Tensor flat(const at::Tensor& images) {
  return images.flatten(1).to(at::kFloat) / 255;
}

/// By one thread: products by more may have other last bits, and so lead a search elsewhere.
at::Tensor read(LaserReservoirImpl& reservoir, const at::Tensor& frames) {
  const int threads = at::get_num_threads();
  const auto restore = c10::make_scope_exit([&] { at::set_num_threads(threads); });
  at::set_num_threads(1);
  std::vector<at::Tensor> states;
  for (const auto& some : frames.split(states_at_a_time)) {
    states.push_back(reservoir.forward(some));
  }
  return at::cat(states);
}

std::shared_ptr<DiscreteReadout> make_readout(Weights weights, const DiscreteReadoutOptions& options) {
  if (weights == Weights::boolean) {
    return std::make_shared<BooleanReadoutImpl>(options);
  }
  return std::make_shared<TernaryReadoutImpl>(options);
}

}  // namespace

Frames mnist_frames(const RecipeOptions& options, int64_t count) {
  const auto sets = load_image_sets("mnist", options.data_root);
  count = std::min(count, sets.train.count());
  const int64_t tests = options.quick ? std::min(quick_tests, sets.test.count()) : sets.test.count();
  const auto some = [](const ImageSet& set, int64_t n) { return set.select(at::arange(n)); };
  const auto train = some(sets.train, count), test = some(sets.test, tests);
  return {flat(train.images()), train.targets(), flat(test.images()), test.targets(), sets.train.classes()};
}

Frames header_frames(int64_t bits, int64_t count, int64_t seed) {
  const auto stream = [&](int64_t samples, int64_t own_seed) {
    return HeaderBatches(HeaderBatchesOptions(bits).mirrors(header_mirrors).samples(samples).seed(own_seed));
  };
  const auto train = stream(count, 2 * seed), test = stream(header_tests, 2 * seed + 1);
  const auto first = train.batch(0, 0), second = test.batch(0, 0);
  return {first.data, first.target, second.data, second.target, train.classes()};
}

LaserReservoirOptions mnist_reservoir(int64_t neurons, int64_t seed) {
  return LaserReservoirOptions(28 * 28, neurons).seed(seed).fill(mnist_fill);
}

LaserReservoirOptions header_reservoir(int64_t inputs, int64_t neurons, int64_t seed) {
  return LaserReservoirOptions(inputs, neurons).seed(seed).noise(header_noise);
}

ReservoirStates states_of(LaserReservoir reservoir, const Frames& frames) {
  return {read(*reservoir, frames.train), frames.train_target, read(*reservoir, frames.test),
          frames.test_target, frames.classes};
}

Found search(const ReservoirStates& states, const Search& how) {
  const auto start = std::chrono::steady_clock::now();
  torch::manual_seed(how.seed);
  Found found;
  found.readout = make_readout(
      how.weights,
      DiscreteReadoutOptions(states.train.size(1), states.classes).noise(how.noise).seed(how.seed));
  Hybrid network;
  network->push_back(std::static_pointer_cast<Layer>(found.readout));
  // Cross entropy, along the outputs: a read-out's readings lie output by output, and so its exponentials are vectors.
  const Loss loss = [](const at::Tensor& y, const at::Tensor& t) {
    return -at::log_softmax(y.t(), 0).gather(0, t.unsqueeze(0)).mean(at::kDouble);
  };
  double trials = 0;
  const auto run = [&](const AnnealingOptions& options) {
    Annealing rule(AnnealingOptions(options).seed(how.seed));
    for (int64_t step = 0; step < how.steps; ++step) {
      network->train();
      rule.step(*network, states.train, states.train_target, loss);
      network->eval();
      found.accuracy = accuracy(network->forward(states.test), states.test_target);
      found.measurements += rule.measures().at("measurements");
      trials += static_cast<double>(options.trials());
      found.at.push_back(trials);
      found.along.push_back(found.accuracy);
    }
  };
  run(how.annealing);
  if (how.refining > 0) {
    {
      const at::NoGradGuard no_grad;
      found.readout->gain.mul_(sharpness);
      found.readout->bias.mul_(sharpness);
    }
    run(AnnealingOptions()
            .cost(AnnealingCost::loss)
            .schedule(AnnealingSchedule::constant)
            .n0(1)
            .trials(std::max<int64_t>(1, how.refining / how.steps)));
  }
  found.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return found;
}

double ridge_accuracy(const ReservoirStates& states, double lambda) {
  const auto readout = ridge_regression(states.train, states.train_target, lambda, states.classes);
  return accuracy(readout(states.test), states.test_target);
}

double chosen_lambda(const ReservoirStates& states) {
  const int64_t all = states.train.size(0), kept = all - all / 5;
  const ReservoirStates parts{states.train.narrow(0, 0, kept), states.train_target.narrow(0, 0, kept),
                              states.train.narrow(0, kept, all - kept),
                              states.train_target.narrow(0, kept, all - kept), states.classes};
  double best = 0, most = -1;
  for (const double lambda : {1e-4, 1e-3, 1e-2, 1e-1}) {
    const double right = ridge_accuracy(parts, lambda);
    if (right > most) {
      most = right;
      best = lambda;
    }
  }
  return best;
}

RecipeRow row_over_seeds(const std::string& system, const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  RecipeRow row{.system = system,
                .measured = sum / static_cast<double>(values.size()),
                .spread = *most - *least,
                .seeds = static_cast<int64_t>(values.size()),
                .selection = "last trial"};
  row.least = *least;
  row.most = *most;
  return row;
}

ThreadsOf::ThreadsOf(const RecipeOptions& options) : before_(at::get_num_threads()) {
  if (options.threads > 0) {
    at::set_num_threads(static_cast<int>(options.threads));
  }
}

ThreadsOf::~ThreadsOf() {
  at::set_num_threads(before_);
}

}  // namespace optotorch::tools
