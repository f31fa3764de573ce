#include "runs/networks.h"

#include <ATen/ATen.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/block_diagonal.h>
#include <optotorch/modules/optics/detail/or_one.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/image_slices.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <optotorch/modules/transformer/patch_embedding.h>
#include <optotorch/modules/transformer/token_embedding.h>
#include <optotorch/modules/transformer/token_mean.h>
#include <optotorch/modules/transformer/transformer_block.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/functional.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <limits>

namespace optotorch::tools {
namespace {

constexpr int64_t side = 28, pixels = side * side;

torch::nn::Linear zero_head(int64_t in, int64_t out) {
  torch::nn::Linear head(in, out);
  const torch::NoGradGuard no_grad;
  head->weight.zero_();
  head->bias.zero_();
  return head;
}

PhotodetectorOptions amplitude() {
  return PhotodetectorOptions().detection(Detection::amplitude);
}

/// A linear map of its own for every slice: [batch, slices x in] -> [batch, slices x out].
class SliceLinearImpl : public torch::nn::Cloneable<SliceLinearImpl> {
 public:
  SliceLinearImpl(int64_t slices, int64_t in, int64_t out)
      : torch::nn::Cloneable<SliceLinearImpl>("SliceLinear"), slices_(slices), in_(in), out_(out) {
    reset();
  }

  void reset() override {
    // Glorot's: with torch::nn::Linear's bound, narrow relu outputs died in one run of five.
    const double bound = std::sqrt(6.0 / static_cast<double>(in_ + out_));
    weight_ = register_parameter("weight", torch::empty({slices_, in_, out_}).uniform_(-bound, bound));
    bias_ = register_parameter("bias", torch::empty({slices_, 1, out_}).uniform_(-bound, bound));
  }

  torch::Tensor forward(const torch::Tensor& x) {
    const auto slices = x.reshape({-1, slices_, in_}).transpose(0, 1);
    return at::baddbmm(bias_, slices, weight_).transpose(0, 1).flatten(1);
  }

 private:
  int64_t slices_, in_, out_;
  torch::Tensor weight_, bias_;
};
TORCH_MODULE(SliceLinear);

constexpr int64_t mpnn_window = 8;

/// I_k / || I ||_2 of the first ports: the classes' scores; 0 if all detectors are dark.
torch::nn::Functional normalised_scores(int64_t classes) {
  return torch::nn::Functional([classes](const torch::Tensor& intensity) {
    return (intensity / or_one(intensity.norm(2, 1, true))).narrow(1, 0, classes);
  });
}

/// Every step-th of the values: the detectors that are there.
torch::nn::Functional every(int64_t step) {
  return torch::nn::Functional(
      [step](const torch::Tensor& x) { return x.slice(/*dim=*/1, /*start=*/0, /*end=*/std::nullopt, step); });
}

/// An embedding and the block behind it: a Hybrid sees one block, at whose output a signal teaches both.
template <typename Embedding, typename EmbeddingOptions>
class EmbeddedBlockImpl : public torch::nn::Cloneable<EmbeddedBlockImpl<Embedding, EmbeddingOptions>> {
 public:
  EmbeddedBlockImpl(EmbeddingOptions embedding, TransformerBlockOptions block)
      : embedding_options_(std::move(embedding)), block_options_(std::move(block)) {
    reset();
  }

  void reset() override {
    embedding_ = this->register_module("embedding", Embedding(embedding_options_));
    block_ = this->register_module("block", TransformerBlock(block_options_));
  }

  torch::Tensor forward(const torch::Tensor& x) { return block_(embedding_(x)); }

