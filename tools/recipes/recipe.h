#pragma once

// A recipe repeats one experiment and puts what was published beside what is measured.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace optotorch::tools {

/// What every recipe is told.
struct RecipeOptions {
  std::string data_root = "data";
  int64_t seeds = 1;    ///< repetitions, seeds 0, 1, ...
  int64_t epochs = 0;   ///< 0: the recipe's own
  int64_t threads = 0;  ///< 0: the preset's
  std::string out;      ///< folder for runs and results; must be new
  std::string json_file;
  bool quick = false;  ///< a smoke run: a few steps of everything
};

/// One line of a recipe's result.
struct RecipeRow {
  std::string system;
  std::optional<double> published;
  double measured = 0;  ///< mean over seeds
  double spread = 0;    ///< largest minus smallest
  int64_t seeds = 1;
  std::string selection = "last epoch";  ///< or "validation"
};

struct Recipe {
  std::string name;
  std::string description;
  std::vector<RecipeRow> (*run)(const RecipeOptions& options);
};

/// All recipes. A new one is a file in this folder and a line in recipes.cpp.
const std::vector<Recipe>& recipes();

// The recipes themselves.
std::vector<RecipeRow> four_rules(const RecipeOptions& options);

}  // namespace optotorch::tools
