#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/optics/convolution.h>

#include <algorithm>
#include <utility>

namespace optotorch {
namespace {

using Sides = torch::ExpandingArray<2>;

/// Where the patches of an image lie.
struct Window {
  Sides kernel, stride, padding, dilation;

  explicit Window(const ConvolutionOptions& options)
      : kernel(options.kernel_size()),
        stride(options.stride()),
        padding(options.padding()),
        dilation(options.dilation()) {}

  /// Patches along an axis of `size` pixels; none if the kernel does not fit.
  int64_t patches(size_t axis, int64_t size) const {
    const int64_t room = size + 2 * padding->at(axis) - dilation->at(axis) * (kernel->at(axis) - 1) - 1;
    return room < 0 ? 0 : room / stride->at(axis) + 1;
  }
};

/// [batch, channels, height, width] -> rows of patches, [batch x patches, channels x kernel].
torch::Tensor take_patches(const torch::Tensor& x, const Window& window) {
  const auto columns =
      at::im2col(x, *window.kernel, *window.dilation, *window.padding, *window.stride).transpose(1, 2);
  return columns.reshape({-1, columns.size(2)});
}

/// The adjoint of take_patches, for images like `x`: what came from one pixel is added up there.
torch::Tensor put_patches(const torch::Tensor& rows, at::IntArrayRef image, const Window& window) {
  const auto columns = rows.reshape({image[0], -1, rows.size(1)}).transpose(1, 2).contiguous();
  return at::col2im(columns, image.slice(2), *window.kernel, *window.dilation, *window.padding,
                    *window.stride);
}

/// Rows [batch x patches, outputs] of images like `x` -> [batch, outputs, height', width'], the same memory,
/// as LibTorch's channels-last images lie. The batch is left open: a number would be that of the example in
/// an exported network.
torch::Tensor to_image(const torch::Tensor& rows, const torch::Tensor& x, const Window& window) {
  return rows.reshape({-1, window.patches(0, x.size(2)), window.patches(1, x.size(3)), rows.size(1)})
      .permute({0, 3, 1, 2});
}

/// The way back.
torch::Tensor to_rows(const torch::Tensor& y) {
  return y.permute({0, 2, 3, 1}).reshape({-1, y.size(1)});
}

/// A complex map in real numbers, [outputs, inputs, ...] -> [2 outputs, 2 inputs, ...], for values [Re; Im].
torch::Tensor real_form_of_weight(const torch::Tensor& w) {
  if (!w.is_complex()) {
    return w;
  }
  const auto re = at::real(w), im = at::imag(w);
  return at::cat({at::cat({re, -im}, 1), at::cat({im, re}, 1)});
}
torch::Tensor real_form(const torch::Tensor& x) {
  return x.is_complex() ? at::cat({at::real(x), at::imag(x)}, 1) : x;
}

/// The way back.
torch::Tensor complex_form(const torch::Tensor& x, bool is_complex) {
  if (!is_complex) {
    return x;
  }
  const auto parts = x.chunk(2, 1);
  return at::complex(parts[0].contiguous(), parts[1].contiguous());
}

/// dL_dw of a weight whose real form has the gradient `dL_dreal`.
torch::Tensor gradient_of_weight(const torch::Tensor& dL_dreal, bool is_complex) {
  if (!is_complex) {
    return dL_dreal;
  }
  const auto rows = dL_dreal.chunk(2, 0);
  const auto of_re = rows[0].chunk(2, 1), of_im = rows[1].chunk(2, 1);
  return at::complex(of_re[0] + of_im[1], of_im[0] - of_re[1]);
}

}  // namespace

void ConvolutionOptions::fields(FieldVisitor& visit) {
  const auto sides = [&visit](const char* name, Sides& field) {
    std::vector<int64_t> values(field->begin(), field->end());
    visit(name, values);
    OPTOTORCH_CHECK(values.size() == 2, .where = "Convolution", .argument = name,
                    .expected = "two numbers, of rows and of columns", .got = c10::str(values));
    field = Sides(at::IntArrayRef(values));
  };
  visit("component", component_);
  sides("kernel_size", kernel_size_);
  sides("stride", stride_);
  sides("padding", padding_);
  sides("dilation", dilation_);
}

ConvolutionImpl::ConvolutionImpl(ConvolutionOptions options_)
    : Layer("Convolution"), options(std::move(options_)) {
  const auto& component = options.component();
  OPTOTORCH_CHECK(component && component->role() == Role::component, .where = "Convolution",
                  .argument = "component", .expected = "a linear component",
                  .got = component ? component->name() : "nothing",
                  .remedy = "Modulators go before the Convolution, detectors behind it");
  const auto check = [](const char* argument, const Sides& sides, int64_t least) {
    for (const int64_t side : *sides) {
      OPTOTORCH_CHECK(side >= least && side < int64_t{1} << 20, .where = "Convolution", .argument = argument,
                      .expected = c10::str(least, " to 2^20 - 1"), .got = std::to_string(side));
    }
  };
  check("kernel_size", options.kernel_size(), 1);
  check("stride", options.stride(), 1);
  check("padding", options.padding(), 0);
  check("dilation", options.dilation(), 1);
  // An electronic block under the names of its module, as in a Hybrid.
  const auto block = std::dynamic_pointer_cast<ElectronicBlock>(component);
  register_module("component",
                  block ? block->module() : std::static_pointer_cast<torch::nn::Module>(component));
}

void ConvolutionImpl::check_input(const torch::Tensor& x) const {
  const Window window(options);
  OPTOTORCH_CHECK(x.defined() && x.dim() == 4 && (x.is_floating_point() || x.is_complex()),
                  .where = "Convolution", .argument = "input",
                  .expected = "images [batch, channels, height, width]", .got = describe(x));
  OPTOTORCH_CHECK(x.size(1) >= 1 && window.patches(0, x.size(2)) >= 1 && window.patches(1, x.size(3)) >= 1,
                  .where = "Convolution", .argument = "input",
                  .expected = c10::str("images with their padding no smaller than the kernel, ",
                                       window.dilation->at(0) * (window.kernel->at(0) - 1) + 1, " x ",
                                       window.dilation->at(1) * (window.kernel->at(1) - 1) + 1),
                  .got = describe(x));
}

bool ConvolutionImpl::by_matrix(const torch::Tensor& x) const {
  const Window window(options);
  const int64_t rows = x.size(0) * window.patches(0, x.size(2)) * window.patches(1, x.size(3));
  return options.component()->is_matrix() && rows > x.size(1) * window.kernel->at(0) * window.kernel->at(1);
}

torch::Tensor ConvolutionImpl::compute_by_matrix(const torch::Tensor& x, Pass* kept) {
  const Window window(options);
  const int64_t inputs = x.size(1) * window.kernel->at(0) * window.kernel->at(1);
  const auto identity = at::cat({at::eye(inputs, x.options()), at::zeros({1, inputs}, x.options())});
  auto pass = options.component()->propagate(identity, kept != nullptr ? Keep::context : Keep::nothing);
  const auto offset = pass.output[inputs];
  const auto weight = (pass.output.narrow(0, 0, inputs) - offset)
                          .t()
                          .reshape({-1, x.size(1), window.kernel->at(0), window.kernel->at(1)});
  // Channels last: LibTorch's pools and norms behind it take a third of the time so.
  const auto real_weight = real_form_of_weight(weight).contiguous(at::MemoryFormat::ChannelsLast);
  const auto real_offset = real_form(offset.unsqueeze(0)).squeeze(0);
  const auto y = complex_form(
      at::conv2d(real_form(x), real_weight, real_offset, *window.stride, *window.padding, *window.dilation),
      x.is_complex());
  if (kept != nullptr) {
    kept->inside = {std::move(pass)};
    kept->saved = {real_weight};
  }
  return y;
}

/// The identity as a batch gives the parameters what all patches together would: W's gradient row by row, and
/// what is left of the offset's in the row of zeros.
torch::Tensor ConvolutionImpl::update_by_matrix(const Pass& pass, const torch::Tensor& signal, bool to_input,
                                                Hook hook) {
  const Window window(options);
  const bool is_complex = pass.input.is_complex();
  const auto [dL_dx, dL_dreal, dL_doffset] =
      at::convolution_backward(real_form(signal), real_form(pass.input), pass.saved.at(0), std::nullopt,
                               *window.stride, *window.padding, *window.dilation, /*transposed=*/false,
                               /*output_padding=*/{0, 0}, /*groups=*/1, {to_input, true, false});
  const auto rows = gradient_of_weight(dL_dreal, is_complex).flatten(1).t();
  const auto rest = signal.sum({0, 2, 3}) - rows.sum(0);
  ((*options.component()).*hook)(pass.inside.front(), at::cat({rows, rest.unsqueeze(0)}), false);
  return to_input ? complex_form(dL_dx, is_complex) : torch::Tensor();
}

torch::Tensor ConvolutionImpl::compute(const torch::Tensor& x, Pass* kept) {
  if (by_matrix(x)) {
    return compute_by_matrix(x, kept);
  }
  auto pass =
      around(x, options.component()->propagate(patches(x), kept != nullptr ? Keep::context : Keep::nothing));
  if (kept != nullptr) {
    kept->inside = std::move(pass.inside);
  }
  return pass.output;
}

torch::Tensor ConvolutionImpl::evaluate(const torch::Tensor& x) {
  if (options.component()->is_matrix()) {
    return Layer::evaluate(x);
  }
  return to_image(options.component()->forward(patches(x)), x, Window(options));
}

torch::Tensor ConvolutionImpl::patches(const torch::Tensor& x) const {
  check_input(x);
  return take_patches(x, Window(options));
}

Pass ConvolutionImpl::around(const torch::Tensor& x, Pass component) const {
  Pass pass{x, to_image(component.output, x, Window(options))};
  pass.inside.push_back(std::move(component));
  mark(pass);
  return pass;
}

std::vector<torch::Tensor> ConvolutionImpl::read_by_pullback(const Pass& pass) const {
  auto tensors = own_tensors();
  tensors.push_back(pass.input);  // its patches, which may lie in its memory
  const auto saved = saved_tensors(pass);
  tensors.insert(tensors.end(), saved.begin(), saved.end());
  return tensors;
}

torch::Tensor ConvolutionImpl::update(const Pass& pass, const torch::Tensor& signal, bool to_input,
                                      Hook hook) {
  OPTOTORCH_CHECK(signal.defined() && signal.sizes() == pass.output.sizes(), .where = "Convolution",
                  .argument = "signal", .expected = "the shape of the output, " + describe(pass.output),
                  .got = describe(signal));
  OPTOTORCH_CHECK(pass.inside.size() == 1, .where = "Convolution", .argument = "pass",
                  .expected = "a pass that kept its context", .got = "one of Keep::nothing");
  check_unchanged(pass);
  if (!pass.saved.empty()) {
    return update_by_matrix(pass, signal, to_input, hook);
  }
  const auto rows = ((*options.component()).*hook)(pass.inside.front(), to_rows(signal), to_input);
  return to_input ? put_patches(rows, pass.input.sizes(), Window(options)) : torch::Tensor();
}

torch::Tensor ConvolutionImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  return update(pass, dL_dy, to_input, &Layer::pullback);
}

