#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/detail/torchvision/decode.h>
#include <optotorch/trainers/datasets/image_file.h>
#include <support/errors.h>
#include <support/picture_files.h>

#include <algorithm>
#include <atomic>
#include <string_view>
#include <thread>
#include <vector>

namespace optotorch {
namespace {

using testing::Bytes;
using testing::bytes_of_text;
using testing::png;
using testing::TemporaryFolder;

std::string_view view(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

at::Tensor read_image(const Bytes& bytes, ImageFileMode mode = ImageFileMode::rgb,
                      int64_t most_pixels = most_image_pixels) {
  return read_image_file(InputFile(view(bytes), "picture"), mode, most_pixels);
}

at::Tensor read_image(const std::string& text) {
  return read_image(bytes_of_text(text));
}

/// Pixels [H, W, C] as [C, H, W].
at::Tensor image(at::IntArrayRef sizes, const std::vector<int64_t>& values) {
  return at::tensor(values, at::kLong).to(at::kByte).view(sizes).permute({2, 0, 1});
}

const std::vector<int64_t> small_pixels = {1, 2, 3, 4, 5, 6, 7, 8, 9, 250, 251, 252};

/// Tests of JPEG and PNG files.
class ImageFileByTorchVisionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!torchvision::is_there()) {
      GTEST_SKIP() << "built without TorchVision";
    }
  }
};

TEST(ImageFileTest, ReadsPpm) {
  const at::Tensor pixels = read_image(testing::small_ppm());
  EXPECT_TRUE(pixels.is_contiguous());
  EXPECT_TRUE(pixels.equal(image({2, 2, 3}, small_pixels)));
  EXPECT_TRUE(read_image("P3 2 2 255 1 2 3 4 5 6 7 8 9 250 251 252").equal(pixels));
  EXPECT_TRUE(read_image("P5 1 2 255\n\x07\x09").equal(image({2, 1, 3}, {7, 7, 7, 9, 9, 9})));
  EXPECT_TRUE(read_image("P2\n# 1 1\n1 2 3\n1#\n2\n").equal(image({2, 1, 3}, {85, 85, 85, 170, 170, 170})));
}

TEST(ImageFileTest, WeighsColoursAsPillowDoes) {
  const at::Tensor grey =
      read_image(bytes_of_text("P3 3 1 255 255 0 0 0 255 0 0 0 255"), ImageFileMode::grey);
  EXPECT_TRUE(grey.equal(image({1, 3, 1}, {76, 150, 29})));
  EXPECT_TRUE(read_image(bytes_of_text("P2 1 1 255 9"), ImageFileMode::grey).equal(image({1, 1, 1}, {9})));
}

TEST(ImageFileTest, ReadsBmp) {
  // 1 x 2 pixels, from the bottom up, blue first, rows of a multiple of 4 bytes.
  Bytes bytes = bytes_of_text("BM");
  bytes.resize(54);
  bytes[10] = 54, bytes[14] = 40, bytes[18] = 1, bytes[22] = 2, bytes[26] = 1, bytes[28] = 24;
  bytes.insert(bytes.end(), {3, 2, 1, 0, 6, 5, 4, 0});
  EXPECT_TRUE(read_image(bytes).equal(image({2, 1, 3}, {4, 5, 6, 1, 2, 3})));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_SAYS(read_image(Bytes(bytes.begin(), bytes.begin() + static_cast<int64_t>(size))),
                "picture: image");
  }
  bytes[30] = 1;
  EXPECT_SAYS(read_image(bytes), "not supported");
}

TEST_F(ImageFileByTorchVisionTest, ReadsPng) {
  EXPECT_TRUE(read_image(testing::small_png()).equal(image({2, 2, 3}, small_pixels)));
  EXPECT_TRUE(
      read_image(png({2, 1, 8, 6}, {0, 1, 2, 3, 0, 4, 5, 6, 9})).equal(image({1, 2, 3}, {1, 2, 3, 4, 5, 6})));
  EXPECT_TRUE(read_image(png({2, 1, 1, 0}, {0, 64})).equal(image({1, 2, 3}, {0, 0, 0, 255, 255, 255})));
}

