#pragma once

// Data-parallel training: processes, on one machine or on many, that share every batch.

#include <torch/arg.h>
#include <torch/types.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace optotorch {

/// Options for Distributed: DistributedOptions(rank, world_size).address("10.0.0.1").port(29500).
struct DistributedOptions {
  /// Rank `rank` of `world_size`, which all run on this machine unless `address` or `file` says otherwise.
  DistributedOptions(int64_t rank, int64_t world_size) : rank_(rank), world_size_(world_size) {}

  /// Number of this process, 0 to world_size - 1.
  TORCH_ARG(int64_t, rank);
  /// Number of all processes, 1 to 2^20.
  TORCH_ARG(int64_t, world_size);
  /// Host of the store by which the ranks find each other (MASTER_ADDR).
  TORCH_ARG(std::string, address) = "127.0.0.1";
  /// Port of that store, 1 to 65535 (MASTER_PORT).
  TORCH_ARG(int64_t, port) = 29500;
  /// Rank 0 runs that store; false: it runs already, in a launcher.
  TORCH_ARG(bool, serves) = true;
  /// A file that every rank sees, in the store's place; it must be new.
  TORCH_ARG(std::string, file) = "";
  /// Attempt of a launcher that starts lost ranks again: attempts do not meet.
  TORCH_ARG(int64_t, attempt) = 0;
  /// Seconds that ranks wait for each other before one counts as lost, above 0.
  TORCH_ARG(double, timeout) = 600;
};

/// The end of a rank whose reason another one has told.
class RankEnded : public std::exception {
 public:
  /// A fixed sentence; the reason is in the other rank's error.
  const char* what() const noexcept override { return "another rank has ended, and said why"; }
};

/// The ranks of a training, by LibTorch's c10d over Gloo. Given to a Trainer (TrainerOptions::distributed) it
/// shares out the batches and adds up the gradients:
///
///     auto ranks = Distributed::from_environment();  // torchrun, or RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT
///     Trainer trainer(model, rule, optimizer, loss, TrainerOptions().distributed(ranks));
///
/// Every rank calls everything in the same order. If one throws, or is lost, all end: one of them throws
/// c10::ValueError, which says why, the others RankEnded; all say it where the store is lost, too.
class Distributed {
 public:
  /// Meets the other ranks. Throws c10::ValueError for options out of their ranges, if the store can't be
  /// reached or not all ranks arrive within the timeout, and if LibTorch was built without Gloo.
  explicit Distributed(const DistributedOptions& options);
  ~Distributed();
  Distributed(const Distributed&) = delete;
  Distributed& operator=(const Distributed&) = delete;

  /// The ranks that a launcher has started: RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, and of torchrun
  /// TORCHELASTIC_USE_AGENT_STORE and TORCHELASTIC_RESTART_COUNT; OPTOTORCH_RANKS_TIMEOUT is the timeout. Null where
  /// neither RANK nor WORLD_SIZE is set, and for a world of one. Throws c10::ValueError for variables that are missing,
  /// no integers or out of range, and as the constructor does.
  static std::shared_ptr<Distributed> from_environment();
  /// Times that a launcher has started this process again; 0 without one.
  static int64_t restarts();

  /// Number of this process, 0 to world_size() - 1.
  int64_t rank() const { return options_.rank(); }
  /// Number of all processes.
  int64_t world_size() const { return options_.world_size(); }

  /// t = sum over ranks r of w_r t_r / sum over r of w_r, in place, for every tensor; returns the sums of `values` over
  /// the ranks, in double precision. All ranks get the same bits. The weights are at least 0, and not all of them 0.
  /// What is exchanged, one message per type of number, is on its way at the same time.
  std::vector<double> weighted_mean(const std::vector<torch::Tensor>& tensors, double weight,
                                    const std::vector<double>& values = {});
  /// Sums over the ranks, in double precision.
  std::vector<double> sum(std::vector<double> values);

  /// Texts of all ranks, by rank. Ends early, by RankEnded, when a signal has asked for an end (interrupt.h).
  std::vector<std::string> gather(const std::string& name, const std::string& text);
  /// Throws on all ranks unless they give the same text; `argument` is what the error calls it, and it quotes the
  /// first line that differs.
  void require_same(const std::string& argument, const std::string& text, const std::string& remedy);

  /// Tells the others that this rank ends with an error of its own. True for the first that does: the others keep
  /// quiet about theirs.
  bool fail() noexcept;

 private:
  struct Group;
  template <typename Call>
  void together(const Call& call);
  std::string waited_for(const std::string& key);
  [[noreturn]] void lost(const std::string& why);

  DistributedOptions options_;
  std::unique_ptr<Group> group_;
  int64_t gathers_ = 0;
  bool speaks_ = false;  // it has said why all end
};

}  // namespace optotorch
