#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/emnist.h>
#include <optotorch/trainers/datasets/fashion_mnist.h>
#include <optotorch/trainers/datasets/idx_image_set.h>
#include <optotorch/trainers/datasets/kmnist.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/mnist.h>
#include <optotorch/trainers/datasets/qmnist.h>
#include <support/errors.h>
#include <support/idx_files.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace optotorch {
namespace {

using testing::Bytes;
using testing::gzipped;
using testing::idx;
using testing::noise;
using testing::TemporaryFolder;

constexpr uint32_t mnist_image_bytes = 28 * 28;

Bytes image_file(uint32_t count) {
  return idx(8, {count, 28, 28}, noise(count * mnist_image_bytes));
}

Bytes label_file(const Bytes& labels) {
  return idx(8, {static_cast<uint32_t>(labels.size())}, labels);
}

/// [N, 8] int32, column 0 the label; the others hold what no label may be.
Bytes wide_label_file(const Bytes& labels) {
  Bytes values;
  for (const uint8_t label : labels) {
    values.insert(values.end(), {0, 0, 0, label});
    for (int column = 1; column < 8; ++column) {
      values.insert(values.end(), {0x7f, 0xff, 0xff, 0xff});
    }
  }
  return idx(0x0C, {static_cast<uint32_t>(labels.size()), 8}, values);
}

void expect_contents(const ImageSet& set, uint32_t count, const Bytes& labels) {
  ASSERT_EQ(set.images().sizes(), (at::IntArrayRef{count, 1, 28, 28}));
  ASSERT_EQ(set.images().scalar_type(), at::kByte);
  const Bytes pixels = noise(count * mnist_image_bytes);
  EXPECT_EQ(std::memcmp(set.images().const_data_ptr(), pixels.data(), pixels.size()), 0);
  ASSERT_EQ(set.targets().scalar_type(), at::kLong);
  ASSERT_EQ(static_cast<size_t>(set.targets().numel()), labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    EXPECT_EQ(set.targets()[i].item<int64_t>(), labels[i]);
  }
}

void expect_balanced(const ImageSet& set, int64_t per_class) {
  EXPECT_EQ(set.count(), 10 * per_class);
  EXPECT_TRUE(set.targets().bincount({}, 10).equal(at::full({10}, per_class, at::kLong)));
}

TEST(MnistTest, SubsetHasItsCountsAndBalance) {
  const MNIST train(OPTOTORCH_SOURCE_DIR "/data");
  const MNIST test(OPTOTORCH_SOURCE_DIR "/data", MNIST::Mode::test);
  expect_balanced(train, 600);
  expect_balanced(test, 100);
  EXPECT_EQ(train.class_names()[7], "7 - seven");
  // The first images of the originals: a five, a zero, a four, a one, a nine; a seven, a two, a one, a zero,
  // a four.
  EXPECT_TRUE(train.targets().narrow(0, 0, 5).equal(at::tensor({5, 0, 4, 1, 9}, at::kLong)));
  EXPECT_TRUE(test.targets().narrow(0, 0, 5).equal(at::tensor({7, 2, 1, 0, 4}, at::kLong)));
  // Row 5 of the first image, as printed in many a tutorial.
  EXPECT_TRUE(train.images()[0][0][5].narrow(0, 12, 12).equal(
      at::tensor({3, 18, 18, 18, 126, 136, 175, 26, 166, 255, 247, 127}, at::kByte)));
}

TEST(MnistTest, SubsetIsTheHeadOfTheFullSet) {
  const std::string full = OPTOTORCH_SOURCE_DIR "/../shared/datasets";
  if (!std::filesystem::exists(full + "/MNIST/raw")) {
    GTEST_SKIP() << "the full MNIST is not in " << full;
  }
  for (const auto mode : {MNIST::Mode::train, MNIST::Mode::test}) {
    const MNIST all(full, mode);
    const MNIST some(OPTOTORCH_SOURCE_DIR "/data", mode);
    const bool train = mode == MNIST::Mode::train;
    ASSERT_EQ(all.count(), train ? 60000 : 10000);
    std::vector<int64_t> taken(10);
    std::vector<int64_t> kept;
    for (int64_t i = 0; i < all.count(); ++i) {
      if (taken[all.targets()[i].item<int64_t>()]++ < (train ? 600 : 100)) {
        kept.push_back(i);
      }
    }
    const ImageSet head = all.select(at::tensor(kept, at::kLong));
    EXPECT_TRUE(head.images().equal(some.images()));
    EXPECT_TRUE(head.targets().equal(some.targets()));
  }
}

template <typename Set>
class MnistClassicTest : public ::testing::Test {
 public:
  static std::string folder_name() {
    return std::is_same_v<Set, MNIST> ? "MNIST" : std::is_same_v<Set, KMNIST> ? "KMNIST" : "FashionMNIST";
  }
};
using Classics = ::testing::Types<MNIST, FashionMNIST, KMNIST>;
TYPED_TEST_SUITE(MnistClassicTest, Classics);

TYPED_TEST(MnistClassicTest, ReadsTorchvisionsFolders) {
  const TemporaryFolder folder;
  const std::string raw = this->folder_name() + "/raw/";
  folder.write(raw + "train-images-idx3-ubyte", image_file(3));
  folder.write(raw + "train-labels-idx1-ubyte.gz", gzipped(label_file({9, 0, 4})));
  folder.write(raw + "t10k-images-idx3-ubyte.gz", gzipped(image_file(2)));
  folder.write(raw + "t10k-labels-idx1-ubyte", label_file({1, 2}));
  expect_contents(TypeParam(folder.path()), 3, {9, 0, 4});
  expect_contents(TypeParam(folder.path(), TypeParam::Mode::test), 2, {1, 2});
  EXPECT_EQ(TypeParam(folder.path()).classes(), 10);
}

TYPED_TEST(MnistClassicTest, ReadsAFolderThatHoldsTheFiles) {
  const TemporaryFolder folder;
  folder.write("train-images-idx3-ubyte.gz", gzipped(image_file(3)));
  folder.write("train-labels-idx1-ubyte.gz", gzipped(label_file({9, 0, 4})));
  expect_contents(TypeParam(folder.path()), 3, {9, 0, 4});
  EXPECT_SAYS(TypeParam(folder.path(), TypeParam::Mode::test), "t10k-images-idx3-ubyte");
}

TEST(MnistTest, IsFoundWhereItMayLie) {
  for (const std::string place : {"MNIST/raw/", "MNIST/", "raw/", ""}) {
    for (const std::string dash : {"-", "."}) {
      for (const bool packed : {false, true}) {
        const TemporaryFolder folder;
        const std::string images = place + "train-images" + dash + "idx3-ubyte" + (packed ? ".gz" : "");
        folder.write(images, packed ? gzipped(image_file(3)) : image_file(3));
        folder.write(place + "train-labels" + dash + "idx1-ubyte", label_file({9, 0, 4}));
        SCOPED_TRACE(images);
        expect_contents(MNIST(folder.path()), 3, {9, 0, 4});
      }
    }
  }
  // As some archives are unpacked: a folder of the file's name around the file.
  const TemporaryFolder folder;
  folder.write("train-images-idx3-ubyte/train-images-idx3-ubyte", image_file(3));
  folder.write("train-labels.idx1-ubyte/train-labels-idx1-ubyte", label_file({9, 0, 4}));
  EXPECT_SAYS(MNIST(folder.path()),
              "train-labels.idx1-ubyte: expected a readable regular file, got a folder");
  folder.write("train-labels-idx1-ubyte/train-labels-idx1-ubyte", label_file({9, 0, 4}));
  expect_contents(MNIST(folder.path()), 3, {9, 0, 4});
}

TEST(MnistTest, NothingUnsoundHidesAFileBesideIt) {
  const TemporaryFolder folder;
  const std::string raw = folder.path() + "/MNIST/raw/";
  folder.write("MNIST/raw/train-images-idx3-ubyte", {});  // left by a download that broke
  std::filesystem::create_directory(raw + "train-labels-idx1-ubyte");
  folder.write("MNIST/raw/train-labels-idx1-ubyte.gz", gzipped(label_file({9, 0, 4})));
  EXPECT_SAYS(MNIST(folder.path()),
              "train-images-idx3-ubyte: header: expected an idx header, got an empty file");
  folder.write("MNIST/raw/train-images-idx3-ubyte.gz", gzipped(image_file(3)));
  expect_contents(MNIST(folder.path()), 3, {9, 0, 4});
  // Nor does a place hide the next one.
  const TemporaryFolder other;
  other.write("MNIST/raw/train-images-idx3-ubyte", {});
  other.write("MNIST/raw/train-labels-idx1-ubyte", {});
  other.write("train-images-idx3-ubyte", image_file(3));
  other.write("train-labels-idx1-ubyte", label_file({9, 0, 4}));
  expect_contents(MNIST(other.path()), 3, {9, 0, 4});
}

TEST(MnistTest, ErrorsSayWhereToGetTheFiles) {
  const TemporaryFolder folder;
  for (const std::string& expected :
       {std::string("train-images-idx3-ubyte"), std::string("train-labels-idx1-ubyte"),
        c10::str(folder.path(), "/MNIST/raw, ", folder.path(), "/MNIST, ", folder.path(), "/raw or ",
                 folder.path(), ", got"),
        std::string("torchvision.datasets.MNIST(root, download=True)")}) {
    EXPECT_SAYS(MNIST(folder.path()), expected);
  }
  EXPECT_SAYS(MNIST(folder.path() + "/absent"), "download=True");
  EXPECT_SAYS(EMNIST(folder.path(), EMNIST::Split::letters), "EMNIST(root, split='letters', download=True)");
  EXPECT_SAYS(QMNIST(folder.path(), QMNIST::What::nist), "QMNIST(root, what='nist', download=True)");
  // One of two files is not enough, and says that something is wrong in the user's folder.
  folder.write("MNIST/raw/train-images-idx3-ubyte", image_file(3));
  EXPECT_SAYS(MNIST(folder.path()), "no such pair");
  folder.write("FashionMNIST/raw/train-images-idx3-ubyte", image_file(3));
  EXPECT_SAYS(FashionMNIST(folder.path()), "apt install dataset-fashion-mnist");
  EXPECT_SAYS(FashionMNIST(folder.path()), "or in /usr/share/datasets/fashion-mnist");
}

TEST(MnistTest, SystemFolderServesWhereTheUsersHasNone) {
  const TemporaryFolder folder;
  const std::string user = folder.path() + "/user";
  auto files = classic_files("Some", ImageSet::Mode::train, digit_names());
  folder.write("system/train-images-idx3-ubyte.gz", gzipped(image_file(2)));
  folder.write("system/train-labels-idx1-ubyte", label_file({5, 6}));
  EXPECT_SAYS(read_idx_image_set(user, files), "no such pair");
  files.system_folder = folder.path() + "/system";
  expect_contents(read_idx_image_set(user, files), 2, {5, 6});
  expect_contents(read_idx_image_set(user + "/absent", files), 2, {5, 6});
  folder.write("user/Some/raw/train-labels-idx1-ubyte", label_file({9, 0, 4}));
  EXPECT_SAYS(read_idx_image_set(user, files), "no such pair");
  folder.write("user/Some/raw/train-images-idx3-ubyte", image_file(3));
  expect_contents(read_idx_image_set(user, files), 3, {9, 0, 4});
}

TEST(MnistTest, RejectsFilesThatDoNotBelongTogether) {
  const TemporaryFolder folder;
  const auto reading = [&](const Bytes& images, const Bytes& labels) {
    folder.write("train-images-idx3-ubyte", images);
    folder.write("train-labels-idx1-ubyte", labels);
    return MNIST(folder.path());
  };
  EXPECT_NO_THROW(reading(image_file(3), label_file({1, 2, 3})));
  EXPECT_SAYS(reading(image_file(3), label_file({1, 2})), "expected 2, as many as");
  EXPECT_SAYS(reading(image_file(2), label_file({1, 2, 3})), "expected 3, as many as");
  EXPECT_SAYS(reading(image_file(3), label_file({1, 10, 3})), "from 0 to 9, got 10");
  EXPECT_SAYS(reading(image_file(3), label_file({255, 1, 3})), "from 0 to 9, got 255");
  EXPECT_SAYS(reading(idx(8, {3, 27, 28}, noise(3 * 27 * 28)), label_file({1, 2, 3})), "[N, 28, 28]");
  EXPECT_SAYS(reading(idx(8, {3, 28, 29}, noise(3 * 28 * 29)), label_file({1, 2, 3})), "[N, 28, 28]");
  EXPECT_SAYS(reading(idx(9, {3, 28, 28}, noise(3 * mnist_image_bytes)), label_file({1, 2, 3})), "int8");
  EXPECT_SAYS(reading(label_file({1, 2, 3}), label_file({1, 2, 3})), "looks like a file of labels");
  EXPECT_SAYS(reading(image_file(3), image_file(3)), "looks like a file of images");
  EXPECT_SAYS(reading(image_file(3), idx(8, {3, 1}, {1, 2, 3})), "uint8 [N]");
  EXPECT_SAYS(reading({}, label_file({1, 2, 3})), "an empty file");
  EXPECT_SAYS(reading(image_file(3), {}), "an empty file");
  EXPECT_SAYS(reading(idx(8, {0, 28, 28}, {}), label_file({1})), "without values");
  EXPECT_SAYS(reading(image_file(3), {}), "train-labels-idx1-ubyte");
}

TEST(MnistTest, FashionOfDebiansPackage) {
  const std::string root = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(root)) {
    GTEST_SKIP() << "Debian's package dataset-fashion-mnist is not installed";
  }
  const TemporaryFolder empty;
  expect_balanced(FashionMNIST(empty.path()), 6000);
  const FashionMNIST test(root, FashionMNIST::Mode::test);
  expect_balanced(test, 1000);
  EXPECT_EQ(test.class_names()[test.targets()[0].item<int64_t>()], "Ankle boot");
}

