// Checkpoints that parse, and are not believed.

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/checkpoint.h>
#include <optotorch/trainers/detail/optimizer_state.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <support/errors.h>
#include <support/temporary_folder.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace optotorch {
namespace {

using json = nlohmann::json;

/// A training by TwoPassForward, whose state has tensors.
template <typename Optimizer>
struct DamagedTraining {
  template <typename Options>
  DamagedTraining(uint64_t seed, const Options& options)
      : model((torch::manual_seed(seed),
               Hybrid(MziMesh(4), Photodetector(), torch::nn::Linear(4, 4), torch::nn::Linear(4, 4)))),
        optimizer(model->parameters(), options) {}

  void step() {
    const auto x = torch::randn({5, 4}, torch::kComplexFloat), t = torch::rand({5, 4});
    optimizer.step([&] {
      optimizer.zero_grad();
      return rule
          .step(*model, x, t,
                [](const auto& y, const auto& target) { return torch::nn::functional::mse_loss(y, target); })
          .loss;
    });
  }

  /// All that a checkpoint restores.
  std::map<std::string, torch::Tensor> everything() const {
    auto all = weights_of(*model);
    const auto state = optimizer_state(optimizer);
    for (const auto& [name, tensor] : state.tensors) {
      all["optimizer" + name] = tensor;
    }
    all["tree " + state.tree] = torch::zeros(1);
    for (const auto& [name, tensor] : rule.state()) {
      all["rule/" + name] = tensor.clone();
    }
    all["generator"] = at::detail::getDefaultCPUGenerator().get_state();
    return all;
  }

  Hybrid model;
  Optimizer optimizer;
  TwoPassForward rule;
};

void expect_same(const std::map<std::string, torch::Tensor>& a, const std::map<std::string, torch::Tensor>& b,
                 const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (const auto& [name, tensor] : a) {
    ASSERT_TRUE(b.contains(name)) << what << ": " << name;
    ASSERT_TRUE(tensor.equal(b.at(name))) << what << ": " << name;
  }
}

class DamagedCheckpointTest : public ::testing::Test {
 protected:
  using Change = std::function<void(SafeTensors& file, json& tree)>;

  std::string path() const { return folder_.path() + "/checkpoint.safetensors"; }

  /// A changed file, checksum and all, is an error that names it and says `says`, and changes nothing.
  template <typename Optimizer, typename Options>
  void expect_refused(Options options, const std::string& says, const Change& change) {
    DamagedTraining<Optimizer> written(1, options), read(2, options);
    written.step();
    written.step();
    read.step();
    save_checkpoint(path(), *written.model, written.optimizer, written.rule,
                    {{{"note", "x"}}, weights_of(*written.model)});
    auto file = load_safetensors(path());
    auto tree = json::parse(file.metadata.at("optimizer"));
    change(file, tree);
    file.metadata["optimizer"] = tree.dump();
    save_safetensors(path(), file);
    const auto before = read.everything();
    std::string said;
    try {
      load_checkpoint(path(), *read.model, read.optimizer, read.rule);
    } catch (const c10::ValueError& error) {
      said = error.what_without_backtrace();
    }
    EXPECT_NE(said.find(says), std::string::npos) << "wanted: " << says << "\n" << said;
    EXPECT_NE(said.find(path()), std::string::npos) << said;
    expect_same(read.everything(), before, says);
    read.step();  // and it goes on
  }

