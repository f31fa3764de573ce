#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/detail/reading_noise.h>
#include <optotorch/modules/optics/hop_options.h>
#include <optotorch/modules/optics/laser_reservoir.h>
#include <optotorch/ops/random_projection.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace optotorch {
namespace {

using ReservoirOptions = LaserReservoirOptions;

constexpr char reservoir_name[] = "LaserReservoir";
constexpr int64_t most_stored = int64_t{1} << 31;  // entries: 16 GiB
constexpr int64_t pulled_back_at_once = 1024;      // neurons of a streamed pull-back at a time

void check_reservoir_number(const char* argument, double value, bool holds, const char* expected) {
  OPTOTORCH_CHECK(std::isfinite(value) && holds, .where = reservoir_name, .argument = argument,
                  .expected = expected, .got = c10::str(value));
}

void check_time(double hours) {
  check_reservoir_number("hours", hours, hours >= 0, "a number of at least 0");
}

/// sum over |j - i| <= 3 c of exp(-power (i - j)^2 / 2 c^2) f[..., j] for every i.
torch::Tensor blurred(const torch::Tensor& f, double c, double power = 1) {
  const auto reach = static_cast<int64_t>(std::ceil(3 * c));
  const auto padded = at::constant_pad_nd(f, {reach, reach});
  auto sum = f.clone();
  for (int64_t d = 1; d <= reach; ++d) {
    const double weight = std::exp(-0.5 * power * static_cast<double>(d * d) / (c * c));
    const auto both = padded.narrow(-1, reach - d, f.size(-1)) + padded.narrow(-1, reach + d, f.size(-1));
    sum.add_(both, weight);
  }
  return sum;
}

/// Root of the sum of the squares in every row of the coupling.
torch::Tensor coupling_norm(const torch::Tensor& like, double c) {
  const auto real = like.options().dtype(c10::toRealValueType(like.scalar_type()));
  return blurred(at::ones({1, like.size(-1)}, real), c, 2).sqrt();
}

/// Fields [..., neurons] of coupled neurons from those of lone ones.
torch::Tensor coupled(const torch::Tensor& f, const ReservoirOptions& o) {
  return o.coupling() > 0 ? blurred(f, o.coupling()) / coupling_norm(f, o.coupling()) : f;
}

int64_t seed_at(const ReservoirOptions& o) {
  return seed_of_series(o.seed(), std::bit_cast<uint64_t>(o.hours()));
}

bool has_drifted(const ReservoirOptions& o) {
  return o.drift() > 0 && o.hours() > 0;
}

double amplitude_of_one(const ReservoirOptions& o) {
  return 1 / std::sqrt(o.fill() * static_cast<double>(o.inputs()));
}

/// T x of neurons [first, first + count), not coupled: complex [batch, count].
torch::Tensor product(const ReservoirOptions& o, const torch::Tensor& x, int64_t first, int64_t count) {
  const auto of = [&](int64_t seed) {
    return ops::random_projection(x, count, seed, ops::Entries::complex_normal, first);
  };
  if (!has_drifted(o)) {
    return of(o.seed());
  }
  return of(o.seed()) * std::sqrt(1 - o.drift() * o.drift()) + of(seed_at(o)) * o.drift();
}

/// T over the root of (fill inputs), real parts above imaginary ones: [2 neurons, inputs].
torch::Tensor stored(const ReservoirOptions& o) {
  const auto columns = product(o, at::eye(o.inputs(), at::kFloat), 0, o.neurons());  // [inputs, neurons]
  const auto t = coupled(columns, o).mul_(amplitude_of_one(o)).t();
  return at::cat({at::real(t), at::imag(t)}).contiguous();
}

torch::Tensor frame(const ReservoirOptions& o, const torch::Tensor& x) {
  return (x > o.threshold()).type_as(x);
}

/// |E|^2 / (1 + E0^2) from E = (Re, Im) without the injected light.
torch::Tensor intensity(const ReservoirOptions& o, const torch::Tensor& field) {
  const auto parts = field.chunk(2, 1);
  return ((parts[0] + o.injection()).square() + parts[1].square()) / (1 + o.injection() * o.injection());
}

torch::Tensor response(const ReservoirOptions& o, const torch::Tensor& i) {
  return i / (1 + i / o.saturation());
}

}  // namespace

LaserReservoirImpl::LaserReservoirImpl(LaserReservoirOptions options_)
    : CloneableLayer(reservoir_name), options(options_) {
  const auto& o = options;
  OPTOTORCH_CHECK(o.inputs() >= 1 && o.neurons() >= 1 && o.inputs() <= ops::projection_limit &&
                      o.neurons() <= ops::projection_limit,
                  .where = reservoir_name, .argument = "inputs, neurons",
                  .expected = c10::str("1 to ", ops::projection_limit),
                  .got = c10::str(o.inputs(), ", ", o.neurons()));
  OPTOTORCH_CHECK(std::isfinite(o.threshold()), .where = reservoir_name, .argument = "threshold",
                  .expected = "a finite number", .got = c10::str(o.threshold()));
  check_reservoir_number("fill", o.fill(), o.fill() > 0 && o.fill() <= 1, "a part above 0, up to 1");
  check_reservoir_number("injection", o.injection(), o.injection() >= 0, "a number of at least 0");
  check_reservoir_number("saturation", o.saturation(), o.saturation() > 0, "a number above 0");
  check_reservoir_number("coupling", o.coupling(), o.coupling() >= 0 && o.coupling() <= 1000,
                         "0 to 1000 neurons");
  check_reservoir_number("drift", o.drift(), o.drift() >= 0 && o.drift() <= 1, "0 to 1");
  check_reservoir_number("noise", o.noise(), o.noise() >= 0, "a number of at least 0");
  check_time(o.hours());
  OPTOTORCH_CHECK(o.streamed() || o.inputs() <= most_stored / o.neurons(), .where = reservoir_name,
                  .argument = "inputs, neurons",
                  .expected = c10::str("at most ", most_stored, " entries that are stored"),
                  .got = c10::str(o.inputs(), ", ", o.neurons()), .remedy = "Use streamed(true)");
  if (!o.streamed()) {
    transmission = register_buffer("transmission", stored(o));
  }
  readings = register_buffer("readings", torch::zeros({}, torch::kInt64));
}