TEST_F(ImageFileByTorchVisionTest, Reads16BitsAsPillowDoes) {
  EXPECT_TRUE(read_image(png({1, 1, 16, 2}, {0, 7, 255, 8, 0, 9, 1})).equal(image({1, 1, 3}, {7, 8, 9})));
  EXPECT_TRUE(
      read_image(png({2, 1, 16, 0}, {0, 0, 7, 1, 0}), ImageFileMode::grey).equal(image({1, 2, 1}, {7, 255})));
  EXPECT_SAYS(read_image(png({1, 1, 16, 2, 1}, {0, 7, 255, 8, 0, 9, 1})), "not supported");
}

TEST_F(ImageFileByTorchVisionTest, ReadsJpeg) {
  const at::Tensor pixels = read_image(testing::small_jpeg());
  EXPECT_EQ(pixels.sizes(), (at::IntArrayRef{3, 7, 9}));
  EXPECT_TRUE(pixels.select(1, 0).narrow(1, 0, 2).equal(
      at::tensor({0x0e, 0x17, 0x29, 0x3e, 0x82, 0x89}, at::kLong).to(at::kByte).view({3, 2})));
  EXPECT_EQ(pixels.sum().item<int64_t>(), 24814);
  EXPECT_EQ(read_image(testing::small_jpeg(), ImageFileMode::grey).sum().item<int64_t>(), 8476);
}

TEST(ImageFileTest, RejectsEveryTruncation) {
  for (const Bytes& whole : {testing::small_jpeg(), testing::small_png(), testing::small_ppm()}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_SAYS(read_image(Bytes(whole.begin(), whole.begin() + static_cast<int64_t>(size))),
                  "picture: image");
    }
  }
}

TEST_F(ImageFileByTorchVisionTest, DamageIsAnErrorOrAPicture) {
  // Thousands of errors inside of libpng and libjpeg: what they hold must be freed, which a leak checker sees.
  for (const Bytes& whole : {testing::small_jpeg(), testing::small_png()}) {
    for (size_t i = 0; i < whole.size(); ++i) {
      for (const int change : {1, 0x80, 0xff}) {
        Bytes bytes = whole;
        bytes[i] ^= static_cast<uint8_t>(change);
        try {
          EXPECT_EQ(read_image(bytes).size(0), 3);
        } catch (const c10::ValueError&) {
        }
      }
    }
  }
}

TEST_F(ImageFileByTorchVisionTest, SaysWhatTheLibrariesSay) {
  Bytes bytes = testing::small_png();
  bytes[bytes.size() - 20] ^= 1;
  EXPECT_SAYS(read_image(bytes), "incorrect data check");
  EXPECT_SAYS(read_image(png({2, 2}, {0, 1, 2, 3})), "Not enough image data");
  bytes = testing::small_jpeg();
  bytes.resize(bytes.size() - 2);
  EXPECT_SAYS(read_image(bytes), "incomplete or truncated");
}

TEST(ImageFileTest, TakesNoMemoryForBombs) {
  // 40 GB, 300 GB and 12 GB in a few bytes.
  EXPECT_SAYS(read_image(png({200000, 200000, 1, 0}, {0, 0})), "at most 178956970 pixels");
  EXPECT_SAYS(read_image(png({0x7fffffff, 0x7fffffff}, {0, 0})), "at most 178956970 pixels");
  Bytes bytes = testing::small_jpeg();
  const Bytes frame = {0xff, 0xc0, 0, 17, 8};
  const auto size = std::search(bytes.begin(), bytes.end(), frame.begin(), frame.end()) + 5;
  std::fill(size, size + 4, uint8_t{0xf0});
  EXPECT_SAYS(read_image(bytes), "61680 x 61680");
  EXPECT_SAYS(read_image("P5 100000 100000 255\n"), "at most 178956970 pixels");
  EXPECT_SAYS(read_image("P6 4294967295 1 255\n"), "width");
}

