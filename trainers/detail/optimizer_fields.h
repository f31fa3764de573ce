#pragma once

#include <torch/optim/optimizer.h>

#include <optional>
#include <string>
#include <vector>

namespace optotorch {

/// A value that an optimiser keeps under a name, for a parameter or, as LBFGS does, for all of them.
struct OptimizerField {
  enum class Kind {
    count,     ///< int, at least 0
    number,    ///< float
    moment,    ///< like the parameter
    square,    ///< like the parameter, at least 0
    flat,      ///< a vector as long as all parameters together
    scalar,    ///< a tensor without dimensions
    flats,     ///< a list of such vectors
    scalars,   ///< a list of such scalars
    anything,  ///< never read
  };

  std::string name;
  Kind kind;
  /// When it must be there: always, never (empty), or when this option is true or above 0.
  std::string needed = always;
  static constexpr auto always = "always";
};

/// The state of LibTorch's own optimisers, by the class of their options; of others nothing is known.
std::optional<std::vector<OptimizerField>> optimizer_fields(const torch::optim::OptimizerOptions& options);

}  // namespace optotorch
