#include <ATen/ATen.h>
#include <c10/util/ScopeExit.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/block_diagonal.h>

#include <algorithm>

namespace optotorch {
namespace {

/// The part of [batch, n] that belongs to a block, [batch, sample...]; moves `begin` past it.
torch::Tensor take_part(const torch::Tensor& x, const std::vector<int64_t>& sample, int64_t& begin) {
  const int64_t values = c10::multiply_integers(sample);
  std::vector<int64_t> shape{-1};
  shape.insert(shape.end(), sample.begin(), sample.end());
  auto part = x.narrow(1, begin, values).reshape(shape);
  begin += values;
  return part;
}

/// The same without gaps in its memory: how LibTorch multiplies a part with gaps depends on whether the
/// matrix requires grad, and with that the last bit. An exported one does not.
torch::Tensor take_whole_part(const torch::Tensor& x, const std::vector<int64_t>& sample, int64_t& begin) {
  return take_part(x, sample, begin).contiguous();
}

torch::Tensor joined(const std::vector<torch::Tensor>& parts) {
  return parts.size() == 1 ? parts.front() : at::cat(parts, 1);
}

/// The blocks' outputs, side by side. LibTorch would turn values into light to join them.
torch::Tensor joined_outputs(const std::vector<torch::Tensor>& outputs) {
  for (const auto& output : outputs) {
    OPTOTORCH_CHECK(output.scalar_type() == outputs.front().scalar_type(), .where = "BlockDiagonal",
                    .argument = "blocks", .expected = "outputs of one type, " + describe(outputs.front()),
                    .got = describe(output),
                    .remedy = "Light and electronic values need blocks of their own");
  }
  return joined(outputs);
}

/// The shape of what a layer delivers for a sample, found without moving running statistics or random
/// numbers.
std::vector<int64_t> output_shape(Layer& layer, const torch::Tensor& input) {
  std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> modes;
  for (const auto& module : layer.modules()) {
    modes.emplace_back(module, module->is_training());
  }
  // From the outside in: train() reaches down.
  const auto restore = c10::make_scope_exit([&modes] {
    for (const auto& [module, training] : modes) {
      module->train(training);
    }
  });
  layer.eval();
  auto shape = input.sizes().vec();
  shape[0] = 1;
  const auto dark = torch::zeros(shape, input.options());
  return layer.propagate(dark, Keep::nothing).output.sizes().slice(1).vec();
}

}  // namespace

BlockDiagonalImpl::BlockDiagonalImpl(std::vector<DiagonalBlock> blocks)
    : Layer("BlockDiagonal"), blocks_(std::move(blocks)) {
  OPTOTORCH_CHECK(!blocks_.empty(), .where = "BlockDiagonal", .argument = "blocks",
                  .expected = "at least one component", .got = "none");
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const auto& [layer, sample] = blocks_[i];
    OPTOTORCH_CHECK(layer && layer->role() == Role::component, .where = "BlockDiagonal",
                    .argument = c10::str("blocks[", i, "]"), .expected = "a linear component",
                    .got = layer ? layer->name() : "nothing",
                    .remedy = "Modulators go before the BlockDiagonal, detectors behind it");
    bool positive = !sample.empty();
    for (const auto size : sample) {
      positive = positive && size >= 1 && size <= (int64_t{1} << 31);
    }
    OPTOTORCH_CHECK(positive, .where = "BlockDiagonal", .argument = c10::str("blocks[", i, "].sample"),
                    .expected = "positive sizes", .got = c10::str(sample));
    values_ += c10::multiply_integers(sample);
    for (size_t j = 0; j < i; ++j) {
      OPTOTORCH_CHECK(blocks_[j].layer != layer, .where = "BlockDiagonal",
                      .argument = c10::str("blocks[", i, "]"), .expected = "a layer of its own",
                      .got = c10::str("that of blocks[", j, "]"),
                      .remedy = "One layer serves many slices by its sample shape, e.g. {slices, ports}");
    }
    register_module(std::to_string(i), layer);
  }
}

void BlockDiagonalImpl::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(x.defined() && x.dim() == 2 && x.size(1) == values_, .where = "BlockDiagonal",
                  .argument = "input", .expected = c10::str("[batch, ", values_, "]"), .got = describe(x),
                  .remedy = "Match the layer before it");
}

torch::Tensor BlockDiagonalImpl::compute(const torch::Tensor& x, Pass* kept) {
  std::vector<torch::Tensor> outputs;
  int64_t begin = 0;
  for (const auto& [layer, sample] : blocks_) {
    auto pass =
        layer->propagate(take_part(x, sample, begin), kept != nullptr ? Keep::context : Keep::nothing);
    outputs.push_back(pass.output.flatten(1));
    if (kept != nullptr) {
      kept->inside.push_back(std::move(pass));
    }
  }
  return joined_outputs(outputs);
}

torch::Tensor BlockDiagonalImpl::evaluate(const torch::Tensor& x) {
  std::vector<torch::Tensor> outputs;
  int64_t begin = 0;
  for (const auto& [layer, sample] : blocks_) {
    outputs.push_back(layer->forward(take_whole_part(x, sample, begin)).flatten(1));
  }
  return joined_outputs(outputs);
}

std::vector<torch::Tensor> BlockDiagonalImpl::read_by_pullback(const Pass& pass) const {
  auto tensors = own_tensors();
  const auto saved = saved_tensors(pass);
  tensors.insert(tensors.end(), saved.begin(), saved.end());
  return tensors;
}

