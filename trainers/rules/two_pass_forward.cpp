#include <ATen/ATen.h>
#include <c10/util/ScopeExit.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/detail/random_state.h>
#include <optotorch/trainers/rules/detail/kept_buffers.h>
#include <optotorch/trainers/rules/two_pass_forward.h>

#include <algorithm>
#include <cmath>

namespace optotorch {
namespace {

constexpr char in_tpfp[] = "tpfp";

bool has_dropout(const HybridImpl& model) {
  return std::ranges::any_of(model.modules(/*include_self=*/false), [](const auto& module) {
    return module->name().find("Dropout") != std::string::npos;
  });
}

torch::Tensor one_sample_like(const torch::Tensor& x) {
  auto shape = x.sizes().vec();
  shape[0] = 1;
  return at::zeros(shape, x.options());
}

void check_factor(const char* argument, double value) {
  OPTOTORCH_CHECK(std::isfinite(value) && value != 0, .where = in_tpfp, .argument = argument,
                  .expected = "a finite number other than 0", .got = std::to_string(value));
}

}  // namespace

/// From one component that learns to the next: layers [begin, end). The last one is the head's.
struct TwoPassForward::Stretch {
  Block block;
  size_t begin, end;
};

TwoPassForward::TwoPassForward(TwoPassForwardOptions options)
    : options_(options), feedback_(options_.feedback(), options_.gain(), options_.seed()) {
  check_factor("strength", options_.strength());
  check_factor("gain", options_.gain());
  check_factor("hidden_gain", options_.hidden_gain());
  OPTOTORCH_CHECK(options_.refresh() >= 1, .where = in_tpfp, .argument = "refresh", .expected = "at least 1",
                  .got = std::to_string(options_.refresh()));
  OPTOTORCH_CHECK(!options_.modulated_input_backprop() ||
                      (options_.entrance() == Entrance::single && !options_.recompute()),
                  .where = in_tpfp, .argument = "modulated_input_backprop",
                  .expected = "Entrance::single and no recompute", .got = "another combination",
                  .remedy = "Back-propagation needs the whole pass from one entrance on");
  OPTOTORCH_CHECK(options_.signal() != Signal::quadrature || options_.entrance() != Entrance::outputs,
                  .where = in_tpfp, .argument = "signal", .expected = "light that can be delayed",
                  .got = "quadrature at electronic entrances", .remedy = "Use Entrance::single or inputs");
}

std::vector<TwoPassForward::Stretch> TwoPassForward::stretches_of(const HybridImpl& model) {
  std::vector<Stretch> stretches;
  for (const auto& block : model.trainable_blocks()) {
    if (!stretches.empty()) {
      stretches.back().end = block.component;
    }
    stretches.push_back({block, block.component, model.size()});
  }
  return stretches;
}

Keep TwoPassForward::keep_of_first_pass() const {
  const bool pulled_back =
      options_.presynaptic() == Presynaptic::clean || options_.entrance() == Entrance::outputs;
  return pulled_back && !options_.recompute() && !options_.modulated_input_backprop() ? Keep::context
                                                                                      : Keep::nothing;
}

std::vector<Pass> TwoPassForward::first_pass(HybridImpl& model, const torch::Tensor& input) {
  masks_.clear();
  const bool masked = options_.same_mask() && has_dropout(model);
  if (!masked && !options_.recompute()) {
    return Rule::first_pass(model, input);
  }
  const auto stretches = stretches_of(model);
  std::vector<Pass> passes(model.size());
  samples_.clear();
  const bool takes_feedback = refreshes() || !feedback_.taken();
  torch::Tensor x = input;
  for (size_t index = 0, stretch = 0; index < model.size(); ++index) {
    if (stretch < stretches.size() && stretches[stretch].begin == index) {
      ++stretch;
      if (masked) {
        masks_.push_back(random_state(x.device()));
      }
    }
    auto pass = std::move(model.propagate(x, index, keep_of_first_pass(), index + 1).front());
    x = pass.output;
    if (takes_feedback) {
      samples_.push_back(one_sample_like(pass.input));
    }
    if (!options_.recompute()) {
      passes[index] = std::move(pass);
    } else if (index == stretches.front().begin) {
      passes[index].input = pass.input;
    }
  }
  if (takes_feedback) {
    samples_.push_back(one_sample_like(x));
  }
  passes.back().output = x;
  return passes;
}

bool TwoPassForward::refreshes() const {
  return (options_.feedback() == Feedback::twin || options_.feedback() == Feedback::adjoint) &&
         steps_ % options_.refresh() == 0;
}

void TwoPassForward::take_feedback(const HybridImpl& model, const std::vector<Stretch>& stretches,
                                   const std::vector<Pass>& passes) {
  const bool refreshed = refreshes();
  if (!refreshed && feedback_.taken()) {
    return;
  }
  if (refreshed) {
    feedback_.load_state({});
  }
  auto samples = std::move(samples_);
  if (samples.empty()) {
    for (const auto& pass : passes) {
      samples.push_back(one_sample_like(pass.input));
    }
    samples.push_back(one_sample_like(passes.back().output));
  }
  std::vector<EntrancePoint> points;
  const bool behind = options_.entrance() == Entrance::outputs;
  for (size_t hidden = 0; hidden + 1 < stretches.size(); ++hidden) {
    const size_t component = stretches[hidden].begin;
    points.push_back({component, behind, samples[component + (behind ? 1 : 0)]});
    if (options_.entrance() == Entrance::single) {
      break;
    }
  }
  feedback_.take(model, points, samples);
  unit_errors_ = at::eye(samples.back().numel(), samples.back().options());
}

/// s F e, and i s F e for `quadrature`.
std::vector<torch::Tensor> TwoPassForward::modulations(size_t hidden, const torch::Tensor& error) const {
  auto modulation = feedback_.apply(hidden, error).mul_(options_.strength());
  if (options_.signal() != Signal::quadrature) {
    return {modulation};
  }
  OPTOTORCH_CHECK(modulation.is_complex(), .where = name(), .argument = "signal",
                  .expected = "coherent light before a component",
                  .got = "quadrature at " + describe(modulation),
                  .remedy = "Use Signal::difference for real values");
  const auto later = modulation * c10::complex<double>(0, 1);
  return {modulation, later};
}

/// Layers [begin, end) once more, with the masks of the first pass and without a trace: running statistics
/// are of the data. Passes by layer number.
std::vector<Pass> TwoPassForward::run(HybridImpl& model, size_t stretch, size_t begin, size_t end,
                                      const torch::Tensor& input, Keep keep) const {
  std::vector<Pass> passes(begin);
  if (begin == end) {
    return passes;
  }
  const KeptBuffers kept(model, KeptBuffers::Which::floating);
  const bool masked = stretch < masks_.size();
  const auto after = masked ? random_state(input.device()) : torch::Tensor();
  if (masked) {
    set_random_state(masks_[stretch], input.device());
  }
  const auto restore = c10::make_scope_exit([&] {
    if (masked) {
      set_random_state(after, input.device());
    }
  });
  for (auto& pass : model.propagate(input, begin, keep, end)) {
    passes.push_back(std::move(pass));
  }
  return passes;
}

/// Teaches a hidden block from its passes: the first, the one whose activity is presynaptic, and the second
/// (with the third).
void TwoPassForward::update(HybridImpl& model, const Block& block, const std::vector<Pass>& presynaptic,
                            const std::vector<Pass>& clean, const std::vector<std::vector<Pass>>& modulated,
                            int64_t batch) const {
  const double factor = options_.hidden_gain() / (options_.strength() * static_cast<double>(batch));
  const auto difference = [&](size_t layer, size_t pass) {
    return (clean[layer].output - modulated[pass][layer].output).mul_(factor);
  };
  if (options_.signal() == Signal::difference) {
    model.update(block, presynaptic, difference(block.end - 1, 0), &Layer::tpfp_update);
    return;
  }
  const size_t at = block.component;
  const auto& z = clean[at].output;
  OPTOTORCH_CHECK(z.is_complex() || options_.signal() == Signal::quadrature, .where = name(),
                  .argument = "signal", .expected = "a component that delivers light", .got = describe(z),
                  .remedy = "Use Signal::difference");
  // The detectors' difference, at the component's output.
  const auto read = [&](size_t pass) {
    auto s = difference(block.end - 1, pass);
    for (size_t layer = block.end - 1; layer > at; --layer) {
      OPTOTORCH_CHECK(model.layer(layer).parameters().empty() && !clean[layer].output.is_complex(),
                      .where = name(), .argument = "signal",
                      .expected = "a detector without parameters behind the component",
                      .got = model.layer(layer).name(), .remedy = "Use Signal::difference");
      s = model.layer(layer).tpfp_update(clean[layer], s, /*to_input=*/true);
    }
    return s;
  };
  const auto u = [&] { return z / (z.abs() + 1e-12); };
  torch::Tensor signal;
  switch (options_.signal()) {
    case Signal::quadrature:
      signal = read(0) + read(1) * c10::complex<double>(0, 1);
      break;
    case Signal::homodyne:
      signal = u() * at::real(difference(at, 0));
      break;
    case Signal::sloped:
      signal = u() * read(0);
      break;
    default:
      signal = difference(at, 0);
  }
  model.layer(at).tpfp_update(presynaptic[at], signal, /*to_input=*/false);
}

void TwoPassForward::teach(HybridImpl& model, const Lesson& lesson) {
  const auto stretches = stretches_of(model);
  const int64_t batch = lesson.dL_dy().size(0);
  const auto error = lesson.dL_dy() * batch;
  const size_t hidden_blocks = stretches.size() - 1;
  if (hidden_blocks > 0) {
    take_feedback(model, stretches, lesson.passes);
  }
  ++steps_;
  if (options_.modulated_input_backprop()) {
    teach_modulated_input(model, stretches, lesson, error);
    return;
  }
  const bool behind = options_.entrance() == Entrance::outputs;
  const bool clean_presynaptic = options_.presynaptic() == Presynaptic::clean;
  const auto first_of = [&](size_t stretch, const torch::Tensor& x, bool pulled_back) {
    return options_.recompute() ? run(model, stretch, stretches[stretch].begin, stretches[stretch].end, x,
                                      pulled_back ? Keep::context : Keep::nothing)
                                : std::vector<Pass>();
  };
  auto x = lesson.passes[stretches.front().begin].input;
  std::vector<torch::Tensor> seen{x};  // by the second pass, and the third
  for (size_t hidden = 0; hidden < hidden_blocks; ++hidden) {
    const auto& [block, begin, end] = stretches[hidden];
    const auto recomputed = first_of(hidden, x, clean_presynaptic || behind);
    const auto& clean = options_.recompute() ? recomputed : lesson.passes;
    const auto& entrance = behind ? clean[begin].output : x;
    if (hidden == 0 || options_.entrance() != Entrance::single) {
      feedback_.check(hidden, error, entrance);
      seen.clear();
      for (const auto& modulation : modulations(hidden, error)) {
        seen.push_back(entrance - modulation);
      }
    }
    std::vector<std::vector<Pass>> modulated;
    const bool second_pulled_back = !clean_presynaptic && !behind;
    for (size_t pass = 0; pass < seen.size(); ++pass) {
      const size_t from = behind ? begin + 1 : begin;
      const bool needed = second_pulled_back && pass == 0;
      modulated.push_back(run(model, hidden, from, end, seen[pass], needed ? Keep::context : Keep::nothing));
      if (behind) {
        modulated.back()[begin] = {clean[begin].input, seen[pass], clean[begin].saved, clean[begin].inside};
      }
      seen[pass] = modulated.back().back().output;
    }
    // An update needs the context of every layer of its block, which a modulated pass behind the component
    // does not have.
    update(model, block, second_pulled_back ? modulated.front() : clean, clean, modulated, batch);
    x = clean[end - 1].output;
  }
  const bool second = !clean_presynaptic && hidden_blocks > 0;
  if (!second && !options_.recompute() && keep_of_first_pass() == Keep::context) {
    teach_head(model, lesson.passes, lesson.dL_dy());
  } else {
    const auto& [head, begin, end] = stretches.back();
    teach_head(model, run(model, hidden_blocks, begin, end, second ? seen.front() : x, Keep::context),
               lesson.dL_dy());
  }
}

void TwoPassForward::teach_modulated_input(HybridImpl& model, const std::vector<Stretch>& stretches,
                                           const Lesson& lesson, const torch::Tensor& error) const {
  const size_t begin = stretches.front().begin;
  auto input = lesson.passes[begin].input;
  if (stretches.size() > 1) {
    feedback_.check(0, error, input);
    input = input - modulations(0, error).front();
  }
  // One stretch after the other, for their masks.
  std::vector<Pass> passes(lesson.passes.begin(), lesson.passes.begin() + static_cast<int64_t>(begin));
  for (size_t stretch = 0; stretch < stretches.size(); ++stretch) {
    auto part = run(model, stretch, stretches[stretch].begin, stretches[stretch].end, input, Keep::context);
    for (size_t layer = stretches[stretch].begin; layer < stretches[stretch].end; ++layer) {
      passes.push_back(std::move(part[layer]));
    }
    input = passes.back().output;
  }
  teach_backwards(model, passes, lesson.gradient_at(passes.back().output));
}

torch::Tensor TwoPassForward::feedback() const {
  return feedback_.taken() ? feedback_.apply(0, unit_errors_).flatten(1).t() : torch::Tensor();
}

std::map<std::string, torch::Tensor> TwoPassForward::state() const {
  auto state = feedback_.state();
  state["steps"] = torch::tensor(steps_);
  return state;
}

void TwoPassForward::load_state(const std::map<std::string, torch::Tensor>& state) {
  const auto steps = state.find("steps");
  OPTOTORCH_CHECK(steps != state.end() && steps->second.numel() == 1 &&
                      steps->second.scalar_type() == torch::kLong && steps->second.item<int64_t>() >= 0,
                  .where = name(), .argument = "state", .expected = "steps, an int64 of at least 0",
                  .got = steps == state.end() ? "none" : describe(steps->second),
                  .remedy = "The checkpoint was written by another rule");
  steps_ = steps->second.item<int64_t>();
  auto paths = state;
  paths.erase("steps");
  feedback_.load_state(std::move(paths));
}

}  // namespace optotorch
