#pragma once

#include <optotorch/modules/hybrid.h>

#include <string>

namespace optotorch {

/// Writes the network in eval mode as a TorchScript file that any LibTorch or PyTorch loads without
/// OptoTorch.
///
/// The forward pass is traced with plain ATen operators; a mesh is exported as the matrix that it realises.
/// Weights stand in the file as parameters of submodules named like the network's layers. Any batch size
/// runs, not just the example's. The file is written beside `path`, loaded again, compared with the network
/// on `example`, and only then renamed.
///
/// Returns the largest |difference| found by that comparison, relative to the largest output: 0 in float64.
/// Throws c10::ValueError if the network does not accept `example`, the file can't be written, or the
/// difference exceeds 1e-6 (float32) or 1e-12 (float64).
double export_torchscript(HybridImpl& model, const torch::Tensor& example, const std::string& path);
inline double export_torchscript(const Hybrid& model, const torch::Tensor& example, const std::string& path) {
  return export_torchscript(*model.ptr(), example, path);
}

}  // namespace optotorch
