#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/detail/argument_checks.h>
#include <optotorch/ops/detail/mzi_mesh_schema.h>
#include <optotorch/ops/mzi_mesh.h>
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
      "str phi_arm='output', str zero_state='cross', str idle_port='wire', bool to_input=True) -> "
      "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
  library.def(
      "mzi_mesh_double_backward(Tensor v_input, Tensor v_theta, Tensor v_phi, Tensor? v_screen, "
      "Tensor? v_splitter_error, Tensor? v_transmission, Tensor dL_doutput, Tensor input, Tensor theta, "
      "Tensor phi, Tensor? screen=None, Tensor? splitter_error=None, Tensor? transmission=None, *, "
      "str grid='rectangular', int columns, str phi_arm='output', str zero_state='cross', "
      "str idle_port='wire') -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
}

at::Tensor mzi_mesh(const at::Tensor& input, const MeshTensors& mesh, const MeshLayout& layout) {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("optotorch::mzi_mesh", "").typed<MziMeshSignature>();
  return op.call(input, mesh.theta, mesh.phi, mesh.screen, mesh.splitter_error, mesh.transmission,
                 to_string(layout.grid), layout.columns, to_string(layout.phi_arm),
                 to_string(layout.zero_state), to_string(layout.idle_port));
}

MeshGradients mzi_mesh_backward(const at::Tensor& dL_doutput, const at::Tensor& input,
                                const at::Tensor& output, const MeshTensors& mesh, const MeshLayout& layout,
                                bool to_input) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("optotorch::mzi_mesh_backward", "")
                             .typed<MziMeshBackwardSignature>();
  auto [dL_dinput, dL_dtheta, dL_dphi, dL_dscreen, dL_dsplitter_error, dL_dtransmission] =
      op.call(dL_doutput, input, output, mesh.theta, mesh.phi, mesh.screen, mesh.splitter_error,
              mesh.transmission, to_string(layout.grid), layout.columns, to_string(layout.phi_arm),
              to_string(layout.zero_state), to_string(layout.idle_port), to_input);
  return {dL_dinput, dL_dtheta, dL_dphi, dL_dscreen, dL_dsplitter_error, dL_dtransmission};
}

std::vector<at::Tensor> mzi_mesh_double_backward(const MeshGradients& v, const at::Tensor& dL_doutput,
                                                 const at::Tensor& input, const MeshTensors& mesh,
                                                 const MeshLayout& layout) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("optotorch::mzi_mesh_double_backward", "")
                             .typed<MziMeshDoubleBackwardSignature>();
  const auto of = [](const at::Tensor& signal, const std::optional<at::Tensor>& tensor) {
    return tensor ? std::optional(signal) : std::nullopt;
  };
  const auto result =
      op.call(v.dL_dinput, v.dL_dtheta, v.dL_dphi, of(v.dL_dscreen, mesh.screen),
              of(v.dL_dsplitter_error, mesh.splitter_error), of(v.dL_dtransmission, mesh.transmission),
              dL_doutput, input, mesh.theta, mesh.phi, mesh.screen, mesh.splitter_error, mesh.transmission,
              to_string(layout.grid), layout.columns, to_string(layout.phi_arm), to_string(layout.zero_state),
              to_string(layout.idle_port));
  return std::apply([](const auto&... tensors) { return std::vector<at::Tensor>{tensors...}; }, result);
}

namespace {

/// Requirements on the tensors of a mesh, or of a stack of them.
struct Expected {
  const at::Tensor& input;
  at::ScalarType type;
  std::optional<c10::SymInt> meshes;
  const MeshLayout& layout;

  /// The tensors of a mesh, or signals at them.
  void check_all(const MeshTensors& mesh, const std::string& prefix) const {
    const int64_t mzis = layout.mzis();
    check(prefix + "theta", mesh.theta, {mzis});
    check(prefix + "phi", mesh.phi, {mzis});
    if (mesh.screen) {
      check(prefix + "screen", *mesh.screen, {layout.ports});
    }
    if (mesh.splitter_error) {
      check(prefix + "splitter_error", *mesh.splitter_error, {mzis, 2});
    }
    if (mesh.transmission) {
      check(prefix + "transmission", *mesh.transmission, {mzis, 2});
    }
  }

