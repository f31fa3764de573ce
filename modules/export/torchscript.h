#pragma once

#include <optotorch/modules/hybrid.h>
#include <torch/arg.h>

#include <string>

namespace optotorch {

/// Options for export_torchscript.
struct TorchScriptOptions {
  /// The file's tensors are parameters that want gradients, so that PyTorch fine-tunes it; otherwise all of
  /// them are buffers. What is a buffer in the network, such as running statistics, is one in any case. A
  /// mesh is then a free matrix, which need not stay unitary.
  TORCH_ARG(bool, trainable) = false;
};

/// Writes the network in eval mode as a TorchScript file that any LibTorch or PyTorch loads without
/// OptoTorch.
///
/// The forward pass is traced with plain ATen operators; a mesh is exported as the matrix that it realises.
/// Layer i is the submodule `layer0`, `layer1`, ..., which holds its tensors by name; complex ones as real pairs
/// [..., 2] (at::view_as_complex), so that `double()` and `float()` convert the whole file. Gradients flow through
/// it as through any module.
///
/// Any batch size runs, also none. For every layer the trace is compared with the layer at other batch sizes
/// and at other sizes of a sample. Where another size of a sample would go wrong, since the trace holds the
/// example's as a number, the file refuses it with an error that names the layer. The file is written beside
/// `path`, loaded again, compared with the network on `example` and on other batches, and only then renamed.
///
/// Returns the largest |difference| found by that comparison, relative to the largest output: 0 in float64.
/// Throws c10::ValueError if the network does not accept `example`, [batch, ...] with at least one sample; if
/// the trace of a layer runs at the example's batch size only; if the file can't be written; or if the
/// difference exceeds 1e-6 (float32) or 1e-12 (float64).
double export_torchscript(HybridImpl& model, const torch::Tensor& example, const std::string& path,
                          const TorchScriptOptions& options = {});
/// The same for a module holder.
inline double export_torchscript(const Hybrid& model, const torch::Tensor& example, const std::string& path,
                                 const TorchScriptOptions& options = {}) {
  return export_torchscript(*model.ptr(), example, path, options);
}

}  // namespace optotorch
