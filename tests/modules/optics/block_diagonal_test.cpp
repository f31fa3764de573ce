#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/electronic_block.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/physical_network.h>
#include <optotorch/modules/laboratory/simulated_system.h>
#include <optotorch/modules/optics/block_diagonal.h>
#include <optotorch/modules/optics/image_slices.h>
#include <optotorch/modules/optics/mzi_linear.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/optics/weight_bank.h>
#include <support/differences.h>
#include <support/errors.h>
#include <support/parameters.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/serialize.h>

namespace optotorch {
namespace {

using testing::expect_close;

template <typename Holder>
std::shared_ptr<Layer> electronic(const Holder& module) {
  return std::make_shared<ElectronicBlock>(torch::nn::AnyModule(module));
}

std::shared_ptr<Layer> stack(int64_t ports, int64_t meshes) {
  return MziMesh(MziMeshOptions(ports).meshes(meshes)).ptr();
}

BlockDiagonal in_double(std::vector<DiagonalBlock> blocks) {
  BlockDiagonal layer(std::move(blocks));
  layer->to(torch::kFloat64);
  return layer;
}

/// A stack of meshes, a mesh that patches share, a matrix that changes the number of ports.
BlockDiagonal optical() {
  torch::manual_seed(4);
  return in_double({{stack(3, 2), {2, 3}},
                    {stack(4, 1), {2, 2, 4}},
                    {MziLinear(3, 5).ptr(), {3}},
                    {stack(2, 2), {3, 2, 2}}});
}

/// The same in electronics: banks, a torch::nn module that takes images, one that takes several vectors.
BlockDiagonal electronic_blocks() {
  torch::manual_seed(5);
  return in_double({{WeightBank(4, 3).ptr(), {4}},
                    {electronic(torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 2, 2))), {1, 3, 3}},
                    {electronic(torch::nn::Linear(3, 2)), {2, 3}}});
}

/// What stands in a row of [batch, n] for every block.
std::vector<torch::Tensor> dealt(const torch::Tensor& x, const std::vector<std::vector<int64_t>>& samples) {
  std::vector<torch::Tensor> parts;
  int64_t begin = 0;
  for (const auto& sample : samples) {
    auto shape = sample;
    shape.insert(shape.begin(), x.size(0));
    const int64_t end = begin + c10::multiply_integers(sample);
    parts.push_back(x.slice(1, begin, end).reshape(shape));
    begin = end;
  }
  EXPECT_EQ(begin, x.size(1));
  return parts;
}

std::vector<std::vector<int64_t>> input_shapes(const BlockDiagonal& layer) {
  std::vector<std::vector<int64_t>> shapes;
  for (const auto& block : layer->blocks()) {
    shapes.push_back(block.sample);
  }
  return shapes;
}

torch::Tensor together(std::vector<torch::Tensor> parts) {
  for (auto& part : parts) {
    part = part.flatten(1);
  }
  return at::cat(parts, 1);
}

class BlockDiagonalTest : public ::testing::TestWithParam<bool> {
 protected:
  BlockDiagonal layer = GetParam() ? optical() : electronic_blocks();
  torch::Tensor batch(int64_t samples) const {
    return torch::randn({samples, GetParam() ? 37 : 19},
                        GetParam() ? torch::kComplexDouble : torch::kFloat64);
  }
};

TEST_P(BlockDiagonalTest, IsItsBlocksOneByOne) {
  for (const int64_t samples : {1, 5}) {
    const auto x = batch(samples);
    const auto parts = dealt(x, input_shapes(layer));
    std::vector<torch::Tensor> outputs;
    for (size_t i = 0; i < parts.size(); ++i) {
      outputs.push_back(layer->blocks()[i].layer->forward(parts[i]));
    }
    EXPECT_TRUE(layer->forward(x).equal(together(outputs)));
    EXPECT_TRUE(layer->propagate(x, Keep::nothing).output.equal(together(outputs)));
    EXPECT_EQ(layer->propagate(x, Keep::nothing).inside.size(), 0U);
  }
}

