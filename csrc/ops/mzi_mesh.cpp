#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/mzi_mesh.h>
#include <optotorch/ops/mzi_mesh_schema.h>
#include <torch/library.h>

namespace optotorch::ops {

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def(
      "mzi_mesh(Tensor input, Tensor theta, Tensor phi, Tensor? screen=None, Tensor? splitter_error=None, "
      "Tensor? transmission=None, *, str grid='rectangular', int columns, str phi_arm='output', "
      "str zero_state='cross', str idle_port='wire') -> Tensor");
  library.def(
      "mzi_mesh_backward(Tensor dL_doutput, Tensor input, Tensor output, Tensor theta, Tensor phi, Tensor? "
      "screen=None, "
      "Tensor? splitter_error=None, Tensor? transmission=None, *, str grid='rectangular', int columns, "
      "str phi_arm='output', str zero_state='cross', str idle_port='wire') -> "
      "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
}

at::Tensor mzi_mesh(const at::Tensor& input, const MeshTensors& mesh, const MeshLayout& layout) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("optotorch::mzi_mesh", "").typed<MziMeshSignature>();
  return op.call(input, mesh.theta, mesh.phi, mesh.screen, mesh.splitter_error, mesh.transmission,
                 to_string(layout.grid), layout.columns, to_string(layout.phi_arm),
                 to_string(layout.zero_state), to_string(layout.idle_port));
}

MeshGradients mzi_mesh_backward(const at::Tensor& dL_doutput, const at::Tensor& input,
                                const at::Tensor& output, const MeshTensors& mesh, const MeshLayout& layout) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("optotorch::mzi_mesh_backward", "")
                             .typed<MziMeshBackwardSignature>();
  auto [dL_dinput, dL_dtheta, dL_dphi, dL_dscreen, dL_dsplitter_error, dL_dtransmission] =
      op.call(dL_doutput, input, output, mesh.theta, mesh.phi, mesh.screen, mesh.splitter_error,
              mesh.transmission, to_string(layout.grid), layout.columns, to_string(layout.phi_arm),
              to_string(layout.zero_state), to_string(layout.idle_port));
  return {dL_dinput, dL_dtheta, dL_dphi, dL_dscreen, dL_dsplitter_error, dL_dtransmission};
}

namespace {

void check_tensor(const char* argument, const at::Tensor& tensor, at::IntArrayRef shape, at::ScalarType type,
                  const std::string& remedy) {
  OPTOTORCH_CHECK(tensor.scalar_type() == type && tensor.sizes() == shape, .where = "mzi_mesh",
                  .argument = argument, .expected = c10::str(type_name(type), " ", shape),
                  .got = describe(tensor), .remedy = remedy);
}

}  // namespace

void check_mzi_mesh(const at::Tensor& input, const MeshTensors& mesh, const MeshLayout& layout) {
  OPTOTORCH_CHECK(input.scalar_type() == at::kComplexFloat || input.scalar_type() == at::kComplexDouble,
                  .where = "mzi_mesh", .argument = "input", .expected = "a complex64 or complex128 field",
                  .got = describe(input), .remedy = "A Modulator turns real values into a field");
  OPTOTORCH_CHECK(input.dim() == 2, .where = "mzi_mesh", .argument = "input", .expected = "[batch, ports]",
                  .got = describe(input), .remedy = "Flatten all but the batch dimension");
  layout.check("mzi_mesh");
  const auto real = c10::toRealValueType(input.scalar_type());
  const int64_t mzis = layout.mzis();
  const std::string remedy =
      c10::str("A ", to_string(layout.grid), " mesh of ", layout.ports, " ports and ", layout.columns,
               " columns has ", mzis, " MZIs; all tensors share one precision");
  check_tensor("theta", mesh.theta, {mzis}, real, remedy);
  check_tensor("phi", mesh.phi, {mzis}, real, remedy);
  if (mesh.screen) {
    check_tensor("screen", *mesh.screen, {layout.ports}, real, remedy);
  }
  if (mesh.splitter_error) {
    check_tensor("splitter_error", *mesh.splitter_error, {mzis, 2}, real, remedy);
  }
  if (mesh.transmission) {
    check_tensor("transmission", *mesh.transmission, {mzis, 2}, real, remedy);
  }
}

void check_mzi_mesh_values(const MeshTensors& mesh) {
  check_finite("mzi_mesh", "theta", mesh.theta);
  check_finite("mzi_mesh", "phi", mesh.phi);
  if (mesh.screen) {
    check_finite("mzi_mesh", "screen", *mesh.screen);
  }
  if (mesh.splitter_error && mesh.splitter_error->numel() > 0) {
    const double largest = mesh.splitter_error->abs().max().item<double>();
    OPTOTORCH_CHECK(largest <= 1, .where = "mzi_mesh", .argument = "splitter_error",
                    .expected = "values in [-1, 1]", .got = c10::str("magnitude ", largest),
                    .remedy = "Clamp them, or draw with a smaller deviation");
  }
  if (mesh.transmission && mesh.transmission->numel() > 0) {
    const double least = mesh.transmission->min().item<double>();
    const double most = mesh.transmission->max().item<double>();
    OPTOTORCH_CHECK(least > 0 && most <= 1, .where = "mzi_mesh", .argument = "transmission",
                    .expected = "amplitudes in (0, 1]", .got = c10::str(least, " to ", most),
                    .remedy = "A loss of a decibels is an amplitude of 10^(-a / 20)");
  }
}

}  // namespace optotorch::ops
