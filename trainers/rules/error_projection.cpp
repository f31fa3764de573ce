#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/projectors/dense_projector.h>
#include <optotorch/trainers/rules/error_projection.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace optotorch {
namespace {

constexpr const char* in_dfa = "dfa";
constexpr const char* one_network = "A rule serves one network: make a new one";

torch::Tensor as_real(const torch::Tensor& x) {
  return x.is_complex() ? at::view_as_real(x.resolve_conj()).flatten(-2) : x;
}

/// The signal [..., values] of rows of real numbers, in the shape and type of the place where it enters.
torch::Tensor enter(const torch::Tensor& projected, const torch::Tensor& place) {
  const auto real = projected.to(c10::toRealValueType(place.scalar_type()));
  if (!place.is_complex()) {
    return real.reshape(place.sizes());
  }
  auto pairs = place.sizes().vec();
  pairs.push_back(2);
  return at::view_as_complex(real.mul(std::numbers::sqrt2 / 2).reshape(pairs).contiguous());
}

}  // namespace

ErrorProjection::ErrorProjection(DirectFeedbackOptions options) : options_(std::move(options)) {
  OPTOTORCH_CHECK(std::isfinite(options_.scale()) && options_.scale() > 0, .where = in_dfa,
                  .argument = "scale", .expected = "a positive number",
                  .got = std::to_string(options_.scale()));
  if (options_.ternary()) {
    frames_.emplace(*options_.ternary());
  }
  if (!options_.projector()) {
    options_.projector([seed = options_.seed()](int64_t rows, int64_t columns) -> std::shared_ptr<Projector> {
      return std::make_shared<DenseProjector>(rows, columns, seed);
    });
  }
}

std::map<std::string, torch::Tensor> ErrorProjection::state() const {
  return projector_ ? projector_->state() : pending_;
}

void ErrorProjection::load_state(const std::map<std::string, torch::Tensor>& state) {
  if (projector_ && !state.empty()) {
    projector_->load_state(state);
    return;
  }
  projector_.reset();  // no state is that before the first signals
  pending_ = state;
}

Projector& ErrorProjection::projector(int64_t rows, int64_t columns) {
  if (!projector_) {
    const auto made = options_.projector()(rows, columns);
    OPTOTORCH_CHECK(made, .where = in_dfa, .argument = "projector", .expected = "a function that makes one",
                    .got = "one that returns none");
    if (!pending_.empty()) {
      made->load_state(pending_);
      pending_.clear();
    }
    projector_ = made;
  }
  OPTOTORCH_CHECK(projector_->rows() == rows && projector_->columns() == columns, .where = in_dfa,
                  .argument = "projector", .expected = c10::str("[", rows, ", ", columns, "]"),
                  .got = c10::str("[", projector_->rows(), ", ", projector_->columns(), "]"),
                  .remedy = one_network);
  return *projector_;
}

torch::Tensor ErrorProjection::matrix(int64_t rows, int64_t columns) {
  const auto units = at::eye(columns, frames_ ? at::kChar : at::kDouble);
  const double factor = options_.scale() / std::sqrt(static_cast<double>(columns));
  return projector(rows, columns).project(units).t() * factor;
}

std::vector<MakeSignal> ErrorProjection::signals(const std::vector<torch::Tensor>& places,
                                                 const torch::Tensor& error) {
  std::vector<MakeSignal> signals;
  const bool tokens = options_.per_token();
  OPTOTORCH_CHECK(error.defined() && error.dim() >= 1 && error.numel() > 0, .where = in_dfa,
                  .argument = "error", .expected = "[batch, ...] of one sample or more",
                  .got = describe(error), .remedy = "Leave out empty batches");
  std::vector<int64_t> first, size;
  int64_t rows = 0;
  for (const auto& place : places) {
    OPTOTORCH_CHECK(!tokens || place.dim() >= 2, .where = in_dfa, .argument = "output of a block",
                    .expected = "[batch, tokens ..., values]", .got = describe(place));
    OPTOTORCH_CHECK(place.dim() >= 1 && place.numel() > 0, .where = in_dfa, .argument = "output of a block",
                    .expected = "[batch, ...] of one sample or more", .got = describe(place));
    const auto values = as_real(place);
    size.push_back(tokens ? values.size(-1) : values.numel() / values.size(0));
    first.push_back(options_.shared_rows() ? 0 : rows);
    rows = options_.shared_rows() ? std::max(rows, size.back()) : rows + size.back();
  }
  if (rows == 0) {
    return signals;
  }
  const auto columns = as_real(error.dim() == 1 ? error.unsqueeze(1) : error);  // [batch] is one value each
  const auto shown = tokens ? columns.flatten(0, -2) : columns.flatten(1);
  check_finite(in_dfa, "error", shown);
  for (size_t i = 0; i < places.size(); ++i) {
    const int64_t wanted = as_real(places[i]).numel() / size[i];
    OPTOTORCH_CHECK(
        wanted == shown.size(0) || (wanted % shown.size(0) == 0 && shown.size(0) == places[i].size(0)),
        .where = in_dfa, .argument = "error",
        .expected = c10::str("one for each of ", wanted, " tokens, or a sample"), .got = describe(error));
  }
  auto& matrix = projector(rows, shown.size(1));
  // A sample's own error does not know the batch, of which the loss is a mean: thresholds are of it.
  const auto count = static_cast<double>(shown.size(0));
  const double factor = options_.scale() / count / std::sqrt(static_cast<double>(shown.size(1)));
  std::vector<TernaryFrame> frames;
  if (frames_) {
    frames = frames_->encode(shown * count);
  }
  const auto product = [&matrix, frames, values = frames_ ? torch::Tensor() : shown * (count * factor),
                        factor, type = shown.scalar_type()](int64_t first_row, int64_t number) {
    if (values.defined()) {
      return matrix.project(values, first_row, number);
    }
    torch::Tensor sum;
    for (const auto& frame : frames) {
      const auto part = matrix.project(frame.values, first_row, number).to(type) * (frame.gain * factor);
      sum = sum.defined() ? sum + part : part;
    }
    return sum;
  };
  // A noisy projection is read once, by all; otherwise a block's signal is not there before its turn.
  const bool at_once = options_.shared_rows() || !matrix.state().empty();
  const auto all = at_once ? product(0, rows) : torch::Tensor();
  for (size_t i = 0; i < places.size(); ++i) {
    signals.emplace_back([product, all, place = places[i], row = first[i], number = size[i]] {
      auto own = all.defined() ? all.narrow(1, row, number) : product(row, number);
      const int64_t of_sample = as_real(place).numel() / number / own.size(0);
      if (of_sample != 1) {
        own = (own / static_cast<double>(of_sample)).unsqueeze(1).expand({-1, of_sample, -1});
      }
      check_finite(in_dfa, "signal", own);
      return enter(own, place);
    });
  }
  return signals;
}

}  // namespace optotorch
