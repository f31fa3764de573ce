#pragma once

#include <torch/types.h>

#include <string>

namespace optotorch {

/// A layer's demand on its input, in an exported file: while a forward pass is traced, adds to the trace
/// that it ends with an error unless `holds`, a TorchScript expression of `input`, is true of x; at any other
/// time it does nothing. For requirements that the layer's operators do not have by themselves, such as that
/// an image is as high as the example's.
///
///     check_when_deployed(x, "input.dim() == 4 and input.size(2) == 28", "FourierLens", "images of 28
///     rows");
///
/// The message has the wording of OPTOTORCH_CHECK. None of the texts may contain quotation marks or braces.
void check_when_deployed(const torch::Tensor& x, const std::string& holds, const std::string& layer,
                         const std::string& expected);

}  // namespace optotorch
