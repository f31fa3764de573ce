#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <optotorch/trainers/detail/team.h>

#include <algorithm>
#include <string_view>

namespace optotorch {
namespace {

/// A number that tells tensors apart, as text.
std::string fingerprint(const torch::Tensor& tensor) {
  const auto bytes = tensor.detach().contiguous();
  return c10::str(
      tensor.sizes(), " ",
      std::hash<std::string_view>()({static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()}));
}

}  // namespace

std::string Team::checkpoint_name() const {
  return rank() == 0 || !own_hardware_ ? "checkpoint.safetensors"
                                       : c10::str("checkpoint-rank", rank(), ".safetensors");
}

int64_t Team::latest_common(const std::vector<int64_t>& own) const {
  const auto text_of = [](int64_t number) { return c10::str(" ", number, " "); };
  std::string mine;
  for (const int64_t number : own) {
    mine += text_of(number);
  }
  const auto all = ranks_->gather("checkpoints", mine);
  int64_t latest = -1;
  for (const int64_t number : own) {
    const bool is_common = std::all_of(all.begin(), all.end(), [&](const std::string& theirs) {
      return theirs.find(text_of(number)) != std::string::npos;
    });
    latest = is_common ? std::max(latest, number) : latest;
  }
  return latest;
}

void Team::require_same_start(const HybridImpl& model, const BatchSource& train,
                              const std::string& position) const {
  if (alone()) {
    return;
  }
  ranks_->require_same("place in the run", position,
                       "Does every rank see the run's folder, and the same checkpoint in it?");
  const auto batch = train.batch(0, 0);
  ranks_->require_same(
      "training data",
      c10::str(train.size(), " batches\nfirst data ", fingerprint(batch.data), "\nfirst target ",
               fingerprint(batch.target)),
      "Give every rank the same data set, batch size and seed; the trainer shares batches out");
  std::string weights;
  for (const auto& parameter : model.named_parameters()) {
    weights += c10::str(parameter.key(), " ", fingerprint(parameter.value()), "\n");
  }
  ranks_->require_same("weights", own_hardware_ ? "" : weights,
                       "Seed every rank alike before the network is made");
}

Team::Part Team::part(const BatchSource& source, int64_t epoch, int64_t index) const {
  if (alone()) {
    auto batch = source.batch(epoch, index);
    const int64_t samples = batch.target.size(0);
    return {std::move(batch), samples};
  }
  auto batch = source.part(epoch, index, rank(), size());
  if (const int64_t samples = batch.target.size(0); samples > 0) {
    return {std::move(batch), samples};
  }
  return {source.batch(epoch, index), 0};
}

std::vector<double> Team::sum(std::vector<double> values) const {
  return alone() ? values : ranks_->sum(std::move(values));
}

Team::Exchange::Exchange(const Team& team, const HybridImpl& model) : team_(team) {
  if (team_.alone()) {
    return;
  }
  if (!team_.own_hardware_) {
    for (const auto& buffer : model.buffers()) {
      if (buffer.is_floating_point() || buffer.is_complex()) {
        buffers_.push_back(buffer);
        versions_.push_back(static_cast<int64_t>(buffer._version()));
      }
    }
  }
  auto generator = at::detail::getDefaultCPUGenerator();
  const auto seed = static_cast<uint64_t>(at::randint(INT64_MAX, {1}, at::kLong).item<int64_t>());
  generator_ = generator.get_state();
  generator.set_current_seed(seed + static_cast<uint64_t>(team_.rank()));
}

Team::Exchange::~Exchange() {
  if (generator_.defined()) {
    auto generator = at::detail::getDefaultCPUGenerator();
    generator.set_state(generator_);
  }
}

std::vector<double> Team::Exchange::finish(const torch::optim::Optimizer& optimizer, double samples,
                                           const std::vector<double>& values) {
  if (team_.alone()) {
    return values;
  }
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> changed;
  for (const auto& group : optimizer.param_groups()) {
    for (const auto& parameter : group.params()) {
      if (parameter.grad().defined()) {
        changed.push_back(parameter.grad());
      }
    }
  }
  for (size_t n = 0; n < buffers_.size(); ++n) {
    if (static_cast<int64_t>(buffers_[n]._version()) != versions_[n]) {
      changed.push_back(buffers_[n]);
    }
  }
  return team_.ranks_->weighted_mean(changed, samples, values);
}

}  // namespace optotorch
