#include <ATen/ATen.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/free_space.h>
#include <optotorch/ops/free_space.h>

namespace optotorch {
namespace {

const std::vector<int64_t>& output_of(const FreeSpaceOptions& options) {
  return options.output().empty() ? options.window() : options.output();
}

}  // namespace

FreeSpaceImpl::FreeSpaceImpl(FreeSpaceOptions options_)
    : CloneableLayer("FreeSpace"), options(std::move(options_)) {
  options.hop().check(name(), options.window(), output_of(options));
}

void FreeSpaceImpl::check_input(const torch::Tensor& x) const {
  check_planes(*this, x, options.window(), options.hop().wavelengths());
}

torch::Tensor FreeSpaceImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  const auto& output = output_of(options);
  return ops::free_space(x, options.hop().transfer(options.window(), output, x.options()), output[0],
                         output[1]);
}

torch::Tensor FreeSpaceImpl::compute_pullback(const Pass& /*pass*/, const torch::Tensor& dL_dy,
                                              bool to_input) {
  if (!to_input) {
    return {};
  }
  const auto transfer = options.hop().transfer(options.window(), output_of(options), dL_dy.options());
  return ops::free_space(dL_dy, transfer.conj(), options.window()[0], options.window()[1]);
}

Deployment FreeSpaceImpl::deploy() {
  const auto output = output_of(options);
  // In double: a layer without parameters does not know the precision of the fields that will come.
  const auto transfer = options.hop().transfer(options.window(), output, at::dtype(at::kComplexDouble));
  return {{{"transfer", transfer}}, [transfer, output](const torch::Tensor& x) {
            return ops::free_space_reference(x, transfer.type_as(x), output[0], output[1]);
          }};
}

namespace {

const RegisteredPart free_space_type(part_type<FreeSpaceImpl>("FreeSpace", FreeSpaceOptions({1, 1}), 1));

}  // namespace
}  // namespace optotorch
