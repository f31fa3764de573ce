#pragma once

// The operators of traces that an ONNX model can compute.

#include <optotorch/modules/export/detail/onnx_call.h>

namespace optotorch::onnx {

/// All of them.
const Emitters& emitters();

// The same by their kinds.
void add_elementwise(Emitters& all);
void add_complex(Emitters& all);
void add_products(Emitters& all);
void add_shapes(Emitters& all);
void add_selections(Emitters& all);
void add_reductions(Emitters& all);
void add_norms(Emitters& all);
void add_images(Emitters& all);
void add_fourier(Emitters& all);

}  // namespace optotorch::onnx
