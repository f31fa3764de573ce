#include <algorithm>
#include <cstdio>
#include <numeric>

#include "optotorch/run.h"
#include "recipes/recipe.h"

#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/load_image_sets.h>

namespace optotorch::tools {
namespace {

struct System {
  const char* rule;
  const char* title;
};

constexpr System systems[] = {{"bp", "BP"}, {"tpfp", "TPFP"}, {"dfa", "DFA"}, {"shallow", "shallow"}};

// Below this many training images, smaller batches keep the number of steps up.
constexpr int64_t small_set = 20'000;

RunConfig configure(const RecipeOptions& options, const char* rule, int64_t seed, int64_t images) {
  RunConfig config;
  config.data_root = options.data_root;
  config.rule = rule;
  config.seed = seed;
  config.threads = options.threads;
  config.epochs = options.quick ? 1 : options.epochs;
  if (images < small_set) {
    config.batch_size = options.quick ? 128 : 32;
    config.epochs = config.epochs == 0 ? 12 : config.epochs;
  }
  return resolve(config);
}

}  // namespace

std::vector<RecipeRow> four_rules(const RecipeOptions& options) {
  const int64_t images = load_image_set("mnist", options.data_root, ImageSet::Mode::train).count();
  std::vector<RecipeRow> rows;
  std::printf("%-10s %18s %10s %12s\n", "rule", "test accuracy", "spread", "seconds");
  for (const auto& [rule, title] : systems) {
    std::vector<double> accuracies;
    double seconds = 0;
    for (int64_t seed = 0; seed < options.seeds; ++seed) {
      RunOptions run;
      run.folder = options.out + "/" + rule + (seed == 0 ? "" : "-seed" + std::to_string(seed));
      std::fprintf(stderr, "%s, seed %lld\n", title, static_cast<long long>(seed));
      const auto result = train_run(configure(options, rule, seed, images), run);
      OPTOTORCH_CHECK(!result.interrupted, .where = "four-rules", .argument = "run", .expected = "an end",
                      .got = "an interruption", .remedy = "The finished runs lie in " + options.out);
      accuracies.push_back(result.epochs.back().test_accuracy.value_or(0));
      for (const auto& epoch : result.epochs) {
        seconds += epoch.seconds;
      }
    }
    const auto [least, most] = std::minmax_element(accuracies.begin(), accuracies.end());
    const double count = static_cast<double>(accuracies.size());
    const double mean = std::accumulate(accuracies.begin(), accuracies.end(), 0.0) / count;
    rows.push_back({title, std::nullopt, mean, *most - *least, options.seeds, "last epoch"});
    std::printf("%-10s %16.2f %% %8.2f %% %12.1f\n", title, 100 * mean, 100 * (*most - *least),
                seconds / count);
    std::fflush(stdout);
  }
  return rows;
}

}  // namespace optotorch::tools
