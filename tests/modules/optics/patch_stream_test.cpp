#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/patch_stream.h>
#include <support/differences.h>
#include <support/mesh_cases.h>

namespace optotorch {
namespace {

using testing::central_differences;
using testing::expect_close;

TEST(PatchStreamTest, SendsPatchAfterPatch) {
  // 3 x 4 pixels, patches of 2 at distance 1 in a dark frame of 1.
  const auto options = PatchStreamOptions({1, 3, 4}).size(2).stride(1).padding(1);
  EXPECT_EQ(options.patches(), (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(options.window(), 4);
  const auto image = at::arange(1, 13, at::kDouble).reshape({1, 1, 3, 4});
  const auto framed = at::constant_pad_nd(image, {1, 1, 1, 1})[0][0];
  std::vector<double> patches, raster;
  for (int64_t y = 0; y < 4; ++y) {
    for (int64_t x = 0; x < 5; ++x) {
      for (int64_t line = 0; line < 2; ++line) {
        for (int64_t pixel = 0; pixel < 2; ++pixel) {
          patches.push_back(framed[y + line][x + pixel].item<double>());
        }
      }
    }
    for (int64_t line = 0; line < 2; ++line) {
      for (int64_t x = 0; x < 5; ++x) {
        for (int64_t pixel = 0; pixel < 2; ++pixel) {
          raster.push_back(framed[y + line][x + pixel].item<double>());
        }
      }
    }
  }
  const auto sent = PatchStream(options)->forward(image),
             lines =
                 PatchStream(PatchStreamOptions(options).order(StreamOrder::raster).power(4))->forward(image);
  EXPECT_TRUE(at::real(sent)[0].equal(at::tensor(patches, at::kDouble)));
  EXPECT_TRUE(at::real(lines)[0].equal(2 * at::tensor(raster, at::kDouble)));
  EXPECT_EQ(at::imag(sent).abs().max().item<double>(), 0);
}

TEST(PatchStreamTest, WritesIntensities) {
  PatchStream stream(PatchStreamOptions({2, 4, 4}).encoding(StreamEncoding::intensity).power(3));
  at::manual_seed(2);
  auto x = at::rand({2, 2, 4, 4}, at::kDouble) + 0.1;
  x[0][0][1][1] = -0.5;  // dark
  const auto field = stream->forward(x);
  const auto linear = PatchStream(PatchStreamOptions({2, 4, 4}))->forward(x.clamp_min(0));
  expect_close(at::real(field).square(), 3 * at::real(linear), 1e-12);
  const auto g = at::randn(field.sizes(), at::kComplexDouble);
  const auto loss = [&] { return at::real(g.conj() * stream->forward(x)).sum().item<double>(); };
  const auto dL_dx = stream->pullback(stream->propagate(x), g, true);
  expect_close(dL_dx, central_differences(loss, x, 1e-6), 1e-7);
}

TEST(PatchStreamTest, RejectsWrongInput) {
  const auto good = PatchStreamOptions({1, 6, 5});
  expect_complaint({"PatchStream", "size", "at most 7", "No window"},
                   [&] { PatchStream(PatchStreamOptions(good).size(8)); });
  expect_complaint({"PatchStream", "stride"}, [&] { PatchStream(PatchStreamOptions(good).stride(0)); });
  expect_complaint({"PatchStream", "padding"}, [&] { PatchStream(PatchStreamOptions(good).padding(-1)); });
  expect_complaint({"PatchStream", "power"}, [&] { PatchStream(PatchStreamOptions(good).power(0)); });
  expect_complaint({"PatchStream", "image"}, [&] { PatchStream(PatchStreamOptions({6, 5})); });
  expect_complaint({"PatchStream", "image"}, [&] { PatchStream(PatchStreamOptions({1, 6, 0})); });
  PatchStream stream(good);
  expect_complaint({"PatchStream", "input", "[batch, 1, 6, 5]"}, [&] {
    stream->forward(at::zeros({2, 1, 5, 6}));
  });
  expect_complaint({"PatchStream", "input"}, [&] { stream->forward(at::zeros({2, 1, 6, 5}, at::kLong)); });
}

}  // namespace
}  // namespace optotorch
