#include <ATen/Parallel.h>
#include <omp.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/prefetched_batches.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace optotorch {
namespace {

constexpr auto in_prefetched_batches = "PrefetchedBatches";

/// One thread for LibTorch's operators on this thread: the workers are the parallelism. LibTorch sets a
/// thread's number when it is first asked for.
void work_alone() {
  at::get_num_threads();
  omp_set_num_threads(1);
}

}  // namespace

/// Epoch and number of a batch, and which part of it.
struct PrefetchedBatches::Place {
  int64_t epoch, index, part = 0, parts = 1;

  auto operator<=>(const Place&) const = default;

  /// The next one's, of an epoch of so many.
  Place next(int64_t size) const {
    return index + 1 < size ? Place{epoch, index + 1, part, parts} : Place{epoch + 1, 0, part, parts};
  }

  Batch made_by(const BatchSource& source) const {
    return parts == 1 ? source.batch(epoch, index) : source.part(epoch, index, part, parts);
  }
};

/// The workers, and what they have to do and have done.
struct PrefetchedBatches::Workshop {
  struct Job {
    Place place;
    std::packaged_task<Batch()> task;
    bool awaited = false;  ///< somebody waits for it: it is not dropped
  };

  explicit Workshop(int64_t workers) {
    for (int64_t i = 0; i < workers; ++i) {
      threads.emplace_back([this] { work(); });
    }
  }

  ~Workshop() {
    {
      const std::lock_guard lock(mutex);
      closed = true;
    }
    wake.notify_all();
    for (auto& thread : threads) {
      thread.join();
    }
  }

  void work() {
    work_alone();
    for (;;) {
      std::packaged_task<Batch()> task;
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [this] { return closed || !jobs.empty(); });
        if (closed) {
          return;
        }
        task = std::move(jobs.front().task);
        jobs.pop_front();
      }
      task();
    }
  }

  std::mutex mutex;
  std::condition_variable wake;
  bool closed = false;
  std::deque<Job> jobs;                                 ///< not begun
  std::map<Place, std::shared_future<Batch>> promised;  ///< not begun, in work or ready
  std::vector<std::thread> threads;
};

PrefetchedBatches::PrefetchedBatches(std::shared_ptr<const BatchSource> source,
                                     const PrefetchedBatchesOptions& options)
    : source_(std::move(source)), ahead_(options.ahead() == 0 ? 2 * options.workers() : options.ahead()) {
  OPTOTORCH_CHECK(source_ != nullptr, .where = in_prefetched_batches, .argument = "source",
                  .expected = "a BatchSource", .got = "nullptr");
  OPTOTORCH_CHECK(options.workers() >= 1 && options.workers() <= 1024, .where = in_prefetched_batches,
                  .argument = "workers", .expected = "1 to 1024", .got = std::to_string(options.workers()));
  OPTOTORCH_CHECK(options.ahead() >= 0 && options.ahead() <= 1 << 20, .where = in_prefetched_batches,
                  .argument = "ahead", .expected = "1 to 2^20, or 0 for two a worker",
                  .got = std::to_string(options.ahead()));
  workshop_ = std::make_unique<Workshop>(options.workers());
}

PrefetchedBatches::~PrefetchedBatches() = default;

int64_t PrefetchedBatches::size() const {
  return source_->size();
}

Batch PrefetchedBatches::batch(int64_t epoch, int64_t index) const {
  return prepared({epoch, index});
}

Batch PrefetchedBatches::part(int64_t epoch, int64_t index, int64_t part, int64_t parts) const {
  return prepared({epoch, index, part, parts});
}

Batch PrefetchedBatches::prepared(const Place& wanted) const {
  OPTOTORCH_CHECK(wanted.epoch >= 0 && wanted.index >= 0 && wanted.index < size(),
                  .where = in_prefetched_batches, .argument = "index",
                  .expected = c10::str("0 to ", size() - 1, " of an epoch from 0 on"),
                  .got = c10::str(wanted.index, " of epoch ", wanted.epoch));
  std::shared_future<Batch> result;
  {
    const std::lock_guard lock(workshop_->mutex);
    auto& jobs = workshop_->jobs;
    auto& promised = workshop_->promised;
    std::vector<Place> window{wanted};
    for (int64_t i = 0; i < ahead_; ++i) {
      window.push_back(window.back().next(size()));
    }
    const auto is_wanted = [&](const Place& place) {
      return place.part == wanted.part && place.parts == wanted.parts && place >= window.front() &&
             place <= window.back();
    };
    std::erase_if(jobs, [&](const auto& job) { return !job.awaited && !is_wanted(job.place); });
    std::erase_if(promised, [&](const auto& batch) { return !is_wanted(batch.first); });
    for (const auto& place : window) {
      if (!promised.contains(place)) {
        std::packaged_task<Batch()> task([source = source_, place] { return place.made_by(*source); });
        promised[place] = task.get_future().share();
        jobs.push_back({place, std::move(task)});
      }
    }
    // What is waited for comes first.
    const auto found =
        std::find_if(jobs.begin(), jobs.end(), [&](const auto& job) { return job.place == wanted; });
    if (found != jobs.end()) {
      found->awaited = true;
      std::rotate(jobs.begin(), found, found + 1);
    }
    result = promised[wanted];
    promised.erase(wanted);
  }
  workshop_->wake.notify_all();
  return result.get();
}

}  // namespace optotorch
