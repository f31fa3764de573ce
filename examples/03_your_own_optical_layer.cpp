// A new optical layer in one file: a row of all-pass microrings, one on each waveguide. A layer that keeps
// the contract of Layer works with every rule, with checkpoints, clone() and export.
//
//     example_03 [DATA]      DATA: the folder that holds MNIST/raw; by default "data"

#include <ATen/ATen.h>
#include <optotorch/modules/hybrid.h>
#include <optotorch/modules/optics/fourier_lens.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/photodetector.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/rules/back_propagation.h>
#include <optotorch/trainers/rules/direct_feedback.h>
#include <optotorch/trainers/rules/shallow.h>
#include <optotorch/trainers/rules/two_pass_forward.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <iostream>
#include <numbers>

namespace {

using namespace optotorch;
using torch::Tensor;

struct RingRowOptions {
  RingRowOptions(int64_t ports) : ports_(ports) {}
  TORCH_ARG(int64_t, ports);
  TORCH_ARG(double, coupling) = 0.8;    ///< self-coupling amplitude r of the ring's coupler, in (0, 1)
  TORCH_ARG(double, round_trip) = 0.9;  ///< amplitude a after one round trip, in (0, 1]
};

/// y = t(phase) x,  t = (r - a e) / (1 - r a e),  e = exp(i phase): a phase that loses power near resonance.
class RingRowImpl : public CloneableLayer<RingRowImpl> {
 public:
  explicit RingRowImpl(RingRowOptions options_) : CloneableLayer("RingRow"), options(options_) {
    phase = register_phases("phase", torch::empty({options.ports()}).uniform_(0, 2 * std::numbers::pi));
  }

  Role role() const override { return Role::component; }

  RingRowOptions options;
  Tensor phase;

 protected:
  void check_input(const Tensor& x) const override {
    check_field(*this, x, options.ports());
    check_precision(*this, x, phase);
  }

  Tensor compute(const Tensor& x, Pass* kept) override { return x * transfer(); }

  // dL_dphase = Re(conj(dL_dy) x dt/dphase), summed over the batch;  dL_dx = conj(t) dL_dy
  Tensor compute_pullback(const Pass& pass, const Tensor& dL_dy, bool to_input) override {
    const double r = options.coupling(), a = options.round_trip();
    const Tensor e = at::polar(torch::ones_like(phase), phase);
    const Tensor slope = e * c10::complex<double>(0, a * (r * r - 1)) / (1 - r * a * e).square();
    accumulate(phase, at::real(dL_dy.conj() * pass.input * slope).sum(0));
    return to_input ? dL_dy * transfer().conj() : Tensor();
  }

 private:
  Tensor transfer() const {
    const double r = options.coupling(), a = options.round_trip();
    const Tensor e = at::polar(torch::ones_like(phase), phase);
    return (r - a * e) / (1 - r * a * e);
  }
};
TORCH_MODULE(RingRow);

Tensor loss(const Tensor& output, const Tensor& target) {
  return torch::nn::functional::cross_entropy(output, target);
}

/// Largest difference between the pull-back and central differences, in float64.
double pullback_error() {
  RingRow rings(4);
  rings->to(torch::kFloat64);
  const Tensor x = torch::randn({3, 4}, torch::kComplexDouble), dL_dy = torch::randn_like(x);
  rings->pullback(rings->propagate(x), dL_dy);
  const auto value = [&] { return at::real(dL_dy.conj() * rings->forward(x)).sum().item<double>(); };
  const torch::NoGradGuard no_grad;  // phases are moved in place
  double worst = 0;
  for (int64_t k = 0; k < 4; ++k) {
    const double step = 1e-5;
    rings->phase[k] += step;
    const double above = value();
    rings->phase[k] -= 2 * step;
    const double below = value();
    rings->phase[k] += step;
    const double slope = (above - below) / (2 * step);
    worst = std::max(worst, std::abs(slope - rings->phase.grad()[k].item<double>()));
  }
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  const double error = pullback_error();
  std::cout << "pull-back against central differences: " << error << "\n";
  bool good = error < 1e-8;

  const ImageBatches train(MNIST(argc > 1 ? argv[1] : "data"),
                           ImageBatchesOptions(100).shuffle(true).seed(1));
  // TPFP trails here: two components stand before the first detector, and the first one's difference of
  // fields knows nothing of the detector's slope.
  const std::vector<std::shared_ptr<Rule>> rules{
      std::make_shared<BackPropagation>(),
      std::make_shared<TwoPassForward>(
          TwoPassForwardOptions().feedback(Feedback::twin).presynaptic(Presynaptic::clean).strength(0.1)),
      std::make_shared<DirectFeedback>(), std::make_shared<Shallow>()};
  for (const auto& rule : rules) {
    torch::manual_seed(1);
    RingRow rings(36);
    Hybrid net(FourierLens(6), rings, MziMesh(36),
               Photodetector(PhotodetectorOptions().detection(Detection::amplitude)),
               torch::nn::Linear(36, 10));
    torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(1e-2));
    const Tensor before = rings->phase.clone();
    double first = 0, last = 0;
    for (int64_t k = 0; k < train.size(); ++k) {
      const auto [data, target] = train.batch(0, k);
      optimizer.zero_grad();
      last = rule->step(*net, data, target, loss).loss.item<double>();
      optimizer.step();
      first = k == 0 ? last : first;
    }
    const double moved = (rings->phase - before).abs().mean().item<double>();
    std::cout << rule->name() << ": loss " << first << " -> " << last << ", rings moved by " << moved
              << " rad\n";
    good = good && last < 0.8 * first && (moved > 0) == (rule->name() != "shallow");
  }
  return good ? 0 : 1;
}
