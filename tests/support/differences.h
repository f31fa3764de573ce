#pragma once

// Gradients by central differences, and how far apart two tensors are.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace optotorch::testing {

/// A real function of whatever it captures.
using Functional = std::function<double()>;

/// dL_dx by four points an element (error h^4 L^(5) / 30), with x changed in place and restored; complex
/// elements by real and imaginary part, dL/dRe + i dL/dIm. x: float64 or complex128, contiguous.
inline at::Tensor central_differences(const Functional& loss, const at::Tensor& x, double h = 1e-4) {
  const at::NoGradGuard no_grad;
  auto flat = (x.is_complex() ? at::view_as_real(x) : x).view({-1});
  auto gradient = at::zeros_like(flat);
  for (int64_t i = 0; i < flat.numel(); ++i) {
    auto element = flat[i];
    const double value = element.item<double>();
    const auto at_offset = [&](double offset) {
      element.fill_(value + offset);
      return loss();
    };
    const double near = at_offset(h) - at_offset(-h);
    const double far = at_offset(2 * h) - at_offset(-2 * h);
    element.fill_(value);
    gradient[i] = (8 * near - far) / (12 * h);
  }
  return x.is_complex() ? at::view_as_complex(gradient.view({-1, 2})).view(x.sizes())
                        : gradient.view(x.sizes());
}

/// Cosine of the angle between two vectors.
inline double correlation(const at::Tensor& a, const at::Tensor& b) {
  return (at::dot(a, b) / (a.norm() * b.norm())).item<double>();
}

/// Largest difference of an element, relative to the largest element of `b` (at least 1e-12).
inline double relative_distance(const at::Tensor& a, const at::Tensor& b) {
  if (a.numel() == 0) {
    return 0;
  }
  return (a - b).abs().max().item<double>() / std::max(b.abs().max().item<double>(), 1e-12);
}

/// a and b agree in shape and type, and to `tolerance` of b's largest element.
inline void expect_close(const at::Tensor& a, const at::Tensor& b, double tolerance,
                         const std::string& what = "") {
  ASSERT_TRUE(a.defined() && b.defined()) << what;
  ASSERT_EQ(a.sizes(), b.sizes()) << what;
  ASSERT_EQ(a.scalar_type(), b.scalar_type()) << what;
  EXPECT_LE(relative_distance(a, b), tolerance) << what;
}

}  // namespace optotorch::testing
