#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/check.h>
#include <optotorch/core/random.h>
#include <optotorch/trainers/rules/annealing.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace optotorch {
namespace {

constexpr char annealing_name[] = "annealing";
constexpr int64_t lanes = 8,
                  block = 64;  // partial sums, in a fixed order: the compiler makes vectors of them

/// Means of an output's readings y and targets t.
struct Moments {
  double y = 0, yy = 0, yt = 0, t = 0, tt = 0;

  double variance() const { return std::max(0.0, yy - y * y); }
  double covariance() const { return yt - y * t; }
  double nmse() const {
    const double spread = variance() * (tt - t * t);
    return spread > 0 ? 2 * (1 - covariance() / std::sqrt(spread)) : 2;
  }
};

/// Sums of a, a a and a b, taken in blocks.
template <typename Real>
std::array<double, 3> sums_of(const Real* a, const Real* b, int64_t count) {
  std::array<double, 3> total{};
  for (int64_t first = 0; first < count; first += block) {
    const int64_t end = std::min(count, first + block);
    Real sum[lanes] = {}, square[lanes] = {}, product[lanes] = {};
    int64_t n = first;
    for (; n + lanes <= end; n += lanes) {
      for (int64_t lane = 0; lane < lanes; ++lane) {
        const Real value = a[n + lane];
        sum[lane] += value;
        square[lane] += value * value;
        product[lane] += value * b[n + lane];
      }
    }
    for (; n < end; ++n) {
      sum[0] += a[n];
      square[0] += a[n] * a[n];
      product[0] += a[n] * b[n];
    }
    for (int64_t lane = 0; lane < lanes; ++lane) {
      total[0] += sum[lane];
      total[1] += square[lane];
      total[2] += product[lane];
    }
  }
  return total;
}

/// Targets [out, batch], and their own moments.
struct Masks {
  torch::Tensor values;
  std::vector<double> mean, square;
};

template <typename Real>
std::vector<Moments> moments_of(const torch::Tensor& readings, const Masks& masks) {
  const int64_t outputs = readings.size(0), batch = readings.size(1);
  const auto* const y = readings.const_data_ptr<Real>();
  const auto* const t = masks.values.const_data_ptr<Real>();
  std::vector<Moments> all(static_cast<size_t>(outputs));
  constexpr int64_t samples_of_a_thread = 1 << 15;
  at::parallel_for(0, outputs, std::max<int64_t>(1, samples_of_a_thread / batch),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t output = begin; output < end; ++output) {
                       const auto sums = sums_of(y + output * batch, t + output * batch, batch);
                       const auto count = static_cast<double>(batch);
                       all[output] = {sums[0] / count, sums[1] / count, sums[2] / count, masks.mean[output],
                                      masks.square[output]};
                     }
                   });
  return all;
}

/// Of every output: readings [out, batch].
std::vector<Moments> moments_of(const torch::Tensor& readings, const Masks& masks) {
  return readings.scalar_type() == torch::kDouble ? moments_of<double>(readings, masks)
                                                  : moments_of<float>(readings, masks);
}

Masks with_moments(const torch::Tensor& values) {
  Masks masks{values, {}, {}};
  const auto wide = values.to(torch::kDouble);
  for (int64_t output = 0; output < values.size(0); ++output) {
    masks.mean.push_back(wide[output].mean().item<double>());
    masks.square.push_back(wide[output].square().mean().item<double>());
  }
  return masks;
}

std::vector<double> nmse_of(const std::vector<Moments>& moments) {
  std::vector<double> costs;
  for (const auto& output : moments) {
    costs.push_back(output.nmse());
  }
  return costs;
}

