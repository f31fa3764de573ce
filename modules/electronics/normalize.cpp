#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/electronics/normalize.h>

#include <cmath>

namespace optotorch {

NormalizeImpl::NormalizeImpl(NormalizeOptions options_)
    : Cloneable("Normalize"), options(std::move(options_)) {
  const auto &mean = options.mean(), &std = options.std();
  OPTOTORCH_CHECK(!mean.empty() && mean.size() == std.size(), .where = "Normalize", .argument = "mean, std",
                  .expected = "one number of each for every channel, or for all",
                  .got = c10::str(mean.size(), ", ", std.size()));
  for (size_t c = 0; c < mean.size(); ++c) {
    OPTOTORCH_CHECK(std::isfinite(mean[c]) && std::isfinite(std[c]) && std[c] > 0, .where = "Normalize",
                    .argument = "mean, std", .expected = "finite numbers, std above 0",
                    .got = c10::str(mean[c], ", ", std[c]));
  }
}

torch::Tensor NormalizeImpl::forward(const torch::Tensor& x) {
  const auto &mean = options.mean(), &std = options.std();
  const auto channels = static_cast<int64_t>(mean.size());
  OPTOTORCH_CHECK(
      x.defined() && x.is_floating_point() && x.dim() >= 2 && (channels == 1 || x.size(1) == channels),
      .where = "Normalize", .argument = "input",
      .expected = channels == 1 ? "real images [batch, channels, ...]"
                                : c10::str("real images [batch, ", channels, ", ...]"),
      .got = describe(x));
  if (channels == 1) {
    return (x - mean.front()) / std.front();
  }
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()) - 1, 1);
  shape.front() = channels;
  const auto each = [&](const std::vector<double>& values) {
    return at::tensor(values, at::kDouble).to(x.options()).reshape(shape);
  };
  return (x - each(mean)) / each(std);
}

void NormalizeImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

namespace {

const RegisteredPart normalize_type(part_type<NormalizeImpl>("Normalize", NormalizeOptions({0}, {1}), 2));

}  // namespace
}  // namespace optotorch
