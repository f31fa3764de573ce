#pragma once

// Light through a mesh of Mach-Zehnder interferometers.
//
//     y = S_out C_{K-1} ... C_1 C_0 S_in x            (one sample; ports are the components of x)
//
// Column C_c acts on each of its port pairs [upper, lower] by the 2x2 matrix of one general MZI,
//
//     T = P_out B(e_r) diag(t_u e^{i t/2}, t_l e^{-i t/2}) B(e_l) P_in
//     B(e) = [[sqrt(1+e), i sqrt(1-e)], [i sqrt(1-e), sqrt(1+e)]] / sqrt(2)
//
// with t = theta (cross at zero) or theta + pi (bar at zero), P = diag(e^{i phi}, 1) on the chosen side and
// the identity on the other, splitter errors e in [-1, 1] and amplitude transmissions t_u, t_l of the inner
// arms in (0, 1]. Ports that no MZI covers in a column meet 1 or -i (IdlePort). The phase screen S =
// diag(e^{i gamma}) stands at the mesh's input when phi sits on the output arms and at its output when phi
// sits on the input arms: that is the side where it completes the mesh to every unitary.
//
// Algebra: Zheng et al., arXiv 2212.06141 (the general MZI); Clements et al. 2016 and Reck et al. 1994 (the
// grids).
//
// A stack of M meshes of one layout, each with tensors of its own, is one call: the input is then [batch, M,
// ports] and every tensor of the mesh has a leading dimension M. Mesh m maps input[:, m] to output[:, m] and
// sees nothing of the others; what comes out, gradients too, is bit for bit what M calls give.

#include <ATen/core/Tensor.h>
#include <optotorch/ops/mesh_layout.h>

#include <optional>
#include <tuple>
#include <vector>

namespace optotorch::ops {

/// The real tensors of a mesh, of one type (float32 or float64); in a stack of M meshes each has a leading
/// dimension M.
struct MeshTensors {
  at::Tensor theta;                               ///< [mzis], internal phases in radians
  at::Tensor phi;                                 ///< [mzis], external phases in radians
  std::optional<at::Tensor> screen = {};          ///< gamma [ports], radians; absent: no screen
  std::optional<at::Tensor> splitter_error = {};  ///< [mzis, 2], columns e_l, e_r; absent: 0
  std::optional<at::Tensor> transmission = {};    ///< [mzis, 2], columns t_u, t_l; absent: 1
};

/// Gradients of a real loss, by the convention dL_dz = dL/dRe z + i dL/dIm z. Those of absent tensors have no elements;
/// in a stack of M meshes each but dL_dinput has a leading dimension M.
struct MeshGradients {
  at::Tensor dL_dinput,    ///< of the input's shape; without elements unless it was wanted
      dL_dtheta,           ///< [mzis]
      dL_dphi,             ///< [mzis]
      dL_dscreen,          ///< [ports]
      dL_dsplitter_error,  ///< [mzis, 2]
      dL_dtransmission;    ///< [mzis, 2]
};

/// Output field y from input field x, both [batch, ports] or, for a stack, [batch, meshes, ports] (complex64
/// with float32 phases, complex128 with float64). Dispatches by device; differentiable by LibTorch's autograd
/// in every tensor argument. Throws c10::ValueError for shapes or types that do not match and for NaN or
/// infinite phases.
at::Tensor mzi_mesh(const at::Tensor& input, const MeshTensors& mesh, const MeshLayout& layout);

/// The pull-back of mzi_mesh at (input, output): signals at the input and gradients of every real tensor.
/// `output` is what mzi_mesh returned for `input`; a lossless mesh is run backwards from it, no state is
/// stored. Signals at the input are left out, a tensor without elements, unless they are wanted: gradients of the
/// phases alone take a fraction of the time.
MeshGradients mzi_mesh_backward(const at::Tensor& dL_doutput, const at::Tensor& input,
                                const at::Tensor& output, const MeshTensors& mesh, const MeshLayout& layout,
                                bool to_input = true);

/// Gradients at (dL_doutput, input, theta, phi, screen, splitter_error, transmission), those of absent
/// tensors without elements, of the sum over all tensors p of the mesh and the input of Re sum conj(v_p)
/// dL_dp, where dL_dp is what mzi_mesh_backward returns: second derivatives, of the reference face. `output`
/// of mzi_mesh_backward has no gradient; what depends on it is counted as depending on what made it.
/// Differentiable as often as wanted.
std::vector<at::Tensor> mzi_mesh_double_backward(const MeshGradients& v, const at::Tensor& dL_doutput,
                                                 const at::Tensor& input, const MeshTensors& mesh,
                                                 const MeshLayout& layout);

/// The slow and obvious face, in plain ATen operators, differentiable by autograd: the meaning of mzi_mesh.
at::Tensor mzi_mesh_reference(const at::Tensor& input, const MeshTensors& mesh, const MeshLayout& layout);

/// The same for arguments that were checked; reads no values.
at::Tensor mzi_mesh_reference_unchecked(const at::Tensor& input, const MeshTensors& mesh,
                                        const MeshLayout& layout);

/// Throws unless the input is a field of one mesh or of a stack.
void check_mzi_mesh_input(const at::Tensor& input);

/// Throws unless the arguments fit each other. Values are not read, and sizes may be symbolic.
void check_mzi_mesh(const at::Tensor& input, const MeshTensors& mesh, const MeshLayout& layout);

/// The same for the pull-back, whose fields all have the shape and type of the input.
void check_mzi_mesh_backward(const at::Tensor& dL_doutput, const at::Tensor& input, const at::Tensor& output,
                             const MeshTensors& mesh, const MeshLayout& layout);

/// The same for its derivative; signals v are there exactly where tensors are.
void check_mzi_mesh_double_backward(const at::Tensor& v_input, const MeshTensors& v,
                                    const at::Tensor& dL_doutput, const at::Tensor& input,
                                    const MeshTensors& mesh, const MeshLayout& layout);

/// Throws if a phase is NaN or infinite, |e| > 1, or a transmission lies outside (0, 1].
void check_mzi_mesh_values(const MeshTensors& mesh);

}  // namespace optotorch::ops
