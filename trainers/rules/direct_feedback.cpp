#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/concurrently.h>
#include <optotorch/trainers/rules/direct_feedback.h>

#include <set>

namespace optotorch {
namespace {

/// True if a parameter stands in several layers: their updates must come one after the other.
bool share_parameters(const HybridImpl& model) {
  std::set<const void*> seen;
  for (size_t layer = 0; layer < model.size(); ++layer) {
    for (const auto& parameter : model.layer(layer).parameters()) {
      if (!seen.insert(parameter.unsafeGetTensorImpl()).second) {
        return true;
      }
    }
  }
  return false;
}

/// Throws where a signal at a tap would not reach what it is for.
void check_taps(const std::string& layer, bool behind_component, bool in_head_before_error) {
  OPTOTORCH_CHECK(!behind_component, .where = "dfa", .argument = "tap",
                  .expected = "one in a module with the parameters that it is to teach",
                  .got = "one in " + layer + ", behind them",
                  .remedy = "Make one module of both: a signal at a tap ends where its module begins");
  OPTOTORCH_CHECK(!in_head_before_error, .where = "dfa", .argument = "error",
                  .expected = "ErrorOf::output for a read-out with taps inside",
                  .got = "ErrorOf::head_input, which the taps cut off",
                  .remedy = "Make the read-out a module of its own");
}

}  // namespace

DirectFeedback::DirectFeedback(DirectFeedbackOptions options)
    : behind_head_(options.error() == ErrorOf::output), projection_(std::move(options)) {}

std::map<std::string, torch::Tensor> DirectFeedback::state() const {
  return projection_.state();
}

void DirectFeedback::load_state(const std::map<std::string, torch::Tensor>& state) {
  projection_.load_state(state);
}

void DirectFeedback::set_feedback(std::vector<torch::Tensor> matrices) {
  matrices_ = std::move(matrices);
}

torch::Tensor DirectFeedback::given(size_t place, const torch::Tensor& output,
                                    const torch::Tensor& error) const {
  OPTOTORCH_CHECK(error.numel() > 0 && output.numel() > 0, .where = name(), .argument = "error",
                  .expected = "[batch, ...] of one sample or more", .got = describe(error),
                  .remedy = "Leave out empty batches");
  const int64_t rows = output.numel() / output.size(0), columns = error.numel() / error.size(0);
  const auto& b = place < matrices_.size() ? matrices_[place] : torch::Tensor();
  OPTOTORCH_CHECK(b.defined() && b.dim() == 2 && b.size(0) == rows && b.size(1) == columns, .where = name(),
                  .argument = "feedback",
                  .expected = c10::str("[", rows, ", ", columns, "] for hidden block ", place),
                  .got = describe(b), .remedy = "A rule serves one network: make a new one");
  const auto signal = error.reshape({-1, columns}).to(b.scalar_type()).mm(b.t()).reshape(output.sizes());
  return signal.is_complex() && !output.is_complex() ? at::real(signal) : signal;
}

std::vector<MakeSignal> DirectFeedback::signals(const std::vector<torch::Tensor>& places,
                                                const torch::Tensor& error) {
  if (matrices_.empty()) {
    return projection_.signals(places, error);
  }
  std::vector<MakeSignal> signals;
  for (size_t place = 0; place < places.size(); ++place) {
    signals.emplace_back([signal = given(place, places[place], error)] { return signal; });
  }
  return signals;
}

void DirectFeedback::teach(HybridImpl& model, const Lesson& lesson) {
  const auto blocks = model.trainable_blocks();
  const auto& passes = lesson.passes;
  // The head first: its input's error may be what is projected. If a tap or the projector rejects it, a
  // gradient has been added, which the caller of a step that throws discards.
  std::vector<torch::Tensor> places;
  for (size_t b = 0; b < blocks.size(); ++b) {
    for (size_t layer = blocks[b].begin; layer < blocks[b].end; ++layer) {
      const auto taps = model.taps(layer, passes[layer]);
      if (!taps.empty()) {
        check_taps(model.layer(layer).name(), layer > blocks[b].component,
                   !behind_head_ && b + 1 == blocks.size());
      }
      places.insert(places.end(), taps.begin(), taps.end());
    }
    if (b + 1 < blocks.size()) {
      places.push_back(passes[blocks[b].end - 1].output);
    }
  }
  const auto error =
      behind_head_ ? lesson.dL_dy() : teach_head(model, passes, lesson.dL_dy(), /*to_input=*/true);
  const auto sent = signals(places, error);
  const auto taps_of = [&](size_t layer) { return model.taps(layer, passes[layer]).size(); };
  // Each block learns from its own signals alone: those at its taps, and that at its output.
  const auto learn = [&](size_t b, auto signal) {
    for (size_t layer = blocks[b].begin; layer < blocks[b].end; ++layer) {
      std::vector<torch::Tensor> at_taps(taps_of(layer));
      for (auto& at_tap : at_taps) {
        at_tap = (*signal++)();
      }
      if (!at_taps.empty()) {
        model.tap_update(layer, passes[layer], at_taps);
      }
    }
    if (b + 1 < blocks.size()) {
      model.update(blocks[b], passes, (*signal)(), &Layer::dfa_update);
    }
  };
  std::vector<std::function<void()>> updates;
  auto next = sent.begin();
  for (size_t b = 0; b + 1 < blocks.size(); ++b) {
    updates.emplace_back([&, b, next] { learn(b, next); });
    for (size_t layer = blocks[b].begin; layer < blocks[b].end; ++layer) {
      next += static_cast<std::ptrdiff_t>(taps_of(layer));
    }
    ++next;
  }
  if (share_parameters(model)) {
    for (const auto& update : updates) {
      update();
    }
  } else {
    run_concurrently(updates);
  }
  learn(blocks.size() - 1, next);
  if (behind_head_) {
    teach_head(model, passes, lesson.dL_dy());
  }
}

}  // namespace optotorch
