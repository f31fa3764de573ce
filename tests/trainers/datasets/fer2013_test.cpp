#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/detail/csv.h>
#include <optotorch/trainers/datasets/fer2013.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <support/array_files.h>
#include <support/errors.h>

namespace optotorch {
namespace {

using testing::bytes_of;
using testing::face;
using testing::TemporaryFolder;
using Mode = ImageSet::Mode;

at::Tensor pixels(int64_t first) {
  return (at::arange(48 * 48, at::kLong) + first).remainder(256).to(at::kByte).view({1, 48, 48});
}

TEST(Fer2013Test, ReadsEveryForm) {
  const TemporaryFolder folder;
  const auto load = [&](Mode mode) { return FER2013(folder.path(), mode); };
  folder.write("fer2013/train.csv", bytes_of("emotion,pixels\n3," + face(1) + "\n0,\"" + face(2) + "\"\n"));
  folder.write("fer2013/test.csv", bytes_of("pixels\r\n" + face(9) + "\r\n"));
  EXPECT_TRUE(load(Mode::train).targets().equal(at::tensor({3, 0}, at::kLong)));
  EXPECT_TRUE(load(Mode::train).images()[1].equal(pixels(2)));
  EXPECT_EQ(load(Mode::train).class_names()[6], "neutral");
  EXPECT_FALSE(load(Mode::test).labelled());
  EXPECT_TRUE(load(Mode::test).images()[0].equal(pixels(9)));
  EXPECT_EQ(load_image_set("fer2013", folder.path(), Mode::train).count(), 2);
  EXPECT_SAYS(load_image_set("fer2013", folder.path(), Mode::test), "icml_face_data.csv");

  folder.write("fer2013/icml_face_data.csv",
               bytes_of("emotion, Usage, pixels\n1,Training," + face(3) + "\n2,PublicTest," + face(4) +
                        "\n4,PrivateTest," + face(5) + "\n"));
  EXPECT_TRUE(load(Mode::train).targets().equal(at::tensor({1}, at::kLong)));
  EXPECT_TRUE(load(Mode::test).targets().equal(at::tensor({2, 4}, at::kLong)));
  EXPECT_TRUE(load(Mode::test).images()[1].equal(pixels(5)));
  EXPECT_EQ(load_image_set("fer2013", folder.path(), Mode::test).count(), 2);

  folder.write("fer2013/fer2013.csv", bytes_of("emotion,pixels,Usage\n6," + face(6) + ",Training"));
  EXPECT_TRUE(load(Mode::train).targets().equal(at::tensor({6}, at::kLong)));
  EXPECT_SAYS(load(Mode::test), "images to test on");
}

TEST(Fer2013Test, RejectsWhatDoesNotFit) {
  const auto reading = [](const std::string& text) {
    return read_fer2013(InputFile(text, "some-file"), Mode::train);
  };
  const auto good = face(0);
  EXPECT_NO_THROW(reading("emotion,pixels\n0," + good));
  EXPECT_SAYS(reading(""), "a column 'pixels'");
  EXPECT_SAYS(reading("emotion\n1"), "a column 'pixels'");
  EXPECT_SAYS(reading("pixels\n" + good), "a column 'emotion'");
  EXPECT_SAYS(reading("pixels,emotion,pixels\n"), "one column 'pixels'");
  EXPECT_SAYS(reading("emotion,pixels\n"), "images to train on");
  EXPECT_SAYS(reading("emotion,pixels\n7," + good), "an emotion from 0 to 6, got '7'");
  EXPECT_SAYS(reading("emotion,pixels\n-1," + good), "an emotion from 0 to 6, got '-1'");
  EXPECT_SAYS(reading("emotion,pixels\n," + good), "an emotion");
  EXPECT_SAYS(reading("emotion,pixels\n0,1 2 3"), "2304 pixels from 0 to 255, got 3");
  EXPECT_SAYS(reading("emotion,pixels\n0," + good + " 1"), "got more");
  EXPECT_SAYS(reading("emotion,pixels\n0,256" + good.substr(1)), "got '256'");
  EXPECT_SAYS(reading("emotion,pixels\n0,-1" + good.substr(1)), "got '-1'");
  EXPECT_SAYS(reading("emotion,pixels\n0"), "2 fields, got 1");
  EXPECT_SAYS(reading("emotion,pixels\n0,\"" + good), "the end of a quotation");
  EXPECT_SAYS(reading("emotion,pixels,Usage\n0," + good + ",Other"), "got 'Other'");
}

using Rows = std::vector<std::vector<std::string>>;

Rows rows_of(const std::string& text) {
  CsvReader reader(text, "some-file");
  Rows rows;
  for (std::vector<std::string_view> fields; reader.next(fields);) {
    rows.emplace_back(fields.begin(), fields.end());
  }
  return rows;
}

TEST(Fer2013Test, CsvIsReadAsPythonReadsIt) {
  EXPECT_EQ(rows_of("a,b\n1,2"), (Rows{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(rows_of("a,\r\n\r\n,b\r\n"), (Rows{{"a", ""}, {"", "b"}}));
  EXPECT_EQ(rows_of("\"a,b\",\"x\ny\",\"\"\n"), (Rows{{"a,b", "x\ny", ""}}));
  EXPECT_EQ(rows_of("\"say \"\"no\"\"\",\"\"\"\""), (Rows{{"say \"no\"", "\""}}));
  EXPECT_EQ(rows_of(""), Rows{});
  EXPECT_SAYS(rows_of("\"a"), "the end of a quotation");
  EXPECT_SAYS(rows_of("\"a\"b"), "behind a quotation");
  EXPECT_SAYS(rows_of("a\"b"), "within a field");
  EXPECT_SAYS(rows_of(std::string(1000, ',')), "at most 1000 fields");
  EXPECT_EQ(rows_of(std::string(999, ','))[0].size(), 1000u);
}

TEST(Fer2013Test, SaysWhatIsMissingOrDamaged) {
  const TemporaryFolder folder;
  EXPECT_SAYS(FER2013(folder.path()), "kaggle.com");
  folder.write("fer2013/train.csv", bytes_of("abc"));
  EXPECT_SAYS(FER2013::verify(folder.path(), Mode::train),
              "expected 3f0dfb3d3fd99c811a1299cb947e3131, got 900150983cd24fb0d6963f7d28e17f72");
  EXPECT_SAYS(FER2013::verify(folder.path(), Mode::test), "test.csv");
}

}  // namespace
}  // namespace optotorch
