#pragma once

#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>
#include <optotorch/modules/layer.h>

#include <string>
#include <typeinfo>

namespace optotorch {

/// Runs `work` of layer number `index` of a network. What it throws says which layer it was:
///
///     MziMesh: input: expected ...  ->  layer 2 (MziMesh): input: expected ...
///
/// An error of another type, of LibTorch or of a user's module, keeps its type and gets "layer 2 (Linear)" as
/// a context.
template <typename Work>
auto at_layer(size_t index, const Layer& layer, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (c10::Error& error) {
    const std::string place = c10::str("layer ", index, " (", layer.name(), ")"), head = layer.name() + ": ";
    if (typeid(error) != typeid(c10::ValueError)) {
      error.add_context(place);
      throw;
    }
    const auto& said = error.msg();
    C10_THROW_ERROR(ValueError, place + ": " + (said.starts_with(head) ? said.substr(head.size()) : said));
  }
}

}  // namespace optotorch
