#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/free_space.h>
#include <optotorch/ops/free_space.h>

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

/// The matrix of one axis for every wavelength.
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
  return at::stack(each);
}

/// K_y x K_x^T.
torch::Tensor two_products(const torch::Tensor& down, const torch::Tensor& x, const torch::Tensor& across) {
  return at::matmul(down.to(x.options()), at::matmul(x, across.to(x.options()).mT()));
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
  const auto& [down, across] = matrices_;
  if (down.defined()) {
    return two_products(down, x, across);
  }
  const auto& output = output_of(options);
  return ops::free_space(x, options.hop().transfer(options.window(), output, x.options()), output[0],
                         output[1]);
}

torch::Tensor FreeSpaceImpl::compute_pullback(const Pass& /*pass*/, const torch::Tensor& dL_dy,
                                              bool to_input) {
  if (!to_input) {
    return {};
  }
  const auto& [down, across] = matrices_;
  if (down.defined()) {
    return two_products(down.mH(), dL_dy, across.mH());
  }
  const auto transfer = options.hop().transfer(options.window(), output_of(options), dL_dy.options());
  return ops::free_space(dL_dy, transfer.conj(), options.window()[0], options.window()[1]);
}

Deployment FreeSpaceImpl::deploy() {
  // In double: a layer without parameters does not know the precision of the fields that will come.
  if (const auto [down, across] = matrices_; down.defined()) {
    return {{{"down", down}, {"across", across}}, [down = down, across = across](const torch::Tensor& x) {
              return at::matmul(down.type_as(x), at::matmul(x, across.type_as(x).mT()));
            }};
  }
  const auto output = output_of(options);
  const auto transfer = options.hop().transfer(options.window(), output, at::dtype(at::kComplexDouble));
  return {{{"transfer", transfer}}, [transfer, output](const torch::Tensor& x) {
            return ops::free_space_reference(x, transfer.type_as(x), output[0], output[1]);
          }};
}

namespace {

const RegisteredPart free_space_type(part_type<FreeSpaceImpl>("FreeSpace", FreeSpaceOptions({1, 1}), 1));

}  // namespace
}  // namespace optotorch
