#include <ATen/ATen.h>
#include <c10/util/ScopeExit.h>
#include <optotorch/core/check.h>
#include <optotorch/core/random.h>
#include <optotorch/core/random_pairs.h>
#include <optotorch/trainers/model_device.h>
#include <optotorch/trainers/rules/laboratory/identify.h>

#include <cmath>

namespace optotorch {
namespace {

constexpr char in_identify[] = "identify";

/// Standard normal [count], a pure function of seed and stream.
torch::Tensor normal(int64_t seed, uint64_t stream, int64_t count) {
  return normal_pairs(seed, stream, 0, (count + 1) / 2).flatten().narrow(0, 0, count);
}

/// True for stage n of batch k with this probability.
bool happens(int64_t seed, int64_t k, size_t n, double probability) {
  constexpr uint64_t apart = uint64_t{1} << 62;  // streams that no jitter draws from
  at::Philox4_32 engine(static_cast<uint64_t>(seed), apart + static_cast<uint64_t>(k), n);
  return uniform(engine) < probability;
}

}  // namespace

std::vector<double> identify(PhysicalNetworkImpl& network, const BatchSource& light,
                             const IdentifyOptions& options) {
  const torch::NoGradGuard no_grad;
  OPTOTORCH_CHECK(options.batches() >= 1, .where = in_identify, .argument = "batches",
                  .expected = "at least 1", .got = std::to_string(options.batches()));
  OPTOTORCH_CHECK(options.jitter() >= 0 && options.jitter() <= 100, .where = in_identify,
                  .argument = "jitter", .expected = "0 to 100", .got = c10::str(options.jitter()));
  OPTOTORCH_CHECK(options.cleared() >= 0 && options.cleared() <= 1, .where = in_identify,
                  .argument = "cleared", .expected = "0 to 1", .got = c10::str(options.cleared()));
  OPTOTORCH_CHECK(light.size() > 0, .where = in_identify, .argument = "light",
                  .expected = "at least one batch", .got = "none");
  OPTOTORCH_CHECK(!network.corrections().empty(), .where = in_identify, .argument = "network",
                  .expected = "a PhysicalNetwork with corrections", .got = "one without",
                  .remedy = "Give it corrections by set_corrections");
  auto parameters = network.parameters();
  std::vector<torch::Tensor> before;
  for (const auto& parameter : parameters) {
    before.push_back(parameter.detach().clone());
  }
  const auto restore = c10::make_scope_exit([&] {
    for (size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].copy_(before[i]);
    }
  });
  SimilarityLearner learner(in_identify, SimilarityOptions()
                                             .similarity(options.similarity())
                                             .compared(options.compared())
                                             .rate(options.rate())
                                             .steps(options.batches())
                                             .schedule([](int64_t step, int64_t total) {
                                               const double phase = M_PI * static_cast<double>(step) /
                                                                    static_cast<double>(total);
                                               return std::max(0.02, (1 + std::cos(phase)) / 2);
                                             }));
  network.strength = 1;
  std::vector<double> losses;
  for (int64_t k = 0; k < options.batches(); ++k) {
    OPTOTORCH_CHECK(!options.stopped() || !options.stopped()(), .where = in_identify, .argument = "stopped",
                    .expected = c10::str(options.batches(), " batches"),
                    .got = c10::str("a request to stop before batch ", k));
    const auto x = on_device_of(network, light.batch(k / light.size(), k % light.size())).data;
    for (size_t i = 0; i < parameters.size(); ++i) {
      const auto stream = static_cast<uint64_t>(k) * parameters.size() + i;
      const auto xi = normal(options.seed(), stream, before[i].numel());
      parameters[i].copy_(before[i] + options.jitter() * xi.view(before[i].sizes()).to(before[i].options()));
    }
    const double done = static_cast<double>(k) / static_cast<double>(options.batches());
    for (size_t n = 0; n < network.stages().size(); ++n) {
      if (happens(options.seed(), k, n, options.cleared() * (1 - 1.5 * done))) {
        for (auto& command : network.stages()[n]->parameters()) {
          command.zero_();
        }
      }
    }
    losses.push_back(learner.learn(network, x, network.readings_of(network.measure(x)), false));
  }
  return losses;
}

}  // namespace optotorch
