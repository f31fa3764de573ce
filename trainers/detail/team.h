#pragma once

#include <ATen/core/Generator.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/batch_source.h>
#include <optotorch/trainers/distributed.h>
#include <torch/optim/optimizer.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace optotorch {

/// What a trainer does with the other ranks; alone, nothing: everything then stays as it is, to the bit.
class Team {
 public:
  /// `own_hardware`: every rank's network has a laboratory of its own.
  Team(std::shared_ptr<Distributed> ranks, bool own_hardware)
      : ranks_(std::move(ranks)), own_hardware_(own_hardware) {}

  bool alone() const { return ranks_ == nullptr; }
  int64_t rank() const { return alone() ? 0 : ranks_->rank(); }
  int64_t size() const { return alone() ? 1 : ranks_->world_size(); }
  /// True for the rank that writes logs and talks.
  bool speaks() const { return rank() == 0; }
  bool keeps_checkpoint() const { return speaks() || own_hardware_; }
  std::string checkpoint_name() const;
  /// True where checkpoints of several ranks belong together.
  bool saves_together() const { return !alone() && own_hardware_; }
  /// The largest of these numbers that every rank has; -1 if there is none.
  int64_t latest_common(const std::vector<int64_t>& own) const;

  /// Throws on all ranks unless they have the same weights, data and place in the run.
  void require_same_start(const HybridImpl& model, const BatchSource& train,
                          const std::string& position) const;

  /// This rank's part of a batch, and how many of its samples count: none of a batch with too few for all, which
  /// the rank then takes whole, to keep pace.
  struct Part {
    Batch batch;
    int64_t samples;
  };
  Part part(const BatchSource& source, int64_t epoch, int64_t index) const;

  std::vector<double> sum(std::vector<double> values) const;

  class Exchange;

 private:
  std::shared_ptr<Distributed> ranks_;
  bool own_hardware_;
};

/// One step of a rule, from its making to `finish`. What LibTorch's generator draws meanwhile differs between the
/// ranks, and its state is the same again behind it.
class Team::Exchange {
 public:
  Exchange(const Team& team, const HybridImpl& model);
  /// Gradients, and buffers that the step has changed (running statistics), become those of the whole batch, of which
  /// so many samples are this rank's. Returns the sums of `values` over the ranks.
  std::vector<double> finish(const torch::optim::Optimizer& optimizer, double samples,
                             const std::vector<double>& values);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

 private:
  const Team& team_;
  std::vector<torch::Tensor> buffers_;
  std::vector<int64_t> versions_;
  torch::Tensor generator_;
};

}  // namespace optotorch