TEST_P(BlockDiagonalTest, EveryHookIsThatOfTheBlocks) {
  const auto x = batch(4);
  const auto pass = layer->propagate(x);
  const auto signal = torch::randn_like(pass.output);
  const auto parts = dealt(x, input_shapes(layer));
  for (const Hook hook : {&Layer::pullback, &Layer::tpfp_update, &Layer::dfa_update, &Layer::dat_update}) {
    const auto back = (layer.get()->*hook)(pass, signal, /*to_input=*/true);
    const auto gradients = testing::take_gradients(testing::parameters_of(*layer));
    std::vector<torch::Tensor> backs;
    int64_t begin = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      auto& block = *layer->blocks()[i].layer;
      const auto alone = block.propagate(parts[i]);
      const int64_t size = alone.output.numel() / 4;
      backs.push_back(
          (block.*hook)(alone, signal.narrow(1, begin, size).reshape(alone.output.sizes()), true));
      begin += size;
    }
    EXPECT_EQ(begin, signal.size(1));
    EXPECT_TRUE(back.equal(together(backs)));
    for (const auto& [name, expected] : testing::take_gradients(testing::parameters_of(*layer))) {
      ASSERT_TRUE(expected.defined() && gradients.at(name).defined()) << name;
      EXPECT_TRUE(gradients.at(name).equal(expected)) << name;
    }
    EXPECT_FALSE((layer.get()->*hook)(pass, signal, /*to_input=*/false).defined());
    for (const auto& [name, gradient] : testing::take_gradients(testing::parameters_of(*layer))) {
      EXPECT_TRUE(gradient.equal(gradients.at(name))) << name;
    }
  }
}

TEST_P(BlockDiagonalTest, AdjointIsBlockDiagonalToo) {
  const auto adjoint = layer->adjoint(batch(3));
  for (const int64_t samples : {2, 6}) {
    const auto x = batch(samples);
    const auto w_x = layer->forward(x) - layer->forward(at::zeros_like(x));
    const auto u = torch::randn_like(w_x);
    expect_close((w_x.conj() * u).sum(), (x.conj() * adjoint.apply(u)).sum(), 1e-12);
    expect_close(adjoint.apply(u), layer->pullback(layer->propagate(x), u), 1e-12);
  }
  size_t tensors = 0;
  const auto parts = dealt(batch(1), input_shapes(layer));
  for (size_t i = 0; i < parts.size(); ++i) {
    tensors += layer->blocks()[i].layer->adjoint(parts[i]).tensors.size();
  }
  EXPECT_EQ(adjoint.tensors.size(), tensors) << "what a checkpoint must keep";
}

TEST_P(BlockDiagonalTest, CloneSaveAndLoad) {
  const auto x = batch(3);
  const auto y = layer->forward(x);
  const auto copy = std::dynamic_pointer_cast<BlockDiagonalImpl>(layer->clone());
  ASSERT_NE(copy, nullptr);
  EXPECT_TRUE(copy->forward(x).equal(y));
  std::stringstream file;
  torch::save(layer, file);
  auto other = GetParam() ? optical() : electronic_blocks();
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : copy->parameters()) {
      parameter.add_(0.5);
    }
    for (auto& parameter : other->parameters()) {
      parameter.sub_(0.5);
    }
  }
  EXPECT_FALSE(copy->forward(x).equal(y));
  EXPECT_TRUE(layer->forward(x).equal(y)) << "a change of the clone";
  EXPECT_FALSE(other->forward(x).equal(y));
  torch::load(other, file);
  EXPECT_TRUE(other->forward(x).equal(y));
}

TEST_P(BlockDiagonalTest, ExportsForEveryBatchSize) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/block_diagonal.pt";
  Hybrid net(layer);
  EXPECT_EQ(export_torchscript(net, batch(2), path), 0);
  auto reloaded = torch::jit::load(path);
  net->eval();
  for (const int64_t samples : {1, 3, 50}) {
    const auto x = batch(samples);
    EXPECT_TRUE(reloaded.forward({x}).toTensor().equal(net->forward(x))) << samples;
  }
  size_t parameters = 0, stored = 0;
  for (const auto& block : layer->blocks()) {
    parameters += block.layer->deploy().tensors.size();
  }
  for (const auto& buffer : reloaded.named_buffers()) {
    EXPECT_EQ(buffer.name.rfind("layer0.block", 0), 0U) << buffer.name;
    ++stored;
  }
  EXPECT_EQ(stored, parameters) << "tensors, not constants";
}

INSTANTIATE_TEST_SUITE_P(Kinds, BlockDiagonalTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Optical" : "Electronic"; });

TEST(BlockDiagonalTest, NamesCountsAndPrints) {
  const auto layer = optical();
  std::vector<std::string> names;
  for (const auto& item : layer->named_parameters()) {
    names.push_back(item.key());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"0.theta", "0.phi", "0.gamma", "1.theta", "1.phi", "1.gamma",
                                             "2.sigma", "2.v.theta", "2.v.phi", "2.v.gamma", "2.u.theta",
                                             "2.u.phi", "2.u.gamma", "3.theta", "3.phi", "3.gamma"}));
  EXPECT_EQ(layer->footprint().at(parts::mzis), 2 * 3 + 6 + (3 + 10) + 2 * 1);
  EXPECT_EQ(electronic_blocks()->footprint().count(parts::mzis), 0);
  std::ostringstream stream;
  stream << *layer;
  EXPECT_EQ(stream.str().rfind("optotorch::BlockDiagonal(blocks=[{", 0), 0U) << stream.str();
  EXPECT_NE(stream.str().find("MziLinear"), std::string::npos) << stream.str();
}

