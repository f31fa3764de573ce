#pragma once

// A photodiode: from field to intensity.
//
//     I = |z|^2 + sqrt(shot |z|^2) xi_1 + thermal xi_2,      xi ~ N(0, 1)
//
// Element n of call `counter` draws its two numbers from Philox stream n of `seed`: noise does not depend on
// threads, and a repeated (seed, counter) repeats it. The pull-back is that of the mean, dL_dz = 2 z dL_dI:
// noise has no slope.

#include <ATen/core/Tensor.h>

namespace optotorch::ops {

/// Intensities (real, any shape) of a complex field of the same shape.
/// `shot` is the variance per unit intensity, `thermal` a standard deviation in units of intensity; both >=
/// 0. Throws c10::ValueError for a real field and for a noise that is negative, infinite or NaN.
at::Tensor photodetect(const at::Tensor& field, double shot = 0, double thermal = 0, int64_t seed = 0,
                       int64_t counter = 0);

/// The field's gradient, 2 z dL_dI. Plain ATen operators: differentiable as often as wanted.
at::Tensor photodetect_backward(const at::Tensor& dL_dintensity, const at::Tensor& field);

/// The noiseless meaning in plain ATen operators.
at::Tensor photodetect_reference(const at::Tensor& field);

/// Throws as `photodetect` does; for its faces.
void check_photodetect(const at::Tensor& field, double shot, double thermal);

}  // namespace optotorch::ops