torch::Tensor BlockDiagonalImpl::update(const Pass& pass, const torch::Tensor& signal, bool to_input,
                                        Hook hook) {
  OPTOTORCH_CHECK(signal.defined() && signal.sizes() == pass.output.sizes(), .where = "BlockDiagonal",
                  .argument = "signal", .expected = "the shape of the output, " + describe(pass.output),
                  .got = describe(signal));
  OPTOTORCH_CHECK(pass.inside.size() == blocks_.size(), .where = "BlockDiagonal", .argument = "pass",
                  .expected = "a pass that kept its context", .got = "one of Keep::nothing");
  check_unchanged(pass);
  std::vector<torch::Tensor> inputs;
  int64_t begin = 0;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const auto& part = pass.inside[i];
    const auto there = take_part(signal, part.output.sizes().slice(1).vec(), begin);
    const auto back = ((*blocks_[i].layer).*hook)(part, there, to_input);
    if (to_input) {
      inputs.push_back(back.flatten(1));
    }
  }
  return to_input ? joined(inputs) : torch::Tensor();
}

torch::Tensor BlockDiagonalImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                  bool to_input) {
  return update(pass, dL_dy, to_input, &Layer::pullback);
}

torch::Tensor BlockDiagonalImpl::tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  return update(pass, signal, to_input, &Layer::tpfp_update);
}

torch::Tensor BlockDiagonalImpl::dfa_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  return update(pass, signal, to_input, &Layer::dfa_update);
}

torch::Tensor BlockDiagonalImpl::dat_update(const Pass& pass, const torch::Tensor& signal, bool to_input) {
  return update(pass, signal, to_input, &Layer::dat_update);
}

Adjoint BlockDiagonalImpl::adjoint(const torch::Tensor& x) const {
  struct Part {
    std::vector<int64_t> output;
    Adjoint adjoint;
  };
  std::vector<Part> parts;
  Adjoint all;
  int64_t begin = 0;
  for (const auto& [layer, sample] : blocks_) {
    const auto input = take_part(x, sample, begin);
    parts.push_back({output_shape(*layer, input), layer->adjoint(input)});
    const auto& tensors = parts.back().adjoint.tensors;
    all.tensors.insert(all.tensors.end(), tensors.begin(), tensors.end());
  }
  all.apply = [parts](const torch::Tensor& u) {
    std::vector<torch::Tensor> results;
    results.reserve(parts.size());
    int64_t from = 0;
    for (const auto& part : parts) {
      results.push_back(part.adjoint.apply(take_part(u, part.output, from)).flatten(1));
    }
    return joined(results);
  };
  return all;
}

Deployment BlockDiagonalImpl::deploy() {
  struct Part {
    std::vector<int64_t> sample;
    std::function<torch::Tensor(const torch::Tensor&)> forward;
  };
  std::vector<Part> parts;
  Deployment deployment;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    auto part = blocks_[i].layer->deploy();
    for (auto& [name, tensor] : part.tensors) {
      deployment.tensors.emplace_back(c10::str("block", i, "_", name), tensor);
    }
    parts.push_back({blocks_[i].sample, std::move(part.forward)});
  }
  deployment.forward = [parts](const torch::Tensor& x) {
    std::vector<torch::Tensor> outputs;
    outputs.reserve(parts.size());
    int64_t begin = 0;
    for (const auto& part : parts) {
      outputs.push_back(part.forward(take_whole_part(x, part.sample, begin)).flatten(1));
    }
    return joined(outputs);
  };
  return deployment;
}

Footprint BlockDiagonalImpl::footprint() const {
  Footprint all;
  for (const auto& block : blocks_) {
    add(all, block.layer->footprint());
  }
  return all;
}

Traversal BlockDiagonalImpl::traversal(const Pass& pass) const {
  Traversal all;
  int64_t begin = 0;
  for (const auto& block : blocks_) {  // side by side
    const auto part = block.layer->propagate(take_part(pass.input, block.sample, begin), Keep::nothing);
    const auto way = block.layer->traversal(part);
    for (const auto& [kind, count] : way.along) {
      all.along[kind] = std::max(all.along[kind], count);
    }
    all.passes = std::max(all.passes, way.passes);
    all.multiply_adds += way.multiply_adds;
    all.detectors += way.detectors;
  }
  return all;
}

std::shared_ptr<torch::nn::Module> BlockDiagonalImpl::clone(
    const std::optional<torch::Device>& device) const {
  std::vector<DiagonalBlock> copies;
  for (const auto& [layer, sample] : blocks_) {
    copies.push_back({std::dynamic_pointer_cast<Layer>(layer->clone(device)), sample});
  }
  auto copy = std::make_shared<BlockDiagonalImpl>(std::move(copies));
  copy->train(is_training());
  return copy;
}

namespace {

/// The blocks as a description has them.
struct Blocks {
  std::vector<DiagonalBlock> all;
  void fields(FieldVisitor& visit) { visit("blocks", all); }
};

const RegisteredPart block_diagonal_type(
    {.name = "BlockDiagonal",
     .type = typeid(BlockDiagonalImpl),
     .required = 1,
     .look =
         [](const torch::nn::Module& module, FieldVisitor& visit) {
           Blocks{dynamic_cast<const BlockDiagonalImpl&>(module).blocks()}.fields(visit);
         },
     .make =
         [](FieldVisitor& visit) {
           Blocks blocks;
           blocks.fields(visit);
           return torch::nn::AnyModule(std::make_shared<BlockDiagonalImpl>(std::move(blocks.all)));
         },
     .usual = [](FieldVisitor& visit) { Blocks().fields(visit); },
     .is_layer = true});

}  // namespace
}  // namespace optotorch