TEST(MnistTest, EmnistReadsEverySplit) {
  const TemporaryFolder folder;
  using Split = EMNIST::Split;
  const std::vector<std::tuple<Split, std::string, uint8_t>> splits = {
      {Split::byclass, "byclass", 61}, {Split::bymerge, "bymerge", 46}, {Split::balanced, "balanced", 46},
      {Split::letters, "letters", 26}, {Split::digits, "digits", 9},    {Split::mnist, "mnist", 9}};
  for (const auto& [split, name, last] : splits) {
    for (const std::string part : {"train", "test"}) {
      const std::string stem = "EMNIST/raw/emnist-" + name + "-" + part;
      const auto mode = part == "train" ? EMNIST::Mode::train : EMNIST::Mode::test;
      folder.write(stem + "-images-idx3-ubyte.gz", gzipped(image_file(2)));
      folder.write(stem + "-labels-idx1-ubyte.gz", gzipped(label_file({1, last})));
      const EMNIST set(folder.path(), split, mode);
      expect_contents(set, 2, {1, last});
      EXPECT_EQ(set.classes(), last + 1);
      folder.write(stem + "-labels-idx1-ubyte.gz", gzipped(label_file({1, static_cast<uint8_t>(last + 1)})));
      EXPECT_SAYS(EMNIST(folder.path(), split, mode), "labels");
      folder.write(stem + "-labels-idx1-ubyte.gz", gzipped(label_file({1, 0})));
      if (split == Split::letters) {
        EXPECT_SAYS(EMNIST(folder.path(), split, mode), "from 1 to 26, got 0");
      } else {
        EXPECT_NO_THROW(EMNIST(folder.path(), split, mode));
      }
    }
  }
}

