// An exported file runs with other sizes than its example's, or says that it does not: never wrong values.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/export/torchscript.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/image_slices.h>
#include <optotorch/modules/optics/modulator.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/modules/transformer/patch_embedding.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/nn/modules/container/functional.h>
#include <torch/nn/modules/linear.h>

#include <filesystem>

namespace optotorch {
namespace {

using Function = std::function<torch::Tensor(const torch::Tensor&)>;

class ExportedSizesTest : public ::testing::Test {
 protected:
  /// Exports at the sizes of `example` and loads again.
  void export_and_load(Hybrid net, const torch::Tensor& example) {
    net_ = std::move(net);
    net_->to(torch::kDouble);
    net_->eval();
    export_torchscript(net_, example, path_);
    reloaded_ = torch::jit::load(path_);
  }

  void expect_equal(const torch::Tensor& x) {
    const auto expected = net_->forward(x), got = reloaded_.forward({x}).toTensor();
    ASSERT_EQ(expected.sizes(), got.sizes()) << x.sizes();
    EXPECT_LE((expected - got).abs().sum().item<double>(), 1e-12) << x.sizes();
  }

  void expect_refused(const torch::Tensor& x, const std::string& by) {
    try {
      reloaded_.forward({x});
      FAIL() << x.sizes() << " is accepted";
    } catch (const std::exception& error) {
      EXPECT_NE(std::string(error.what()).find(by), std::string::npos) << error.what();
    }
  }

  static torch::Tensor images(torch::IntArrayRef sizes) { return torch::rand(sizes, torch::kDouble); }

