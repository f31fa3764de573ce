#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/detail/deployed_check.h>
#include <optotorch/modules/optics/modulator.h>

#include <numbers>

namespace optotorch {
namespace {

/// The light of the values, port by port; none on the others.
torch::Tensor encode(const torch::Tensor& x, Encoding encoding) {
  const auto flat = x.flatten(1);
  switch (encoding) {
    case Encoding::amplitude:
      return at::complex(flat, at::zeros_like(flat));
    case Encoding::phase: {
      const auto angle = flat * std::numbers::pi;
      return at::complex(angle.cos(), angle.sin());
    }
    case Encoding::complex: {
      const auto halves = flat.chunk(2, 1);
      return at::complex(halves[0], halves[1]);
    }
  }
  return {};
}

}  // namespace

ModulatorImpl::ModulatorImpl(ModulatorOptions options_) : CloneableLayer("Modulator"), options(options_) {
  OPTOTORCH_CHECK(options.ports() >= 1, .where = "Modulator", .argument = "ports", .expected = "at least 1",
                  .got = std::to_string(options.ports()));
}

void ModulatorImpl::check_input(const torch::Tensor& x) const {
  const bool complex = options.encoding() == Encoding::complex;
  const int64_t room = complex ? 2 * options.ports() : options.ports();
  const bool fits = x.defined() && x.is_floating_point() && x.dim() >= 2;
  const int64_t values = fits ? c10::multiply_integers(x.sizes().slice(1)) : 0;
  OPTOTORCH_CHECK(
      fits && (complex ? values == room : values <= room), .where = "Modulator", .argument = "input",
      .expected =
          c10::str("real values [batch, ...], ", complex ? "exactly " : "at most ", room, " a sample"),
      .got = describe(x), .remedy = "Choose the number of ports to fit the data");
}

torch::Tensor ModulatorImpl::compute(const torch::Tensor& x, Pass* kept) {
  const auto field = encode(x, options.encoding());
  const int64_t dark = options.ports() - field.size(1);
  return dark > 0 ? at::constant_pad_nd(field, {0, dark}) : field;
}

Deployment ModulatorImpl::deploy() {
  const bool complex = options.encoding() == Encoding::complex;
  const int64_t room = complex ? 2 * options.ports() : options.ports();
  return {
      {}, [o = options, complex, room](const torch::Tensor& x) {
        check_when_deployed(
            x,
            c10::str("input.dim() >= 2 and input.numel() ", complex ? "==" : "<=", " input.size(0) * ", room),
            "Modulator", c10::str(complex ? "exactly " : "at most ", room, " values a sample"));
        const auto field = encode(x, o.encoding());
        // Room for all and then the first: the number of dark ports is one that a trace would keep.
        return complex ? field
                       : at::constant_pad_nd(field, {0, o.ports()}).narrow(1, 0, o.ports()).contiguous();
      }};
}

torch::Tensor ModulatorImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const int64_t values = pass.input.flatten(1).size(1);
  torch::Tensor dL_dx;
  switch (options.encoding()) {
    case Encoding::amplitude:
      dL_dx = at::real(dL_dy).narrow(1, 0, values);
      break;
    case Encoding::phase:
      dL_dx = std::numbers::pi * at::imag(dL_dy * pass.output.conj()).narrow(1, 0, values);
      break;
    case Encoding::complex:
      dL_dx = at::cat({at::real(dL_dy), at::imag(dL_dy)}, 1);
      break;
  }
  return dL_dx.reshape(pass.input.sizes());
}

namespace {

const RegisteredPart modulator_type(part_type<ModulatorImpl>("Modulator", ModulatorOptions(1), 1));

}  // namespace
}  // namespace optotorch
