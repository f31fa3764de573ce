#include <ATen/ATen.h>
#include <c10/util/irange.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/detail/deployed_check.h>
#include <optotorch/modules/optics/spectral_filter_bank.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace optotorch {
namespace {

void check_frequencies(const SpectralFilterBankOptions& o) {
  const auto in_band = [](double f) { return f >= -0.5 && f <= 0.5; };
  const auto& given = o.frequencies();
  OPTOTORCH_CHECK(given.empty() || (static_cast<int64_t>(given.size()) == o.filters() &&
                                    std::all_of(given.begin(), given.end(), in_band)),
                  .where = "SpectralFilterBank", .argument = "frequencies",
                  .expected = c10::str("none, or ", o.filters(), " of -.5 to .5, the sampled band"),
                  .got = c10::str("[", c10::Join(", ", given), "]"));
  OPTOTORCH_CHECK(in_band(o.lowest()) && in_band(o.highest()) && o.lowest() <= o.highest(),
                  .where = "SpectralFilterBank", .argument = "lowest, highest",
                  .expected = "-.5 to .5, the sampled band, in this order",
                  .got = c10::str(o.lowest(), ", ", o.highest()));
}

torch::Tensor start_of(const SpectralFilterBankOptions& o) {
  if (!o.frequencies().empty()) {
    return torch::tensor(o.frequencies(), torch::kFloat64).to(torch::kFloat32);
  }
  return o.filters() == 1 ? torch::full({1}, (o.lowest() + o.highest()) / 2)
                          : torch::linspace(o.lowest(), o.highest(), o.filters());
}

}  // namespace

ops::FilterBankLayout SpectralFilterBankOptions::layout() const {
  return {.order = order_,
          .delay = delay_,
          .window = window_,
          .memory = bandwidth_ > 0 ? std::exp(-2 * std::numbers::pi * bandwidth_)
                                   : ops::FilterBankLayout::integrate_and_dump};
}

SpectralFilterBankImpl::SpectralFilterBankImpl(SpectralFilterBankOptions options_)
    : CloneableLayer("SpectralFilterBank"), options(std::move(options_)) {
  const auto& o = options;
  OPTOTORCH_CHECK(
      o.symbols() >= 1 && o.symbols() <= (int64_t{1} << 30) && o.filters() >= 1 && o.filters() <= 65536,
      .where = name(), .argument = "symbols, filters", .expected = "1 to 2^30 and 1 to 65536",
      .got = c10::str(o.symbols(), ", ", o.filters()));
  OPTOTORCH_CHECK(o.order() >= 1 && o.order() <= 16, .where = name(), .argument = "order",
                  .expected = "1 to 16", .got = std::to_string(o.order()));
  OPTOTORCH_CHECK(o.delay() >= 1 && o.delay() <= (o.kind() == FilterKind::lorentzian ? 1 : 4096),
                  .where = name(), .argument = "delay", .expected = "1 to 4096 symbols, of a lorentzian 1",
                  .got = std::to_string(o.delay()));
  OPTOTORCH_CHECK(
      o.loss_db() >= 0 && o.loss_db() <= 100 && (o.loss_db() == 0 || o.kind() == FilterKind::ring),
      .where = name(), .argument = "loss_db", .expected = "0 to 100 dB of a ring, 0 of other filters",
      .got = c10::str(o.loss_db()));
  OPTOTORCH_CHECK(o.width() > 0 && o.width() <= 0.5, .where = name(), .argument = "width",
                  .expected = "above 0 to .5 of the symbol rate", .got = c10::str(o.width()));
  OPTOTORCH_CHECK(o.window() >= 1 && o.window() <= o.symbols(), .where = name(), .argument = "window",
                  .expected = c10::str("1 to ", o.symbols(), ", the waveform"),
                  .got = std::to_string(o.window()));
  OPTOTORCH_CHECK(o.bandwidth() >= 0 && o.bandwidth() <= 0.5, .where = name(), .argument = "bandwidth",
                  .expected = "0 (integrate over the window) to .5 of the symbol rate",
                  .got = c10::str(o.bandwidth()));
  check_frequencies(o);
  frequency = register_phases("frequency", start_of(o));
  if (o.kind() != FilterKind::interferometer) {
    log_width = register_phases("log_width", torch::full({o.filters()}, std::log(o.width())));
  }
  if (!o.learns()) {
    freeze(*this);
  }
}

void SpectralFilterBankImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x, options.symbols());
  check_precision(*this, x, frequency);
}

StageDesign SpectralFilterBankImpl::make_design() const {
  StageDesign design{.type = "SpectralFilterBank",
                     .options = describe_options(*this),
                     .input = {options.symbols()},
                     .output = {options.filters(), options.symbols() / options.window()},
                     .delivers_field = false,
                     .commands = {{"frequency", {{options.filters()}}}}};
  if (log_width.defined()) {
    design.commands["log_width"] = {{options.filters()}};
  }
  return design;
}

std::vector<StageError> SpectralFilterBankImpl::errors() const {
  std::vector<StageError> all = {{"resonance", {options.filters()}, "resonance_error"}};
  if (log_width.defined()) {
    all.push_back(
        {.name = "broadening", .shape = {options.filters()}, .imperfection = "width_error", .least = -.9});
  }
  return all;
}