/// Says by which hook it was reached: each returns another multiple of the signal.
class ListeningImpl : public CloneableLayer<ListeningImpl> {
 public:
  explicit ListeningImpl(int64_t options_) : CloneableLayer("Listening"), options(options_) {
    weight = register_phases("weight", torch::ones({1}));
  }
  Role role() const override { return Role::component; }
  torch::Tensor tpfp_update(const Pass&, const torch::Tensor& signal, bool) override { return signal * 2; }
  torch::Tensor dfa_update(const Pass&, const torch::Tensor& signal, bool) override { return signal * 3; }
  torch::Tensor dat_update(const Pass&, const torch::Tensor& signal, bool) override { return signal * 5; }
  Adjoint adjoint(const torch::Tensor&) const override {
    return {{weight}, [](const torch::Tensor& u) { return u * 7; }};
  }
  int64_t options;
  torch::Tensor weight;

 protected:
  void check_input(const torch::Tensor&) const override {}
  torch::Tensor compute(const torch::Tensor& x, Pass*) override { return x * 1; }
  torch::Tensor compute_pullback(const Pass&, const torch::Tensor& dL_dy, bool) override {
    return dL_dy * 11;
  }
};

TEST(BlockDiagonalTest, AnOverriddenHookIsTheOneThatIsCalled) {
  BlockDiagonal layer(std::vector<DiagonalBlock>{{std::make_shared<ListeningImpl>(0), {2}},
                                                 {electronic(torch::nn::Linear(2, 2)), {2}}});
  const auto pass = layer->propagate(torch::randn({3, 4}));
  const auto signal = torch::randn({3, 4});
  const auto heard = [&](const torch::Tensor& back) { return back.narrow(1, 0, 2) / signal.narrow(1, 0, 2); };
  const auto by = [](double factor) { return torch::full({3, 2}, factor, torch::kFloat32); };
  EXPECT_TRUE(at::allclose(heard(layer->tpfp_update(pass, signal, true)), by(2)));
  EXPECT_TRUE(at::allclose(heard(layer->dfa_update(pass, signal, true)), by(3)));
  EXPECT_TRUE(at::allclose(heard(layer->dat_update(pass, signal, true)), by(5)));
  EXPECT_TRUE(at::allclose(heard(layer->adjoint(pass.input).apply(signal)), by(7)));
  EXPECT_TRUE(at::allclose(heard(layer->pullback(pass, signal)), by(11)));
}

/// Draws random numbers while it is trained.
class NoisyImpl : public torch::nn::Cloneable<NoisyImpl> {
 public:
  NoisyImpl() : torch::nn::Cloneable<NoisyImpl>("Noisy") { reset(); }
  void reset() override { weight = register_parameter("weight", torch::ones({2})); }
  torch::Tensor forward(const torch::Tensor& x) { return at::dropout(x * weight, 0.5, is_training()); }
  torch::Tensor weight;
};
TORCH_MODULE(Noisy);

TEST(BlockDiagonalTest, AskingForTheAdjointMovesNothing) {
  torch::nn::BatchNorm1d frozen(3);
  BlockDiagonal layer(std::vector<DiagonalBlock>{
      {electronic(Noisy()), {2}}, {electronic(torch::nn::BatchNorm1d(3)), {3}}, {electronic(frozen), {3}}});
  frozen->eval();
  layer->propagate(torch::randn({8, 8}));
  std::vector<torch::Tensor> before;
  for (const auto& buffer : layer->buffers()) {
    before.push_back(buffer.clone());
  }
  torch::manual_seed(8);
  const auto drawn = torch::rand({1});
  torch::manual_seed(8);
  layer->adjoint(torch::zeros({5, 8}));
  EXPECT_TRUE(torch::rand({1}).equal(drawn)) << "random numbers";
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(layer->buffers()[i].equal(before[i])) << i;
  }
  EXPECT_TRUE(layer->is_training());
  EXPECT_FALSE(frozen->is_training());
}

