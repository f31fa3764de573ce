#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>
#include <omp.h>
#include <optotorch/trainers/rules/concurrently.h>

#include <atomic>

namespace optotorch {

void run_concurrently(const std::vector<std::function<void()>>& jobs) {
  const auto threads = at::in_parallel_region() ? 1 : static_cast<int64_t>(at::get_num_threads());
  const size_t beside = threads == 1 ? 0 : jobs.size() - jobs.size() % static_cast<size_t>(threads);
  const at::ThreadLocalState modes;
  std::atomic<size_t> next{0};
  at::parallel_for(0, beside == 0 ? 0 : threads, 1, [&](int64_t, int64_t) {
    const at::ThreadLocalStateGuard of_caller(modes);
    omp_set_num_threads(1);  // in here alone: oneDNN's convolutions would wait for threads that never come
    for (size_t i = next++; i < beside; i = next++) {
      jobs[i]();
    }
  });
  for (size_t i = beside; i < jobs.size(); ++i) {
    jobs[i]();
  }
}

}  // namespace optotorch
