#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/optics/detail/reading_noise.h>
#include <optotorch/modules/optics/readout_trials.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace optotorch {
namespace {

constexpr int64_t lanes = 8,
                  block = 64;  // partial sums, in a fixed order: the compiler makes vectors of them

template <typename Real>
double variance_of(const Real* values, int64_t count) {
  double all = 0, squares = 0;
  for (int64_t first = 0; first < count; first += block) {
    const int64_t end = std::min(count, first + block);
    Real sum[lanes] = {}, square[lanes] = {};
    int64_t n = first;
    for (; n + lanes <= end; n += lanes) {
      for (int64_t lane = 0; lane < lanes; ++lane) {
        sum[lane] += values[n + lane];
        square[lane] += values[n + lane] * values[n + lane];
      }
    }
    for (; n < end; ++n) {
      sum[0] += values[n];
      square[0] += values[n] * values[n];
    }
    for (int64_t lane = 0; lane < lanes; ++lane) {
      all += sum[lane];
      squares += square[lane];
    }
  }
  const auto size = static_cast<double>(count);
  return std::max(0.0, squares / size - (all / size) * (all / size));
}

/// Outputs of a thread at least: with fewer samples it costs more to wake it than it does.
int64_t outputs_of_a_thread(int64_t batch) {
  constexpr int64_t samples = 1 << 15;
  return std::max<int64_t>(1, samples / batch);
}

/// The part of a weight that an exposure shows: the positive or the negative one, or all of it.
double shown(double weight, int64_t plane, int64_t planes) {
  return planes == 1 ? weight : plane == 0 ? std::max(weight, 0.0) : std::min(weight, 0.0);
}

}  // namespace

ReadoutTrials::ReadoutTrials(DiscreteReadout& readout, const torch::Tensor& states)
    : readout_(readout), weights_(readout.discrete_weight().cpu()) {
  const auto name = readout.name();
  OPTOTORCH_CHECK(
      states.defined() && states.dim() == 2 && states.size(1) == weights_.size(1) && states.size(0) >= 2 &&
          states.scalar_type() == weights_.scalar_type(),
      .where = name, .argument = "states",
      .expected = c10::str(type_name(weights_.scalar_type()), " [2 samples or more, ", weights_.size(1), "]"),
      .got = describe(states));
  check_finite(name, "states", states);
  OPTOTORCH_CHECK((states != states.select(0, 0)).any().item<bool>(), .where = name, .argument = "states",
                  .expected = "readings that differ from sample to sample", .got = "equal ones",
                  .remedy = "Show it other frames, or more light");
  columns_ = states.t().cpu().contiguous();
  planes_ = readout.options.noise() > 0 ? readout.exposures() : 1;
  ideal_[0] = at::zeros({planes_, outputs(), states.size(0)}, columns_.options());
  ideal_[1] = at::empty_like(ideal_[0]);
  measured_ = at::empty({outputs(), states.size(0)}, columns_.options());
  if (states.scalar_type() == torch::kDouble) {
    expose<double>();
  } else {
    expose<float>();
  }
  present_.assign(static_cast<size_t>(outputs()), 0);
}

double ReadoutTrials::weight(int64_t output, int64_t input) const {
  return weights_.scalar_type() == torch::kDouble
             ? weights_.const_data_ptr<double>()[output * weights_.size(1) + input]
             : weights_.const_data_ptr<float>()[output * weights_.size(1) + input];
}

/// The ideal readings at the beginning, summed in the order of the inputs.
template <typename Real>
void ReadoutTrials::expose() {
  const int64_t batch = columns_.size(1), inputs = weights_.size(1);
  const auto* const columns = columns_.const_data_ptr<Real>();
  auto* const ideal = ideal_[0].mutable_data_ptr<Real>();
  at::parallel_for(0, outputs(), outputs_of_a_thread(batch), [&](int64_t begin, int64_t end) {
    for (int64_t output = begin; output < end; ++output) {
      for (int64_t plane = 0; plane < planes_; ++plane) {
        auto* const sum = ideal + (plane * outputs() + output) * batch;
        for (int64_t input = 0; input < inputs; ++input) {
          const auto factor = static_cast<Real>(shown(weight(output, input), plane, planes_));
          const auto* const column = columns + input * batch;
          for (int64_t n = 0; factor != 0 && n < batch; ++n) {
            sum[n] += factor * column[n];
          }
        }
      }
    }
  });
}

