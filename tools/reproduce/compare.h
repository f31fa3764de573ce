#pragma once

// Trains several systems with several seeds and puts what was published beside what is measured.

#include <string>
#include <vector>

#include "reproduce/outcome.h"
#include "reproduce/page.h"
#include "reproduce/recipe.h"

namespace optotorch::tools {

/// Systems of one network, which differ by their rules.
struct RuleRow {
  const char *title, *rule, *note;
};
std::vector<System> systems_of(const std::string& model, const std::vector<RuleRow>& rows);

/// Trains every system with the seeds 0 ... options.seeds - 1 (or as many as it allows).
///
/// options.data_root, epochs (if given) and quick (one epoch of at most 1,000 images) override the systems'.
/// Each training is a process of its own, `optotorch train` with every option explicit, in OUT/TITLE or
/// OUT/TITLE-seedN; its standard output and error are appended to log.txt there. options.threads (0: the
/// number of cores) threads are busy at a time; a training has one unless config.threads says otherwise, so
/// that results do not depend on options.threads. Runs that are finished in OUT are kept, others continued.
///
/// Throws c10::ValueError, with nothing started, if a title names no folder of its own or a folder in OUT
/// holds another run; and, after the other trainings were asked to stop, if one fails. After Ctrl-C the
/// trainings leave checkpoints, and CLI::RuntimeError carries the exit code.
std::vector<Outcome> train_systems(const std::vector<System>& systems, const RecipeOptions& options);

/// Does so, prints a table and adds to the page: the table, curves, and what a system asks for.
std::vector<Outcome> compare(const std::vector<System>& systems, const RecipeOptions& options, Page& page);

/// Rows of the recipe's JSON.
std::vector<RecipeRow> rows_of(const std::vector<Outcome>& outcomes);

}  // namespace optotorch::tools