void LaserReservoirImpl::set_hours(double hours) {
  check_time(hours);
  const torch::NoGradGuard no_grad;
  options.hours(hours);
  if (!options.streamed()) {
    transmission.copy_(stored(options));
  }
}

Footprint LaserReservoirImpl::footprint() const {
  return {{parts::pixels, options.inputs()}, {parts::detectors, options.neurons()}};
}

void LaserReservoirImpl::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(x.defined() && x.is_floating_point() && x.dim() == 2 && x.size(1) == options.inputs(),
                  .where = reservoir_name, .argument = "input",
                  .expected = c10::str("real values [batch, ", options.inputs(), "]"), .got = describe(x),
                  .remedy = "torch::nn::Flatten turns images into rows");
  if (transmission.defined()) {
    check_precision(*this, x, transmission);
  }
  check_finite(reservoir_name, "input", x);
}

/// T u over the root of (fill inputs): [batch, 2 neurons].
torch::Tensor LaserReservoirImpl::streamed_field(const torch::Tensor& u) const {
  // Of 0 and 1 sums alone are taken, which needs no float.
  const auto shown = u.scalar_type() == torch::kFloat64 ? u : u.to(torch::kChar);
  const auto e =
      coupled(product(options, shown, 0, options.neurons()), options).mul_(amplitude_of_one(options));
  return at::cat({at::real(e), at::imag(e)}, 1).to(u.scalar_type());
}

torch::Tensor LaserReservoirImpl::field(const torch::Tensor& x) const {
  const auto u = frame(options, x);
  return options.streamed() ? streamed_field(u) : u.matmul(transmission.t());
}

torch::Tensor LaserReservoirImpl::compute(const torch::Tensor& x, Pass* kept) {
  const auto e = field(x);
  if (kept != nullptr) {
    kept->saved = {e};
  }
  auto y = response(options, intensity(options, e));
  if (is_training() && options.noise() > 0) {
    const int64_t number = readings.item<int64_t>();
    readings.add_(1);
    y.add_(reading_noise(options.seed(), number, y.numel()).view_as(y).to(y.scalar_type()), options.noise());
  }
  return y;
}

torch::Tensor LaserReservoirImpl::evaluate(const torch::Tensor& x) {
  return options.streamed() ? compute(x, nullptr) : Layer::evaluate(x);
}

std::vector<torch::Tensor> LaserReservoirImpl::read_by_pullback(const Pass& pass) const {
  auto tensors = saved_tensors(pass);
  if (transmission.defined()) {
    tensors.push_back(transmission);
  }
  return tensors;
}

torch::Tensor LaserReservoirImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                   bool to_input) {
  if (!to_input) {
    return {};
  }
  const auto& o = options;
  const auto& e = pass.saved[0];
  const auto slope = (1 + intensity(o, e) / o.saturation()).square().reciprocal();
  const auto parts = e.chunk(2, 1);
  const auto dL_dI = dL_dy * slope * (2 / (1 + o.injection() * o.injection()));
  const auto re = dL_dI * (parts[0] + o.injection()), im = dL_dI * parts[1];
  if (!o.streamed()) {
    return at::cat({re, im}, 1).mm(transmission);
  }
  // dL_du = Re(T^H dL_dE), some rows of T at a time
  auto g = at::complex(re, im);
  if (o.coupling() > 0) {
    g = blurred(g / coupling_norm(g, o.coupling()), o.coupling());
  }
  auto dL_du = torch::zeros_like(pass.input);
  const auto unit = at::eye(o.inputs(), at::kFloat);
  for (int64_t first = 0; first < o.neurons(); first += pulled_back_at_once) {
    const int64_t count = std::min(pulled_back_at_once, o.neurons() - first);
    const auto t = product(o, unit, first, count).to(g.scalar_type());  // [inputs, count]
    const auto some = g.narrow(1, first, count);
    dL_du += at::real(some).mm(at::real(t).t()) + at::imag(some).mm(at::imag(t).t());
  }
  return dL_du * amplitude_of_one(o);
}

Deployment LaserReservoirImpl::deploy() {
  OPTOTORCH_CHECK(!options.streamed(), .where = reservoir_name, .argument = "streamed",
                  .expected = "a stored transmission matrix, which a file can hold", .got = "a streamed one",
                  .remedy = "Make the reservoir with streamed(false)");
  const auto t = transmission.detach().clone();
  return {{{"transmission", t}}, [o = options, t](const torch::Tensor& x) {
            return response(o, intensity(o, frame(o, x).matmul(t.t())));
          }};
}

namespace {

const RegisteredPart laser_reservoir_part(part_type<LaserReservoirImpl>("LaserReservoir",
                                                                        LaserReservoirOptions(1, 1), 2));

}  // namespace
}  // namespace optotorch
