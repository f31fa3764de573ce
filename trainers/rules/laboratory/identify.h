#pragma once

#include <optotorch/trainers/batch_source.h>
#include <optotorch/trainers/rules/laboratory/similarity_learner.h>

#include <functional>

namespace optotorch {

/// Options for identify.
struct IdentifyOptions {
  /// Batches that are measured, each at phases of its own; at least 1.
  TORCH_ARG(int64_t, batches) = 480;
  /// Standard deviation of what is added to every phase for a batch, radians: one setting of the phases does
  /// not tell what other settings deliver. 0 to 100.
  TORCH_ARG(double, jitter) = 0.3;
  /// Probability that all commands of a stage are 0 in the first batch, 0 to 1; it falls steadily, to 0 after two thirds
  /// of the batches. A diffractive plane is glass then, which may stand anywhere: errors are found of a few planes at a
  /// time, where a camera behind the last of many would see no trace of any.
  TORCH_ARG(double, cleared) = 0;
  /// Readings that the corrections are compared with.
  TORCH_ARG(Similarity, similarity) = Similarity::unitary;
  /// Measure by which fields are compared.
  TORCH_ARG(Compared, compared) = Compared::intensities;
  /// Learning rate of the corrections in the first step, by Adam; positive.
  TORCH_ARG(double, rate) = 1e-2;
  /// Seed of the jitter, and of what is cleared.
  TORCH_ARG(int64_t, seed) = 0;
  /// Asked before every batch; true ends it with an error.
  TORCH_ARG(std::function<bool()>, stopped) = nullptr;
};

/// Fits the corrections of a PhysicalNetwork to its system once: phases P + jitter xi, xi ~ N(0, 1), or none
/// (`cleared`), are commanded, a batch of `light` is measured, the corrections take a step (similarity_learner.h) with a rate
/// that falls as max(.02, cos^2(pi t / 2 T)). The network's phases are as before when it returns or throws.
///
/// `light` delivers what the network takes: fields [batch, ports] as `data`; targets are not looked at.
/// Returns the similarity loss of every batch before its step. Throws c10::ValueError for options out of
/// their ranges, a network without corrections, if it is stopped, and as SimilarityLearner does.
std::vector<double> identify(PhysicalNetworkImpl& network, const BatchSource& light,
                             const IdentifyOptions& options = {});

}  // namespace optotorch
