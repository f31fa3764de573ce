#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/DistributionsHelper.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/transforms/draws.h>

#include <mutex>

namespace optotorch::transforms {

Draws::Draws(std::optional<at::Generator> generator)
    : generator_(generator.has_value() && generator->defined() ? *std::move(generator)
                                                               : at::detail::getDefaultCPUGenerator()),
      engine_(nullptr) {
  OPTOTORCH_CHECK(generator_.device().is_cpu(), .where = "Transform", .argument = "random",
                  .expected = "a generator of the CPU", .got = "one of " + generator_.device().str());
  engine_ = generator_.get<at::CPUGeneratorImpl>();
}

float Draws::unit() {
  const std::scoped_lock lock(engine_->mutex_);
  return at::uniform_real_distribution<float>(0.0F, 1.0F)(engine_);
}

double Draws::uniform(double from, double to) {
  // LibTorch's own kernel: it multiplies and adds in one rounding or in two, as the processor allows.
  return at::empty({1}, at::kFloat).uniform_(from, to, generator_).item<float>();
}

int64_t Draws::integer(int64_t from, int64_t to) {
  const std::scoped_lock lock(engine_->mutex_);
  const auto range = static_cast<uint64_t>(to) - static_cast<uint64_t>(from);
  return at::uniform_int_from_to_distribution<int64_t>(range, from)(engine_);
}

std::vector<int64_t> Draws::permutation(int64_t count) {
  const at::Tensor order = at::randperm(count, generator_, at::kLong);
  const auto* const values = order.const_data_ptr<int64_t>();
  return {values, values + count};
}

at::Tensor Draws::normal(at::IntArrayRef sizes) {
  return at::empty(sizes, at::kFloat).normal_(0, 1, generator_);
}

}  // namespace optotorch::transforms
