#pragma once

#include <string>
#include <vector>

#include "reproduce/recipe.h"

namespace optotorch::tools {

/// All recipes. A new one is a file in this folder and a line in recipes.cpp.
const std::vector<Recipe>& recipes();

// The recipes themselves.
std::vector<RecipeRow> dat(const RecipeOptions& options, Page& page);
std::vector<RecipeOption> dat_options();
std::vector<RecipeRow> dat_errors(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> dat_mismatch(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> dat_choices(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> dat_drift(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> dat_goldens(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> four_rules(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> signals(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> slice_network(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> optical_cnn(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> cifar10(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> free_space(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> d2nn(const RecipeOptions& options, Page& page);
std::vector<RecipeOption> d2nn_options();
std::vector<RecipeRow> alignment(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> dpnn(const RecipeOptions& options, Page& page);
std::vector<RecipeOption> dpnn_options();
std::vector<RecipeRow> dpnn_drift(const RecipeOptions& options, Page& page);
std::vector<RecipeOption> dpnn_drift_options();
std::vector<RecipeRow> oss(const RecipeOptions& options, Page& page);
std::vector<RecipeOption> oss_options();
std::vector<RecipeRow> oss_trainable(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> tpfp_mnist(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> mesh784(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> tpfp_in_situ(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> tpfp_memory(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> odfa_mnist(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> odfa_vit(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> odfa_charlm(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> opu(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> projection_scale(const RecipeOptions& options, Page& page);
std::vector<RecipeRow> ternary_mnist(const RecipeOptions& options, Page& page);
std::vector<RecipeOption> ternary_mnist_options();
std::vector<RecipeRow> ternary_header(const RecipeOptions& options, Page& page);
std::vector<RecipeOption> ternary_header_options();
std::vector<RecipeRow> ternary_study(const RecipeOptions& options, Page& page);
std::vector<RecipeOption> ternary_study_options();
std::vector<RecipeRow> ternary_consistency(const RecipeOptions& options, Page& page);
std::vector<RecipeOption> ternary_consistency_options();
std::vector<RecipeRow> xor_gate(const RecipeOptions& options, Page& page);

}  // namespace optotorch::tools
