#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/free_space.h>
#include <optotorch/ops/separable_hop.h>

#include <cmath>

namespace optotorch {
namespace {

const std::vector<int64_t>& output_of(const FreeSpaceOptions& options) {
  return options.output().empty() ? options.window() : options.output();
}

/// Places of the samples of one side of a window, metres from its middle.
torch::Tensor places_of_samples(int64_t samples, double spacing) {
  const double middle = static_cast<double>(samples - 1) / 2;
  return (at::arange(samples, at::kDouble) - middle) * spacing;
}

/// The matrix of one axis: one for all planes, or one for every wavelength.
torch::Tensor paraxial_matrices(const FreeSpaceOptions& options, size_t axis) {
  const torch::NoGradGuard no_grad;
  const auto& hop = options.hop();
  const auto to = places_of_samples(output_of(options)[axis], options.output_spacing());
  const auto from = places_of_samples(options.window()[axis], hop.spacing());
  const auto distance = at::full({}, hop.distance(), at::kDouble);
  std::vector<torch::Tensor> each;
  for (const double wavelength : hop.wavelengths()) {
    each.push_back(
        ops::paraxial_matrix(to, from, hop.spacing(), distance, wavelength / hop.refractive_index()));
  }
  return each.size() == 1 ? each.front() : at::stack(each);
}

}  // namespace

FreeSpaceImpl::FreeSpaceImpl(FreeSpaceOptions options_)
    : CloneableLayer("FreeSpace"), options(std::move(options_)) {
  const auto& hop = options.hop();
  hop.check(name(), options.window(), output_of(options));
  const double spacing = options.output_spacing();
  OPTOTORCH_CHECK(std::isfinite(spacing) && spacing >= 0, .where = name(), .argument = "output_spacing",
                  .expected = "metres, or 0 for that of the hop", .got = c10::str(spacing));
  if (spacing > 0 && spacing != hop.spacing()) {
    OPTOTORCH_CHECK(
        hop.propagation() == Propagation::fresnel, .where = name(), .argument = "output_spacing",
        .expected = "that of the hop, or propagation fresnel",
        .got = c10::str(spacing, " of ",
                        ops::words(hop.propagation()).at(static_cast<size_t>(hop.propagation()))));
    matrices_ = {paraxial_matrices(options, 0), paraxial_matrices(options, 1)};
  }
}

void FreeSpaceImpl::check_input(const torch::Tensor& x) const {
  check_planes(*this, x, options.window(), options.hop().wavelengths());
}

torch::Tensor FreeSpaceImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  if (const auto& [down, across] = matrices_; down.defined()) {
    return ops::separable_hop(x, down.to(x.options()), across.to(x.options()));
  }
  return options.hop().carry(x, options.window(), output_of(options));
}

torch::Tensor FreeSpaceImpl::compute_pullback(const Pass& /*pass*/, const torch::Tensor& dL_dy,
                                              bool to_input) {
  if (!to_input) {
    return {};
  }
  if (const auto& [down, across] = matrices_; down.defined()) {
    return ops::separable_hop(dL_dy, down.mH().to(dL_dy.options()), across.mH().to(dL_dy.options()));
  }
  return options.hop().carry_back(dL_dy, options.window(), output_of(options));
}

Deployment FreeSpaceImpl::deploy() {
  // In double: a layer without parameters does not know the precision of the fields that will come.
  if (const auto [down, across] = matrices_; down.defined()) {
    return {{{"down", down}, {"across", across}}, [down = down, across = across](const torch::Tensor& x) {
              return ops::separable_hop_reference(x, down.type_as(x), across.type_as(x));
            }};
  }
  return options.hop().deploy(options.window(), output_of(options), at::dtype(at::kComplexDouble));
}

namespace {

const RegisteredPart free_space_type(part_type<FreeSpaceImpl>("FreeSpace", FreeSpaceOptions({1, 1}), 1));

}  // namespace
}  // namespace optotorch