  Hybrid net_;
  torch::jit::Module reloaded_;
  const testing::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/model.pt";
};

TEST_F(ExportedSizesTest, RefuseALayerThatIsTracedForOneBatchSize) {
  const std::vector<Function> frozen = {
      [](const torch::Tensor& x) {
        return x.view({x.size(0), -1});
      },
      [](const torch::Tensor& x) {
        return x.reshape({x.size(0), -1, 2}).select(2, 0);
      },
      [](const torch::Tensor& x) {
        return x + at::ones({1, 1}).expand({x.size(0), 1});
      },
      [](const torch::Tensor& x) {
        return x + at::zeros({x.size(0), x.size(1)});
      },
      [](const torch::Tensor& x) { return x - x.sum(0) / x.size(0); },
      [](const torch::Tensor& x) { return x.sum(0) / x.size(0); },
  };
  for (const int64_t batch : {2, 5}) {
    for (size_t k = 0; k < frozen.size(); ++k) {
      Hybrid net(torch::nn::Linear(6, 4), torch::nn::Functional(frozen[k]));
      const std::string said = testing::error_of([&] {
        export_torchscript(net, torch::rand({batch, 6}), path_);
      });
      EXPECT_NE(said.find("layer 1 (torch::nn::Functional"), std::string::npos) << k << ": " << said;
      EXPECT_NE(said.find("flatten(1)"), std::string::npos) << k << ": " << said;
      EXPECT_EQ(said.find("frame #"), std::string::npos) << k << ": " << said;
      EXPECT_FALSE(std::filesystem::exists(path_)) << k;
    }
  }
}

TEST_F(ExportedSizesTest, RefuseARandomLayerAndAnEmptyExample) {
  Hybrid net(torch::nn::Linear(6, 4),
             torch::nn::Functional([](const torch::Tensor& x) { return x + at::rand_like(x); }));
  EXPECT_SAYS(export_torchscript(net, torch::rand({2, 6}), path_), "random");
  EXPECT_SAYS(export_torchscript(net, torch::rand({0, 6}), path_), "at least one sample");
}

TEST_F(ExportedSizesTest, ALensTakesImagesOfAnySize) {
  export_and_load(Hybrid(FourierLens(5), MziMesh(25), Photodetector()), images({2, 1, 28, 28}));
  for (const auto& [height, width] : {std::pair{28, 28}, {32, 32}, {29, 30}, {5, 64}}) {
    expect_equal(images({3, 1, height, width}));
  }
  expect_equal(images({0, 1, 28, 28}));
  expect_refused(images({3, 2, 28, 28}), "layer 0 (FourierLens): input: expected [*, 1, *, *]");
  expect_refused(images({3, 1, 4, 28}), "");
}

TEST_F(ExportedSizesTest, AModulatorTakesAsManyValuesAsItHasPorts) {
  for (const auto encoding : {Encoding::amplitude, Encoding::phase}) {
    export_and_load(Hybrid(Modulator(ModulatorOptions(80).encoding(encoding)), MziMesh(80), Photodetector()),
                    images({2, 70}));
    for (const int64_t values : {70, 1, 60, 80}) {
      expect_equal(images({3, values}));
    }
    expect_equal(images({3, 7, 10}));
    expect_refused(images({3, 81}), "Modulator: input: expected at most 80 values a sample, got [3, 81]");
  }
  export_and_load(Hybrid(Modulator(ModulatorOptions(4).encoding(Encoding::complex)), MziMesh(4)),
                  images({2, 8}));
  expect_equal(images({3, 8}));
  expect_refused(images({3, 6}), "Modulator: input: expected exactly 8 values a sample");
}

TEST_F(ExportedSizesTest, SlicesAndPatchesNeedTheirOwnImages) {
  export_and_load(Hybrid(ImageSlices(ImageSlicesOptions(8, 8).sets({SliceSet::columns()})), MziMesh(64)),
                  images({2, 1, 8, 8}));
  expect_equal(images({3, 1, 8, 8}));
  expect_equal(images({3, 64}));
  expect_refused(images({3, 1, 9, 9}), "ImageSlices: input: expected images [batch, 1, 8, 8]");
  expect_refused(images({3, 1, 4, 16}), "ImageSlices");

  export_and_load(Hybrid(PatchEmbedding(PatchEmbeddingOptions(1, 8, 4, 3))), images({2, 1, 8, 8}));
  expect_equal(images({3, 1, 8, 8}));
  expect_refused(images({3, 1, 4, 16}), "PatchEmbedding: input: expected images [batch, 1, 8, 8]");
}

TEST_F(ExportedSizesTest, AModuleThatReadsSizesIsCheckedByTheFile) {
  export_and_load(Hybrid(torch::nn::Functional([](const torch::Tensor& x) {
                    return x.reshape({-1, x.size(1) * x.size(2)});
                  })),
                  images({2, 4, 6}));
  expect_equal(images({3, 4, 6}));
  expect_refused(images({3, 4, 12}), "layer 0 (torch::nn::Functional");
  expect_refused(images({3, 8, 6}), "expected [*, 4, 6]");

  export_and_load(Hybrid(torch::nn::Linear(3, 5),
                         torch::nn::Functional([](const torch::Tensor& x) { return x.sum(1) / x.size(1); })),
                  images({2, 7, 3}));
  expect_equal(images({4, 7, 3}));
  expect_refused(images({2, 8, 3}), "layer 1 (torch::nn::Functional");
}

TEST_F(ExportedSizesTest, AModuleThatLeavesSizesToLibtorchTakesOthers) {
  export_and_load(Hybrid(torch::nn::Functional([](const torch::Tensor& x) {
                           return at::adaptive_avg_pool2d(x, {2, 2});
                         }),
                         torch::nn::Functional([](const torch::Tensor& x) { return x.flatten(1); }),
                         torch::nn::Linear(8, 3)),
                  images({2, 2, 9, 10}));
  for (const auto& [height, width] : {std::pair{9, 10}, {20, 3}, {8, 8}}) {
    expect_equal(images({3, 2, height, width}));
  }
  expect_refused(images({3, 3, 9, 10}), "");
}

}  // namespace
}  // namespace optotorch
