#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/ops/free_space.h>
#include <optotorch/ops/separable_hop.h>
#include <optotorch/ops/transfer_function.h>
#include <support/differences.h>
#include <support/errors.h>

#include <array>
#include <tuple>
#include <vector>

namespace optotorch {
namespace {

using ops::separable_hop;
using ops::separable_hop_backward;
using ops::separable_hop_reference;
using testing::expect_close;

struct Lines {
  int64_t batch, planes, rows, columns, height, width;
};

const std::vector<Lines> cases = {{2, 1, 8, 8, 8, 8},     {3, 2, 5, 7, 9, 4},      {1, 1, 1, 1, 1, 1},
                                  {1, 3, 40, 23, 41, 60}, {2, 2, 1, 30, 1, 31},    {2, 1, 2, 3, 64, 77},
                                  {1, 2, 33, 2, 2, 1},    {4, 1, 100, 64, 64, 100}};

at::Tensor matrix(int64_t planes, int64_t outputs, int64_t inputs, bool symmetric) {
  const auto any = at::randn({planes, outputs, inputs}, at::kComplexDouble);
  return symmetric ? any + any.flip({1, 2}) : any;
}

struct SeparableCase {
  at::Tensor x, down, across;

  SeparableCase(const Lines& s, bool symmetric, bool of_planes)
      : x(at::randn({s.batch, s.planes, s.rows, s.columns}, at::kComplexDouble)),
        down(matrix(of_planes ? s.planes : 1, s.height, s.rows, symmetric)),
        across(matrix(of_planes ? s.planes : 1, s.width, s.columns, symmetric)) {
    if (!of_planes) {
      down = down[0];
      across = across[0];
    }
  }
};

template <typename Check>
void for_cases(const Check& check) {
  for (const auto& s : cases) {
    for (const bool symmetric : {false, true}) {
      for (const bool of_planes : {false, true}) {
        SCOPED_TRACE(c10::str(s.rows, " x ", s.columns, " to ", s.height, " x ", s.width,
                              symmetric ? ", symmetric" : ""));
        check(SeparableCase(s, symmetric, of_planes));
      }
    }
  }
}

TEST(SeparableHopTest, IsTheReference) {
  at::manual_seed(1);
  for_cases([](const SeparableCase& c) {
    const auto expected = separable_hop_reference(c.x, c.down, c.across);
    expect_close(separable_hop(c.x, c.down, c.across), expected, 1e-13);
    const auto single = [](const at::Tensor& tensor) { return tensor.to(at::kComplexFloat); };
    expect_close(separable_hop(single(c.x), single(c.down), single(c.across)), single(expected), 5e-6);
  });
}

TEST(SeparableHopTest, OneSideMayBeSymmetric) {
  at::manual_seed(2);
  const auto x = at::randn({2, 1, 6, 5}, at::kComplexDouble);
  const auto even = matrix(1, 4, 6, true), any = matrix(1, 3, 5, false);
  expect_close(separable_hop(x, even[0], any), separable_hop_reference(x, even[0], any), 1e-14);
}

TEST(SeparableHopTest, MeansASum) {
  at::manual_seed(3);
  const SeparableCase c({1, 1, 3, 4, 2, 5}, false, false);
  const auto y = separable_hop(c.x, c.down, c.across);
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t k = 0; k < 5; ++k) {
      auto sum = at::zeros({}, at::kComplexDouble);
      for (int64_t j = 0; j < 3; ++j) {
        for (int64_t l = 0; l < 4; ++l) {
          sum += c.down[i][j] * c.x[0][0][j][l] * c.across[k][l];
        }
      }
      expect_close(y[0][0][i][k], sum, 1e-14);
    }
  }
}

TEST(SeparableHopTest, IsFreeSpaceForAFresnelHop) {
  at::manual_seed(4);
  for (const std::array<double, 2> offset : {std::array{0.0, 0.0}, std::array{3e-5, -8e-6}}) {
    for (const double distance : {0.0, 1e-3, .05}) {
      const ops::HopGeometry hop{.wavelength = 532e-9,
                                 .distance = distance,
                                 .spacing = 8e-6,
                                 .input = {30, 21},
                                 .output = {16, 40},
                                 .offset = offset,
                                 .propagation = ops::Propagation::fresnel};
      const auto x = at::randn({2, 1, 30, 21}, at::kComplexDouble);
      const auto [down, across] = ops::hop_matrices(hop);
      expect_close(separable_hop(x, down, across), ops::free_space(x, ops::transfer_function(hop), 16, 40),
                   1e-13);
      EXPECT_EQ(at::equal(down, down.flip({0, 1})), offset[0] == 0);
      EXPECT_FALSE(at::equal(across, across.flip({0, 1}))) << "21 samples to 40";
    }
  }
}

