#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/image_slices.h>
#include <support/differences.h>
#include <support/errors.h>

namespace optotorch {
namespace {

using testing::expect_close;

/// The values of one image, plain loops: image[y][x] in the order of the sets.
std::vector<double> loops(const torch::Tensor& image, const std::vector<SliceSet>& sets) {
  const int64_t height = image.size(0), width = image.size(1);
  const auto pixel = image.accessor<double, 2>();
  std::vector<double> values;
  for (const auto& set : sets) {
    for (int64_t copy = 0; copy < set.copies; ++copy) {
      if (set.kind == SliceSet::Kind::columns) {
        for (int64_t x = 0; x < width; ++x) {
          for (int64_t y = 0; y < height; ++y) {
            values.push_back(pixel[y][x]);
          }
        }
      } else if (set.kind == SliceSet::Kind::rows) {
        for (int64_t y = 0; y < height; ++y) {
          for (int64_t x = 0; x < width; ++x) {
            values.push_back(pixel[y][x]);
          }
        }
      } else {
        for (int64_t top = 0; top <= height - set.size; top += set.stride) {
          for (int64_t left = 0; left <= width - set.size; left += set.stride) {
            for (int64_t i = 0; i < set.size * set.size; ++i) {
              values.push_back(pixel[top + i / set.size][left + i % set.size]);
            }
          }
        }
      }
    }
  }
  return values;
}

ImageSlices slices(int64_t height, int64_t width, const std::vector<SliceSet>& sets,
                   bool normalized = false) {
  return ImageSlices(ImageSlicesOptions(height, width).sets(sets).normalized(normalized));
}

TEST(ImageSlicesTest, DeliversWhatLoopsDeliver) {
  torch::manual_seed(1);
  auto two_columns = SliceSet::columns();
  two_columns.copies = 2;
  const std::vector<std::vector<SliceSet>> cases = {
      {SliceSet::columns()},
      {SliceSet::rows()},
      {SliceSet::patches(3, 2)},
      {SliceSet::patches(1, 1)},
      {SliceSet::patches(5, 1)},  // as large as the shorter side
      {SliceSet::patches(2, 4)},  // pixels between the patches are not seen
      {SliceSet::patches(3, 3, 2)},
      {two_columns, SliceSet::patches(4, 1, 3), SliceSet::rows(), SliceSet::columns()}};
  for (const auto& [height, width] : std::vector<std::pair<int64_t, int64_t>>{{5, 8}, {8, 5}, {5, 5}}) {
    const auto x = torch::randn({3, 1, height, width}, torch::kFloat64);
    for (size_t i = 0; i < cases.size(); ++i) {
      auto layer = slices(height, width, cases[i]);
      const auto y = layer->forward(x);
      ASSERT_EQ(y.scalar_type(), torch::kComplexDouble);
      ASSERT_EQ(y.sizes(), (at::IntArrayRef{3, layer->size()}));
      for (int64_t b = 0; b < 3; ++b) {
        const auto expected = torch::tensor(loops(x[b][0], cases[i]), torch::kFloat64);
        EXPECT_TRUE(at::real(y[b]).equal(expected)) << i << ", " << height << " x " << width;
      }
      EXPECT_EQ(at::imag(y).abs().max().item<double>(), 0);
    }
  }
}

TEST(ImageSlicesTest, TakesImagesOrTheirPixels) {
  auto layer = slices(4, 6, {SliceSet::columns()});
  const auto x = torch::randn({2, 1, 4, 6}, torch::kFloat64);
  EXPECT_TRUE(layer->forward(x.flatten(1)).equal(layer->forward(x)));
  EXPECT_TRUE(layer->forward(x.squeeze(1)).equal(layer->forward(x)));
  EXPECT_EQ(layer->forward(x.narrow(0, 0, 0)).sizes(), (at::IntArrayRef{0, 24}));
}

TEST(ImageSlicesTest, NormalisesEveryImageByItsOwnPower) {
  torch::manual_seed(2);
  const std::vector<SliceSet> sets = {SliceSet::patches(2, 3, 4), SliceSet::rows()};
  auto normalized = slices(4, 6, sets, true), plain = slices(4, 6, sets);
  const auto x = torch::rand({3, 1, 4, 6}, torch::kFloat64) + 0.1;
  const auto y = normalized->forward(x);
  for (int64_t b = 0; b < 3; ++b) {
    // The mean is over the image, however often a pixel is delivered.
    const double power = x[b].square().sum().item<double>() / 24;
    expect_close(at::real(y[b]), at::real(plain->forward(x)[b]) / std::sqrt(power), 1e-15);
  }
  auto whole = slices(4, 6, {SliceSet::rows()}, true);
  const auto power = whole->forward(x).abs().square().mean(1);
  expect_close(power, torch::ones({3}, torch::kFloat64), 1e-14, "unit intensity a port");
  expect_close(whole->forward(x * 1000), whole->forward(x), 1e-14, "brightness does not count");
  EXPECT_TRUE(ImageSlicesOptions(2, 2).normalized()) << "the default";
}

TEST(ImageSlicesTest, ABlackImageIsBlackAndDoesNotDarkenItsNeighbours) {
  auto layer = slices(3, 3, {SliceSet::columns(), SliceSet::rows()}, true);
  auto x = torch::rand({3, 1, 3, 3}, torch::kFloat64) + 0.5;
  x[1].zero_();
  for (const bool training : {true, false}) {
    layer->train(training);
    const auto y = layer->forward(x);
    EXPECT_TRUE(y[1].equal(torch::zeros({18}, torch::kComplexDouble)));
    EXPECT_TRUE(y[2].equal(layer->forward(x.narrow(0, 2, 1))[0]));
  }
  const auto pass = layer->propagate(x);
  const auto dL_dx = layer->pullback(pass, torch::ones_like(pass.output));
  EXPECT_TRUE(dL_dx.isfinite().all().item<bool>());
  EXPECT_TRUE(dL_dx[1].equal(torch::full({1, 3, 3}, 2.0, torch::kFloat64))) << "as if not normalised";
}

TEST(ImageSlicesTest, PullbackCountsAPixelAsOftenAsItIsDelivered) {
  auto layer = slices(3, 4, {SliceSet::patches(2, 1, 3), SliceSet::columns()});
  const auto pass = layer->propagate(torch::rand({1, 1, 3, 4}, torch::kFloat64));
  const auto dL_dx = layer->pullback(pass, torch::ones_like(pass.output));
  // Corners lie in one patch, edges in two, the middle in four.
  const auto expected =
      torch::tensor({{4., 7., 7., 4.}, {7., 13., 13., 7.}, {4., 7., 7., 4.}}, torch::kFloat64);
  EXPECT_TRUE(dL_dx[0][0].equal(expected)) << dL_dx;
  // The field is real: what stands in the other quadrature does not come from the image.
  const auto imaginary = at::complex(torch::zeros_like(at::real(pass.output)), at::real(pass.output));
  EXPECT_EQ(layer->pullback(pass, imaginary).abs().max().item<double>(), 0);
  EXPECT_FALSE(layer->pullback(pass, imaginary, /*to_input=*/false).defined());
}

TEST(ImageSlicesTest, SaysWhatItDelivers) {
  std::ostringstream stream;
  stream << *slices(5, 4, {SliceSet::columns(), SliceSet::patches(3, 1, 2), SliceSet::rows()});
  EXPECT_EQ(stream.str().rfind("optotorch::ImageSlices(height=5, width=4, sets=[", 0), 0U) << stream.str();
  EXPECT_NE(stream.str().find("normalized=false)"), std::string::npos) << stream.str();
  EXPECT_EQ(slices(5, 4, {SliceSet::columns(), SliceSet::patches(3, 1, 2), SliceSet::rows()})->size(),
            20 + 2 * 6 * 9 + 20);
}

TEST(ImageSlicesTest, RejectsWhatCannotBe) {
  const auto make = [](int64_t height, int64_t width, const std::vector<SliceSet>& sets) {
    slices(height, width, sets);
  };
  EXPECT_SAYS(make(28, 28, {}), "sets");
  for (const auto& [height, width] :
       std::vector<std::pair<int64_t, int64_t>>{{0, 28}, {28, -1}, {5000, 28}, {28, 4097}}) {
    EXPECT_SAYS(make(height, width, {SliceSet::columns()}), "height, width");
  }
  EXPECT_SAYS(make(6, 9, {SliceSet::patches(7, 1)}), "1 to 6");
  EXPECT_SAYS(make(6, 9, {SliceSet::columns(), SliceSet::patches(0, 1)}), "size 0");
  EXPECT_SAYS(make(6, 9, {SliceSet::patches(-2, 1)}), "size -2");
  EXPECT_SAYS(make(6, 9, {SliceSet::patches(3, 0)}), "stride 0");
  EXPECT_SAYS(make(6, 9, {SliceSet::patches(3, -1)}), "stride -1");
  EXPECT_SAYS(make(6, 9, {SliceSet::patches(3, 1, 0)}), "copies 0");
  EXPECT_SAYS(make(6, 9, {{.kind = SliceSet::Kind::rows, .copies = -1}}), "copies -1");

  auto layer = slices(4, 6, {SliceSet::columns()});
  EXPECT_SAYS(layer->forward(torch::rand({2, 1, 6, 4})), "4, 6");  // the same number of pixels
  EXPECT_SAYS(layer->forward(torch::rand({2, 3, 4, 6})), "4, 6");
  EXPECT_SAYS(layer->forward(torch::rand({2, 23})), "24");
  EXPECT_SAYS(layer->forward(torch::rand({24})), "24");
  EXPECT_SAYS(layer->forward(torch::zeros({2, 1, 4, 6}, torch::kUInt8)), "float");
  EXPECT_SAYS(layer->forward(torch::rand({2, 1, 4, 6}, torch::kComplexFloat)), "real");
}

}  // namespace
}  // namespace optotorch