/// The target of every output, [out, batch]: of a class 1 where it is the sample's, else 0.
torch::Tensor masks_of(const torch::Tensor& target, int64_t batch, int64_t outputs, torch::ScalarType type) {
  const bool classes = target.defined() && target.scalar_type() == torch::kLong && target.dim() == 1;
  OPTOTORCH_CHECK(
      target.defined() && target.dim() >= 1 && target.size(0) == batch &&
          (classes || (target.is_floating_point() && target.dim() == 2 && target.size(1) == outputs)),
      .where = annealing_name, .argument = "target",
      .expected = c10::str("classes, int64 [", batch, "], or real values [", batch, ", ", outputs, "]"),
      .got = describe(target));
  if (!classes) {
    check_finite(annealing_name, "target", target);
    const auto masks = target.detach().t().to(type).contiguous();
    const auto constant = (masks == masks.select(1, 0).unsqueeze(1)).all(1);
    OPTOTORCH_CHECK(!constant.any().item<bool>(), .where = annealing_name, .argument = "target",
                    .expected = "values that change from sample to sample",
                    .got = c10::str("the same ones at output ", constant.nonzero()[0].item<int64_t>()));
    return masks;
  }
  const auto least = target.min().item<int64_t>(), most = target.max().item<int64_t>();
  OPTOTORCH_CHECK(least >= 0 && most < outputs, .where = annealing_name, .argument = "target",
                  .expected = c10::str("classes from 0 to ", outputs - 1, ", one an output"),
                  .got = std::to_string(least < 0 ? least : most));
  const auto counts = at::bincount(target, {}, outputs);
  const auto missing = (counts == 0).nonzero();
  OPTOTORCH_CHECK(missing.numel() == 0 && counts.max().item<int64_t>() < batch, .where = annealing_name,
                  .argument = "target", .expected = "every class in the batch, and two at least",
                  .got = c10::str("none of class ", missing.numel() > 0 ? missing[0].item<int64_t>() : 1),
                  .remedy = "Take larger batches");
  return (at::arange(outputs).unsqueeze(1) == target.unsqueeze(0)).to(type);
}

struct PlacedReadout {
  DiscreteReadout* readout;
  size_t place;
};

PlacedReadout only_readout(const HybridImpl& model) {
  PlacedReadout found{nullptr, 0};
  int64_t count = 0;
  for (size_t index = 0; index < model.size(); ++index) {
    if (auto* const readout = dynamic_cast<DiscreteReadout*>(&model.layer(index))) {
      found = {readout, index};
      ++count;
    }
  }
  OPTOTORCH_CHECK(count == 1, .where = annealing_name, .argument = "model",
                  .expected = "a network with one discrete read-out", .got = c10::str(count),
                  .remedy = "Use a BooleanReadout or a TernaryReadout");
  OPTOTORCH_CHECK(found.readout->weight.requires_grad(), .where = annealing_name, .argument = "model",
                  .expected = "a discrete read-out that learns", .got = "one that is frozen",
                  .remedy = "unfreeze() it");
  return found;
}

/// Numbers in [0, size), drawn without replacement.
std::vector<int64_t> distinct(at::Philox4_32& engine, int64_t count, int64_t size) {
  std::vector<int64_t> drawn;
  const auto below = [&](int64_t end) {
    return std::min(end - 1, static_cast<int64_t>(uniform(engine) * static_cast<double>(end)));
  };
  // Floyd's way: every subset with equal chance, one number each.
  for (int64_t last = size - count; last < size; ++last) {
    const int64_t n = below(last + 1);
    drawn.push_back(std::find(drawn.begin(), drawn.end(), n) == drawn.end() ? n : last);
  }
  return drawn;
}

/// Another of the values that a weight may have.
double other_value(at::Philox4_32& engine, double value, bool ternary) {
  if (!ternary) {
    return 1 - value;
  }
  const bool first = uniform(engine) < 0.5;
  return value == 0 ? (first ? -1 : 1) : (first ? 0 : -value);
}

}  // namespace