TEST(MnistTest, EmnistNamesItsClasses) {
  const TemporaryFolder folder;
  const auto names = [&](EMNIST::Split split) {
    folder.write("emnist-" + to_string(split) + "-train-images-idx3-ubyte", image_file(1));
    folder.write("emnist-" + to_string(split) + "-train-labels-idx1-ubyte", label_file({1}));
    return EMNIST(folder.path(), split).class_names();
  };
  EXPECT_EQ(names(EMNIST::Split::byclass)[36], "a");
  EXPECT_EQ(names(EMNIST::Split::balanced)[10], "A");
  EXPECT_EQ(names(EMNIST::Split::balanced)[38], "d");
  EXPECT_EQ(names(EMNIST::Split::letters)[26], "z");
}

TEST(MnistTest, QmnistReadsColumnZero) {
  const TemporaryFolder folder;
  for (const std::string stem : {"qmnist-train", "qmnist-test", "xnist"}) {
    folder.write("QMNIST/raw/" + stem + "-images-idx3-ubyte", image_file(3));
    folder.write("QMNIST/raw/" + stem + "-labels-idx2-int", wide_label_file({9, 0, 4}));
  }
  using What = QMNIST::What;
  for (const auto what : {What::train, What::test, What::nist}) {
    expect_contents(QMNIST(folder.path(), what), 3, {9, 0, 4});
  }
  EXPECT_SAYS(QMNIST(folder.path(), What::test10k), "more than 10000");
  folder.write("QMNIST/raw/qmnist-train-labels-idx2-int", label_file({9, 0, 4}));
  EXPECT_SAYS(QMNIST(folder.path()), "int32 [N, 8]");
  folder.write("QMNIST/raw/qmnist-test-labels-idx2-int", wide_label_file({9, 0, 10}));
  EXPECT_SAYS(QMNIST(folder.path(), QMNIST::Mode::test), "from 0 to 9, got 10");
}

