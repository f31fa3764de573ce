#pragma once

// Checks that several operators share. They read no values, and sizes may be symbolic, so that every face
// calls them: the kernels, the shapes and the derivatives.

#include <ATen/core/Tensor.h>

namespace optotorch::ops {

/// Throws unless `tensor` is defined and dense: no operator reads sparse tensors.
void check_dense(const char* where, const char* argument, const at::Tensor& tensor);

/// Throws unless `tensor` is a dense complex64 or complex128 tensor, of any shape.
void check_field(const char* where, const char* argument, const at::Tensor& tensor);

/// Throws unless `tensor` has the shape, type and device of `field`.
void check_like(const char* where, const char* argument, const at::Tensor& tensor, const at::Tensor& field);

/// Throws unless `tensor` is dense and on the device of `field`.
void check_device(const char* where, const char* argument, const at::Tensor& tensor, const at::Tensor& field);

/// Throws for NaN and for an infinity.
void check_finite_number(const char* where, const char* argument, double number);

}  // namespace optotorch::ops
