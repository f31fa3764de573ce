#include <ATen/ATen.h>
#include <c10/util/StringUtil.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/cifar10.h>
#include <optotorch/trainers/datasets/cifar100.h>
#include <optotorch/trainers/datasets/detail/cifar_files.h>
#include <optotorch/trainers/datasets/detail/md5.h>
#include <optotorch/trainers/datasets/detail/python_dictionary.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <support/array_files.h>
#include <support/errors.h>
#include <support/idx_files.h>

namespace optotorch {
namespace {

using testing::bytes_of;
using testing::noise;
using testing::PickleWriter;
using testing::TemporaryFolder;

constexpr int64_t cifar_image_bytes = 3 * 32 * 32;

std::string cifar_pixels(size_t count, uint8_t key) {
  std::string text;
  for (const uint8_t byte : noise(count * cifar_image_bytes)) {
    text += static_cast<char>(byte ^ key);
  }
  return text;
}

std::string cifar_batch(const std::vector<int64_t>& labels, uint8_t key,
                        const std::string& label_key = "labels") {
  PickleWriter writer;
  return writer.start() + writer.text("batch_label") + writer.text("testing batch 1 of 1") +
         writer.text(label_key) + writer.numbers(labels) + writer.text("data") +
         writer.array({static_cast<int64_t>(labels.size()), cifar_image_bytes},
                      cifar_pixels(labels.size(), key)) +
         PickleWriter::stop();
}

/// batches.meta, byte by byte: CIFAR10's own, as its MD5 shows.
std::string own_meta() {
  PickleWriter writer;
  // A braced list is written in its order, which a sum is not bound to.
  const std::vector<std::string> parts{writer.start(),
                                       writer.text("num_cases_per_batch"),
                                       PickleWriter::number(10000),
                                       writer.text("label_names"),
                                       writer.texts({"airplane", "automobile", "bird", "cat", "deer", "dog",
                                                     "frog", "horse", "ship", "truck"}),
                                       writer.text("num_vis"),
                                       PickleWriter::number(3072),
                                       PickleWriter::stop()};
  return c10::Join("", parts);
}

at::Tensor images_of(size_t count, uint8_t key) {
  const auto bytes = cifar_pixels(count, key);
  return at::tensor(std::vector<uint8_t>(bytes.begin(), bytes.end()), at::kByte)
      .view({static_cast<int64_t>(count), 3, 32, 32});
}

const std::string folder_10 = "cifar-10-batches-py/";

void write_cifar10(const TemporaryFolder& folder) {
  folder.write(folder_10 + "batches.meta", bytes_of(own_meta()));
  folder.write(folder_10 + "test_batch", bytes_of(cifar_batch({9, 0}, 9)));
  for (int64_t k = 1; k <= 5; ++k) {
    folder.write(folder_10 + "data_batch_" + std::to_string(k),
                 bytes_of(cifar_batch({k, k + 1}, static_cast<uint8_t>(k))));
  }
}

TEST(CifarTest, MetaIsThePublishedFile) {
  EXPECT_EQ(md5_of(InputFile(own_meta(), "meta")), "5ff9c542aee3614f3951f8cda6e48888");
  const auto meta = own_meta();
  EXPECT_EQ(PythonDictionary(InputFile(meta, "meta")).texts("label_names").back(), "truck");
}

TEST(CifarTest, ReadsCifar10) {
  const TemporaryFolder folder;
  write_cifar10(folder);
  const CIFAR10 train(folder.path());
  EXPECT_EQ(train.images().sizes(), (at::IntArrayRef{10, 3, 32, 32}));
  EXPECT_TRUE(train.targets().equal(at::tensor({1, 2, 2, 3, 3, 4, 4, 5, 5, 6}, at::kLong)));
  EXPECT_TRUE(train.images().narrow(0, 4, 2).equal(images_of(2, 3)));
  EXPECT_EQ(train.class_names()[3], "cat");
  EXPECT_EQ(train.classes(), 10);
  EXPECT_EQ(train.name(), "CIFAR10");
  const CIFAR10 test(folder.path(), CIFAR10::Mode::test);
  EXPECT_TRUE(test.images().equal(images_of(2, 9)));
  EXPECT_TRUE(test.targets().equal(at::tensor({9, 0}, at::kLong)));
  // The folder itself will do.
  EXPECT_EQ(CIFAR10(folder.path() + "/cifar-10-batches-py").count(), 10);
  EXPECT_EQ(load_image_sets("cifar10", folder.path()).test.count(), 2);
}

TEST(CifarTest, ReadsTheBinaryVersion) {
  const TemporaryFolder folder;
  const auto record = [](const std::string& labels, uint8_t key) { return labels + cifar_pixels(1, key); };
  folder.write("cifar-10-batches-bin/batches.meta.txt", bytes_of("airplane\nautomobile\nbird\n\n"));
  folder.write("cifar-10-batches-bin/test_batch.bin", bytes_of(record("\2", 1) + record("\1", 2)));
  const CIFAR10 test(folder.path(), CIFAR10::Mode::test);
  EXPECT_TRUE(test.images().equal(at::cat({images_of(1, 1), images_of(1, 2)})));
  EXPECT_TRUE(test.targets().equal(at::tensor({2, 1}, at::kLong)));
  EXPECT_EQ(test.class_names(), (std::vector<std::string>{"airplane", "automobile", "bird"}));

  const std::string hundred = "cifar-100-binary/";
  folder.write(hundred + "train.bin", bytes_of(record("\1\2", 1) + record(std::string("\0\1", 2), 2)));
  folder.write(hundred + "fine_label_names.txt", bytes_of("a\r\nb\r\nc"));
  folder.write(hundred + "coarse_label_names.txt", bytes_of("x\ny\n"));
  EXPECT_TRUE(CIFAR100(folder.path()).targets().equal(at::tensor({2, 1}, at::kLong)));
  EXPECT_EQ(CIFAR100(folder.path()).class_names().back(), "c");
  const CIFAR100 coarse(folder.path(), CIFAR100::Labels::coarse);
  EXPECT_TRUE(coarse.targets().equal(at::tensor({1, 0}, at::kLong)));
  EXPECT_TRUE(coarse.images().equal(at::cat({images_of(1, 1), images_of(1, 2)})));

  folder.write("cifar-10-batches-bin/test_batch.bin", bytes_of(record("\3", 1)));
  EXPECT_SAYS(CIFAR10(folder.path(), CIFAR10::Mode::test), "from 0 to 2, got 3");
  folder.write("cifar-10-batches-bin/test_batch.bin", bytes_of(record("\2", 1) + "x"));
  EXPECT_SAYS(CIFAR10(folder.path(), CIFAR10::Mode::test), "records of 3073 bytes");
  folder.write("cifar-10-batches-bin/test_batch.bin", {});
  EXPECT_SAYS(CIFAR10(folder.path(), CIFAR10::Mode::test), "records of 3073 bytes");
}

TEST(CifarTest, ReadsCifar100) {
  const TemporaryFolder folder;
  PickleWriter names;
  folder.write(
      "cifar-100-python/meta",
      bytes_of(names.start() + names.text("fine_label_names") + names.texts({"apple", "bear", "lamp"}) +
               names.text("coarse_label_names") + names.texts({"fruit", "thing"}) + PickleWriter::stop()));
  PickleWriter writer;
  folder.write("cifar-100-python/test",
               bytes_of(writer.start() + writer.text("data") +
                        writer.array({2, cifar_image_bytes}, cifar_pixels(2, 4)) +
                        writer.text("coarse_labels") + writer.numbers({0, 1}) + writer.text("fine_labels") +
                        writer.numbers({1, 2}) + PickleWriter::stop()));
  const CIFAR100 fine(folder.path(), CIFAR100::Mode::test);
  EXPECT_TRUE(fine.images().equal(images_of(2, 4)));
  EXPECT_TRUE(fine.targets().equal(at::tensor({1, 2}, at::kLong)));
  EXPECT_EQ(fine.class_names(), (std::vector<std::string>{"apple", "bear", "lamp"}));
  const CIFAR100 coarse(folder.path(), CIFAR100::Labels::coarse, CIFAR100::Mode::test);
  EXPECT_TRUE(coarse.targets().equal(at::tensor({0, 1}, at::kLong)));
  EXPECT_EQ(coarse.class_names(), (std::vector<std::string>{"fruit", "thing"}));
  EXPECT_EQ(load_image_set("cifar100", folder.path(), CIFAR100::Mode::test).classes(), 3);
  EXPECT_EQ(load_image_set("cifar100-coarse", folder.path(), CIFAR100::Mode::test).classes(), 2);
}

TEST(CifarTest, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  const auto load = [&] { return CIFAR10(folder.path()); };
  EXPECT_SAYS(load(), "torchvision.datasets.CIFAR10(root, download=True)");
  EXPECT_SAYS(load(), folder.path() + "/cifar-10-batches-py");
  EXPECT_SAYS(load(), "data_batch_1.bin");
  folder.write("cifar-10-python.tar.gz", bytes_of("packed"));
  EXPECT_SAYS(load(),
              "unpack it with tar -xf " + folder.path() + "/cifar-10-python.tar.gz -C " + folder.path());
  write_cifar10(folder);
  std::filesystem::remove(folder.path() + "/cifar-10-batches-py/data_batch_3");
  EXPECT_SAYS(load(), "without data_batch_3");
  EXPECT_SAYS(CIFAR100(folder.path()), "torchvision.datasets.CIFAR100(root, download=True)");
}

TEST(CifarTest, RejectsWhatDoesNotFit) {
  const TemporaryFolder folder;
  write_cifar10(folder);
  const auto with = [&](const std::string& contents) {
    folder.write(folder_10 + "test_batch", bytes_of(contents));
    return CIFAR10(folder.path(), CIFAR10::Mode::test);
  };
  EXPECT_NO_THROW(with(cifar_batch({0}, 0)));
  EXPECT_SAYS(with(cifar_batch({10}, 0)), "from 0 to 9, got 10");
  EXPECT_SAYS(with(cifar_batch({0, -1}, 0)), "from 0 to 9, got -1");
  EXPECT_SAYS(with(cifar_batch({0, -1}, 0)), "test_batch");
  EXPECT_SAYS(with(cifar_batch({0}, 0, "fine_labels")), "'labels'");
  const auto shaped = [&](const std::vector<int64_t>& sizes, size_t count,
                          const std::vector<int64_t>& labels) {
    PickleWriter writer;
    return writer.start() + writer.text("labels") + writer.numbers(labels) + writer.text("data") +
           writer.array(sizes, cifar_pixels(count, 0)) + PickleWriter::stop();
  };
  EXPECT_NO_THROW(with(shaped({1, 3072}, 1, {1})));
  EXPECT_SAYS(with(shaped({3072, 1}, 1, {1})), "uint8 [N, 3072]");
  EXPECT_SAYS(with(shaped({1, 3, 32, 32}, 1, {1})), "uint8 [N, 3072]");
  EXPECT_SAYS(with(shaped({2, 1536}, 1, {1, 1})), "uint8 [N, 3072]");
  EXPECT_SAYS(with(shaped({2, 3072}, 2, {1})), "a label for each of 2");
  EXPECT_SAYS(with(shaped({1, 3072}, 1, {})), "a label for each of 1");
  PickleWriter writer;
  folder.write(folder_10 + "batches.meta",
               bytes_of(writer.start() + writer.text("label_names") + "](e" + PickleWriter::stop()));
  EXPECT_SAYS(with(cifar_batch({0}, 0)), "batches.meta");
}

TEST(CifarTest, VerifiesTheSums) {
  const TemporaryFolder folder;
  write_cifar10(folder);
  EXPECT_SAYS(CIFAR10::verify(folder.path()), "data_batch_1");
  EXPECT_SAYS(CIFAR10::verify(folder.path()), "expected c99cafc152244af753f735de768cd75f");
  EXPECT_SAYS(CIFAR10::verify(folder.path()),
              "got " + md5_of(open_regular_file(folder.path() + "/" + folder_10 + "data_batch_1", "test")));
  EXPECT_SAYS(CIFAR100::verify(folder.path()), "train, test, meta");
}

}  // namespace
}  // namespace optotorch