template <typename Real>
void ReadoutTrials::run(const Changes& changes) {
  const int64_t batch = columns_.size(1), outputs = this->outputs();
  const double noise = readout_.options.noise();
  torch::Tensor xi;
  if (noise > 0) {
    const int64_t number = readout_.readings.item<int64_t>();
    readout_.readings.add_(1);
    xi = reading_noise(readout_.options.seed(), number, outputs * batch);
  }
  const auto* const columns = columns_.const_data_ptr<Real>();
  at::parallel_for(0, outputs, outputs_of_a_thread(batch), [&](int64_t begin, int64_t end) {
    for (int64_t output = begin; output < end; ++output) {
      const auto& own = changes[output];
      const int from = present_[output], to = own.empty() ? from : 1 - from;
      const Real* planes[2] = {};
      double variance = 0;
      for (int64_t plane = 0; plane < planes_; ++plane) {
        const int64_t row = (plane * outputs + output) * batch;
        const auto* const before = ideal_[from].const_data_ptr<Real>() + row;
        auto* const after = ideal_[to].mutable_data_ptr<Real>() + row;
        const Real* source = before;
        for (const auto& [input, value] : own) {
          const auto step =
              static_cast<Real>(shown(value, plane, planes_) - shown(weight(output, input), plane, planes_));
          const auto* const column = columns + input * batch;
          for (int64_t n = 0; n < batch; ++n) {
            after[n] = source[n] + step * column[n];
          }
          source = after;
        }
        planes[plane] = after;
        variance += noise > 0 ? variance_of(after, batch) : 0;
      }
      auto* const read = measured_.mutable_data_ptr<Real>() + output * batch;
      const auto sigma = static_cast<Real>(noise * std::sqrt(variance));
      const auto* const drawn = noise > 0 ? xi.const_data_ptr<float>() + output * batch : nullptr;
      if (drawn == nullptr) {
        std::copy_n(planes[0], batch, read);
      } else if (planes_ == 1) {
        for (int64_t n = 0; n < batch; ++n) {
          read[n] = planes[0][n] + sigma * static_cast<Real>(drawn[n]);
        }
      } else {
        for (int64_t n = 0; n < batch; ++n) {
          read[n] = planes[0][n] + planes[1][n] + sigma * static_cast<Real>(drawn[n]);
        }
      }
    }
  });
}

const torch::Tensor& ReadoutTrials::measure(const Changes& changes) {
  OPTOTORCH_CHECK(static_cast<int64_t>(changes.size()) == outputs(), .where = readout_.name(),
                  .argument = "changes", .expected = c10::str("those of ", outputs(), " outputs"),
                  .got = std::to_string(changes.size()));
  for (const auto& own : changes) {
    for (const auto& [input, value] : own) {
      OPTOTORCH_CHECK(input >= 0 && input < weights_.size(1) && value == std::round(value) && value <= 1 &&
                          value >= static_cast<double>(readout_.least()),
                      .where = readout_.name(), .argument = "changes",
                      .expected = c10::str("whole values from ", readout_.least(), " to 1 of inputs 0 to ",
                                           weights_.size(1) - 1),
                      .got = c10::str(value, " of input ", input));
    }
  }
  const torch::NoGradGuard no_grad;
  if (weights_.scalar_type() == torch::kDouble) {
    run<double>(changes);
  } else {
    run<float>(changes);
  }
  changes_ = changes;
  ++measurements_;
  return measured_;
}

void ReadoutTrials::keep(int64_t output) {
  auto& own = changes_.at(static_cast<size_t>(output));
  if (own.empty()) {
    return;
  }
  for (const auto& [input, value] : own) {
    weights_[output][input] = value;
  }
  present_[output] = 1 - present_[output];
  own.clear();
}

void ReadoutTrials::write() const {
  const torch::NoGradGuard no_grad;
  readout_.weight.copy_(weights_);
}

}  // namespace optotorch
