// Sums of gradients over two ranks on one machine, against copying as many bytes.

#include <ATen/ATen.h>
#include <optotorch/trainers/distributed.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "benchmarks.h"
#include "rows.h"

namespace optotorch::bench {
namespace {

constexpr int64_t sizes[] = {10'000, 100'000, 1'000'000, 10'000'000};
constexpr int repeats = 20;

double milliseconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  for (int n = 0; n < repeats; ++n) {
    work();
  }
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() /
         repeats;
}

/// The same on both ranks; rank 0 keeps the rows.
std::vector<Row> measure(Distributed& ranks) {
  std::vector<Row> rows;
  for (const int64_t size : sizes) {
    const auto gradient = at::full({size}, static_cast<float>(ranks.rank() + 1));
    ranks.weighted_mean({gradient}, 1);
    Row row;
    row.name = c10::str("mean of ", size, " floats over 2 ranks");
    row.max_difference = (gradient - 1.5).abs().max().item<double>();
    row.ours_ms = milliseconds_of([&] { ranks.weighted_mean({gradient}, 1); });
    auto copy = at::empty_like(gradient);
    row.peer = "copy";
    row.peer_ms = milliseconds_of([&] { copy.copy_(gradient); });
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

void run_all_reduce(const std::string& json) {
  char folder[] = "/tmp/optotorch-all-reduce-XXXXXX";
  if (::mkdtemp(folder) == nullptr) {
    throw std::runtime_error("no temporary folder");
  }
  const auto store = std::string(folder) + "/store";
  const pid_t child = ::fork();  // before LibTorch has threads
  at::set_num_threads(1);
  if (child == 0) {
    int code = 0;
    try {
      Distributed ranks(DistributedOptions(1, 2).file(store).timeout(60));
      measure(ranks);
    } catch (const std::exception&) {
      code = 1;
    }
    std::_Exit(code);
  }
  std::vector<Row> rows;
  {
    Distributed ranks(DistributedOptions(0, 2).file(store).timeout(60));
    rows = measure(ranks);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::filesystem::remove_all(folder);
  print_header();
  for (const auto& row : rows) {
    print_row(row);
  }
  write_json(rows, json);
}

}  // namespace optotorch::bench
