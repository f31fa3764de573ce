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

/// Epoch and number of a batch.
using Place = std::pair<int64_t, int64_t>;

Place after(const Place& place, int64_t size) {
  return place.second + 1 < size ? Place{place.first, place.second + 1} : Place{place.first + 1, 0};
}

/// One thread for LibTorch's operators on this thread: the workers are the parallelism. LibTorch sets a
/// thread's number when it is first asked for.
void work_alone() {
  at::get_num_threads();
  omp_set_num_threads(1);
}

}  // namespace

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
  OPTOTORCH_CHECK(epoch >= 0 && index >= 0 && index < size(), .where = in_prefetched_batches,
                  .argument = "index", .expected = c10::str("0 to ", size() - 1, " of an epoch from 0 on"),
                  .got = c10::str(index, " of epoch ", epoch));
  const Place wanted{epoch, index};
  std::shared_future<Batch> result;
  {
    const std::lock_guard lock(workshop_->mutex);
    auto& jobs = workshop_->jobs;
    auto& promised = workshop_->promised;
    std::vector<Place> window{wanted};
    for (int64_t i = 0; i < ahead_; ++i) {
      window.push_back(after(window.back(), size()));
    }
    const auto is_wanted = [&](const Place& place) {
      return place >= window.front() && place <= window.back();
    };
    std::erase_if(jobs, [&](const auto& job) { return !job.awaited && !is_wanted(job.place); });
    std::erase_if(promised, [&](const auto& batch) { return !is_wanted(batch.first); });
    for (const auto& place : window) {
      if (!promised.contains(place)) {
        std::packaged_task<Batch()> task(
            [source = source_, place] { return source->batch(place.first, place.second); });
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
