#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/hop_options.h>
#include <optotorch/modules/optics/port_array.h>

#include <algorithm>

namespace optotorch {

PortArrayImpl::PortArrayImpl(PortArrayOptions options_)
    : CloneableLayer("PortArray"), options(std::move(options_)) {
  const auto &ports = options.ports(), &window = options.window();
  check_window(name(), "ports", ports);
  check_window(name(), "window", window);
  const int64_t room = std::min(window[0] / ports[0], window[1] / ports[1]);
  pitch_ = options.pitch() == 0 ? room : options.pitch();
  OPTOTORCH_CHECK(pitch_ >= 1 && pitch_ <= room, .where = name(), .argument = "pitch",
                  .expected = c10::str("0 (as much as fits) to ", room, ", of which ", ports[0], " x ",
                                       ports[1], " ports fit on the window"),
                  .got = std::to_string(options.pitch()));
  OPTOTORCH_CHECK(options.side() >= 1 && options.side() <= pitch_, .where = name(), .argument = "side",
                  .expected = c10::str("1 to the pitch, ", pitch_), .got = std::to_string(options.side()));
}

void PortArrayImpl::check_input(const torch::Tensor& x) const {
  check_field(*this, x, options.ports()[0] * options.ports()[1]);
}

torch::Tensor PortArrayImpl::squares(const torch::Tensor& field) const {
  const auto &ports = options.ports(), &window = options.window();
  const int64_t down = ports[0] * pitch_, across = ports[1] * pitch_, side = options.side();
  const auto array = field.select(1, 0)
                         .narrow(1, (window[0] - down) / 2, down)
                         .narrow(2, (window[1] - across) / 2, across)
                         .unflatten(2, {ports[1], pitch_})
                         .unflatten(1, {ports[0], pitch_});
  const int64_t first = (pitch_ - side) / 2;
  return array.narrow(2, first, side).narrow(4, first, side);
}

torch::Tensor PortArrayImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  auto field = at::zeros({x.size(0), 1, options.window()[0], options.window()[1]}, x.options());
  const auto light = x.view({x.size(0), options.ports()[0], 1, options.ports()[1], 1});
  squares(field).copy_((light / static_cast<double>(options.side())).expand_as(squares(field)));
  return field;
}

torch::Tensor PortArrayImpl::compute_pullback(const Pass& /*pass*/, const torch::Tensor& dL_dy,
                                              bool /*to_input*/) {
  return squares(dL_dy).sum({2, 4}).flatten(1) / static_cast<double>(options.side());
}

namespace {

const RegisteredPart port_array_type(part_type<PortArrayImpl>("PortArray", PortArrayOptions({1, 1}, {1, 1}),
                                                              2));

}  // namespace
}  // namespace optotorch