 private:
  EmbeddingOptions embedding_options_;
  TransformerBlockOptions block_options_;
  Embedding embedding_{nullptr};
  TransformerBlock block_{nullptr};
};

template <typename Embedding, typename EmbeddingOptions>
torch::nn::AnyModule embedded(EmbeddingOptions embedding, TransformerBlockOptions block) {
  return torch::nn::AnyModule(std::make_shared<EmbeddedBlockImpl<Embedding, EmbeddingOptions>>(
      std::move(embedding), std::move(block)));
}

Hybrid character_model(int64_t characters, optotorch::Taps taps) {
  constexpr int64_t width = 128, heads = 4, blocks = 4;
  const auto block = TransformerBlockOptions(width, heads).causal(true).taps(taps);
  Hybrid net{embedded<TokenEmbedding>(TokenEmbeddingOptions(characters, charlm_context, width), block)};
  for (int64_t n = 1; n < blocks; ++n) {
    net->push_back(TransformerBlock(block));
  }
  net->push_back(zero_head(width, characters));
  return net;
}

BlockDiagonal meshes(int64_t count) {
  return BlockDiagonal(
      std::vector<DiagonalBlock>{{MziMesh(MziMeshOptions(side).meshes(count)).ptr(), {count, side}}});
}

Hybrid two_meshes_a_slice(const std::vector<SliceSet>& sets, int64_t classes) {
  const auto slices = static_cast<int64_t>(sets.size()) * side;
  return Hybrid(ImageSlices(ImageSlicesOptions(side, side).sets(sets)), meshes(slices),
                Photodetector(amplitude()), Modulator(slices * side), meshes(slices),
                Photodetector(amplitude()), every(side), zero_head(slices, classes));
}

}  // namespace

Hybrid mnist_hybrid(int64_t classes) {
  constexpr int64_t window = 10, ports = window * window;
  return Hybrid(FourierLens(window), MziMesh(ports), Photodetector(amplitude()), zero_head(ports, classes));
}

Hybrid mnist_in_situ(int64_t classes) {
  constexpr int64_t window = 10, ports = window * window;
  const auto seed = torch::randint(std::numeric_limits<int32_t>::max(), {1}).item<int64_t>();
  const auto errors = Imperfections().splitter_error(0.04).phase_error(0.04);
  const auto system = std::make_shared<SimulatedSystem>(Chip(MziMeshOptions(ports).layout(), errors, seed));
  return Hybrid(FourierLens(window), PhysicalNetwork(system, PhysicalNetworkOptions(ports)),
                zero_head(ports, classes));
}

MziMeshOptions mpnn_mesh() {
  return MziMeshOptions(mpnn_window * mpnn_window).idle_port(IdlePort::bar);
}

Hybrid mpnn(int64_t classes) {
  Hybrid net{FourierLens(mpnn_window)};
  for (int64_t n = 0; n < mpnn_meshes; ++n) {
    net->push_back(MziMesh(mpnn_mesh()));
    if (n + 1 < mpnn_meshes) {
      net->push_back(ElectroOpticActivation());
    }
  }
  net->push_back(Photodetector());
  net->push_back(normalised_scores(classes));
  return net;
}

Hybrid mpnn_in_situ(int64_t classes, std::shared_ptr<PhysicalSystem> system, bool monitors, Fusion fusion) {
  return Hybrid(FourierLens(mpnn_window),
                PhysicalNetwork(std::move(system), PhysicalNetworkOptions(mpnn_mesh())
                                                       .meshes(mpnn_meshes)
                                                       .activation(ElectroOpticActivation().ptr())
                                                       .detection(Detection::intensity)
                                                       .internal_states(monitors)
                                                       .fusion(fusion)),
                normalised_scores(classes));
}

Hybrid mnist_weight_bank(int64_t classes) {
  constexpr int64_t hidden = 256;
  return Hybrid(torch::nn::Flatten(), WeightBank(pixels, hidden), torch::nn::Tanh(),
                zero_head(hidden, classes));
}

Hybrid mnist_wide_bank(int64_t classes) {
  constexpr int64_t hidden = 1024;
  WeightBank first(pixels, hidden), head(hidden, classes);
  auto weight = torch::empty({hidden, pixels});
  torch::nn::init::kaiming_uniform_(weight);
  first->set_weight(weight);
  head->set_weight(torch::zeros({classes, hidden}));
  return Hybrid(torch::nn::Flatten(), first, torch::nn::ReLU(), head);
}

Hybrid mnist_mlp(int64_t classes) {
  constexpr int64_t hidden = 1024;
  constexpr double mean = 0.1307, deviation = 0.3081;  // of MNIST's pixels
  // With LibTorch's usual weights and pixels as they are, tanh stays linear: .4 points less in every column.
  const auto drawn = [](int64_t in, int64_t out) {
    torch::nn::Linear linear(in, out);
    const torch::NoGradGuard no_grad;
    linear->weight.normal_(0, 1 / std::sqrt(static_cast<double>(in)));
    linear->bias.zero_();
    return linear;
  };
  return Hybrid(
      torch::nn::Functional([](const torch::Tensor& x) { return ((x - mean) / deviation).flatten(1); }),
      drawn(pixels, hidden), torch::nn::Tanh(), drawn(hidden, hidden), torch::nn::Tanh(),
      zero_head(hidden, classes));
}

Hybrid vit(int64_t classes) {
  constexpr int64_t patch = 7, overlap = 3, width = 64, heads = 4, blocks = 4;
  const TransformerBlockOptions block(width, heads);
  const auto embedding = PatchEmbeddingOptions(1, side, patch, width).overlap(overlap).hidden(2 * width);
  Hybrid net{embedded<PatchEmbedding>(embedding, block)};
  for (int64_t n = 1; n < blocks; ++n) {
    net->push_back(TransformerBlock(block));
  }
  net->push_back(TokenMean());
  net->push_back(zero_head(width, classes));
  return net;
}

Hybrid charlm(int64_t characters) {
  return character_model(characters, optotorch::Taps::none);
}

Hybrid charlm_micro(int64_t characters) {
  return character_model(characters, optotorch::Taps::micro);
}

Hybrid mnist_mesh784(int64_t classes) {
  return Hybrid(ImageSlices(ImageSlicesOptions(side, side).sets({SliceSet::rows()})), MziMesh(pixels),
                Photodetector(amplitude()), zero_head(pixels, classes));
}

Hybrid slices_electronic(int64_t classes) {
  return Hybrid(torch::nn::Functional([](const torch::Tensor& x) {
                  return x.reshape({-1, side, side}).transpose(1, 2).flatten(1);
                }),
                SliceLinear(side, side, side), torch::nn::ReLU(), SliceLinear(side, side, 1),
                torch::nn::ReLU(), torch::nn::Linear(side, classes));
}

Hybrid slices_columns(int64_t classes) {
  return two_meshes_a_slice({SliceSet::columns()}, classes);
}

Hybrid slices_columns_rows(int64_t classes) {
  return two_meshes_a_slice({SliceSet::columns(), SliceSet::rows()}, classes);
}

Hybrid slices_direct(int64_t classes) {
  return Hybrid(ImageSlices(ImageSlicesOptions(side, side).sets({SliceSet::columns(), SliceSet::rows()})),
                meshes(2 * side), Photodetector(amplitude()), zero_head(2 * pixels, classes));
}

Hybrid slices_patches(int64_t classes) {
  constexpr int64_t patch = 7, ports = patch * patch, patches = 64, copies = 4;
  std::vector<DiagonalBlock> blocks{{MziMesh(MziMeshOptions(side).meshes(2 * side)).ptr(), {2 * side, side}}};
  for (int64_t copy = 0; copy < copies; ++copy) {
    blocks.push_back({MziMesh(ports).ptr(), {patches, ports}});
  }
  return Hybrid(
      ImageSlices(ImageSlicesOptions(side, side)
                      .sets({SliceSet::columns(), SliceSet::rows(), SliceSet::patches(patch, 3, copies)})),
      BlockDiagonal(std::move(blocks)), Photodetector(amplitude()),
      zero_head(2 * pixels + copies * patches * ports, classes));
}

}  // namespace optotorch::tools