torch::Tensor ConvolutionImpl::tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  return update(pass, signal, to_input, &Layer::tpfp_update);
}

torch::Tensor ConvolutionImpl::dfa_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  return update(pass, signal, to_input, &Layer::dfa_update);
}

torch::Tensor ConvolutionImpl::dat_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  return update(pass, signal, to_input, &Layer::dat_update);
}

Adjoint ConvolutionImpl::adjoint(const torch::Tensor& x) const {
  const Window window(options);
  const auto patch = at::zeros({1, x.size(1) * window.kernel->at(0) * window.kernel->at(1)}, x.options());
  auto inner = options.component()->adjoint(patch);
  return {inner.tensors, [apply = inner.apply, window, image = x.sizes().vec()](const torch::Tensor& u) {
            auto shape = image;
            shape[0] = u.size(0);
            return put_patches(apply(to_rows(u)), shape, window);
          }};
}

Deployment ConvolutionImpl::deploy() {
  const Window window(options);
  auto part = options.component()->deploy();
  const int64_t kernel = window.kernel->at(0) * window.kernel->at(1);
  if (options.component()->is_matrix() && part.weight.defined() && part.weight.size(1) % kernel == 0) {
    const int64_t outputs = part.weight.size(0), channels = part.weight.size(1) / kernel;
    const auto weight =
        part.weight.reshape({outputs, channels, window.kernel->at(0), window.kernel->at(1)}).contiguous();
    Deployment deployment{{{"weight", weight}}, {}};
    if (part.bias.defined()) {
      deployment.tensors.emplace_back("bias", part.bias);
    }
    deployment.forward = [weight, bias = part.bias, window](const torch::Tensor& x) {
      return at::conv2d(x, weight, bias, *window.stride, *window.padding, *window.dilation);
    };
    return deployment;
  }
  Deployment deployment;
  for (auto& [name, tensor] : part.tensors) {
    deployment.tensors.emplace_back("component_" + name, tensor);
  }
  deployment.forward = [map = part.forward, window](const torch::Tensor& x) {
    return to_image(map(take_patches(x, window)), x, window);
  };
  return deployment;
}

Traversal ConvolutionImpl::traversal(const Pass& pass) const {
  const auto rows = patches(pass.input);
  auto way = options.component()->traversal(options.component()->propagate(rows, Keep::nothing));
  const int64_t patches_of_image = rows.size(0) / std::max<int64_t>(1, pass.input.size(0));
  way.passes *= patches_of_image;
  way.multiply_adds *= patches_of_image;
  return way;
}

std::shared_ptr<torch::nn::Module> ConvolutionImpl::clone(const std::optional<torch::Device>& device) const {
  auto other = options;
  other.component(std::dynamic_pointer_cast<Layer>(options.component()->clone(device)));
  auto copy = std::make_shared<ConvolutionImpl>(std::move(other));
  copy->train(is_training());
  return copy;
}

namespace {

const RegisteredPart convolution_type(part_type<ConvolutionImpl>("Convolution",
                                                                 ConvolutionOptions(nullptr, 1), 2));

}  // namespace
}  // namespace optotorch
