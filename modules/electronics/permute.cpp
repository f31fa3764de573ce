#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/electronics/permute.h>

#include <algorithm>
#include <numeric>

namespace optotorch {

PermuteImpl::PermuteImpl(PermuteOptions options_) : Cloneable("Permute"), options(std::move(options_)) {
  auto sorted = options.dims();
  std::sort(sorted.begin(), sorted.end());
  std::vector<int64_t> all(sorted.size());
  std::iota(all.begin(), all.end(), 0);
  OPTOTORCH_CHECK(!sorted.empty() && sorted == all && options.dims().front() == 0, .where = "Permute",
                  .argument = "dims", .expected = "0 and then every other dimension once, as 0, 1, 3, 2",
                  .got = c10::str(at::IntArrayRef(options.dims())));
}

torch::Tensor PermuteImpl::forward(const torch::Tensor& x) {
  const auto& dims = options.dims();
  OPTOTORCH_CHECK(x.defined() && x.dim() == static_cast<int64_t>(dims.size()), .where = "Permute",
                  .argument = "input", .expected = c10::str(dims.size(), " dimensions"), .got = describe(x));
  return x.permute(dims);
}

void PermuteImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

namespace {

const RegisteredPart permute_type(part_type<PermuteImpl>("Permute", PermuteOptions({0}), 1));

}  // namespace
}  // namespace optotorch