TEST(MnistTest, QmnistDividesItsTestSet) {
  const TemporaryFolder folder;
  constexpr uint32_t count = 10003;
  Bytes labels(count, 1);
  labels[9999] = 2;
  labels[10000] = 3;
  labels[10002] = 4;
  folder.write("qmnist-test-images-idx3-ubyte", image_file(count));
  folder.write("qmnist-test-labels-idx2-int", wide_label_file(labels));
  const QMNIST all(folder.path(), QMNIST::What::test);
  const QMNIST first(folder.path(), QMNIST::What::test10k);
  const QMNIST rest(folder.path(), QMNIST::What::test50k);
  EXPECT_EQ(all.count(), count);
  EXPECT_EQ(first.count(), 10000);
  EXPECT_EQ(first.targets()[9999].item<int64_t>(), 2);
  EXPECT_TRUE(rest.targets().equal(at::tensor({3, 1, 4}, at::kLong)));
  EXPECT_TRUE(at::cat({first.images(), rest.images()}).equal(all.images()));
}

TEST(MnistTest, LoadsByName) {
  const auto sets = load_image_sets("mnist", OPTOTORCH_SOURCE_DIR "/data");
  EXPECT_EQ(sets.train.count(), 6000);
  EXPECT_EQ(sets.test.count(), 1000);
  EXPECT_SAYS(load_image_sets("fashon-mnist", "data"), "Did you mean 'fashion-mnist'?");
  EXPECT_SAYS(load_image_sets("emnist-balance", "data"), "Did you mean 'emnist-balanced'?");
  EXPECT_SAYS(load_image_sets("", "data"), "expected one of mnist, ");
}

TEST(MnistTest, EveryNameLoadsItsOwnFiles) {
  const TemporaryFolder folder;
  // Half a data set, so that Debian's package is not looked for.
  folder.write("FashionMNIST/raw/train-images-idx3-ubyte", image_file(3));
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"mnist", "datasets.MNIST("},
      {"fashion-mnist", "datasets.FashionMNIST("},
      {"kmnist", "datasets.KMNIST("},
      {"emnist-byclass", "emnist-byclass-train"},
      {"emnist-bymerge", "emnist-bymerge-train"},
      {"emnist-balanced", "emnist-balanced-train"},
      {"emnist-letters", "emnist-letters-train"},
      {"emnist-digits", "emnist-digits-train"},
      {"emnist-mnist", "emnist-mnist-train"},
      {"qmnist", "qmnist-train"}};
  std::vector<std::string> names;
  for (const auto& [name, file] : expected) {
    names.push_back(name);
    EXPECT_SAYS(load_image_sets(name, folder.path()), file);
  }
  const auto all = image_set_names();
  ASSERT_GE(all.size(), names.size());
  EXPECT_TRUE(std::equal(names.begin(), names.end(), all.begin()));
}

}  // namespace
}  // namespace optotorch
