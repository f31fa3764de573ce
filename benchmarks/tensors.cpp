#include "tensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <stdexcept>

#include "reproduce/memory_meter.h"

namespace optotorch::bench {

double verified(const std::string& where, const Results& a, const Results& b) {
  double difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double size = b[i].detach().abs().max().item<double>();
    difference = std::max(difference, (a[i] - b[i]).detach().abs().max().item<double>() / size);
  }
  if (!(difference < 1e-4)) {
    throw std::runtime_error(where + ": the two differ by " + std::to_string(difference));
  }
  return difference;
}

double most_memory(const std::function<Results()>& step) {
  tools::reset_peak_tensor_bytes();
  const int64_t before = tools::tensor_bytes();
  step();
  return static_cast<double>(tools::peak_tensor_bytes() - before) / (1 << 20);
}

}  // namespace optotorch::bench
