#pragma once

// Loss and metric of a language model: the characters that follow.

#include <optotorch/trainers/metrics.h>

namespace optotorch {

/// -log p(target) in nats, the mean over all tokens of a batch, p = softmax of the logits `output`.
///
/// output: real [batch, tokens, vocabulary]; target: int64 [batch, tokens], from 0 to vocabulary - 1. It is a
/// Loss (rule.h). Throws c10::ValueError for anything else, and for a batch without tokens.
torch::Tensor next_token_loss(const torch::Tensor& output, const torch::Tensor& target);

/// next_token_loss / ln 2, of which less is better, as a mean over tokens.
///
///     Trainer(net, rule, optimizer, next_token_loss, TrainerOptions().metric(bits_per_character()))
///     evaluate(*net, test, bits_per_character())
Metric bits_per_character();

}  // namespace optotorch
