#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/projectors/dense_projector.h>
#include <optotorch/modules/projectors/hadamard_projector.h>
#include <optotorch/modules/projectors/opu.h>
#include <optotorch/modules/projectors/streamed_projector.h>
#include <support/differences.h>
#include <support/errors.h>

#include <limits>

namespace optotorch {
namespace {

using ops::Entries;
using testing::expect_close;

constexpr int64_t rows = 300, columns = 40;

std::vector<std::shared_ptr<Projector>> all_projectors() {
  return {std::make_shared<DenseProjector>(rows, columns, 3),
          std::make_shared<DenseProjector>(rows, columns, 3, Entries::rademacher),
          std::make_shared<StreamedProjector>(rows, columns, 3),
          std::make_shared<StreamedProjector>(rows, columns, 3, Entries::rademacher),
          std::make_shared<StreamedProjector>(rows, columns, 3, Entries::complex_normal),
          std::make_shared<HadamardProjector>(rows, columns, 3),
          std::make_shared<Opu>(OpuOptions(rows, columns).seed(3).model(OpuModel::ideal))};
}

at::Tensor ternary(int64_t batch) {
  return at::randint(-1, 2, {batch, columns}, at::kChar);
}

TEST(ProjectorTest, SlicesAreRowsOfOneMatrix) {
  at::manual_seed(1);
  for (const auto& projector : all_projectors()) {
    const auto q = ternary(5);
    const auto whole = projector->project(q);
    ASSERT_EQ(whole.sizes(), (std::vector<int64_t>{5, rows}));
    EXPECT_EQ(whole.scalar_type(), at::kFloat);
    expect_close(projector->project(q, 70, 33), whole.slice(1, 70, 103), 1e-6, projector->name());
  }
}

TEST(ProjectorTest, ProductsAreLinearAndOfUnitEntries) {
  at::manual_seed(2);
  for (const auto& projector : all_projectors()) {
    const auto units = at::eye(columns, at::kChar);
    const auto b = projector->project(units);
    EXPECT_NEAR(b.square().mean().item<double>(), 1, 0.06) << projector->name();
    EXPECT_LT(std::abs(b.mean().item<double>()), 0.05) << projector->name();
    const auto q = ternary(7);
    expect_close(projector->project(q), q.to(at::kFloat).mm(b), 2e-6, projector->name());
    if (projector->name() != "Opu") {
      const auto x = at::randn({7, columns}, at::kDouble);
      expect_close(projector->project(x), x.mm(b.to(at::kDouble)), 2e-6, projector->name());
      EXPECT_EQ(projector->project(x.to(at::kFloat)).scalar_type(), at::kFloat);
    }
  }
}

TEST(ProjectorTest, DenseStoresWhatIsStreamed) {
  at::manual_seed(3);
  const auto x = at::randn({4, columns}, at::kDouble);
  for (const auto entries : {Entries::normal, Entries::rademacher}) {
    DenseProjector dense(rows, columns, 9, entries);
    StreamedProjector streamed(rows, columns, 9, entries);
    expect_close(dense.project(x), streamed.project(x), 1e-13);
  }
  const auto own = at::randn({6, columns}, at::kDouble);
  DenseProjector given(own);
  expect_close(given.project(x), x.mm(own.t()), 0);
  EXPECT_EQ(given.rows(), 6);
}

/// Returns a row too few.
class ShortProjector : public Projector {
 public:
  using Projector::Projector;
  std::string name() const override { return "ShortProjector"; }

 protected:
  at::Tensor compute(const at::Tensor& x, int64_t, int64_t rows) override {
    return at::zeros({x.size(0), rows - 1});
  }
};

TEST(ProjectorTest, AProductHasItsShape) {
  ShortProjector projector(4, columns);
  EXPECT_SAYS(projector.project(ternary(2)), "ShortProjector: product: expected [2, 4]");
}

TEST(ProjectorTest, RejectsWrongInput) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& projector : all_projectors()) {
    EXPECT_THROW(projector->project(at::randn({2, columns + 1})), c10::ValueError) << projector->name();
    EXPECT_THROW(projector->project(at::randn({columns})), c10::ValueError) << projector->name();
    EXPECT_THROW(projector->project(at::full({2, columns}, nan)), c10::ValueError) << projector->name();
    EXPECT_THROW(projector->project(at::ones({2, columns}, at::kLong)), c10::ValueError) << projector->name();
    EXPECT_THROW(projector->project(at::Tensor()), c10::ValueError) << projector->name();
    for (const int64_t wrong : {2, -2, -128}) {
      auto q = ternary(3);
      q[1][5] = wrong;
      EXPECT_SAYS(projector->project(q), "x: expected int8 values -1, 0 and 1, got");
    }
    EXPECT_SAYS(projector->load_state({{"steps", at::ones({}, at::kLong)}}), "state is of another projector");
    for (const auto& [first, count] : std::vector<std::pair<int64_t, int64_t>>{
             {0, 0}, {0, rows + 1}, {-1, 2}, {rows, 1}, {1, std::numeric_limits<int64_t>::max()}}) {
      EXPECT_THROW(projector->project(ternary(1), first, count), c10::ValueError) << projector->name();
    }
  }
  EXPECT_THROW(StreamedProjector(0, 4, 1), c10::ValueError);
  EXPECT_THROW(StreamedProjector(4, 0, 1), c10::ValueError);
  EXPECT_THROW(StreamedProjector((int64_t{1} << 31) + 1, 4, 1), c10::ValueError);
  EXPECT_THROW(StreamedProjector(4, (int64_t{1} << 31) + 1, 1), c10::ValueError);
  EXPECT_THROW(DenseProjector(4, 4, 1, Entries::complex_normal), c10::ValueError);
  EXPECT_SAYS(DenseProjector(int64_t{1} << 31, int64_t{1} << 31, 1), "at most 2^38 entries");
  EXPECT_SAYS(HadamardProjector(4, (int64_t{1} << 30) + 1, 1), "columns: expected 1 to 2^30");
  EXPECT_THROW(DenseProjector(at::full({4, 4}, nan)), c10::ValueError);
  EXPECT_THROW(DenseProjector(at::ones({4})), c10::ValueError);
  EXPECT_THROW(DenseProjector{at::Tensor()}, c10::ValueError);
}

}  // namespace
}  // namespace optotorch
