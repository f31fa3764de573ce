#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/block_diagonal.h>

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

torch::Tensor joined(const std::vector<torch::Tensor>& parts) {
  return parts.size() == 1 ? parts.front() : at::cat(parts, 1);
}

}  // namespace

BlockDiagonalImpl::BlockDiagonalImpl(std::vector<DiagonalBlock> blocks)
    : Layer("BlockDiagonal"), blocks_(std::move(blocks)) {
  OPTOTORCH_CHECK(!blocks_.empty(), .where = "BlockDiagonal", .argument = "blocks",
                  .expected = "at least one component", .got = "none", .remedy = "");
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
                    .expected = "positive sizes", .got = c10::str(sample), .remedy = "");
    values_ += c10::multiply_integers(sample);
    register_module(std::to_string(i), layer);
  }
}

void BlockDiagonalImpl::check_input(const torch::Tensor& x) const {
  OPTOTORCH_CHECK(x.defined() && x.dim() == 2 && x.size(1) == values_, .where = "BlockDiagonal",
                  .argument = "input", .expected = c10::str("[batch, ", values_, "]"), .got = describe(x),
                  .remedy = "Match the layer before it");
}

// Pass::saved holds, for every block, its pass: how many tensors it saved, input, output, these tensors.
torch::Tensor BlockDiagonalImpl::compute(const torch::Tensor& x, std::vector<torch::Tensor>* saved) {
  std::vector<torch::Tensor> outputs;
  int64_t begin = 0;
  for (const auto& [layer, sample] : blocks_) {
    auto pass = layer->propagate(take_part(x, sample, begin), saved ? Keep::context : Keep::nothing);
    outputs.push_back(pass.output.flatten(1));
    if (saved) {
      saved->push_back(torch::tensor(static_cast<int64_t>(pass.saved.size())));
      saved->push_back(pass.input);
      saved->push_back(pass.output);
      saved->insert(saved->end(), pass.saved.begin(), pass.saved.end());
    }
  }
  return joined(outputs);
}

torch::Tensor BlockDiagonalImpl::update(const Pass& pass, const torch::Tensor& signal, bool to_input,
                                        Hook hook) {
  std::vector<torch::Tensor> inputs;
  auto next = pass.saved.begin();
  int64_t begin = 0;
  for (const auto& block : blocks_) {
    const int64_t count = (next++)->item<int64_t>();
    Pass part{*next, *(next + 1), {next + 2, next + 2 + count}};
    next += 2 + count;
    const auto there = take_part(signal, part.output.sizes().slice(1).vec(), begin);
    const auto back = ((*block.layer).*hook)(part, there, to_input);
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
    parts.push_back(
        {layer->propagate(input, Keep::nothing).output.sizes().slice(1).vec(), layer->adjoint(input)});
    const auto& tensors = parts.back().adjoint.tensors;
    all.tensors.insert(all.tensors.end(), tensors.begin(), tensors.end());
  }
  all.apply = [parts](const torch::Tensor& u) {
    std::vector<torch::Tensor> results;
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
    int64_t begin = 0;
    for (const auto& part : parts) {
      outputs.push_back(part.forward(take_part(x, part.sample, begin)).flatten(1));
    }
    return joined(outputs);
  };
  return deployment;
}

int64_t BlockDiagonalImpl::mzi_count() const {
  int64_t count = 0;
  for (const auto& block : blocks_) {
    count += block.layer->mzi_count();
  }
  return count;
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

}  // namespace optotorch