TEST(SeparableHopTest, ReadsStridedConjugatedAndNegatedTensors) {
  at::manual_seed(5);
  for (const bool symmetric : {false, true}) {
    const SeparableCase c({2, 3, 5, 6, 7, 4}, symmetric, false);
    const auto expected = separable_hop_reference(c.x, c.down, c.across);
    const auto strided = c.x.transpose(0, 2).contiguous().transpose(0, 2);
    expect_close(separable_hop(strided, c.down.t().contiguous().t(), c.across), expected, 1e-13);
    const auto conjugated = [](const at::Tensor& tensor) { return tensor.conj_physical().conj(); };
    expect_close(separable_hop(conjugated(c.x), conjugated(c.down), conjugated(c.across)), expected, 1e-13);
    expect_close(separable_hop(at::_neg_view(c.x), c.down, at::_neg_view(c.across)), expected, 1e-13);
  }
}

TEST(SeparableHopTest, TheBatchAndTheThreadsChangeNoBit) {
  at::manual_seed(6);
  const int threads = at::get_num_threads();
  for (const int64_t side : {9, 64, 200}) {
    for (const bool symmetric : {false, true}) {
      const SeparableCase c({5, 1, side, side, side, side}, symmetric, false);
      const auto single = [](const at::Tensor& tensor) { return tensor.to(at::kComplexFloat); };
      const auto x = single(c.x), down = single(c.down), across = single(c.across);
      const auto all = separable_hop(x, down, across);
      for (const int some : {1, 2, 3}) {
        at::set_num_threads(some);
        EXPECT_TRUE(at::equal(separable_hop(x, down, across), all)) << side << " on " << some;
        EXPECT_TRUE(at::equal(separable_hop(x.narrow(0, 2, 1), down, across), all.narrow(0, 2, 1)))
            << side << ", one sample, on " << some;
      }
      at::set_num_threads(threads);
    }
  }
}

TEST(SeparableHopTest, AdjointAndDerivatives) {
  at::manual_seed(7);
  for_cases([](const SeparableCase& c) {
    const auto there = separable_hop(c.x, c.down, c.across), y = at::randn_like(there);
    const auto [back, no_down, no_across] = separable_hop_backward(y, c.x, c.down, c.across, true, false);
    EXPECT_EQ(no_down.numel() + no_across.numel(), 0);
    const auto left = (there.conj() * y).sum(), right = (c.x.conj() * back).sum();
    EXPECT_LT(((left - right).abs() / (there.norm() * y.norm())).item<double>(), 1e-14);
  });
  for (const bool of_planes : {false, true}) {
    SeparableCase c({2, 2, 3, 4, 2, 5}, false, of_planes);
    const auto w = at::randn({2, 2, 2, 5}, at::kComplexDouble);
    const auto loss = [&] {
      return at::real(w.conj() * separable_hop(c.x, c.down, c.across)).sum().item<double>();
    };
    const auto [dL_dx, dL_ddown, dL_dacross] = separable_hop_backward(w, c.x, c.down, c.across);
    expect_close(dL_dx, testing::central_differences(loss, c.x), 1e-9);
    expect_close(dL_ddown, testing::central_differences(loss, c.down), 1e-9);
    expect_close(dL_dacross, testing::central_differences(loss, c.across), 1e-9);
    const auto leaf = c.across.clone().requires_grad_();
    at::real(w.conj() * separable_hop(c.x, c.down, leaf)).sum().backward();
    expect_close(leaf.grad(), dL_dacross, 1e-14);
  }
}

TEST(SeparableHopTest, EmptyBatches) {
  const auto x = at::zeros({0, 2, 3, 4}, at::kComplexFloat), down = at::ones({5, 3}, at::kComplexFloat),
             across = at::ones({2, 2, 4}, at::kComplexFloat);
  EXPECT_EQ(separable_hop(x, down, across).sizes(), at::IntArrayRef({0, 2, 5, 2}));
  const auto [dL_dx, dL_ddown, dL_dacross] =
      separable_hop_backward(at::zeros({0, 2, 5, 2}, at::kComplexFloat), x, down, across);
  EXPECT_EQ(dL_dx.sizes(), x.sizes());
  EXPECT_TRUE(dL_ddown.equal(at::zeros_like(down)));
  EXPECT_TRUE(dL_dacross.equal(at::zeros_like(across)));
}

TEST(SeparableHopTest, WrongInput) {
  const auto x = at::zeros({1, 2, 3, 4}, at::kComplexFloat), down = at::ones({5, 3}, at::kComplexFloat),
             across = at::ones({6, 4}, at::kComplexFloat);
  EXPECT_SAYS(separable_hop(at::real(x), down, across), "separable_hop: field");
  EXPECT_SAYS(separable_hop(x[0], down, across), "[batch, planes, height, width]");
  EXPECT_SAYS(separable_hop(x, down.t(), across), "down: expected complex64 [outputs, 3]");
  EXPECT_SAYS(separable_hop(x, down, across.to(at::kComplexDouble)), "share one precision");
  EXPECT_SAYS(separable_hop(x, down, across.expand({3, 6, 4})), "of each of the 2 planes");
  EXPECT_SAYS(separable_hop(x, down.narrow(0, 0, 0), across), "down");
  EXPECT_SAYS(separable_hop_backward(x, x, down, across), "dL_doutput");
}

}  // namespace
}  // namespace optotorch
