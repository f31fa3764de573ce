#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/linear_map.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <optotorch/modules/optics/weight_bank.h>

#include <cmath>
#include <vector>

namespace optotorch {

std::string to_string(Maps maps) {
  switch (maps) {
    case Maps::electronic:
      return "electronic";
    case Maps::weight_bank:
      return "weight_bank";
    default:
      return "mzi_linear";
  }
}

LinearMapImpl::LinearMapImpl(LinearMapOptions options_) : Cloneable("LinearMap"), options(options_) {
  const auto within = [](int64_t size) { return size >= 1 && size <= 1 << 24; };
  OPTOTORCH_CHECK(within(options.in_features()) && within(options.out_features()), .where = "LinearMap",
                  .argument = "in_features, out_features", .expected = "1 to 2^24",
                  .got = c10::str(options.in_features(), ", ", options.out_features()));
  reset();
}

void LinearMapImpl::reset() {
  const int64_t in = options.in_features(), out = options.out_features();
  switch (options.maps()) {
    case Maps::electronic:
      linear = register_module("linear",
                               torch::nn::Linear(torch::nn::LinearOptions(in, out).bias(options.bias())));
      break;
    case Maps::weight_bank:
      optics = register_module("optics",
                               differentiable(WeightBank(WeightBankOptions(in, out).bias(options.bias()))));
      break;
    case Maps::mzi_linear:
      optics = register_module("optics", differentiable(MziLinear(in, out)));
      if (options.bias()) {
        const double bound = 1 / std::sqrt(static_cast<double>(in));
        bias = register_parameter("bias", torch::empty({out}).uniform_(-bound, bound));
      }
      break;
  }
}

torch::Tensor LinearMapImpl::forward(const torch::Tensor& x) {
  OPTOTORCH_CHECK(
      x.defined() && x.is_floating_point() && x.dim() >= 2 && x.size(-1) == options.in_features(),
      .where = "LinearMap", .argument = "input",
      .expected = c10::str("real values [..., ", options.in_features(), "]"), .got = describe(x),
      .remedy = x.defined() && x.is_complex() ? "A Photodetector turns a field into real values" : "");
  check_precision(*this, x, parameters().front());
  if (linear) {
    return linear(x);
  }
  const auto rows = x.flatten(0, -2);
  auto y = options.maps() == Maps::mzi_linear ? at::real(optics(at::complex(rows, at::zeros_like(rows))))
                                              : optics(rows);
  if (x.dim() > 2) {
    // The shape comes from a tensor: numbers would be those of the example in an exported network.
    std::vector<int64_t> shape(static_cast<size_t>(x.dim()), -1);
    shape.back() = options.out_features();
    y = y.reshape_as(x.narrow(-1, 0, 1).expand(shape));
  }
  return bias.defined() ? y + bias : y;
}

void LinearMapImpl::pretty_print(std::ostream& stream) const {
  print_part(*this, stream);
}

namespace {

const RegisteredPart linear_map_type(part_type<LinearMapImpl>("LinearMap", LinearMapOptions(1, 1), 2));

}  // namespace
}  // namespace optotorch
