// The published MZI network of arXiv 2212.06141, its weights and errors, on the 10,000 test images of MNIST:
// the library's parts must print the published accuracies to the digit.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/laboratory/chips/mesh_import.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/datasets/mnist.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace optotorch {
namespace {

const std::string shared = OPTOTORCH_SOURCE_DIR "/../shared";
const std::string goldens = shared + "/goldens/dat_mpnn";
constexpr int64_t golden_ports = 64;
constexpr size_t meshes = 3;

struct Golden {
  std::string weights;
  std::string splitters, phases;  ///< folders of errors; empty: none
  int64_t correct;                ///< of 10,000
};

void PrintTo(const Golden& golden, std::ostream* stream) {
  *stream << golden.weights << " " << golden.splitters << " " << golden.phases;
}

const std::vector<Golden>& golden_rows() {
  static const std::vector<Golden> all = {
      {"mnist_ideal", "", "", 9677},
      {"mnist_ideal", "bs0.1", "", 7279},
      {"mnist_ideal", "", "ps0.04", 8873},
      {"mnist_ideal", "", "ps0.1", 5966},
      {"mnist_ideal", "bs0.04", "ps0.04", 8635},
      {"mnist_ideal", "bs0.06", "ps0.04", 7261},
      {"mnist_ideal", "bs0.06", "ps0.06", 6656},
      {"mnist_pat_bs0.04_ps0.04", "", "", 9651},
      {"mnist_pat_bs0.04_ps0.04", "bs0.04", "ps0.04", 9260},
      {"mnist_dat_unitary_bs0.06_ps0.06", "", "", 8249},
      {"mnist_dat_unitary_bs0.06_ps0.06", "bs0.06", "ps0.06", 9300},
  };
  return all;
}

MziMesh read_mesh(size_t number, const Golden& golden) {
  MziMesh mesh(MziMeshOptions(golden_ports)
                   .grid(MeshGrid::rectangular)
                   .columns(64)
                   .phi_arm(PhiArm::output)
                   .zero_state(ZeroState::cross)
                   .idle_port(IdlePort::bar)
                   .imperfect(true));
  mesh->to(torch::kFloat64);
  std::vector<std::string> folders;
  for (const auto& folder : {golden.splitters, golden.phases}) {
    if (!folder.empty()) {
      folders.push_back(goldens + "/errors/" + folder);
    }
  }
  const auto chips = import_chips(folders, std::vector<MeshLayout>(meshes, mesh->layout()));
  const auto weights =
      import_phases(goldens + "/weights/" + golden.weights, mesh->layout(), static_cast<int64_t>(number));
  const auto realised = chips[number].realise({weights.theta, weights.phi, weights.gamma});
  const torch::NoGradGuard no_grad;
  mesh->theta.copy_(realised.theta);
  mesh->phi.copy_(realised.phi);
  mesh->gamma.copy_(*realised.screen);
  if (realised.splitter_error) {
    mesh->splitter_error.copy_(*realised.splitter_error);
  }
  return mesh;
}

Hybrid read_network(const Golden& golden) {
  Hybrid net{FourierLens(8)};
  for (size_t number = 0; number < meshes; ++number) {
    net->push_back(read_mesh(number, golden));
    if (number + 1 < meshes) {
      net->push_back(ElectroOpticActivation());
    }
  }
  net->push_back(Photodetector());
  net->eval();
  return net;
}

class MpnnGoldensTest : public ::testing::TestWithParam<Golden> {
 protected:
  /// Images and targets, and the fields behind the lens: the same in every row.
  struct Data {
    MNIST test{shared + "/datasets", MNIST::Mode::test};
    torch::Tensor field;
    Data() {
      FourierLens lens(8);
      std::vector<torch::Tensor> parts;
      for (const auto& images : test.images().split(1000)) {
        parts.push_back(lens->forward(images.to(torch::kFloat64) / 255));
      }
      field = at::cat(parts);
    }
  };

  void SetUp() override {
    if (!std::filesystem::exists(goldens) || !std::filesystem::exists(shared + "/datasets/MNIST/raw")) {
      GTEST_SKIP() << "the published weights and the full MNIST are not in " << shared;
    }
    if (data == nullptr) {
      data = std::make_unique<Data>();
    }
    ASSERT_EQ(data->test.count(), 10000);
  }

  static void TearDownTestSuite() { data.reset(); }

  /// Right answers among `scores` [N, 64]: the largest of the first ten ports.
  static int64_t correct(const torch::Tensor& scores, const torch::Tensor& targets) {
    return scores.narrow(1, 0, 10).argmax(1).eq(targets).sum().item<int64_t>();
  }

  /// The network behind its lens.
  static int64_t correct_behind_lens(Hybrid& net, const torch::Tensor& field) {
    auto y = field;
    for (size_t i = 1; i < net->size(); ++i) {
      y = net->layer(i).forward(y);
    }
    return correct(y, data->test.targets());
  }

  static std::unique_ptr<Data> data;
};

std::unique_ptr<MpnnGoldensTest::Data> MpnnGoldensTest::data;

TEST_P(MpnnGoldensTest, AccuracyToTheDigit) {
  auto net = read_network(GetParam());
  EXPECT_EQ(net->blocks().size(), 3U);
  EXPECT_EQ(net->layer(1).footprint().at(parts::mzis), 2016);
  EXPECT_EQ(correct_behind_lens(net, data->field), GetParam().correct);
  net->to(torch::kFloat32);
  EXPECT_NEAR(static_cast<double>(correct_behind_lens(net, data->field.to(torch::kComplexFloat))),
              static_cast<double>(GetParam().correct), 2);
}

INSTANTIATE_TEST_SUITE_P(Published, MpnnGoldensTest, ::testing::ValuesIn(golden_rows()),
                         [](const auto& info) {
                           std::string name =
                               info.param.weights + "_" + info.param.splitters + "_" + info.param.phases;
                           std::erase(name, '.');
                           return name;
                         });

// The pass that a rule takes (training mode, through the mesh and not through its matrix) agrees.
TEST_P(MpnnGoldensTest, TrainingPassAgrees) {
  auto net = read_network(GetParam());
  const auto images = data->test.images().narrow(0, 0, 100).to(torch::kFloat64) / 255;
  const auto deployed = net->forward(images);
  net->train();
  const auto trained = net->propagate(images).back().output;
  EXPECT_LE((trained - deployed).abs().max().item<double>(), 1e-11);
  // Lossless meshes: what the taps of the activations leave of the power is all there is.
  EXPECT_TRUE((trained >= 0).all().item<bool>());
}

}  // namespace
}  // namespace optotorch
