// Products with random matrices that no memory holds.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/ScopeExit.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/random_projection.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "recipes/recipes.h"
#include "reproduce/formatted.h"
#include "reproduce/memory_meter.h"
#include "reproduce/page.h"

namespace optotorch::tools {
namespace {

using ops::Entries;

constexpr int64_t seed = 1;

double seconds_of(const std::function<void()>& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

RecipeRow timed(const std::string& system, double seconds, double entries) {
  RecipeRow row{.system = system, .measured = seconds, .selection = "seconds"};
  row.figures["matrix_entries_per_second"] = entries / seconds;
  return row;
}

}  // namespace

std::vector<RecipeRow> projection_scale(const RecipeOptions& options, Page& page) {
  const int threads_before = at::get_num_threads();
  const auto restore = c10::make_scope_exit([&] { at::set_num_threads(threads_before); });
  const int threads = options.threads > 0 ? static_cast<int>(options.threads) : threads_before;
  std::vector<RecipeRow> rows;
  std::vector<std::vector<std::string>> table;
  const auto add = [&](const std::string& system, double seconds, double entries) {
    tell(options, c10::str(system, ": ", formatted("%.3g s", seconds)));
    rows.push_back(timed(system, seconds, entries));
    table.push_back({system, formatted("%.0f", entries), formatted("%.3f s", seconds),
                     formatted("%.3g", entries / seconds)});
  };
  LinePlot plot{"products of one ternary sample", "rows and columns", "s", {{"signs", {}, {}}}, true, true};
  for (const int64_t size :
       options.quick ? std::vector<int64_t>{1000, 3000} : std::vector<int64_t>{10'000, 100'000, 1'000'000}) {
    at::manual_seed(size);
    const auto q = at::randint(-1, 2, {1, size}, at::kChar);
    at::set_num_threads(threads);
    at::Tensor y;
    const double seconds =
        seconds_of([&] { y = ops::random_projection(q, size, seed, Entries::rademacher); });
    const auto square = static_cast<double>(size) * static_cast<double>(size);
    add(c10::str("signs, ternary, ", size, " x ", size), seconds, square);
    plot.series[0].x.push_back(static_cast<double>(size));
    plot.series[0].y.push_back(seconds);
    // By one thread a slice in the middle, which must be the same bits.
    at::set_num_threads(1);
    const int64_t first = size / 2 + 1, count = std::min<int64_t>(size / 4, 2000);
    rows.back().agrees = at::equal(ops::random_projection(q, count, seed, Entries::rademacher, first),
                                   y.slice(1, first, first + count));
  }
  at::set_num_threads(threads);
  const int64_t columns = options.quick ? 2000 : 100'000, count = options.quick ? 500 : 10'000;
  const auto entries = static_cast<double>(columns) * static_cast<double>(count);
  const auto x = at::randn({1, columns});
  double alone = seconds_of([&] { ops::sum_of_entries(count, columns, seed, Entries::normal); });
  add("normal entries alone", alone, entries);
  add("normal, float32", seconds_of([&] { ops::random_projection(x, count, seed, Entries::normal); }),
      entries);
  const auto q = at::randint(-1, 2, {1, columns}, at::kChar);
  add("normal, ternary", seconds_of([&] { ops::random_projection(q, count, seed, Entries::normal); }),
      entries);
  page.paragraph(c10::str("One sample through matrices that are never stored, ", threads,
                          " thread(s). A slice in the middle of the products with signs is "
                          "computed again by one thread and must have the same bits. Largest "
                          "resident memory of the "
                          "process: ",
                          formatted("%.0f MiB.", static_cast<double>(peak_resident_bytes()) / (1 << 20))));
  page.table({"Product", "Entries", "Time", "Entries a second"}, table);
  page.plot(plot);
  return rows;
}

}  // namespace optotorch::tools
