#include <limits>

#include "reproduce/compare.h"

namespace optotorch::tools {

namespace {

// Midpoint of 83.4-84.0 %, the accuracies in the authors' notebook.
constexpr double published_slices = 0.837;

struct SliceRow {
  const char *title, *model, *rule, *note;
  int64_t seeds = std::numeric_limits<int64_t>::max();  ///< at most
};

/// Beside the last network's: steps on the way, and what they are compared with. They take minutes each.
constexpr int64_t step = 1;

constexpr const char* exact = "transports all weights";
constexpr const char* difference =
    "two passes, multi-point, F = W^H M: transports the weights above, and the mesh's through a twin";
constexpr const char* single_difference =
    "two passes, F = W^H A^T: transports the read-out's weights, and the meshes' through a twin";
constexpr const char* quadrature = "an extension: a third pass; transports the same as difference";

constexpr SliceRow slice_rows[] = {
    {"electronic, published shape, BP", "slices-electronic", "bp", exact},
    {"electronic, published shape, TPFP", "slices-electronic", "tpfp", "random F: transports nothing"},
    {"electronic, published shape, TPFP multi-point", "slices-electronic", "tpfp-multi-point",
     "random F: transports nothing"},
    {"electronic, published shape, authors' code", "slices-electronic", "modulated-input-bp", exact},
    {"electronic, published shape, shallow", "slices-electronic", "shallow", ""},
    {"columns, published shape, BP", "slices-columns", "bp", exact},
    {"columns, published shape, difference", "slices-columns", "tpfp", difference},
    {"columns, published shape, quadrature", "slices-columns", "quadrature", quadrature},
    {"columns, published shape, random F", "slices-columns", "tpfp-random", "transports nothing"},
    {"columns, published shape, shallow", "slices-columns", "shallow", ""},
    {"columns and rows, published shape, BP", "slices-columns-rows", "bp", exact, step},
    {"columns and rows, published shape, quadrature", "slices-columns-rows", "quadrature", quadrature, step},
    {"columns and rows, all detectors, BP", "slices-direct", "bp", exact, step},
    {"columns and rows, all detectors, difference", "slices-direct", "tpfp", single_difference, step},
    {"columns and rows, all detectors, quadrature", "slices-direct", "quadrature", quadrature, step},
    {"columns and rows, all detectors, shallow", "slices-direct", "shallow", "", step},
    {"with patches, BP", "slices-patches", "bp", exact, step},
    {"with patches, difference", "slices-patches", "tpfp", single_difference},
    {"with patches, quadrature", "slices-patches", "quadrature", quadrature},
    {"with patches, shallow", "slices-patches", "shallow", "", step},
};

}  // namespace

std::vector<RecipeRow> slice_network(const RecipeOptions& options, Page& page) {
  std::vector<System> systems;
  for (const auto& [title, model, rule, note, seeds] : slice_rows) {
    RunConfig config;
    config.dataset = "fashion-mnist";
    config.network = model;
    config.rule = rule;
    systems.push_back({title, config});
    auto& system = systems.back();
    system.note = note;
    if (config.network == "slices-electronic" && config.rule == "bp") {
      system.published = published_slices;
    }
    system.details = config.network == "slices-patches" && config.rule == "quadrature";
    system.measure_alignment = config.network == "slices-columns" && config.rule != "bp";
    system.seeds = seeds;
  }
  page.paragraph(
      "Fashion-MNIST by small meshes on slices of the image. The published network (arXiv 2408.08337) has a "
      "linear map 28->28->1 of its own for every column, electronic, and 83.4 to 84.0 % by "
      "back-propagation. Here the same shape is built of 28-port meshes, then of column and row meshes, "
      "then with all detectors in the read-out, then with four 49-port meshes that all 7x7 patches share.");
  return rows_of(compare(systems, options, page));
}

}  // namespace optotorch::tools