Annealing::Annealing(AnnealingOptions options) : options_(options) {
  const auto& o = options_;
  OPTOTORCH_CHECK(o.floor() >= 1, .where = annealing_name, .argument = "floor", .expected = "at least 1",
                  .got = std::to_string(o.floor()));
  OPTOTORCH_CHECK(std::isfinite(o.n0()) && o.n0() >= static_cast<double>(o.floor()), .where = annealing_name,
                  .argument = "n0", .expected = c10::str("at least the floor, ", o.floor()),
                  .got = c10::str(o.n0()));
  OPTOTORCH_CHECK(std::isfinite(o.tau()) && o.tau() > 0, .where = annealing_name, .argument = "tau",
                  .expected = "a number above 0", .got = c10::str(o.tau()));
  OPTOTORCH_CHECK(o.trials() >= 1, .where = annealing_name, .argument = "trials", .expected = "at least 1",
                  .got = std::to_string(o.trials()));
}

/// n(k) for k = trials_, at most `most`.
int64_t Annealing::changes(double cost, double first, int64_t most) const {
  double n = options_.n0();
  if (options_.schedule() == AnnealingSchedule::exponential) {
    n *= std::exp(-static_cast<double>(trials_) / options_.tau());
  } else if (options_.schedule() == AnnealingSchedule::error && first > 0) {
    n *= cost / first;
  }
  n = std::min(n, static_cast<double>(most));
  return std::clamp<int64_t>(std::llround(n), options_.floor(), most);
}

/// The changes of trial k: of nmse those of every output, of loss some among all weights.
ReadoutTrials::Changes Annealing::draw(const ReadoutTrials& trials, const std::vector<double>& costs) const {
  const int64_t outputs = trials.weights().size(0), inputs = trials.weights().size(1);
  const bool apart = options_.cost() == AnnealingCost::nmse, ternary = trials.ternary();
  ReadoutTrials::Changes all(static_cast<size_t>(outputs));
  for (size_t part = 0; part < costs.size(); ++part) {
    const int64_t size = apart ? inputs : inputs * outputs;
    at::Philox4_32 engine(static_cast<uint64_t>(options_.seed()),
                          static_cast<uint64_t>(trials_) * costs.size() + part);
    for (const int64_t n : distinct(engine, changes(costs[part], first_[part], size), size)) {
      const int64_t output = apart ? static_cast<int64_t>(part) : n / inputs, input = apart ? n : n % inputs;
      all[output].push_back({input, other_value(engine, trials.weight(output, input), ternary)});
    }
  }
  return all;
}

/// Takes the costs before a step's trials.
void Annealing::begin(const std::vector<double>& costs) {
  if (first_.size() != costs.size()) {
    first_ = costs;
  }
  cost_ = costs;
}

void Annealing::anneal_outputs(DiscreteReadout& readout, ReadoutTrials& trials, const torch::Tensor& target,
                               bool classes) {
  const auto masks = with_moments(target);
  const auto measured = [&] { return nmse_of(moments_of(trials.measure(), masks)); };
  begin(measured());
  int64_t kept = 0;
  for (int64_t trial = 0; trial < options_.trials(); ++trial, ++trials_) {
    if (options_.remeasure() && trial > 0) {
      cost_ = measured();
    }
    const auto costs = nmse_of(moments_of(trials.measure(draw(trials, cost_)), masks));
    bool any = false;
    for (size_t output = 0; output < costs.size(); ++output) {
      if (costs[output] < cost_[output]) {
        trials.keep(static_cast<int64_t>(output));
        cost_[output] = costs[output];
        any = true;
      }
    }
    kept += any ? 1 : 0;
  }
  kept_ = static_cast<double>(kept);
  const auto moments = moments_of(trials.measure(), masks);
  trials.write();
  for (size_t output = 0; output < moments.size(); ++output) {
    const auto& m = moments[output];
    if (m.variance() > 0) {
      const double gain = classes ? 1 / std::sqrt(m.variance()) : m.covariance() / m.variance();
      readout.gain[output] = gain;
      readout.bias[output] = (classes ? 0 : m.t) - gain * m.y;
    }
  }
}

