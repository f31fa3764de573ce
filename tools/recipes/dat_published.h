#pragma once

// Figures that arXiv 2212.06141 publishes of its MZI network: accuracy on the physical system, 0 to 1.

#include <optional>
#include <string>
#include <vector>

namespace optotorch::tools {

enum class Published {
  direct,     ///< phases trained in silico, nothing adapted
  pat,        ///< physics-aware training
  output_4k,  ///< dual adaptive training without internal states
  output_10k,
  unitary_4k,  ///< with internal states
  unitary_10k,
  separable_4k,  ///< the same, every correction by itself
  separable_10k,
};

/// The best epoch was chosen on the test set.
struct PublishedAccuracy {
  double best = 0;
  std::optional<double> last;  ///< where the logs tell it

  std::string text() const;  ///< "0.930 / 0.929"
};

/// For standard deviations of splitter and phase errors; none if that was not published.
std::optional<PublishedAccuracy> published_accuracy(const std::string& dataset, double splitter, double phase,
                                                    Published column);

struct ErrorSize {
  double splitter = 0, phase = 0;
};

/// Every row of the published table.
std::vector<ErrorSize> published_errors(const std::string& dataset);

}  // namespace optotorch::tools
