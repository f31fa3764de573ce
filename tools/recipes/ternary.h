#pragma once

// What the recipes of discrete read-outs share.

#include <optotorch/modules/optics/discrete_readout.h>
#include <optotorch/modules/optics/laser_reservoir.h>
#include <optotorch/trainers/rules/annealing.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "reproduce/formatted.h"
#include "reproduce/recipe.h"

namespace optotorch::tools {

/// States of a reservoir for what is trained on and what is tested on, with their classes.
struct ReservoirStates {
  at::Tensor train, train_target, test, test_target;
  int64_t classes = 0;
};

/// Frames and classes.
struct Frames {
  at::Tensor train, train_target, test, test_target;
  int64_t classes = 0;
};

/// MNIST, flat, in [0, 1]: of the training images the first `count`, of the test images all (1,000 in a smoke run).
Frames mnist_frames(const RecipeOptions& options, int64_t count);
/// Headers of `bits` bits; streams of the seed for training, of another one for the test.
Frames header_frames(int64_t bits, int64_t count, int64_t seed);

/// Reservoirs as the recipes have them, of a task's usual part of mirrors that are on.
LaserReservoirOptions mnist_reservoir(int64_t neurons, int64_t seed);
LaserReservoirOptions header_reservoir(int64_t inputs, int64_t neurons, int64_t seed);

/// What detectors read of the frames, with the reservoir's noise in training and test alike.
ReservoirStates states_of(LaserReservoir reservoir, const Frames& frames);

enum class Weights { boolean, ternary };

/// A search, step by step.
struct Search {
  Weights weights = Weights::ternary;
  double noise = 0;  ///< of an exposure
  AnnealingOptions annealing = {};
  int64_t steps = 1;
  /// Trials that follow, in as many steps, single flips judged by the cross entropy of the whole output: readings are
  /// standardised and `sharpness` times as large. 0: none.
  int64_t refining = 0;
  int64_t seed = 0;
};

struct Found {
  std::shared_ptr<DiscreteReadout> readout;
  double accuracy = 0;      ///< on the test frames, without noise, after the last trial
  double measurements = 0;  ///< of all outputs on the training frames
  double seconds = 0;
  std::vector<double> at, along;  ///< trials so far, and accuracy, after every step
};

/// Searches weights for the states.
Found search(const ReservoirStates& states, const Search& how);

/// Ridge's lambda, chosen on a validation split of MNIST.
inline constexpr double ridge_lambda = 1e-4;

/// Ridge regression on the same states: accuracy on the test frames.
double ridge_accuracy(const ReservoirStates& states, double lambda = ridge_lambda);
/// The best of lambda 1e-4, 1e-3, 1e-2 and .1 on the last fifth of the training frames, trained on the others.
double chosen_lambda(const ReservoirStates& states);

/// Factor between standardised readings and logits, chosen on a validation split of MNIST.
inline constexpr double sharpness = 3;

/// Means and spreads over seeds.
RecipeRow row_over_seeds(const std::string& system, const std::vector<double>& values);

/// Runs with options.threads threads, or those of LibTorch, and gives LibTorch its own back.
class ThreadsOf {
 public:
  explicit ThreadsOf(const RecipeOptions& options);
  ThreadsOf(const ThreadsOf&) = delete;
  ThreadsOf& operator=(const ThreadsOf&) = delete;
  ~ThreadsOf();

 private:
  int before_;
};

}  // namespace optotorch::tools
