#include "rows.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace optotorch::bench {
namespace {

double milliseconds(const std::function<void()>& run, int times) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) {
    run();
  }
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
  return spent.count() / times;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Calls that together take long enough for the clock and for a warm cache.
int calls_per_sample(double ms) {
  return std::clamp(static_cast<int>(2.0 / std::max(ms, 1e-6)), 1, 1000);
}

}  // namespace

Row time_pair(const std::string& name, const std::string& peer_name, const std::function<void()>& ours,
              const std::function<void()>& peer, double seconds) {
  const int ours_calls = calls_per_sample(std::min(milliseconds(ours, 1), milliseconds(ours, 1)));
  const int peer_calls = calls_per_sample(milliseconds(peer, 1));
  std::vector<double> ours_ms, peer_ms;
  const auto start = std::chrono::steady_clock::now();
  const auto spent = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  do {
    ours_ms.push_back(milliseconds(ours, ours_calls));
    peer_ms.push_back(milliseconds(peer, peer_calls));
  } while (spent() < seconds || (peer_ms.size() < 3 && spent() < 4 * seconds));
  Row row;
  row.name = name;
  row.ours_ms = median(ours_ms);
  row.peer = peer_name;
  row.peer_ms = median(peer_ms);
  return row;
}

double time_one(const std::function<void()>& run, double seconds) {
  return time_pair(
             "", "", run, [] {}, seconds)
      .ours_ms;
}

void print_header() {
  std::printf("%-14s %10s  %-8s %-17s %10s %8s  %s\n", "case", "ours [ms]", "peer", "", "peer [ms]", "ratio",
              "max difference");
}

void print_row(const Row& row) {
  std::printf("%-14s %10.4f  %-8s %-17s %10.4f %7.2fx  %.1e\n", row.name.c_str(), row.ours_ms,
              row.peer.c_str(), row.how.c_str(), row.peer_ms, row.ratio(), row.max_difference);
  std::fflush(stdout);
}

void write_json(const std::vector<Row>& rows, const std::string& path) {
  if (path.empty()) {
    return;
  }
  auto list = nlohmann::json::array();
  for (const Row& row : rows) {
    list.push_back({{"case", row.name},
                    {"ours_ms", row.ours_ms},
                    {"peer", row.peer},
                    {"peer_ms", row.peer_ms},
                    {"ratio", row.ratio()},
                    {"max_difference", row.max_difference}});
  }
  const std::string temporary = path + ".part";
  {
    std::ofstream file(temporary);
    file << list.dump(2) << '\n';
    if (!file.flush()) {
      throw std::runtime_error("cannot write " + temporary);
    }
  }
  std::filesystem::rename(temporary, path);
}

}  // namespace optotorch::bench
