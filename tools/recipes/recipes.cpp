#include "recipes/recipe.h"

namespace optotorch::tools {

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = {
      {"four-rules",
       "the default hybrid network on MNIST by BP, TPFP, DFA and with only its read-out trained", four_rules},
  };
  return all;
}

}  // namespace optotorch::tools
