// No arithmetic here: autograd's nodes for mzi_mesh call the backward operators.

#include <ATen/ATen.h>
#include <optotorch/ops/autograd/derivatives.h>
#include <optotorch/ops/detail/mzi_mesh_schema.h>
#include <torch/library.h>

#include <array>

namespace optotorch::ops {
namespace {

/// Which of the three optional tensors of a mesh are there; what is listed are the input and all that are.
struct Present {
  explicit Present(const MeshTensors& mesh)
      : optional{mesh.screen.has_value(), mesh.splitter_error.has_value(), mesh.transmission.has_value()} {}

  static Tensors list(const at::Tensor& input, const MeshTensors& mesh) {
    Tensors result{input, mesh.theta, mesh.phi};
    for (const auto& tensor : {mesh.screen, mesh.splitter_error, mesh.transmission}) {
      if (tensor) {
        result.push_back(*tensor);
      }
    }
    return result;
  }

  /// The tensors that were listed from place `first` on, of the input first, with gaps where none was.
  std::array<std::optional<at::Tensor>, 6> place(const Tensors& listed, size_t first = 0) const {
    std::array<std::optional<at::Tensor>, 6> result;
    size_t next = first;
    for (size_t i = 0; i < result.size(); ++i) {
      if (i < 3 || optional[i - 3]) {
        result[i] = listed[next++];
      }
    }
    return result;
  }

  MeshTensors mesh(const Tensors& listed) const {
    const auto all = place(listed);
    return {*all[1], *all[2], all[3], all[4], all[5]};
  }

  /// What is listed of tensors that the operators return, those of absent tensors among them; `before` of
  /// them stand in front of the input.
  Tensors without_absent(const Tensors& returned, size_t before) const {
    Tensors result;
    for (size_t i = 0; i < returned.size(); ++i) {
      if (i < before + 3 || optional[i - before - 3]) {
        result.push_back(returned[i]);
      }
    }
    return result;
  }

  /// The inverse of without_absent.
  Tensors with_absent(const Tensors& listed, size_t before) const {
    Tensors result(listed.begin(), listed.begin() + static_cast<int64_t>(before));
    for (const auto& tensor : place(listed, before)) {
      result.push_back(tensor ? *tensor : at::empty({0}, listed[before + 1].options()));
    }
    return result;
  }

