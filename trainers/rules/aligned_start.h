#pragma once

#include <optotorch/trainers/rules/direct_feedback_options.h>
#include <torch/nn/modules/linear.h>

namespace optotorch {

/// Aligned start: gives the read-out the weights
///
///     W = scale / sqrt(m) B^T,      b = 0
///
/// of the matrix by which direct feedback with these options teaches the last hidden block. A training then
/// begins with true gradients there, if the read-out is linear in the block's output or (`per_token`) in its
/// mean over the tokens. B is read as that of a medium must be, by showing unit vectors, with the noise that
/// its projector has; a training's own projector begins anew and meets that noise again in its first
/// products.
///
/// Throws c10::ValueError unless the rows of B are shared and the error is that of the output: otherwise the
/// block's rows, or their transpose, are no read-out.
void align_head(torch::nn::LinearImpl& head, const DirectFeedbackOptions& options);

}  // namespace optotorch