TEST(BlockDiagonalTest, MeasuresWhereABlockMeasures) {
  torch::manual_seed(6);
  const PhysicalNetworkOptions options(3);
  const Chip chip(options.mesh().layout(), Imperfections(), 1);
  auto mesh = PhysicalNetwork(std::make_shared<SimulatedSystem>(chip), options);
  BlockDiagonal layer(std::vector<DiagonalBlock>{{mesh.ptr(), {3}}});
  const auto x = torch::randn({4, 3}, torch::kComplexFloat);
  const auto expected = mesh->forward(x);
  layer->eval();
  EXPECT_TRUE(layer->forward(x).equal(expected));
  EXPECT_THROW(layer->deploy(), c10::ValueError);
}

TEST(BlockDiagonalTest, RejectsWhatIsNoRowOfComponents) {
  const auto make = [](std::vector<DiagonalBlock> blocks) { BlockDiagonal layer(std::move(blocks)); };
  const auto mesh = stack(3, 2);
  EXPECT_SAYS(make({}), "at least one component");
  EXPECT_SAYS(make({{nullptr, {3}}}), "nothing");
  EXPECT_SAYS(make({{mesh, {2, 3}}, {Photodetector().ptr(), {3}}}), "blocks[1]");
  EXPECT_SAYS(make({{ImageSlices(ImageSlicesOptions(3, 3)).ptr(), {9}}}), "ImageSlices");
  EXPECT_SAYS(make({{electronic(torch::nn::Dropout()), {3}}}), "a linear component");
  EXPECT_SAYS(make({{mesh, {}}}), "blocks[0].sample");
  EXPECT_SAYS(make({{mesh, {2, 0}}}), "positive sizes");
  EXPECT_SAYS(make({{mesh, {-2, -3}}}), "positive sizes");
  EXPECT_SAYS(make({{mesh, {2, 3}}, {mesh, {2, 3}}}), "blocks[1]");
}

TEST(BlockDiagonalTest, RejectsWhatDoesNotFit) {
  auto layer = optical();
  EXPECT_SAYS(layer->forward(torch::randn({2, 36}, torch::kComplexDouble)), "[batch, 37]");
  EXPECT_SAYS(layer->forward(torch::randn({2, 37, 1}, torch::kComplexDouble)), "[batch, 37]");
  EXPECT_SAYS(layer->forward(torch::randn({37}, torch::kComplexDouble)), "[batch, 37]");
  EXPECT_SAYS(layer->forward(torch::Tensor()), "[batch, 37]");
  EXPECT_SAYS(layer->forward(torch::randn({2, 37}, torch::kFloat64)), "Modulator");
  // The sample's shape is not what its block takes.
  BlockDiagonal wrong(std::vector<DiagonalBlock>{{stack(3, 2), {3, 2}}});
  EXPECT_SAYS(wrong->forward(torch::randn({2, 6}, torch::kComplexFloat)), "2, 3");

  const auto pass = layer->propagate(torch::randn({2, 37}, torch::kComplexDouble));
  const auto longer = torch::randn({2, pass.output.size(1) + 1}, torch::kComplexDouble);
  for (const Hook hook : {&Layer::pullback, &Layer::tpfp_update, &Layer::dfa_update, &Layer::dat_update}) {
    EXPECT_SAYS((layer.get()->*hook)(pass, longer, true), "output");
    EXPECT_SAYS((layer.get()->*hook)(pass, longer.narrow(1, 2, longer.size(1) - 2), true), "output");
    EXPECT_SAYS((layer.get()->*hook)(pass, torch::Tensor(), true), "output");
    const auto bare = layer->propagate(pass.input, Keep::nothing);
    EXPECT_SAYS((layer.get()->*hook)(bare, bare.output, true), "context");
  }
  for (const auto& parameter : layer->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

/// Detects by itself: light in, values out.
class DetectingImpl : public CloneableLayer<DetectingImpl> {
 public:
  explicit DetectingImpl(int64_t options_) : CloneableLayer("Detecting"), options(options_) {}
  Role role() const override { return Role::component; }
  int64_t options;

 protected:
  void check_input(const torch::Tensor&) const override {}
  torch::Tensor compute(const torch::Tensor& x, Pass*) override { return x.abs(); }
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool) override {
    return at::sgn(pass.input) * dL_dy;
  }
};

TEST(BlockDiagonalTest, LightAndValuesDoNotMix) {
  BlockDiagonal layer(
      std::vector<DiagonalBlock>{{stack(2, 1), {2}}, {std::make_shared<DetectingImpl>(0), {3}}});
  const auto x = torch::randn({2, 5}, torch::kComplexFloat);
  EXPECT_SAYS(layer->forward(x), "one type");
  layer->eval();
  EXPECT_SAYS(layer->forward(x), "one type");
}

}  // namespace
}  // namespace optotorch