  std::array<bool, 3> optional;
};

/// `to_input` is what the backward operator was asked for: its derivative gets no signals from there without it.
CallPointer call_of(const MeshTensors& given, const MeshLayout& layout, bool to_input = true) {
  const Present present(given);
  auto call = std::make_shared<DifferentiableCall>();
  call->keeps_output = true;
  call->forward = [=](const Tensors& x) { return mzi_mesh(x[0], present.mesh(x), layout); };
  call->reference = [=](const Tensors& x) {
    return mzi_mesh_reference_unchecked(x[0], present.mesh(x), layout);
  };
  call->backward = [=](const at::Tensor& dL_dy, const Tensors& x, const at::Tensor& y,
                       const std::vector<bool>& wanted) {
    const auto d = mzi_mesh_backward(dL_dy, x[0], y, present.mesh(x), layout, wanted[0]);
    return present.without_absent(
        {d.dL_dinput, d.dL_dtheta, d.dL_dphi, d.dL_dscreen, d.dL_dsplitter_error, d.dL_dtransmission}, 0);
  };
  call->double_backward = [=](const Tensors& v, const at::Tensor& dL_dy, const Tensors& x) {
    const auto all = present.with_absent(v, 0);
    const auto v_input = to_input ? all[0] : at::zeros_like(x[0]);
    return present.without_absent(mzi_mesh_double_backward({v_input, all[1], all[2], all[3], all[4], all[5]},
                                                           dL_dy, x[0], present.mesh(x), layout),
                                  1);
  };
  return call;
}

at::Tensor mzi_mesh_autograd(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                             const std::optional<at::Tensor>& screen,
                             const std::optional<at::Tensor>& splitter_error,
                             const std::optional<at::Tensor>& transmission, std::string_view grid,
                             int64_t columns, std::string_view arm, std::string_view zero,
                             std::string_view idle) {
  const auto layout = layout_from_schema(input, grid, columns, arm, zero, idle);
  const MeshTensors mesh{theta, phi, screen, splitter_error, transmission};
  check_mzi_mesh(input, mesh, layout);
  return differentiable_forward(call_of(mesh, layout), Present::list(input, mesh));
}

template <auto differentiate>
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> mzi_mesh_once(
    const at::Tensor& dL_doutput, const at::Tensor& input, const at::Tensor& output, const at::Tensor& theta,
    const at::Tensor& phi, const std::optional<at::Tensor>& screen,
    const std::optional<at::Tensor>& splitter_error, const std::optional<at::Tensor>& transmission,
    std::string_view grid, int64_t columns, std::string_view arm, std::string_view zero,
    std::string_view idle, bool to_input) {
  const auto layout = layout_from_schema(input, grid, columns, arm, zero, idle);
  const MeshTensors mesh{theta, phi, screen, splitter_error, transmission};
  check_mzi_mesh_backward(dL_doutput, input, output, mesh, layout);
  const auto x = Present::list(input, mesh);
  std::vector<bool> wanted(x.size(), true);
  wanted[0] = to_input;
  const auto d = Present(mesh).with_absent(
      differentiate(call_of(mesh, layout, to_input), dL_doutput, x, output, wanted), 0);
  return {d[0], d[1], d[2], d[3], d[4], d[5]};
}

template <auto differentiate>
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> mzi_mesh_twice(
    const at::Tensor& v_input, const at::Tensor& v_theta, const at::Tensor& v_phi,
    const std::optional<at::Tensor>& v_screen, const std::optional<at::Tensor>& v_splitter_error,
    const std::optional<at::Tensor>& v_transmission, const at::Tensor& dL_doutput, const at::Tensor& input,
    const at::Tensor& theta, const at::Tensor& phi, const std::optional<at::Tensor>& screen,
    const std::optional<at::Tensor>& splitter_error, const std::optional<at::Tensor>& transmission,
    std::string_view grid, int64_t columns, std::string_view arm, std::string_view zero,
    std::string_view idle) {
  const auto layout = layout_from_schema(input, grid, columns, arm, zero, idle);
  const MeshTensors mesh{theta, phi, screen, splitter_error, transmission};
  const MeshTensors v{v_theta, v_phi, v_screen, v_splitter_error, v_transmission};
  check_mzi_mesh_double_backward(v_input, v, dL_doutput, input, mesh, layout);
  const auto d = Present(mesh).with_absent(differentiate(*call_of(mesh, layout), Present::list(v_input, v),
                                                         dL_doutput, Present::list(input, mesh)),
                                           1);
  return {d[0], d[1], d[2], d[3], d[4], d[5], d[6]};
}

TORCH_LIBRARY_IMPL(optotorch, Autograd, library) {
  library.impl("mzi_mesh", mzi_mesh_autograd);
  library.impl("mzi_mesh_backward", mzi_mesh_once<differentiable_backward>);
  library.impl("mzi_mesh_double_backward", mzi_mesh_twice<differentiate_reference>);
}

at::Tensor mzi_mesh_composed(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                             const std::optional<at::Tensor>& screen,
                             const std::optional<at::Tensor>& splitter_error,
                             const std::optional<at::Tensor>& transmission, std::string_view grid,
                             int64_t columns, std::string_view arm, std::string_view zero,
                             std::string_view idle) {
  return mzi_mesh_reference(input, {theta, phi, screen, splitter_error, transmission},
                            layout_from_schema(input, grid, columns, arm, zero, idle))
      .contiguous();
}

/// Of devices that have no kernel.
TORCH_LIBRARY_IMPL(optotorch, CompositeExplicitAutograd, library) {
  library.impl("mzi_mesh", mzi_mesh_composed);
  library.impl("mzi_mesh_backward", mzi_mesh_once<backward_by_reference>);
  library.impl("mzi_mesh_double_backward", mzi_mesh_twice<differentiate_reference_below>);
}

}  // namespace
}  // namespace optotorch::ops
