#pragma once

// What tests of dual adaptive training share beyond the laboratory: its networks, a rate, names.

#include <optotorch/trainers/rules/laboratory/similarity_learner.h>
#include <support/laboratories.h>
#include <support/slow_network.h>

#include <memory>
#include <string>

namespace optotorch::testing::laboratories {

inline constexpr double phase_rate = 2e-2;

/// A network of intensities, and corrections that are not far from zero.
inline PhysicalNetwork corrected_network(const std::shared_ptr<PhysicalSystem>& system,
                                         const CorrectionCase& row, Fusion fusion = Fusion::propagate,
                                         bool internal_states = true) {
  return corrected(network_of(system, fusion, internal_states), row, 0.05);
}

inline std::string name_of(Similarity similarity) {
  return similarity == Similarity::output ? "output"
                                          : (similarity == Similarity::unitary ? "unitary" : "separable");
}

}  // namespace optotorch::testing::laboratories
