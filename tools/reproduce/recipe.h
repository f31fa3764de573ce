#pragma once

// A recipe repeats one experiment and puts what was published beside what is measured.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace optotorch::tools {

class Page;

/// Options of every recipe.
struct RecipeOptions {
  std::string data_root = "data";
  int64_t seeds = 0;      ///< repetitions, seeds 0, 1, ...; a recipe sees its own number instead of 0
  int64_t epochs = 0;     ///< 0: the recipe's own
  int64_t threads = 0;    ///< busy at a time, without a say in the result; 0: the number of cores
  std::string out;        ///< folder for runs and results; exists, and may hold an earlier attempt
  std::string json_file;  ///< empty: OUT/NAME.json
  bool quick = false;     ///< a smoke run: a few steps of everything
  std::map<std::string, std::string> own = {};  ///< the recipe's own options, all of them, by name
};

/// One line of a recipe's result.
struct RecipeRow {
  std::string system;
  std::optional<double> published = {};
  double measured = 0;  ///< mean over seeds
  double spread = 0;    ///< largest minus smallest
  int64_t seeds = 1;
  std::string selection = "last epoch";        ///< or "validation"
  bool agrees = true;                          ///< false: a figure that must be met is not
  std::map<std::string, double> figures = {};  ///< further ones, by the names that they have in the JSON
  double least = 0, most = 0;                  ///< over seeds, where a picture asks for them
};

/// An option that a recipe has beyond those of all: --NAME VALUE.
struct RecipeOption {
  std::string name, description, usual;
};

struct Recipe {
  std::string name;
  std::string description;
  /// Adds what there is to see to the page, which the caller writes.
  std::vector<RecipeRow> (*run)(const RecipeOptions& options, Page& page);
  int64_t seeds = 1;  ///< where none are asked for; a smoke run has one
  std::vector<RecipeOption> options = {};
};

/// A number among a recipe's own options. Throws c10::ValueError, in the name of the recipe, for anything else.
double number_option(const std::string& recipe, const RecipeOptions& options, const std::string& name);
/// A whole number within a range, likewise.
int64_t whole_number_option(const std::string& recipe, const RecipeOptions& options, const std::string& name,
                            int64_t least, int64_t most);

/// Tells how far a recipe has come: a line on standard error and, with the time, in OUT/log.txt.
void tell(const RecipeOptions& options, const std::string& line);
/// The same in OUT/log.txt alone.
void log_line(const RecipeOptions& options, const std::string& line);

}  // namespace optotorch::tools
