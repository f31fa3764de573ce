#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/rules/feedback.h>
#include <optotorch/trainers/rules/random_matrix.h>

#include <cmath>

namespace optotorch {
namespace {

constexpr int64_t mirror_samples = 8192, mirror_batch = 512;
constexpr int64_t mirror_streams = 1'000'000;  // beyond the streams of F and R

int64_t values_in(const torch::Tensor& sample) {
  return sample.numel() / sample.size(0);
}

/// Normal noise, or complex normal noise of unit variance, in the shape of a sample.
torch::Tensor noise_like(const torch::Tensor& sample, int64_t batch, int64_t seed, int64_t stream) {
  auto shape = sample.sizes().vec();
  shape[0] = batch;
  return normal_matrix(batch, values_in(sample), seed, stream, sample.scalar_type())
      .to(sample.device())
      .reshape(shape);
}

/// The type of u by the device and kind of a sample: complex light takes complex signals.
torch::Tensor fit(const torch::Tensor& u, const torch::Tensor& sample) {
  auto shape = sample.sizes().vec();
  shape[0] = u.size(0);
  const auto shaped = u.reshape(shape);
  return shaped.is_complex() && !sample.is_complex() ? at::real(shaped) : shaped.to(sample.scalar_type());
}

/// W^H estimated without looking at W: the mean of x (W x - W 0)^H over noise x of unit variance is W^H.
Adjoint mirrored(const Layer& driven, const torch::Tensor& sample, int64_t seed, int64_t stream) {
  const auto layer = std::dynamic_pointer_cast<Layer>(driven.clone());
  layer->eval();
  const auto dark = layer->propagate(at::zeros_like(sample), Keep::nothing).output.flatten(1);
  // Detectors within the layer deliver values for light.
  const auto type = at::promote_types(sample.scalar_type(), dark.scalar_type());
  auto sum = at::zeros({values_in(sample), dark.size(1)}, dark.options().dtype(type));
  for (int64_t done = 0; done < mirror_samples; done += mirror_batch) {
    const auto x = noise_like(sample, mirror_batch, seed, stream + done / mirror_batch);
    const auto y = layer->propagate(x, Keep::nothing).output.flatten(1) - dark;
    sum += x.flatten(1).to(type).t().mm(y.conj().to(type));
  }
  const auto adjoint = sum.div_(mirror_samples).t().contiguous();
  return {{adjoint}, [adjoint, like = at::empty_like(sample)](const torch::Tensor& u) {
            return fit(u.flatten(1).to(adjoint.scalar_type()).mm(adjoint), like);
          }};
}

}  // namespace

Adjoint FeedbackPaths::take_layer(const HybridImpl& model, size_t layer,
                                  const std::vector<torch::Tensor>& samples) const {
  const bool learnt = kind_ == Feedback::mirror && model.layer(layer).role() == Layer::Role::component;
  return learnt ? mirrored(model.layer(layer), samples[layer], seed_,
                           mirror_streams + static_cast<int64_t>(layer) * mirror_samples)
                : model.layer(layer).adjoint(samples[layer]);
}

FeedbackPaths::Path FeedbackPaths::make_path(const HybridImpl& model, const EntrancePoint& point,
                                             size_t number, const std::vector<torch::Tensor>& samples) const {
  Path path{point, {}, at::empty_like(samples.back()), {}, values_in(samples.back()), gain_};
  path.point.sample = at::empty_like(point.sample.narrow(0, 0, 1));
  const int64_t outputs = path.outputs, rows = values_in(point.sample);
  const auto real = c10::toRealValueType(point.sample.scalar_type());
  const auto device = point.sample.device();
  const auto stream = static_cast<int64_t>(2 * number);
  const double bound = 0.05 * std::sqrt(6.0 / static_cast<double>(rows));
  switch (kind_) {
    case Feedback::random:
      path.random = uniform_matrix(rows, outputs, seed_, stream, real);
      if (point.sample.is_complex()) {
        path.random = at::complex(path.random, uniform_matrix(rows, outputs, seed_, stream + 1, real));
      }
      path.random = path.random.mul_(bound).to(device);
      break;
    case Feedback::twin:
      path.random =
          normal_matrix(values_in(samples[point.component + 1]), outputs, seed_, stream, real).to(device);
      path.above = at::empty_like(samples[point.component + 1]);
      if (!point.behind) {
        path.components.push_back(model.layer(point.component).adjoint(samples[point.component]));
      }
      break;
    case Feedback::mirror:
    case Feedback::adjoint:
      for (size_t layer = model.size(); layer-- > point.component + (point.behind ? 1 : 0);) {
        path.components.push_back(take_layer(model, layer, samples));
      }
      break;
  }
  return path;
}

void FeedbackPaths::take(const HybridImpl& model, const std::vector<EntrancePoint>& points,
                         const std::vector<torch::Tensor>& samples) {
  const torch::NoGradGuard no_grad;
  std::vector<Path> paths;
  paths.reserve(points.size());
  for (size_t i = 0; i < points.size(); ++i) {
    paths.push_back(make_path(model, points[i], i, samples));
  }
  paths_ = std::move(paths);
  dark_ = false;
  if (!pending_.empty()) {
    restore();
  }
  if (kind_ == Feedback::mirror) {
    // The learnt matrices are as large as the random ones would have been.
    const int64_t outputs = values_in(samples.back());
    for (size_t i = 0; i < paths_.size(); ++i) {
      const auto f = apply(i, at::eye(outputs, samples.back().options()));
      const double rms = f.abs().square().mean().sqrt().item<double>();
      const double entries = f.is_complex() ? 2.0 / 3.0 : 1.0 / 3.0;
      const double wanted =
          0.05 * std::sqrt(6.0 * entries / static_cast<double>(values_in(f.narrow(0, 0, 1))));
      paths_[i].scale *= rms > 0 ? std::abs(gain_) * wanted / rms : 1;
      dark_ = dark_ || rms == 0;
    }
  }
}

torch::Tensor FeedbackPaths::apply(size_t point, const torch::Tensor& error) const {
  const torch::NoGradGuard no_grad;
  const auto& path = paths_.at(point);
  auto u = error;
  if (path.random.defined()) {
    const auto type = at::promote_types(path.random.scalar_type(), error.scalar_type());
    u = error.flatten(1).to(type).mm(path.random.to(type).t());
  }
  if (!path.components.empty()) {
    u = fit(u, path.above);
  }
  for (const auto& component : path.components) {
    u = component.apply(u);
  }
  return fit(u, path.point.sample).mul(path.scale);
}

void FeedbackPaths::check(size_t point, const torch::Tensor& error, const torch::Tensor& entrance) const {
  const int64_t outputs = values_in(error), values = values_in(entrance);
  const bool known = point < paths_.size();
  const int64_t expected = known ? values_in(paths_[point].point.sample) : 0;
  OPTOTORCH_CHECK(known && paths_[point].outputs == outputs && expected == values, .where = "tpfp",
                  .argument = "feedback", .expected = c10::str("[", values, ", ", outputs, "]"),
                  .got = known ? c10::str("[", expected, ", ", paths_[point].outputs, "]") : "none",
                  .remedy = "A rule serves one network: make a new one");
}

std::map<std::string, torch::Tensor> FeedbackPaths::state() const {
  if (paths_.empty()) {
    return pending_;
  }
  std::map<std::string, torch::Tensor> state;
  if (dark_) {
    return state;
  }
  for (size_t i = 0; i < paths_.size(); ++i) {
    for (size_t c = 0; c < paths_[i].components.size(); ++c) {
      const auto& tensors = paths_[i].components[c].tensors;
      for (size_t t = 0; t < tensors.size(); ++t) {
        state[c10::str("path", i, ".", c, ".", t)] = tensors[t].detach();
      }
    }
  }
  return state;
}

void FeedbackPaths::load_state(std::map<std::string, torch::Tensor> state) {
  paths_.clear();
  dark_ = false;
  pending_ = std::move(state);
}

void FeedbackPaths::restore() {
  auto saved = std::move(pending_);
  pending_.clear();
  for (auto& [name, tensor] : state()) {
    const auto found = saved.find(name);
    const bool fits = found != saved.end() && found->second.sizes() == tensor.sizes() &&
                      found->second.scalar_type() == tensor.scalar_type();
    if (!fits) {
      paths_.clear();
    }
    OPTOTORCH_CHECK(fits, .where = "tpfp", .argument = name, .expected = describe(tensor),
                    .got = found == saved.end() ? "none" : describe(found->second),
                    .remedy = "The state is of another network or of other options");
    tensor.copy_(found->second);
  }
}

}  // namespace optotorch
