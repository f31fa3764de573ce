#pragma once

#include <optotorch/modules/hybrid.h>

#include <string>

namespace optotorch {

/// Writes the network in eval mode as an ONNX model (opset 17) that any ONNX runtime runs without OptoTorch
/// and without LibTorch.
///
/// Layers are traced with plain ATen operators, as export_torchscript does; a mesh is exported as the matrix
/// that it realises. The model computes with real numbers and operators of the domain ai.onnx only: a complex
/// value is two tensors in it, a Fourier transform a product with constant matrices. Where the network itself
/// takes or gives complex numbers, the model's input or output is real, [..., 2].
///
/// The input is "input", the output "output". Their batch size is free ("batch"), at least 1; all other sizes
/// are those of `example`. Tensors of layers are stored under their names in TorchScript files,
/// "layer0.weight"; real and imaginary part of a complex one as "layer0.transfer.real" and
/// "layer0.transfer.imag". A network in double precision becomes a model in double precision, for which not
/// every runtime has all operators: onnxruntime lacks Conv, Erf and AveragePool.
///
/// Throws c10::ValueError if the network does not accept `example`, [batch, ...] with at least one sample; if
/// an operator of a layer has no counterpart here; if a layer runs at the example's batch size only or is
/// random in eval mode; if the tensors exceed the 2 GiB that the format can hold; or if the file can't be
/// written.
void export_onnx(HybridImpl& model, const torch::Tensor& example, const std::string& path);
/// The same for a module holder.
inline void export_onnx(const Hybrid& model, const torch::Tensor& example, const std::string& path) {
  export_onnx(*model.ptr(), example, path);
}

}  // namespace optotorch
