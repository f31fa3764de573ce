#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/text/characters.h>
#include <optotorch/trainers/datasets/text/text_split.h>
#include <optotorch/trainers/datasets/text/tiny_shakespeare.h>
#include <support/errors.h>
#include <support/texts.h>
#include <sys/stat.h>

#include <filesystem>

namespace optotorch {
namespace {

using testing::ascending;
using testing::Bytes;
using testing::bytes_of;
using testing::gzipped;
using testing::numbers;
using testing::shared_datasets;
using testing::TemporaryFolder;
using testing::utf8;
using TextMode = Characters::Mode;

TEST(CharactersTest, NumbersTheDistinctCharactersInOrder) {
  const Characters text("text", utf8(U"b\u20acan\U0001f600\u00e9a\nb"));
  EXPECT_EQ(text.vocabulary(), U"\nabn\u00e9\u20ac\U0001f600");
  EXPECT_EQ(text.vocabulary_size(), 7);
  EXPECT_EQ(text.count(), 9);
  EXPECT_EQ(text.ids().scalar_type(), at::kLong);
  EXPECT_EQ(numbers(text.ids()), (std::vector<int64_t>{2, 5, 1, 3, 6, 4, 1, 0, 2}));
}

TEST(CharactersTest, TextsReturn) {
  const std::string all = utf8(U"L\u00e4rm \u2014 \u65e5\u672c\u8a9e \U0001f600\U0001f601\r\n\t\ufeff") +
                          std::string("e\xCC\x81\0end", 7);
  const Characters text("text", all);
  EXPECT_EQ(text.decode(text.ids()), all);
  EXPECT_TRUE(text.encode(all).equal(text.ids()));
  const std::string other = utf8(U"\u8a9e\U0001f601e\u00e4\u00e4");
  EXPECT_EQ(text.decode(text.encode(other)), other);
  EXPECT_EQ(text.encode("").sizes(), at::IntArrayRef{0});
  EXPECT_EQ(text.encode("").scalar_type(), at::kLong);
  EXPECT_EQ(text.decode(text.encode("")), "");
  // A line end of two characters stays two, as do a letter and its accent; nothing is taken for a mark.
  EXPECT_EQ(text.encode("\r\n").numel(), 2);
  EXPECT_EQ(text.encode("e\xCC\x81").numel(), 2);
  EXPECT_EQ(text.encode("\xEF\xBB\xBF").numel(), 1);
}

TEST(CharactersTest, DecodesViews) {
  const Characters text("text", "abcdef");
  EXPECT_EQ(text.decode(at::arange(6, at::kLong).slice(0, 1, 6, 2)), "bdf");
  EXPECT_EQ(text.decode(at::arange(6, at::kLong).flip(0)), "fedcba");
}

TEST(CharactersTest, TheVocabularyIsAText) {
  const Characters text("text", utf8(U"to be \u2014 or not to be"));
  const Characters kept("kept", text.decode(at::arange(text.vocabulary_size(), at::kLong)));
  EXPECT_EQ(kept.vocabulary(), text.vocabulary());
  EXPECT_TRUE(kept.encode("not to be").equal(text.encode("not to be")));
}

TEST(CharactersTest, KnowsNoOtherCharacters) {
  const Characters text("some text", "abc\n");
  EXPECT_SAYS(text.encode("abd"),
              "some text: text: expected the 4 characters of its vocabulary, got U+0064 'd'");
  EXPECT_SAYS(text.encode("abd"), "at byte 2");
  EXPECT_SAYS(text.encode(utf8(U"a\u20ac")), "got U+20AC '\xE2\x82\xAC' at byte 1");
  EXPECT_SAYS(text.encode("a\t"), "got U+0009 at byte 1");
  EXPECT_SAYS(text.encode(utf8(U"\U0010ffff")), "got U+10FFFF");
  EXPECT_SAYS(text.encode("a\xFF"), "0xFF at byte 1");
  EXPECT_SAYS(text.encode("z", "prompt"), "some text: prompt: ");
  EXPECT_SAYS(text.decode(at::tensor({0, 4}, at::kLong)), "from 0 to 3, got 4");
  EXPECT_SAYS(text.decode(at::tensor({-1}, at::kLong)), "from 0 to 3, got -1");
  EXPECT_SAYS(text.decode(at::tensor({0}, at::kInt)), "int64 [M]");
  EXPECT_SAYS(text.decode(at::zeros({1, 2}, at::kLong)), "int64 [M]");
  EXPECT_SAYS(text.decode({}), "undefined");
}

TEST(CharactersTest, OneDistinctCharacterIsEnough) {
  const Characters text("text", "aaaa");
  EXPECT_EQ(text.vocabulary_size(), 1);
  EXPECT_EQ(numbers(text.ids()), (std::vector<int64_t>{0, 0, 0, 0}));
  EXPECT_EQ(Characters("text", "a").count(), 1);
}

TEST(CharactersTest, RejectsWhatIsNoText) {
  EXPECT_SAYS(Characters("text", ""), "text: text: expected 1 to 1073741824 bytes, got an empty text");
  EXPECT_SAYS(Characters("text", "ab\xC3"), "text: text: expected UTF-8, got 0xC3 at byte 2");
}

TEST(CharactersTest, ReadsFilesPlainOrPacked) {
  const TemporaryFolder folder;
  // Far larger unpacked than packed, so that the memory has to grow.
  std::string words;
  for (int i = 0; i < 20000; ++i) {
    words += utf8(U"caf\u00e9 ");
  }
  for (const std::string& text : {std::string("x"), words}) {
    for (const auto& path :
         {folder.write("a.txt", bytes_of(text)), folder.write("b", gzipped(bytes_of(text)))}) {
      const auto read = read_characters(path);
      EXPECT_EQ(read.name(), path);
      EXPECT_EQ(read.decode(read.ids()), text);
    }
  }
}

TEST(CharactersTest, FilesOfEverySystemAreTheSameText) {
  const TemporaryFolder folder;
  const auto text_of = [&](const std::string& bytes, TextForm form = TextForm::portable) {
    const auto text = read_characters(folder.write("a.txt", bytes_of(bytes)), Characters::most_bytes, form);
    return text.decode(text.ids());
  };
  const std::string mark = "\xEF\xBB\xBF";
  for (const std::string text : {"one\r\ntwo\r\n", "one\rtwo\r", "one\r\ntwo\n", "one\ntwo\r"}) {
    EXPECT_EQ(text_of(text), "one\ntwo\n");
    EXPECT_EQ(text_of(mark + text), "one\ntwo\n");
    EXPECT_EQ(text_of(mark + text, TextForm::exact), mark + text);
  }
  EXPECT_EQ(text_of("\r\r\n\r"), "\n\n\n");
  EXPECT_EQ(text_of("a" + mark), "a" + mark);  // only at the beginning is it a mark
  EXPECT_SAYS(text_of(mark), "an empty text");
  // Bytes are counted in the file.
  EXPECT_SAYS(text_of(mark + "\r\n\xFF"), "got 0xFF at byte 5");
}

TEST(CharactersTest, Utf16IsRecognised) {
  const TemporaryFolder folder;
  const auto reading = [&](const std::string& bytes) {
    return read_characters(folder.write("some-file", bytes_of(bytes)));
  };
  using namespace std::string_literals;
  for (const auto& text : {"\xFF\xFEh\0i\0"s, "\xFE\xFF\0h\0i"s, "h\0i\0"s, "\0h\0i"s, "h\0\xE9\0!\0"s,
                           "\xFF\xFE\0\0h\0\0\0"s}) {
    EXPECT_SAYS(reading(text), "some-file: text: expected UTF-8, got UTF-16. Convert it: iconv");
  }
  EXPECT_EQ(reading("a line\0 with a zero in it"s).count(), 25);
}

TEST(CharactersTest, FilesSayWhatIsWrongWithThem) {
  const TemporaryFolder folder;
  const auto reading = [&](const Bytes& bytes) { return read_characters(folder.write("some-file", bytes)); };
  EXPECT_SAYS(reading({}), "an empty text");
  EXPECT_SAYS(reading({}), "some-file");
  EXPECT_SAYS(reading(gzipped({})), "an empty text");
  EXPECT_SAYS(reading({'a', 0xE9, 'b'}), "some-file: text: expected UTF-8, got 0xE9 at byte 1");
  EXPECT_SAYS(reading(gzipped({'a', 'b', 0xED, 0xA0, 0x80})), "0xED at byte 2, half of a surrogate pair");
  auto cut = gzipped(bytes_of("a text that is packed"));
  cut.resize(cut.size() - 10);
  EXPECT_SAYS(reading(cut), "truncated");
  EXPECT_SAYS(read_characters(folder.path()), "regular file");
  EXPECT_SAYS(read_characters(folder.path() + "/absent"), "nothing of that name");
  const auto pipe = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_SAYS(read_characters(pipe), "a pipe");
}

TEST(CharactersTest, RefusesFilesThatAreTooLong) {
  const TemporaryFolder folder;
  const std::string text(1000, 'x');
  for (const auto& path : {folder.write("a", bytes_of(text)), folder.write("b", gzipped(bytes_of(text)))}) {
    EXPECT_EQ(read_characters(path, 1000).count(), 1000);
    EXPECT_SAYS(read_characters(path, 999), "at most 999 bytes of text");
    EXPECT_SAYS(read_characters(path, 0), "at most 0 bytes of text");
  }
  // Nothing but holes: it takes no room, and would take a gigabyte of memory to be read.
  const auto path = folder.write("huge", {});
  std::filesystem::resize_file(path, Characters::most_bytes + 1);
  EXPECT_SAYS(read_characters(path), "at most 1073741824 bytes of text, got 1073741825");
  EXPECT_SAYS(read_characters(path, UINT64_MAX), "at most 1073741824 bytes of text, got 1073741825");
}

TEST(CharactersTest, StretchesShareTheTextAndItsVocabulary) {
  const auto text = ascending(20);
  const auto some = text.stretch(5, 3);
  EXPECT_EQ(numbers(some.ids()), (std::vector<int64_t>{5, 6, 7}));
  EXPECT_EQ(some.vocabulary_size(), 20);
  EXPECT_EQ(some.ids().const_data_ptr<int64_t>(), text.ids().const_data_ptr<int64_t>() + 5);
  EXPECT_EQ(numbers(some.stretch(2, 1).ids()), std::vector<int64_t>{7});
  EXPECT_TRUE(text.stretch(0, 20).ids().equal(text.ids()));
  EXPECT_SAYS(text.stretch(0, 21), "0 to 19, got 21 from 0 on");
  EXPECT_SAYS(text.stretch(-1, 2), "stretch");
  EXPECT_SAYS(text.stretch(20, 1), "stretch");
  EXPECT_SAYS(text.stretch(3, 0), "stretch");
  EXPECT_SAYS(text.stretch(19, INT64_MAX), "stretch");
  EXPECT_SAYS(some.stretch(0, 4), "0 to 2");
}

TEST(CharactersTest, NineTenthsAreToTrainOn) {
  for (const auto& [count, train] : std::vector<std::pair<int64_t, int64_t>>{
           {2, 1}, {9, 8}, {10, 9}, {11, 9}, {19, 17}, {20, 18}, {101, 90}}) {
    const auto text = ascending(count);
    const auto head = text.part(TextMode::train), tail = text.part(TextMode::test);
    EXPECT_EQ(head.count(), train);
    EXPECT_TRUE(at::cat({head.ids(), tail.ids()}).equal(text.ids()));
    EXPECT_EQ(head.vocabulary(), text.vocabulary());
    EXPECT_EQ(tail.vocabulary(), text.vocabulary());
  }
  EXPECT_SAYS(ascending(1).part(TextMode::train), "got 0 from 0 on");
}

TEST(CharactersTest, ValidationIsTheEndOfTheStretch) {
  const auto train = ascending(100).part(TextMode::train);
  for (const double validation : {0.1, 9.0}) {
    const auto parts = split(train, validation);
    EXPECT_EQ(numbers(parts.training.ids()), numbers(at::arange(81, at::kLong)));
    EXPECT_EQ(numbers(parts.validation.ids()), numbers(at::arange(81, 90, at::kLong)));
    EXPECT_EQ(parts.validation.vocabulary_size(), 100);
  }
  EXPECT_EQ(split(train, 89).training.count(), 1);
  for (const double wrong : {0.0, -0.1, 0.001, 0.999, 90.0, 2.5, double{NAN}, double{INFINITY}}) {
    EXPECT_SAYS(split(train, wrong), "a fraction of the 90 characters");
  }
}

TEST(CharactersTest, TinyShakespeareIsFoundWhereItMayLie) {
  const TemporaryFolder folder;
  const std::string text = "0123456789";
  for (const std::string name :
       {"input.txt.gz", "input.txt", "tinyshakespeare/input.txt.gz", "tinyshakespeare/input.txt"}) {
    // Every next place is looked into before the last one.
    const auto bytes = bytes_of(text);
    const auto path = folder.write(name, name.ends_with("gz") ? gzipped(bytes) : bytes);
    const TinyShakespeare train(folder.path()), test(folder.path(), TextMode::test);
    EXPECT_EQ(train.name(), path);
    EXPECT_EQ(train.decode(train.ids()), "012345678");
    EXPECT_EQ(test.decode(test.ids()), "9");
    EXPECT_EQ(train.vocabulary_size(), 10);
  }
  // An empty file hides no other.
  folder.write("tinyshakespeare/input.txt", {});
  EXPECT_EQ(TinyShakespeare(folder.path()).name(), folder.path() + "/tinyshakespeare/input.txt.gz");
  const TemporaryFolder none;
  none.write("tinyshakespeare/input.txt", {});
  EXPECT_SAYS(TinyShakespeare(none.path()), "tinyshakespeare/input.txt: text: ");
}

TEST(CharactersTest, TinyShakespeareSaysWhereItLooked) {
  const TemporaryFolder folder;
  EXPECT_SAYS(TinyShakespeare(folder.path()), "TinyShakespeare: root: expected input.txt, plain or .gz, in " +
                                                  folder.path() + "/tinyshakespeare or in " + folder.path());
  EXPECT_SAYS(TinyShakespeare(folder.path() + "/absent"), "Get it from https://");
}

TEST(CharactersTest, TinyShakespeareOfKarpathy) {
  if (!std::filesystem::exists(shared_datasets + "/tinyshakespeare/input.txt")) {
    GTEST_SKIP() << "the text is not in " << shared_datasets << "/tinyshakespeare";
  }
  const TinyShakespeare train(shared_datasets), test(shared_datasets, TextMode::test);
  EXPECT_EQ(train.count(), 1003854);
  EXPECT_EQ(test.count(), 111540);
  EXPECT_EQ(utf8(train.vocabulary()), "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(train.decode(train.ids().narrow(0, 0, 14)), "First Citizen:");
  EXPECT_TRUE(test.encode("?\n\nGREMIO:\n").equal(test.ids().narrow(0, 0, 11)));
}

}  // namespace
}  // namespace optotorch
