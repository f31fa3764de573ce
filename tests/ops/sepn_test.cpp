#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <optotorch/ops/sepn.h>
#include <support/differences.h>

#include <array>

namespace optotorch {
namespace {

using ops::SepnLayout;
using testing::central_differences;
using testing::expect_close;

class SepnTest : public ::testing::TestWithParam<SepnLayout> {
 protected:
  SepnTest() { at::manual_seed(4); }

  static at::Tensor parameters(const SepnLayout& layout) {
    return at::randn({layout.parameters(), 2}, at::kDouble).mul_(0.3);
  }
  static at::Tensor field(int64_t batch, const SepnLayout& layout) {
    return at::randn({batch, layout.ports}, at::kComplexDouble);
  }
};

TEST_P(SepnTest, IsTheReferenceWithItsGradients) {
  const auto& layout = GetParam();
  const auto p = parameters(layout);
  for (const int64_t batch : {0, 1, 17, 130}) {
    const auto x = field(batch, layout), g = field(batch, layout);
    auto leaf = x.clone().requires_grad_(), leaf_p = p.clone().requires_grad_();
    const auto expected = ops::sepn_reference(leaf, leaf_p, layout);
    expect_close(ops::sepn(x, p, layout), expected.detach(), 1e-12);
    expect_close(ops::sepn(x.to(at::kComplexFloat), p.to(at::kFloat), layout),
                 expected.detach().to(at::kComplexFloat), 1e-4);
    if (batch == 0) {
      continue;
    }
    at::real(g.conj() * expected).sum().backward();
    const auto [dL_dx, dL_dp] = ops::sepn_backward(g, x, p, layout);
    expect_close(dL_dx, leaf.grad(), 1e-9, "x");
    expect_close(dL_dp, leaf_p.grad(), 1e-9, "parameters");
    const auto [only_x, no_p] = ops::sepn_backward(g, x, p, layout, true, false);
    const auto [no_x, only_p] = ops::sepn_backward(g, x, p, layout, false, true);
    EXPECT_EQ(no_p.numel() + no_x.numel(), 0);
    EXPECT_TRUE(only_x.equal(dL_dx));
    EXPECT_TRUE(only_p.equal(dL_dp));
    // LibTorch's autograd through the operator.
    leaf.mutable_grad() = leaf_p.mutable_grad() = at::Tensor();
    at::real(g.conj() * ops::sepn(leaf, leaf_p, layout)).sum().backward();
    EXPECT_TRUE(leaf.grad().equal(dL_dx));
    EXPECT_TRUE(leaf_p.grad().equal(dL_dp));
  }
}

TEST_P(SepnTest, HasNoBatchAndNoThreads) {
  const auto& layout = GetParam();
  const auto p = parameters(layout).to(at::kFloat);
  const auto x = field(150, layout).to(at::kComplexFloat), g = field(150, layout).to(at::kComplexFloat);
  const auto y = ops::sepn(x, p, layout);
  const auto [dL_dx, dL_dp] = ops::sepn_backward(g, x, p, layout);
  for (const int64_t n : {0, 15, 16, 149}) {
    EXPECT_TRUE(ops::sepn(x.narrow(0, n, 1), p, layout).equal(y.narrow(0, n, 1)));
    EXPECT_TRUE(std::get<0>(ops::sepn_backward(g.narrow(0, n, 1), x.narrow(0, n, 1), p, layout))
                    .equal(dL_dx.narrow(0, n, 1)));
  }
  const int threads = at::get_num_threads();
  for (const int count : {1, 3}) {
    at::set_num_threads(count);
    const auto [again_x, again_p] = ops::sepn_backward(g, x, p, layout);
    EXPECT_TRUE(again_x.equal(dL_dx));
    EXPECT_TRUE(again_p.equal(dL_dp));
  }
  at::set_num_threads(threads);
  EXPECT_TRUE(ops::sepn(x.t().contiguous().t(), p.t().contiguous().t(), layout).equal(y)) << "strides";
  EXPECT_TRUE(ops::sepn(x.conj().resolve_conj().conj(), p, layout).equal(y)) << "lazy conjugate";
}

INSTANTIATE_TEST_SUITE_P(All, SepnTest,
                         ::testing::Values(SepnLayout{64, {4, 8, 16}}, SepnLayout{64, {4, 6, 8}},
                                           SepnLayout{100, {4, 7, 9}}, SepnLayout{10, {3, 5, 2}},
                                           SepnLayout{2, {1, 2, 3}}, SepnLayout{1, {1, 1, 1}}));

TEST(SepnTest, PullBackIsTheDerivative) {
  at::manual_seed(4);
  const SepnLayout layout{21, {2, 3, 5}};
  const auto p = at::randn({layout.parameters(), 2}, at::kDouble).mul_(0.4);
  const auto x = at::randn({3, 21}, at::kComplexDouble), g = at::randn({3, 21}, at::kComplexDouble);
  const auto loss = [&] { return at::real(g.conj() * ops::sepn(x, p, layout)).sum().item<double>(); };
  const auto [dL_dx, dL_dp] = ops::sepn_backward(g, x, p, layout);
  // Steps that are small beside the distance of any value to a CReLU's corner.
  expect_close(dL_dx, central_differences(loss, x, 1e-5), 1e-9);
  expect_close(dL_dp, central_differences(loss, p, 1e-5), 1e-9);
}

TEST(SepnTest, HasThePublishedSizes) {
  EXPECT_EQ((SepnLayout{64, {4, 8, 16}}.parameters()), 9757);
  EXPECT_EQ((SepnLayout{64, {4, 6, 8}}.parameters()), 4035);
}

TEST(SepnTest, RejectsWrongInput) {
  const SepnLayout layout{64, {4, 6, 8}};
  const auto x = at::zeros({2, 64}, at::kComplexFloat), p = at::zeros({4035, 2});
  EXPECT_THROW(ops::sepn(at::real(x), p, layout), c10::ValueError);
  EXPECT_THROW(ops::sepn(x.narrow(1, 0, 63), p, layout), c10::ValueError);
  EXPECT_THROW(ops::sepn(x.unsqueeze(0), p, layout), c10::ValueError);
  EXPECT_THROW(ops::sepn(x, p.narrow(0, 0, 4034), layout), c10::ValueError);
  EXPECT_THROW(ops::sepn(x, p.to(at::kDouble), layout), c10::ValueError);
  EXPECT_THROW(ops::sepn(x, p, (SepnLayout{64, {4, 0, 8}})), c10::ValueError);
  EXPECT_THROW(ops::sepn(x, p, (SepnLayout{0, {4, 6, 8}})), c10::ValueError);
  EXPECT_THROW(ops::sepn(x, p, (SepnLayout{int64_t{1} << 40, {4, 6, 8}})), c10::ValueError);
  EXPECT_THROW(ops::sepn_backward(x.narrow(0, 0, 1), x, p, layout), c10::ValueError);
  EXPECT_THROW(ops::sepn_backward(x.to(at::kComplexDouble), x, p, layout), c10::ValueError);
}

}  // namespace
}  // namespace optotorch
