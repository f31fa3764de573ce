#include <ATen/ATen.h>
#include <c10/util/ScopeExit.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/detail/random_state.h>
#include <optotorch/trainers/rules/detail/kept_buffers.h>
#include <optotorch/trainers/rules/random_matrix.h>
#include <optotorch/trainers/rules/zeroth_order.h>

#include <algorithm>
#include <cmath>

namespace optotorch {
namespace {

constexpr char zeroth_order_name[] = "zeroth-order";

/// True if the last block with parameters has them in torch::nn modules alone.
bool has_electronic_head(const HybridImpl& model) {
  const auto head = model.trainable_blocks().back();
  for (size_t index = head.begin; index < head.end; ++index) {
    const auto& layer = model.layer(index);
    if (!layer.parameters().empty() && dynamic_cast<const ElectronicBlock*>(&layer) == nullptr) {
      return false;
    }
  }
  return true;
}

/// The parameters that are perturbed, as one vector that can be moved and brought back.
class Commands {
 public:
  Commands(const HybridImpl& model, bool without_head) {
    const auto head = model.trainable_blocks().back();
    for (size_t index = 0; index < model.size(); ++index) {
      if (without_head && index >= head.begin && index < head.end) {
        continue;
      }
      for (const auto& parameter : model.layer(index).parameters()) {
        const bool known =
            std::any_of(all_.begin(), all_.end(), [&](const auto& one) { return one.is_same(parameter); });
        if (parameter.requires_grad() && !known) {
          all_.push_back(parameter);
          values_.push_back(parameter.detach().clone());
          size_ += parameter.numel();
        }
      }
    }
  }

  int64_t size() const { return size_; }

  /// p + d, d float64 [size].
  void move(const torch::Tensor& d) {
    each(d, [&](size_t n, const torch::Tensor& part) {
      all_[n].copy_(values_[n].to(torch::kDouble) + part.to(all_[n].device()));
    });
  }
  /// p, to the bit.
  void bring_back() {
    for (size_t n = 0; n < all_.size(); ++n) {
      all_[n].copy_(values_[n]);
    }
  }
  void accumulate(const torch::Tensor& gradient) {
    each(gradient, [&](size_t n, const torch::Tensor& part) {
      Layer::accumulate(all_[n], part.to(all_[n].options()));
    });
  }

 private:
  template <typename Call>
  void each(const torch::Tensor& flat, const Call& call) {
    int64_t first = 0;
    for (size_t n = 0; n < all_.size(); ++n) {
      call(n, flat.narrow(0, first, all_[n].numel()).view(all_[n].sizes()));
      first += all_[n].numel();
    }
  }

  std::vector<torch::Tensor> all_, values_;
  int64_t size_ = 0;
};

/// Which of `size` parameters a step perturbs: int64 [count].
torch::Tensor drawn(int64_t size, int64_t count, int64_t seed, int64_t stream) {
  return count == size ? at::arange(size)
                       : std::get<1>(uniform_matrix(1, size, seed, stream, torch::kDouble)
                                         .squeeze(0)
                                         .topk(count, 0, /*largest=*/true, /*sorted=*/true));
}

}  // namespace

ZerothOrder::ZerothOrder(ZerothOrderOptions options) : options_(options) {
  const auto& o = options_;
  OPTOTORCH_CHECK(std::isfinite(o.step()) && o.step() > 0, .where = zeroth_order_name, .argument = "step",
                  .expected = "a number above 0", .got = c10::str(o.step()));
  OPTOTORCH_CHECK(o.directions() >= 1, .where = zeroth_order_name, .argument = "directions",
                  .expected = "at least 1", .got = std::to_string(o.directions()));
  OPTOTORCH_CHECK(o.coordinates() >= 0, .where = zeroth_order_name, .argument = "coordinates",
                  .expected = "0 (all) or more", .got = std::to_string(o.coordinates()));
  watch_nothing();
}

std::vector<Pass> ZerothOrder::first_pass(HybridImpl& model, const torch::Tensor& input) {
  random_state_ = random_state(input.device());
  return Rule::first_pass(model, input);
}

void ZerothOrder::teach(HybridImpl& model, const Lesson& lesson) {
  const auto device = lesson.passes.front().input.device();
  const auto after = random_state(device);
  const bool exact_head = options_.exact_head() && has_electronic_head(model);
  Commands commands(model, exact_head);
  const int64_t size = commands.size(), step = steps_++;
  measurements_ = 1;
  if (exact_head) {
    teach_head(model, lesson.passes, lesson.dL_dy());
  }
  if (size == 0) {
    return;
  }
  const auto restore = c10::make_scope_exit([&] {
    commands.bring_back();
    set_random_state(after, device);
  });
  const auto loss_at = [&](const torch::Tensor& move) {
    const KeptBuffers kept(model, KeptBuffers::Which::floating);
    commands.move(move);
    set_random_state(random_state_, device);
    ++measurements_;
    const auto passes = model.propagate(lesson.passes.front().input, 0, Keep::nothing);
    const double loss = lesson.loss_at(passes.back().output).item<double>();
    OPTOTORCH_CHECK(std::isfinite(loss), .where = zeroth_order_name, .argument = "loss",
                    .expected = "a finite value at perturbed parameters", .got = c10::str(loss),
                    .remedy = "Take smaller steps");
    return loss;
  };
  const double delta = options_.step();
  const auto slope_along = [&](const torch::Tensor& direction) {
    return (loss_at(direction * delta) - loss_at(direction * -delta)) / (2 * delta);
  };
  const int64_t count = options_.coordinates() == 0 ? size : std::min(size, options_.coordinates());
  const int64_t streams = options_.directions() + 1;  // of a step
  const auto chosen = drawn(size, count, options_.seed(), step * streams);
  auto gradient = torch::zeros({size}, torch::kDouble);
  if (options_.method() == Perturbation::coordinates) {
    for (int64_t n = 0; n < count; ++n) {
      const auto index = chosen.narrow(0, n, 1);
      gradient.index_fill_(0, index,
                           slope_along(torch::zeros({size}, torch::kDouble).index_fill_(0, index, 1)));
    }
  } else {
    for (int64_t n = 0; n < options_.directions(); ++n) {
      const auto signs =
          (uniform_matrix(1, count, options_.seed(), step * streams + n + 1, torch::kDouble) > 0).squeeze(0);
      auto direction = torch::zeros({size}, torch::kDouble);
      direction.index_copy_(0, chosen, signs.to(torch::kDouble) * 2 - 1);
      gradient.add_(direction, slope_along(direction) / static_cast<double>(options_.directions()));
    }
  }
  commands.accumulate(gradient);
}

std::map<std::string, double> ZerothOrder::measures() const {
  return {{"measurements", measurements_}};
}

std::map<std::string, torch::Tensor> ZerothOrder::state() const {
  return {{"steps", torch::tensor(steps_)}};
}

void ZerothOrder::load_state(const std::map<std::string, torch::Tensor>& state) {
  const auto steps = state.find("steps");
  OPTOTORCH_CHECK(steps != state.end() && steps->second.numel() == 1 &&
                      steps->second.scalar_type() == torch::kLong && steps->second.item<int64_t>() >= 0,
                  .where = zeroth_order_name, .argument = "state",
                  .expected = "steps, an int64 of at least 0",
                  .got = steps == state.end() ? "none" : describe(steps->second),
                  .remedy = "The checkpoint was written by another rule");
  steps_ = steps->second.item<int64_t>();
}

}  // namespace optotorch