ops::FilterCoefficients SpectralFilterBankImpl::coefficients(const Values& commands,
                                                             const Values& errors) const {
  auto f = commands.at("frequency").to(at::kCPU, at::kDouble);
  if (const auto off = find(errors, "resonance"); off.defined()) {
    f = f + off.to(at::kCPU, at::kDouble) * (options.width() / 2);
  }
  auto width = torch::full_like(f, options.width());
  if (const auto log = find(commands, "log_width"); log.defined()) {
    width = log.to(at::kCPU, at::kDouble).exp();
  }
  if (const auto more = find(errors, "broadening"); more.defined()) {
    width = width * (1 + more.to(at::kCPU, at::kDouble));
  }
  const double round_trip = std::pow(10.0, -options.loss_db() / 20);
  return ops::filter_coefficients(options.kind(), f, width, options.delay(), round_trip);
}

torch::Tensor SpectralFilterBankImpl::respond(const torch::Tensor& x, const Values& commands,
                                              const Values& errors) const {
  return ops::filter_bank(x, coefficients(commands, errors).values.to(x.options()), options.layout());
}

Stage::Gradients SpectralFilterBankImpl::pull(const torch::Tensor& dL_dy, const torch::Tensor& x,
                                              const Values& commands, const Values& errors,
                                              bool to_input) const {
  const auto c = coefficients(commands, errors);
  const auto [dL_dx, dL_dc] =
      ops::filter_bank_backward(dL_dy, x, c.values.to(x.options()), options.layout(), to_input, true);
  const auto by = [&, g = dL_dc.to(at::kCPU, at::kComplexDouble).conj()](const torch::Tensor& slope) {
    return at::real(g * slope).sum(1);
  };
  const auto like = [](const torch::Tensor& value, const torch::Tensor& command) {
    return value.to(command.options());
  };
  Gradients gradients;
  gradients.dL_dx = to_input ? dL_dx : torch::Tensor();
  const auto& f = commands.at("frequency");
  const auto dL_df = by(c.by_frequency);
  gradients.commands["frequency"] = like(dL_df, f);
  if (const auto off = find(errors, "resonance"); off.defined()) {
    gradients.errors["resonance"] = like(dL_df * (options.width() / 2), off);
  }
  if (const auto log = find(commands, "log_width"); log.defined()) {
    const auto dL_dwidth = by(c.by_width), designed = log.to(at::kCPU, at::kDouble).exp();
    auto width = designed;
    if (const auto more = find(errors, "broadening"); more.defined()) {
      width = designed * (1 + more.to(at::kCPU, at::kDouble));
      gradients.errors["broadening"] = like(dL_dwidth * designed, more);
    }
    gradients.commands["log_width"] = like(dL_dwidth * width, log);
  }
  return gradients;
}

Stage::Gradients SpectralFilterBankImpl::respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& x,
                                                          const torch::Tensor& /*y*/, const Values& commands,
                                                          const Values& errors, const Wanted& wanted) const {
  return pull(dL_dy, x, commands, errors, wanted.input);
}

torch::Tensor SpectralFilterBankImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                       bool to_input) {
  const auto gradients = pull(dL_dy, pass.input, commands(), {}, to_input);
  accumulate_commands(gradients.commands);
  return gradients.dL_dx;
}

std::vector<torch::Tensor> SpectralFilterBankImpl::read_by_pullback(const Pass& pass) const {
  auto all = parameters();
  all.push_back(pass.input);
  return all;
}

Adjoint SpectralFilterBankImpl::adjoint(const torch::Tensor& x) const {
  const torch::NoGradGuard no_grad;
  const int64_t windows = options.symbols() / options.window(), seen = windows * options.window();
  const auto responses =
      ops::filter_responses(coefficients(commands(), {}).values.to(x.options()), options.layout(), seen);
  return {{responses}, [=, o = options](const torch::Tensor& u) {
            const auto light = u.repeat_interleave(o.window(), 2) / static_cast<double>(o.window());
            const auto back =
                at::fft_ifft(at::fft_fft(light, 2 * seen) * responses.conj()).narrow(2, 0, seen).sum(1);
            return at::constant_pad_nd(back, {0, o.symbols() - seen});
          }};
}

Deployment SpectralFilterBankImpl::deploy() {
  const torch::NoGradGuard no_grad;  // what is deployed learns no more
  const auto type = c10::toComplexType(frequency.scalar_type());
  const auto c = coefficients(commands(), {}).values.to(frequency.device(), type);
  return {{{"coefficients", c}}, [c, o = options](const torch::Tensor& x) {
            check_when_deployed(x, c10::str("input.dim() == 2 and input.size(1) == ", o.symbols()),
                                "SpectralFilterBank", c10::str("a waveform [batch, ", o.symbols(), "]"));
            return ops::filter_bank_reference(x, c, o.layout());
          }};
}

namespace {

const RegisteredPart spectral_filter_bank_type(
    part_type<SpectralFilterBankImpl>("SpectralFilterBank", SpectralFilterBankOptions(16, 1), 2));

}  // namespace
}  // namespace optotorch
