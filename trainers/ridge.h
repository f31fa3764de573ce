#pragma once

#include <torch/types.h>

namespace optotorch {

/// A linear read-out y = x W^T + b: float64 W [outputs, features] and b [outputs].
struct LinearReadout {
  torch::Tensor weight,  ///< W
      bias;              ///< b

  /// y [batch, outputs] of x [batch, features], in float64.
  torch::Tensor operator()(const torch::Tensor& x) const;
};

/// Ridge regression, the digital reference of a reservoir: W and b minimise
///
///     mean over the samples of |x W^T + b - t|^2  +  lambda s |W|^2,        s the mean variance of the features
///
/// by the normal equations in float64 and a Cholesky factor. x real [samples, features]; t real [samples, outputs], or
/// classes, int64 [samples] from 0 to `classes` - 1, which stand for 1 at their output and 0 elsewhere. Throws
/// c10::ValueError for other shapes, values that are not finite, a lambda below 0, a class without a sample, and
/// features that depend on each other linearly, unless lambda makes up for it.
LinearReadout ridge_regression(const torch::Tensor& x, const torch::Tensor& t, double lambda,
                               int64_t classes = 0);

}  // namespace optotorch