TEST(ImageFileTest, HoldsTheSizeAgainstTheFile) {
  EXPECT_SAYS(read_image(png({10000, 10000}, {0, 0})), "10000 x 10000");
  Bytes bytes = testing::small_jpeg();
  const Bytes frame = {0xff, 0xc0, 0, 17, 8};
  const auto size = std::search(bytes.begin(), bytes.end(), frame.begin(), frame.end()) + 5;
  size[0] = size[2] = 0x20;
  EXPECT_SAYS(read_image(bytes), "8201 x 8199 pixels in a file of 346 bytes");
  EXPECT_SAYS(read_image("P6 1000 1000 255\n123"), "3 bytes");
  EXPECT_SAYS(read_image("P3 1000 1000 255\n1 2 3"), "5 bytes");
}

TEST(ImageFileTest, TheBoundIsTheCallers) {
  EXPECT_SAYS(read_image(testing::small_ppm(), ImageFileMode::rgb, 3), "at most 3 pixels");
  EXPECT_EQ(read_image(testing::small_ppm(), ImageFileMode::rgb, 4).numel(), 12);
  EXPECT_SAYS(read_image(testing::small_ppm(), ImageFileMode::rgb, 0), "most_pixels");
}

TEST(ImageFileTest, RejectsDamagedPpm) {
  for (const auto* text :
       {"P6", "P61 1 255\n123", "P6 1 1 0\n123", "P6 1 1 256\n123456", "P6 0 1 255\n", "P6 -1 1 255\n123",
        "P6 1 x 255\n123", "P6 1 1 00000000255\n123", "P6 1 1 255", "P2 1 1 10 11", "P2 1 1 10 #",
        "P2 1 2 10 1 ", "P2 1 1 10 a", "P6 1 #1 255\n123"}) {
    EXPECT_SAYS(read_image(std::string(text)), "picture: image");
  }
}

TEST(ImageFileTest, TheFirstBytesDecide) {
  const TemporaryFolder folder;
  const auto path = folder.write("picture.jpg", testing::small_ppm());
  EXPECT_EQ(read_image_file(path).sizes(), (at::IntArrayRef{3, 2, 2}));
  const auto named = [&](const std::string& text) {
    return read_image_file(folder.write("x.png", bytes_of_text(text)));
  };
  EXPECT_SAYS(named(""), "x.png: image: expected a JPEG, PNG");
  EXPECT_SAYS(named(""), "an empty file");
  EXPECT_SAYS(named("GIF89a"), "a GIF");
  EXPECT_SAYS(named("<html>"), "a text that begins with <");
  EXPECT_SAYS(named("\x01\xab"), "begins with 01 ab");
  EXPECT_SAYS(read_image_file(folder.path()), "a folder");
  EXPECT_SAYS(read_image_file(folder.path() + "/none"), "nothing of that name");
}

TEST_F(ImageFileByTorchVisionTest, ManyThreadsReadAtOnce) {
  const Bytes sound = testing::small_png(), jpeg = testing::small_jpeg();
  Bytes damaged = sound;
  damaged[damaged.size() - 20] ^= 1;
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        right += read_image(sound).sum().item<int64_t>() == 798;
        right += read_image(jpeg).sum().item<int64_t>() == 24814;
        try {
          read_image(damaged);
        } catch (const c10::ValueError&) {
          ++right;
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(right, 4 * 50 * 3);
}

TEST(ImageFileTest, SaysThatTorchVisionIsMissing) {
  if (torchvision::is_there()) {
    GTEST_SKIP() << "built with TorchVision";
  }
  EXPECT_SAYS(read_image(testing::small_png()), "without TorchVision");
  EXPECT_SAYS(read_image(testing::small_jpeg()), "without TorchVision");
}

}  // namespace
}  // namespace optotorch
