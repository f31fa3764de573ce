#pragma once

// What the recipes of diffractive networks share.

#include <string>

#include "reproduce/outcome.h"
#include "reproduce/page.h"
#include "runs/laboratory.h"

namespace optotorch::tools {

/// Pictures of a run: phases of its planes, light behind every plane for the first test image, regions of the camera.
void show_planes(const std::string& title, const SeedRun& run, Page& page);

/// A network that is trained by back-propagation in silico.
System diffractive_in_silico(const std::string& network, const std::string& dataset,
                             const std::string& title);

/// Sizes of all errors of a diffractive network's planes at once: first or harder. Throws c10::ValueError, in the
/// name of the recipe dpnn, for another name.
Imperfections diffractive_errors(const std::string& name);

/// Batch of trainings in a laboratory of planes.
inline constexpr int64_t diffractive_batch = 20;

/// The planes of a run, one epoch in a laboratory; rule and correction are for the caller to choose.
System in_laboratory_of_planes(const std::string& network, const std::string& dataset,
                               const Laboratory& laboratory, const std::string& start);

/// Test accuracy of a run's planes in a laboratory with other errors, nothing adapted.
double accuracy_in_laboratory(const SeedRun& run, const Laboratory& laboratory, int64_t images);

}  // namespace optotorch::tools
