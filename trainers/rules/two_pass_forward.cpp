#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/kept_buffers.h>
#include <optotorch/trainers/rules/random_matrix.h>
#include <optotorch/trainers/rules/two_pass_forward.h>

#include <cmath>

namespace optotorch {
namespace {

/// Unit inputs, and a dark one behind them.
torch::Tensor unit_inputs(const torch::Tensor& like) {
  const int64_t size = like.flatten(1).size(1);
  auto shape = like.sizes().vec();
  shape[0] = size + 1;
  return torch::eye(size + 1, size, like.options()).reshape(shape);
}

/// Row j is column j of the matrix W in y = W x + b, from the outputs for unit inputs.
torch::Tensor response_of(const torch::Tensor& outputs) {
  const auto rows = outputs.flatten(1);
  const int64_t size = rows.size(0) - 1;
  return rows.narrow(0, 0, size) - rows.narrow(0, size, 1);
}

}  // namespace

TwoPassForward::TwoPassForward(TwoPassForwardOptions options) : options_(std::move(options)) {
  OPTOTORCH_CHECK(std::isfinite(options_.strength()) && options_.strength() != 0, .where = name(),
                  .argument = "strength", .expected = "a finite number other than 0",
                  .got = std::to_string(options_.strength()), .remedy = "");
  OPTOTORCH_CHECK(std::isfinite(options_.gain()) && options_.gain() > 0, .where = name(), .argument = "gain",
                  .expected = "a positive number", .got = std::to_string(options_.gain()), .remedy = "");
  OPTOTORCH_CHECK(options_.refresh() >= 1, .where = name(), .argument = "refresh", .expected = "at least 1",
                  .got = std::to_string(options_.refresh()), .remedy = "");
}

torch::Tensor TwoPassForward::make_feedback(HybridImpl& model, const Block& first,
                                            const std::vector<Pass>& passes,
                                            const torch::Tensor& error) const {
  const auto& entrance = passes[first.component].input;
  const int64_t inputs = entrance.flatten(1).size(1), outputs = error.size(1);
  const auto real = c10::toRealValueType(entrance.scalar_type());
  const KeptBuffers kept(model, KeptBuffers::Which::floating);
  switch (options_.feedback()) {
    case Feedback::random: {
      const double bound = 0.05 * std::sqrt(6.0 / static_cast<double>(inputs));
      auto f = uniform_matrix(inputs, outputs, options_.seed(), 0, real);
      if (entrance.is_complex()) {
        f = at::complex(f, uniform_matrix(inputs, outputs, options_.seed(), 1, real));
      }
      return f.mul_(options_.gain() * bound).to(entrance.device());
    }
    case Feedback::twin: {
      const auto response = response_of(model.layer(first.component).propagate(unit_inputs(entrance)).output);
      const auto r = normal_matrix(response.size(1), outputs, options_.seed(), 0, real).to(entrance.device());
      return response.conj().mm(r.to(response.scalar_type())).mul_(options_.gain());
    }
    case Feedback::adjoint: {
      const auto response =
          response_of(model.propagate(unit_inputs(entrance), first.component).back().output);
      return response.conj().resolve_conj().mul(options_.gain());
    }
  }
  return {};
}

void TwoPassForward::teach(HybridImpl& model, const std::vector<Pass>& passes, const torch::Tensor& dL_dy) {
  const auto blocks = model.trainable_blocks();
  const auto& first = blocks.front();
  const int64_t batch = dL_dy.size(0);
  const auto error = dL_dy.flatten(1) * batch;
  const bool measured = options_.feedback() != Feedback::random;
  if (!feedback_.defined() || (measured && steps_ % options_.refresh() == 0)) {
    feedback_ = make_feedback(model, first, passes, error);
  }
  ++steps_;
  const auto& entrance = passes[first.component].input;
  OPTOTORCH_CHECK(feedback_.size(0) == entrance.flatten(1).size(1) && feedback_.size(1) == error.size(1),
                  .where = name(), .argument = "feedback",
                  .expected = c10::str("[", entrance.flatten(1).size(1), ", ", error.size(1), "]"),
                  .got = describe(feedback_), .remedy = "A rule serves one network: make a new one");
  const auto type = at::promote_types(feedback_.scalar_type(), error.scalar_type());
  auto modulation = error.to(type).mm(feedback_.to(type).t()).reshape(entrance.sizes());
  if (modulation.is_complex() && !entrance.is_complex()) {
    modulation = at::real(modulation);
  }
  std::vector<Pass> modulated;
  {
    // Running statistics are of the data: the second pass does not count.
    const KeptBuffers kept(model, KeptBuffers::Which::floating);
    modulated = model.propagate(entrance.sub(modulation, options_.strength()), first.component);
  }

  // Second passes by layer number; what comes before the entrance was not run again.
  std::vector<Pass> second(passes.begin(), passes.begin() + static_cast<int64_t>(first.component));
  second.insert(second.end(), modulated.begin(), modulated.end());
  const auto& presynaptic = options_.presynaptic() == Presynaptic::clean ? passes : second;
  for (size_t hidden = 0; hidden + 1 < blocks.size(); ++hidden) {
    const auto& block = blocks[hidden];
    auto signal = passes[block.end - 1].output - second[block.end - 1].output;
    signal.div_(options_.strength() * static_cast<double>(batch));
    model.update(block, presynaptic, signal, &Layer::tpfp_update);
  }
  teach_head(model, presynaptic, dL_dy);
}

std::map<std::string, torch::Tensor> TwoPassForward::state() const {
  std::map<std::string, torch::Tensor> state{{"steps", torch::tensor(steps_)}};
  if (feedback_.defined()) {
    state["feedback"] = feedback_;
  }
  return state;
}

void TwoPassForward::load_state(const std::map<std::string, torch::Tensor>& state) {
  const auto steps = state.find("steps");
  OPTOTORCH_CHECK(steps != state.end() && steps->second.numel() == 1 && !steps->second.is_floating_point(),
                  .where = name(), .argument = "state", .expected = "an integer 'steps'",
                  .got = steps == state.end() ? "none" : describe(steps->second),
                  .remedy = "The checkpoint was written by another rule");
  steps_ = steps->second.item<int64_t>();
  const auto feedback = state.find("feedback");
  feedback_ = feedback == state.end() ? torch::Tensor() : feedback->second;
}

}  // namespace optotorch