void Annealing::anneal_loss(HybridImpl& model, size_t place, DiscreteReadout& readout, ReadoutTrials& trials,
                            const Lesson& lesson) {
  const auto loss_of = [&](const torch::Tensor& readings) {
    auto y = readings.t().to(readout.gain.device()) * readout.gain + readout.bias;
    if (place + 1 < model.size()) {
      y = model.propagate(y, place + 1, Keep::nothing).back().output;
    }
    return lesson.loss_at(y).item<double>();
  };
  begin({loss_of(trials.measure())});
  int64_t kept = 0;
  for (int64_t trial = 0; trial < options_.trials(); ++trial, ++trials_) {
    if (options_.remeasure() && trial > 0) {
      cost_ = {loss_of(trials.measure())};
    }
    const double cost = loss_of(trials.measure(draw(trials, cost_)));
    if (cost < cost_[0]) {
      for (int64_t output = 0; output < trials.weights().size(0); ++output) {
        trials.keep(output);
      }
      cost_[0] = cost;
      ++kept;
    }
  }
  kept_ = static_cast<double>(kept);
  trials.write();
}

void Annealing::teach(HybridImpl& model, const Lesson& lesson) {
  const auto [readout, place] = only_readout(model);
  const int64_t outputs = readout->options.out_features(), inputs = readout->options.in_features();
  const bool apart = options_.cost() == AnnealingCost::nmse;
  OPTOTORCH_CHECK(!apart || place + 1 == model.size(), .where = annealing_name, .argument = "cost",
                  .expected = "the read-out as the last layer, for nmse",
                  .got = c10::str(model.size() - place - 1, " layers behind it"),
                  .remedy = "Use the cost loss");
  const int64_t size = apart ? inputs : inputs * outputs;
  OPTOTORCH_CHECK(options_.n0() <= static_cast<double>(size), .where = annealing_name, .argument = "n0",
                  .expected = c10::str("at most the number of weights, ", size),
                  .got = c10::str(options_.n0()));
  const auto& states = lesson.passes[place].input;
  torch::Tensor target;
  if (apart) {
    target = masks_of(lesson.target().cpu(), states.size(0), outputs, readout->weight.scalar_type());
  }
  ReadoutTrials trials(*readout, states);
  if (apart) {
    anneal_outputs(*readout, trials, target, lesson.target().scalar_type() == torch::kLong);
  } else {
    anneal_loss(model, place, *readout, trials, lesson);
  }
  measurements_ = static_cast<double>(trials.measurements());
}

std::map<std::string, double> Annealing::measures() const {
  if (cost_.empty()) {
    return {};
  }
  return {{"measurements", measurements_},
          {"kept", kept_ / static_cast<double>(options_.trials())},
          {"cost", std::accumulate(cost_.begin(), cost_.end(), 0.0) / static_cast<double>(cost_.size())}};
}

std::map<std::string, torch::Tensor> Annealing::state() const {
  return {{"trials", torch::tensor(trials_)},
          {"first_cost", torch::tensor(first_, torch::kDouble)},
          {"cost", torch::tensor(cost_, torch::kDouble)}};
}

void Annealing::load_state(const std::map<std::string, torch::Tensor>& state) {
  const auto trials = state.find("trials"), first = state.find("first_cost"), cost = state.find("cost");
  const auto is_list = [&](const auto& found) {
    return found != state.end() && found->second.scalar_type() == torch::kDouble && found->second.dim() == 1;
  };
  OPTOTORCH_CHECK(trials != state.end() && trials->second.numel() == 1 &&
                      trials->second.scalar_type() == torch::kLong && trials->second.item<int64_t>() >= 0 &&
                      is_list(first) && is_list(cost) && first->second.sizes() == cost->second.sizes(),
                  .where = annealing_name, .argument = "state", .expected = "trials, first_cost and cost",
                  .got = trials == state.end() ? "none" : "others",
                  .remedy = "The checkpoint was written by another rule");
  const auto list = [](const torch::Tensor& values) {
    const auto all = values.contiguous();
    return std::vector<double>(all.const_data_ptr<double>(), all.const_data_ptr<double>() + all.numel());
  };
  trials_ = trials->second.item<int64_t>();
  first_ = list(first->second);
  cost_ = list(cost->second);
}

}  // namespace optotorch
