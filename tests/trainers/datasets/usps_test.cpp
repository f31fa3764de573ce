#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/detail/bzip2.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/usps.h>
#include <support/array_files.h>
#include <support/errors.h>

namespace optotorch {
namespace {

using testing::bytes_of;
using testing::bzip2_packed;
using testing::TemporaryFolder;
using testing::usps_line;

TEST(UspsTest, ReadsBothParts) {
  const TemporaryFolder folder;
  folder.write("usps.bz2", bytes_of(bzip2_packed(usps_line(10, {"1", "-1", "0", "-0.5", "0.999", "+0.25"}) +
                                                 usps_line(1, {}))));
  folder.write("usps.t.bz2", bytes_of(bzip2_packed(usps_line(3, {"1e-3"}))));
  const USPS train(folder.path());
  ASSERT_EQ(train.images().sizes(), (at::IntArrayRef{2, 1, 16, 16}));
  EXPECT_TRUE(train.targets().equal(at::tensor({9, 0}, at::kLong)));
  // (v + 1) / 2 * 255 cut to whole numbers: 255, 0, 127.5, 63.75, 254.87, 159.375.
  EXPECT_TRUE(
      train.images()[0][0][0].narrow(0, 0, 7).equal(at::tensor({255, 0, 127, 63, 254, 159, 0}, at::kByte)));
  EXPECT_EQ(train.class_names().back(), "9");
  EXPECT_EQ(USPS(folder.path(), USPS::Mode::test).count(), 1);
  EXPECT_EQ(load_image_sets("usps", folder.path()).train.count(), 2);
}

TEST(UspsTest, RejectsOtherLines) {
  const auto parse = [](const std::string& text) { return parse_usps(text, "some-file"); };
  const auto line = usps_line(1, {});
  EXPECT_EQ(parse(line + "\n \n" + line).count(), 2);
  EXPECT_SAYS(parse(""), "an empty text");
  EXPECT_SAYS(parse(usps_line(0, {})), "a label from 1 to 10");
  EXPECT_SAYS(parse(line + usps_line(11, {})), "line 2");
  EXPECT_SAYS(parse(usps_line(-1, {})), "a label from 1 to 10");
  EXPECT_SAYS(parse("1 " + line.substr(2, 900)), "the end of the line");
  EXPECT_SAYS(parse(line.substr(0, line.size() - 2) + " 257:0"), "256 values");
  for (const std::string value :
       {"1.01", "-1.01", "nan", "inf", "x", "", "1:", "0x1", "--1", "+-1", "1e999", "0.5f"}) {
    SCOPED_TRACE(value);
    EXPECT_SAYS(parse(usps_line(1, {"0", value})), "2:VALUE");
  }
  auto swapped = line;
  swapped.replace(swapped.find("2:"), 2, "3:");
  EXPECT_SAYS(parse(swapped), "2:VALUE");
}

TEST(UspsTest, UnpacksSeveralStreams) {
  const auto unpack = [](const std::string& packed, uint64_t most = 1 << 20) {
    return unpack_bzip2(InputFile(packed, "some-file"), most);
  };
  const std::string text(300'000, 'x');
  EXPECT_EQ(unpack(bzip2_packed(text)), text);
  EXPECT_EQ(unpack(bzip2_packed(text) + bzip2_packed("") + bzip2_packed("end")), text + "end");
  EXPECT_EQ(unpack(bzip2_packed("")), "");
  EXPECT_SAYS(unpack(""), "an empty one");
  EXPECT_SAYS(unpack("no bzip2"), "a sound bzip2 file");
  EXPECT_SAYS(unpack(bzip2_packed("abc") + "junk"), "nothing but bzip2 streams");
  EXPECT_EQ(unpack(bzip2_packed(text), 300'000), text);
  EXPECT_SAYS(unpack(bzip2_packed(text), 299'999), "at most 299999 bytes");
  const auto packed = bzip2_packed("some text");
  for (size_t length = 0; length < packed.size(); ++length) {
    EXPECT_THROW(unpack(packed.substr(0, length)), c10::ValueError) << length;
  }
  size_t accepted = 0;
  for (size_t bit = 0; bit < 8 * packed.size(); ++bit) {
    auto broken = packed;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ 1 << bit % 8);
    try {
      EXPECT_EQ(unpack(broken), "some text");
      ++accepted;
    } catch (const c10::ValueError&) {
    }
  }
  // Level of packing, an obsolete flag and the bits behind the end say nothing.
  EXPECT_LT(accepted, 20u);
}

TEST(UspsTest, SaysWhatIsMissingOrDamaged) {
  const TemporaryFolder folder;
  EXPECT_SAYS(USPS(folder.path()), "torchvision.datasets.USPS(root");
  folder.write("usps.t.bz2", bytes_of("abc"));
  EXPECT_SAYS(USPS::verify(folder.path(), USPS::Mode::test),
              "expected 8ea070ee2aca1ac39742fdd1ef5ed118, got 900150983cd24fb0d6963f7d28e17f72");
}

}  // namespace
}  // namespace optotorch
