#include <ATen/ATen.h>
#include <c10/util/ScopeExit.h>
#include <optotorch/core/check.h>
#include <optotorch/core/random.h>
#include <optotorch/trainers/datasets/text/sample.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace optotorch {
namespace {

constexpr auto in_sample = "sample";

void check_options(const SampleOptions& options) {
  OPTOTORCH_CHECK(options.context() >= 1, .where = in_sample, .argument = "context", .expected = "at least 1",
                  .got = std::to_string(options.context()));
  constexpr int64_t longest = 1'000'000;
  OPTOTORCH_CHECK(options.length() >= 1 && options.length() <= longest, .where = in_sample,
                  .argument = "length", .expected = c10::str("1 to ", longest),
                  .got = std::to_string(options.length()));
  OPTOTORCH_CHECK(std::isfinite(options.temperature()) && options.temperature() >= 0, .where = in_sample,
                  .argument = "temperature", .expected = "a finite number, 0 or above",
                  .got = c10::str(options.temperature()));
}

/// The logits behind the last of `history` [t], float64 [vocabulary] on the CPU.
at::Tensor next_logits(HybridImpl& model, const at::Tensor& history, int64_t vocabulary) {
  const at::Tensor output = model.forward(history.unsqueeze(0));
  OPTOTORCH_CHECK(output.defined() && output.is_floating_point() &&
                      output.sizes() == at::IntArrayRef({1, history.numel(), vocabulary}),
                  .where = in_sample, .argument = "model",
                  .expected = c10::str("one that gives real logits [1, ", history.numel(), ", ", vocabulary,
                                       "] for int64 [1, ", history.numel(), "]"),
                  .got = describe(output), .remedy = "Is it another vocabulary's model?");
  at::Tensor logits = output[0][history.numel() - 1].to(at::kCPU, at::kDouble).contiguous();
  // The largest one is NaN if any is.
  OPTOTORCH_CHECK(std::isfinite(logits.max().item<double>()), .where = in_sample, .argument = "model",
                  .expected = "logits that are finite, or -inf for some",
                  .got = "NaN, +inf, or nothing but -inf", .remedy = "Did training diverge?");
  return logits;
}

int64_t draw(const at::Tensor& logits, double temperature, double number) {
  const double* const logit = logits.const_data_ptr<double>();
  const auto count = static_cast<size_t>(logits.numel());
  const double* const largest = std::max_element(logit, logit + count);
  if (temperature == 0) {
    return largest - logit;
  }
  std::vector<double> sums(count);
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    sum += std::exp((logit[i] - *largest) / temperature);
    sums[i] = sum;
  }
  // The first sum above it: never that of a character whose probability is 0. One there is, as number < 1.
  return std::upper_bound(sums.begin(), sums.end(), number * sum) - sums.begin();
}

}  // namespace

std::string sample(HybridImpl& model, const Characters& characters, const std::string& prompt,
                   const SampleOptions& options) {
  check_options(options);
  const at::Tensor start = characters.encode(prompt, "prompt");
  OPTOTORCH_CHECK(start.numel() > 0, .where = in_sample, .argument = "prompt",
                  .expected = "at least one character", .got = "none",
                  .remedy = "A line end is a beginning, too");
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  const auto restore = c10::make_scope_exit([&] { model.train(was_training); });
  model.eval();
  at::Tensor ids = at::cat({start, at::empty({options.length()}, at::kLong)});
  int64_t* const id = ids.mutable_data_ptr<int64_t>();
  for (int64_t n = 0; n < options.length(); ++n) {
    const int64_t known = start.numel() + n;
    const int64_t seen = std::min(known, options.context());
    const at::Tensor logits =
        next_logits(model, ids.narrow(0, known - seen, seen), characters.vocabulary_size());
    at::Philox4_32 engine(options.seed(), /*subsequence=*/0, static_cast<uint64_t>(n));
    id[known] = draw(logits, options.temperature(), uniform(engine));
  }
  return characters.decode(ids.narrow(0, start.numel(), options.length()));
}

}  // namespace optotorch
