#pragma once

#include <functional>
#include <vector>

namespace optotorch {

/// Runs jobs of about the same size that do not touch each other's data. As many as LibTorch's threads divide
/// run beside each other, each on one thread, whoever is free taking the next; those left over run after
/// them, in order, on all threads. LibTorch's modes (gradients, inference, ...) are the caller's. Rethrows
/// what a job throws; others may have run.
void run_concurrently(const std::vector<std::function<void()>>& jobs);

}  // namespace optotorch
