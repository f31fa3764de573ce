#pragma once

// What detectors of intensities share behind the light: noise and a converter.

#include <torch/types.h>

#include <cstdint>
#include <string>

namespace optotorch {

/// Throws c10::ValueError for noises that are not finite and >= 0.
void check_noise(const std::string& where, const std::string& arguments, double shot, double thermal);

/// Throws c10::ValueError unless bits are 0 to 24 and the full scale is finite and above 0.
void check_converter(const std::string& where, int64_t bits, double full_scale);

/// I + sqrt(shot I) xi + thermal xi', stream `pass` of the seed (ops/photodetect.h).
torch::Tensor noisy(const torch::Tensor& intensity, double shot, double thermal, int64_t seed, int64_t pass);

/// The nearest of 2^bits values from 0 to full_scale; any value for 0 bits.
torch::Tensor converted(const torch::Tensor& intensity, int64_t bits, double full_scale);

}  // namespace optotorch
