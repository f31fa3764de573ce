#pragma once

// Light between two windows of parallel planes: a convolution by a transfer function that is made once
// (transfer_function.h).
//
//     y = crop(ifft2(T fft2(pad(x))))
//
// The transform covers [padded height, padded width], T's sizes; x and y are its first rows and columns. It
// is linear in x and in T, and its adjoint is the same operator with conj(T):
//
//     dL_dx = crop(ifft2(conj(T) fft2(pad(dL_dy)))),     dL_dT = sum conj(fft2(pad(x))) fft2(pad(dL_dy)) / (h w)
//
// Of fft2 on the padded grid only what is not zero, or is kept, is computed: rows of the input, all columns,
// rows of the output; sample by sample, so that a sample stays in the cache.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <tuple>

namespace optotorch::ops {

/// y [batch, planes, height, width] of a field x [batch, planes, rows, columns], complex64 or complex128, by a
/// transfer function [padded height, padded width], or one for every plane [planes, ...], of the same type.
/// Throws c10::ValueError for other types and shapes, and for a window larger than the padded grid.
at::Tensor free_space(const at::Tensor& field, const at::Tensor& transfer, int64_t height, int64_t width);

/// Gradients at the field and at the transfer function, each if it is wanted and without elements if not.
/// Differentiable as often as wanted.
std::tuple<at::Tensor, at::Tensor> free_space_backward(const at::Tensor& dL_doutput, const at::Tensor& field,
                                                       const at::Tensor& transfer, bool to_field = true,
                                                       bool to_transfer = true);

/// The meaning, in plain ATen operators.
at::Tensor free_space_reference(const at::Tensor& field, const at::Tensor& transfer, int64_t height,
                                int64_t width);

/// Throws as `free_space` does; for its faces.
void check_free_space(const at::Tensor& field, const at::Tensor& transfer, int64_t height, int64_t width);

}  // namespace optotorch::ops
