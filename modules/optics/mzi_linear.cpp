#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/mzi_linear.h>

namespace optotorch {
namespace {

/// The first `ports` components; missing ones are dark.
torch::Tensor fit(const torch::Tensor& field, int64_t ports) {
  const int64_t have = field.size(1);
  return have >= ports ? field.narrow(1, 0, ports) : at::constant_pad_nd(field, {0, ports - have});
}

/// `matrix` in the upper left corner of an identity of `ports` rows.
torch::Tensor embed(const torch::Tensor& matrix, int64_t ports) {
  auto result = torch::eye(ports, matrix.options());
  result.narrow(0, 0, matrix.size(0)).narrow(1, 0, matrix.size(1)).copy_(matrix);
  return result;
}

}  // namespace

MziLinearImpl::MziLinearImpl(MziLinearOptions options_) : CloneableLayer("MziLinear"), options(options_) {
  OPTOTORCH_CHECK(options.in_ports() >= 1 && options.out_ports() >= 1, .where = "MziLinear",
                  .argument = "in_ports, out_ports", .expected = "at least 1",
                  .got = c10::str(options.in_ports(), ", ", options.out_ports()));
  const auto mesh = [this](int64_t ports) {
    return MziMesh(MziMeshOptions(std::max<int64_t>(ports, 2))
                       .grid(options.grid())
                       .phi_arm(options.phi_arm())
                       .zero_state(options.zero_state()));
  };
  v = register_module("v", mesh(options.in_ports()));
  sigma = register_phases("sigma", torch::ones({std::min(options.in_ports(), options.out_ports())}));
  u = register_module("u", mesh(options.out_ports()));
}

void MziLinearImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x, options.in_ports());
  check_precision(*this, x, sigma);
}

torch::Tensor MziLinearImpl::scale(const torch::Tensor& field, int64_t ports) const {
  return fit(field.narrow(1, 0, sigma.size(0)) * sigma, ports);
}

torch::Tensor MziLinearImpl::compute(const torch::Tensor& x, Pass* kept) {
  const auto keep = kept != nullptr ? Keep::context : Keep::nothing;
  Pass through_v = v->propagate(fit(x, v->layout().ports), keep);
  Pass through_u = u->propagate(scale(through_v.output, u->layout().ports), keep);
  const auto y = fit(through_u.output, options.out_ports());
  if (kept != nullptr) {
    kept->inside = {std::move(through_v), std::move(through_u)};
  }
  return y;
}

torch::Tensor MziLinearImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const Pass &through_v = pass.inside.at(0), &through_u = pass.inside.at(1);
  const int64_t rank = sigma.size(0);
  const auto dL_dscaled = u->pullback(through_u, fit(dL_dy, u->layout().ports));
  accumulate(sigma,
             at::real(through_v.output.narrow(1, 0, rank).conj() * dL_dscaled.narrow(1, 0, rank)).sum(0));
  return fit(v->pullback(through_v, scale(dL_dscaled, v->layout().ports)), options.in_ports());
}

torch::Tensor MziLinearImpl::matrix() {
  const torch::NoGradGuard no_grad;
  const auto complex = c10::toComplexType(sigma.scalar_type());
  return compute(torch::eye(options.in_ports(), sigma.options().dtype(complex)), nullptr).t();
}

void MziLinearImpl::set_matrix(const torch::Tensor& weight) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(
      weight.dim() == 2 && weight.size(0) == options.out_ports() && weight.size(1) == options.in_ports(),
      .where = "MziLinear", .argument = "weight",
      .expected = c10::str("[", options.out_ports(), ", ", options.in_ports(), "]"), .got = describe(weight));
  check_finite("MziLinear", "weight", weight);
  const auto [left, singular, right] = at::linalg_svd(weight.to(torch::kComplexDouble));
  OPTOTORCH_CHECK(singular.to(sigma.scalar_type()).isfinite().all().item<bool>(), .where = "MziLinear",
                  .argument = "weight",
                  .expected = "singular values that " + type_name(sigma.scalar_type()) + " can hold",
                  .got = c10::str("one of ", singular.max().item<double>()),
                  .remedy = "Scale the matrix, or convert the layer: layer->to(torch::kFloat64)");
  u->set_matrix(embed(left, u->layout().ports));
  v->set_matrix(embed(right, v->layout().ports));
  sigma.copy_(singular);
}

Footprint MziLinearImpl::footprint() const {
  Footprint all{{parts::attenuators, sigma.size(0)}};
  add(all, u->footprint());
  add(all, v->footprint());
  return all;
}

Traversal MziLinearImpl::traversal(const Pass& pass) const {
  auto way = Layer::traversal(pass);
  way.along[parts::mzis] = u->layout().columns + v->layout().columns;
  way.along[parts::phase_shifters] = 2 * way.along[parts::mzis] + u->options.screen() + v->options.screen();
  return way;
}

Deployment MziLinearImpl::deploy() {
  const auto transposed = matrix().t().contiguous();
  return {{{"matrix_transposed", transposed}},
          [transposed](const torch::Tensor& x) { return x.matmul(transposed); },
          transposed.t()};
}

namespace {

const RegisteredPart mzi_linear_type(part_type<MziLinearImpl>("MziLinear", MziLinearOptions(1, 1), 2));

}  // namespace
}  // namespace optotorch