  void check(const std::string& argument, const at::Tensor& tensor, at::IntArrayRef of_one_mesh) const {
    c10::SmallVector<c10::SymInt, 3> shape;
    if (meshes) {
      shape.push_back(*meshes);
    }
    shape.append(of_one_mesh.begin(), of_one_mesh.end());
    const c10::SymIntArrayRef expected(shape);
    OPTOTORCH_CHECK(tensor.defined() && tensor.scalar_type() == type && tensor.sym_sizes() == expected,
                    .where = "mzi_mesh", .argument = argument,
                    .expected = c10::str(type_name(type), " ", expected), .got = describe(tensor),
                    .remedy = remedy());
    check_device("mzi_mesh", argument.c_str(), tensor, input);
  }

  std::string remedy() const {
    const std::string stack =
        meshes ? c10::str("The input [batch, meshes, ports] holds ", *meshes, " meshes. ") : std::string();
    return c10::str(stack, "A ", to_string(layout.grid), " mesh of ", layout.ports, " ports and ",
                    layout.columns, " columns has ", layout.mzis(), " MZIs; all tensors share one precision");
  }
};

}  // namespace

void check_mzi_mesh_input(const at::Tensor& input) {
  check_field("mzi_mesh", "input", input);
  OPTOTORCH_CHECK(input.dim() == 2 || (input.dim() == 3 && input.sym_size(1) >= 1), .where = "mzi_mesh",
                  .argument = "input",
                  .expected = "[batch, ports], or [batch, meshes, ports] for a stack of meshes",
                  .got = describe(input), .remedy = "Flatten the leading dimensions to one batch");
}

namespace {

Expected expected_of(const at::Tensor& input, const MeshLayout& layout) {
  check_mzi_mesh_input(input);
  layout.check("mzi_mesh");
  return {input, c10::toRealValueType(input.scalar_type()),
          input.dim() == 3 ? std::optional(input.sym_size(1)) : std::nullopt, layout};
}

}  // namespace

void check_mzi_mesh(const at::Tensor& input, const MeshTensors& mesh, const MeshLayout& layout) {
  expected_of(input, layout).check_all(mesh, "");
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

void check_mzi_mesh_backward(const at::Tensor& dL_doutput, const at::Tensor& input, const at::Tensor& output,
                             const MeshTensors& mesh, const MeshLayout& layout) {
  check_mzi_mesh(input, mesh, layout);
  check_like("mzi_mesh_backward", "dL_doutput", dL_doutput, input);
  check_like("mzi_mesh_backward", "output", output, input);
}

void check_mzi_mesh_double_backward(const at::Tensor& v_input, const MeshTensors& v,
                                    const at::Tensor& dL_doutput, const at::Tensor& input,
                                    const MeshTensors& mesh, const MeshLayout& layout) {
  const char* const where = "mzi_mesh_double_backward";
  const auto expected = expected_of(input, layout);
  expected.check_all(mesh, "");
  expected.check_all(v, "v_");
  check_like(where, "v_input", v_input, input);
  check_like(where, "dL_doutput", dL_doutput, input);
  const auto check_presence = [&](const char* argument, bool signal, bool tensor) {
    OPTOTORCH_CHECK(signal == tensor, .where = where, .argument = argument,
                    .expected = tensor ? "a tensor" : "none", .got = signal ? "one" : "none",
                    .remedy = "A signal stands at every tensor of the mesh that is there");
  };
  check_presence("v_screen", v.screen.has_value(), mesh.screen.has_value());
  check_presence("v_splitter_error", v.splitter_error.has_value(), mesh.splitter_error.has_value());
  check_presence("v_transmission", v.transmission.has_value(), mesh.transmission.has_value());
}

}  // namespace optotorch::ops
