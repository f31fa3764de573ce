#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/transforms/detail/byte_table.h>

#include <algorithm>

namespace optotorch::transforms {

at::Tensor look_up(const at::Tensor& image, const ByteTable& table) {
  const at::Tensor from = image.contiguous();
  at::Tensor to = at::empty(from.sizes(), from.options());
  const auto* const source = from.const_data_ptr<uint8_t>();
  std::transform(source, source + from.numel(), to.mutable_data_ptr<uint8_t>(),
                 [&](uint8_t value) { return table[value]; });
  return to;
}

}  // namespace optotorch::transforms