  testing::TemporaryFolder folder_;
};

json& group(json& tree) {
  return tree["param_groups"]["archive"]["param_groups/0"]["archive"];
}

json& state(json& tree, const char* number) {
  return tree["state"]["archive"][number]["archive"];
}

TEST_F(DamagedCheckpointTest, OfAdamIsRefused) {
  const torch::optim::AdamOptions adam(0.1);
  const auto refused = [&](const std::string& says, const Change& change) {
    expect_refused<torch::optim::Adam>(adam, says, change);
  };
  refused("/params/3: expected", [](auto&, auto& tree) { group(tree)["params/3"]["string"] = "2"; });
  refused("params/size", [](auto& file, auto&) {
    file.tensors.at("optimizer/param_groups/param_groups/0/params/size").fill_(1000);
  });
  refused("/state/9: expected the number of one of 7 parameters", [](auto& file, auto& tree) {
    tree["state"]["archive"]["9"] = tree["state"]["archive"]["5"];
    tree["state"]["archive"].erase("5");
    for (const std::string name : {"exp_avg", "exp_avg_sq"}) {
      file.tensors["optimizer/state/9/" + name] = file.tensors.at("optimizer/state/5/" + name);
      file.tensors.erase("optimizer/state/5/" + name);
      tree["state"]["archive"]["9"]["archive"][name]["tensor"] = "/state/9/" + name;
    }
  });
  // Two layers of one shape: the moments of one for the other.
  refused("/state/3/exp_avg", [](auto&, auto& tree) { std::swap(state(tree, "3"), state(tree, "5")); });
  refused("options/betas: expected two numbers, at least 0 and below 1",
          [](auto&, auto& tree) { group(tree)["options"]["archive"]["betas"]["tuple"][1]["float"] = 2; });
  refused("one kind per value", [](auto&, auto& tree) {
    group(tree)["options"]["archive"]["betas"] = json::parse(R"({"tuple":[{}]})");
  });
  refused("options/betas", [](auto&, auto& tree) {
    group(tree)["options"]["archive"]["betas"] = json::parse(R"({"tuple":[{"float":0.5}]})");
  });
  refused("options/lr", [](auto&, auto& tree) { group(tree)["options"]["archive"]["lr"]["float"] = -1; });
  refused("options/amsgrad", [](auto&, auto& tree) {
    group(tree)["options"]["archive"]["amsgrad"] = {{"int", 1}};
  });
  refused("max_exp_avg_sq: expected a value, got none",
          [](auto&, auto& tree) { group(tree)["options"]["archive"]["amsgrad"]["bool"] = true; });
  refused("/state/2/step: expected 0 to", [](auto&, auto& tree) { state(tree, "2")["step"]["int"] = -21; });
  refused("/state/2/step", [](auto&, auto& tree) { state(tree, "2")["step"] = {{"string", "1"}}; });
  refused("/state/2/exp_avg: expected a value", [](auto& file, auto& tree) {
    state(tree, "2").erase("exp_avg");
    file.tensors.erase("optimizer/state/2/exp_avg");
  });
  refused("/state/3/exp_avg: expected float32 [4, 4], got float32 [2]",
          [](auto& file, auto&) { file.tensors.at("optimizer/state/3/exp_avg") = torch::zeros({2}); });
  refused("/state/3/exp_avg: expected float32 [4, 4], got float64 [4, 4]", [](auto& file, auto&) {
    file.tensors.at("optimizer/state/3/exp_avg") = torch::zeros({4, 4}, torch::kFloat64);
  });
  refused("/state/3/exp_avg_sq: expected no value below 0",
          [](auto& file, auto&) { file.tensors.at("optimizer/state/3/exp_avg_sq")[1][1] = -1e-9; });
  refused("/state/3/exp_avg: expected no NaN",
          [](auto& file, auto&) { file.tensors.at("optimizer/state/3/exp_avg")[1][1] = NAN; });
  refused("/surplus: expected no such tensor",
          [](auto& file, auto&) { file.tensors["optimizer/surplus"] = torch::zeros(3); });
  refused("more than 64 arrays and objects", [](auto&, auto& tree) {
    json deep = 1;
    for (int i = 0; i < 100; ++i) {
      deep = json::array({deep});
    }
    tree["state"] = deep;
  });
  refused("1.theta",
          [](auto& file, auto&) { file.tensors["best/1.theta"] = file.tensors.at("best/0.theta"); });
  refused("0.theta", [](auto& file, auto&) { file.tensors.at("best/0.theta")[0] = NAN; });
  refused("0.theta", [](auto& file, auto&) { file.tensors.at("model/0.theta")[0] = NAN; });
  refused("steps", [](auto& file, auto&) { file.tensors.at("rule/steps").fill_(-1); });
  refused("checkpoint", [](auto& file, auto&) { file.tensors.at("generator").fill_(255); });
}

TEST_F(DamagedCheckpointTest, OfLbfgsIsRefused) {
  const auto options = torch::optim::LBFGSOptions(0.1).history_size(6).max_iter(4);
  const auto refused = [&](const std::string& says, const Change& change) {
    expect_refused<torch::optim::LBFGS>(options, says, change);
  };
  refused("histories of equal length", [](auto& file, auto& tree) {
    auto& ro = state(tree, "0")["ro"]["tensors"];
    file.tensors.erase(c10::str("optimizer/state/0/ro/", ro.size() - 1));
    ro.erase(ro.size() - 1);
  });
  refused("options/history_size: expected 1 to",
          [](auto&, auto& tree) { group(tree)["options"]["archive"]["history_size"]["int"] = 0; });
  refused("at most 2",
          [](auto&, auto& tree) { group(tree)["options"]["archive"]["history_size"]["int"] = 2; });
  refused("options/line_search_fn", [](auto&, auto& tree) {
    group(tree)["options"]["archive"]["line_search_fn"] = {{"string", "armijo"}};
  });
  refused("/state/0/prev_flat_grad: expected a value", [](auto& file, auto& tree) {
    state(tree, "0").erase("prev_flat_grad");
    file.tensors.erase("optimizer/state/0/prev_flat_grad");
  });
  refused("/state/0/d: expected float32",
          [](auto& file, auto&) { file.tensors.at("optimizer/state/0/d") = torch::zeros({3}); });
}

TEST_F(DamagedCheckpointTest, OfAdagradIsRefused) {
  expect_refused<torch::optim::Adagrad>(torch::optim::AdagradOptions(0.1), "/state/3: expected a state",
                                        [](auto& file, auto& tree) {
                                          tree["state"]["archive"].erase("3");
                                          file.tensors.erase("optimizer/state/3/sum");
                                        });
}

// A buffer of LBFGS of which older files hold the whole, and others any part.
TEST_F(DamagedCheckpointTest, ABufferOfLbfgsIsNotRead) {
  const auto options = torch::optim::LBFGSOptions(0.1).history_size(6).max_iter(4);
  DamagedTraining<torch::optim::LBFGS> whole(1, options), read(2, options);
  whole.step();
  save_checkpoint(path(), *whole.model, whole.optimizer, whole.rule, {});
  auto file = load_safetensors(path());
  auto tree = json::parse(file.metadata.at("optimizer"));
  state(tree, "0")["al"] = json::parse(R"({"tensors":[{"tensor":"/state/0/al/0"}]})");
  file.tensors["optimizer/state/0/al/0"] = torch::zeros({});
  file.metadata["optimizer"] = tree.dump();
  save_safetensors(path(), file);
  load_checkpoint(path(), *read.model, read.optimizer, read.rule);
  const auto begin = at::detail::getDefaultCPUGenerator().get_state();
  whole.step();
  auto generator = at::detail::getDefaultCPUGenerator();
  generator.set_state(begin);
  read.step();
  expect_same(read.everything(), whole.everything(), "continued");
}

TEST_F(DamagedCheckpointTest, AFlippedBitIsRefusedOrChangesNothing) {
  const torch::optim::AdamOptions options(0.1);
  DamagedTraining<torch::optim::Adam> written(1, options), read(2, options);
  written.step();
  save_checkpoint(path(), *written.model, written.optimizer, written.rule, {});
  std::string bytes;
  {
    std::ifstream file(path(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  load_checkpoint(path(), *read.model, read.optimizer, read.rule);
  const auto right = read.everything();
  const size_t bits = 8 * bytes.size();
  size_t refused = 0, tried = 0;
  for (size_t bit = 0; bit < bits; bit += bits / 3000, ++tried) {
    auto flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    std::ofstream(path(), std::ios::binary) << flipped;
    try {
      load_checkpoint(path(), *read.model, read.optimizer, read.rule);
      expect_same(read.everything(), right, c10::str("bit ", bit));
    } catch (const c10::ValueError&) {
      ++refused;
    }
  }
  EXPECT_GT(tried, 3000U);
  EXPECT_GT(refused + 8, tried) << "all but some in the name of the checksum";
}

}  // namespace
}  // namespace optotorch
