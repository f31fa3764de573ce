#include <optotorch/modules/export/detail/onnx_operators.h>

namespace optotorch::onnx {

const Emitters& emitters() {
  static const Emitters all = [] {
    Emitters made;
    for (const auto& add : {add_elementwise, add_complex, add_products, add_shapes, add_selections,
                            add_reductions, add_norms, add_images, add_fourier}) {
      add(made);
    }
    return made;
  }();
  return all;
}

}  // namespace optotorch::onnx
