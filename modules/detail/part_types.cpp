#include <optotorch/core/check.h>
#include <optotorch/modules/detail/part_types.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/pooling.h>

#include <algorithm>

namespace optotorch {
namespace {

using Visit = FieldVisitor;

/// Sizes of a fixed number of axes.
template <typename Sizes>
void visit_sizes(Visit& visit, const char* name, Sizes& sizes) {
  std::vector<int64_t> values(sizes->begin(), sizes->end());
  visit(name, values);
  // As LibTorch's constructor does, which g++ takes for one that leaves the sizes unset.
  TORCH_CHECK(values.size() == sizes->size(), "Expected ", sizes->size(), " values, but instead got ",
              values.size());
  std::copy(values.begin(), values.end(), sizes->begin());
}

// LibTorch's own options by name, in its words.

void fields(torch::nn::LinearOptions& o, Visit& visit) {
  visit("in_features", o.in_features());
  visit("out_features", o.out_features());
  visit("bias", o.bias());
}

template <size_t D, typename Options>
void convolution_fields(Options& o, Visit& visit) {
  visit("in_channels", o.in_channels());
  visit("out_channels", o.out_channels());
  visit_sizes(visit, "kernel_size", o.kernel_size());
  visit_sizes(visit, "stride", o.stride());
  auto* const numbers = std::get_if<torch::ExpandingArray<D>>(&o.padding());
  OPTOTORCH_CHECK(numbers != nullptr, .where = "describe", .argument = "padding", .expected = "numbers",
                  .got = "a word", .remedy = "Say how many pixels 'same' or 'valid' are");
  auto padding = *numbers;
  visit_sizes(visit, "padding", padding);
  o.padding(padding);
  visit_sizes(visit, "dilation", o.dilation());
  visit("groups", o.groups());
  visit("bias", o.bias());
}

template <size_t D>
void fields(torch::nn::ConvOptions<D>& o, Visit& visit) {
  convolution_fields<D>(o, visit);
}

template <size_t D>
void fields(torch::nn::detail::ConvNdOptions<D>& o, Visit& visit) {  // as the module keeps them
  convolution_fields<D>(o, visit);
}

void fields(torch::nn::BatchNormOptions& o, Visit& visit) {
  visit("num_features", o.num_features());
  visit("eps", o.eps());
  double momentum = o.momentum().value_or(0);  // 0: of all batches alike, which LibTorch calls none
  visit("momentum", momentum);
  o.momentum(momentum == 0 ? std::nullopt : std::optional<double>(momentum));
  visit("affine", o.affine());
  visit("track_running_stats", o.track_running_stats());
}

void fields(torch::nn::LayerNormOptions& o, Visit& visit) {
  visit("normalized_shape", o.normalized_shape());
  visit("eps", o.eps());
  visit("elementwise_affine", o.elementwise_affine());
}

void fields(torch::nn::GroupNormOptions& o, Visit& visit) {
  visit("num_groups", o.num_groups());
  visit("num_channels", o.num_channels());
  visit("eps", o.eps());
  visit("affine", o.affine());
}

void fields(torch::nn::DropoutOptions& o, Visit& visit) {
  visit("p", o.p());
}

void fields(torch::nn::MaxPool2dOptions& o, Visit& visit) {
  visit_sizes(visit, "kernel_size", o.kernel_size());
  visit_sizes(visit, "stride", o.stride());
  visit_sizes(visit, "padding", o.padding());
  visit_sizes(visit, "dilation", o.dilation());
  visit("ceil_mode", o.ceil_mode());
}

void fields(torch::nn::AvgPool2dOptions& o, Visit& visit) {
  visit_sizes(visit, "kernel_size", o.kernel_size());
  visit_sizes(visit, "stride", o.stride());
  visit_sizes(visit, "padding", o.padding());
  visit("ceil_mode", o.ceil_mode());
  visit("count_include_pad", o.count_include_pad());
}

void fields(torch::nn::AdaptiveAvgPool2dOptions& o, Visit& visit) {
  std::vector<int64_t> sizes;
  for (const auto& size : *o.output_size()) {
    sizes.push_back(size.value_or(0));  // 0: that of the input
  }
  visit("output_size", sizes);
  OPTOTORCH_CHECK(sizes.size() == 2, .where = "build", .argument = "output_size", .expected = "two sizes",
                  .got = std::to_string(sizes.size()));
  const auto given = [](int64_t size) { return size == 0 ? std::nullopt : std::optional<int64_t>(size); };
  o.output_size({given(sizes[0]), given(sizes[1])});
}

void fields(torch::nn::FlattenOptions& o, Visit& visit) {
  visit("start_dim", o.start_dim());
  visit("end_dim", o.end_dim());
}

void fields(torch::nn::UnflattenOptions& o, Visit& visit) {
  visit("dim", o.dim());
  visit("sizes", o.sizes());
}

void fields(torch::nn::EmbeddingOptions& o, Visit& visit) {
  visit("num_embeddings", o.num_embeddings());
  visit("embedding_dim", o.embedding_dim());
}

void fields(torch::nn::LeakyReLUOptions& o, Visit& visit) {
  visit("negative_slope", o.negative_slope());
}

void fields(torch::nn::SoftmaxOptions& o, Visit& visit) {
  visit("dim", o.dim());
}

void fields(torch::nn::LogSoftmaxOptions& o, Visit& visit) {
  visit("dim", o.dim());
}

template <typename Impl, typename Options>
PartType of_libtorch(const char* name, const Options& usual, size_t required = 0) {
  PartType type{name, typeid(Impl), required,
                [](const torch::nn::Module& module, Visit& visit) {
                  auto options = dynamic_cast<const Impl&>(module).options;
                  fields(options, visit);
                },
                [usual](Visit& visit) {
                  auto options = usual;
                  fields(options, visit);
                  return torch::nn::AnyModule(std::make_shared<Impl>(options));
                }};
  type.usual = [usual](Visit& visit) {
    auto options = usual;
    fields(options, visit);
  };
  return type;
}

}  // namespace

std::vector<PartType> libtorch_part_types() {
  namespace nn = torch::nn;
  return {
      of_libtorch<nn::LinearImpl>("Linear", nn::LinearOptions(1, 1), 2),
      of_libtorch<nn::Conv1dImpl>("Conv1d", nn::Conv1dOptions(1, 1, 1), 3),
      of_libtorch<nn::Conv2dImpl>("Conv2d", nn::Conv2dOptions(1, 1, 1), 3),
      of_libtorch<nn::BatchNorm1dImpl>("BatchNorm1d", nn::BatchNormOptions(1), 1),
      of_libtorch<nn::BatchNorm2dImpl>("BatchNorm2d", nn::BatchNormOptions(1), 1),
      of_libtorch<nn::LayerNormImpl>("LayerNorm", nn::LayerNormOptions({1}), 1),
      of_libtorch<nn::GroupNormImpl>("GroupNorm", nn::GroupNormOptions(1, 1), 2),
      of_libtorch<nn::DropoutImpl>("Dropout", nn::DropoutOptions()),
      of_libtorch<nn::MaxPool2dImpl>("MaxPool2d", nn::MaxPool2dOptions(1), 2),
      of_libtorch<nn::AvgPool2dImpl>("AvgPool2d", nn::AvgPool2dOptions(1), 2),
      of_libtorch<nn::AdaptiveAvgPool2dImpl>("AdaptiveAvgPool2d", nn::AdaptiveAvgPool2dOptions({1, 1}), 1),
      of_libtorch<nn::FlattenImpl>("Flatten", nn::FlattenOptions()),
      of_libtorch<nn::UnflattenImpl>("Unflatten", nn::UnflattenOptions(1, std::vector<int64_t>{1}), 2),
      of_libtorch<nn::EmbeddingImpl>("Embedding", nn::EmbeddingOptions(1, 1), 2),
      of_libtorch<nn::LeakyReLUImpl>("LeakyReLU", nn::LeakyReLUOptions()),
      of_libtorch<nn::SoftmaxImpl>("Softmax", nn::SoftmaxOptions(1), 1),
      of_libtorch<nn::LogSoftmaxImpl>("LogSoftmax", nn::LogSoftmaxOptions(1), 1),
      part_type<nn::ReLUImpl>("ReLU"),
      part_type<nn::TanhImpl>("Tanh"),
      part_type<nn::SigmoidImpl>("Sigmoid"),
      part_type<nn::GELUImpl>("GELU"),
      part_type<nn::SiLUImpl>("SiLU"),
  };
}

}  // namespace optotorch
