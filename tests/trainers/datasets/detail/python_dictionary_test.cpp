#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/datasets/detail/python_dictionary.h>
#include <support/array_files.h>
#include <support/errors.h>

namespace optotorch {
namespace {

using testing::little_endian;
using testing::PickleWriter;
using namespace std::string_literals;

/// The string has to outlive the file, not the dictionary.
PythonDictionary read_dictionary(const std::string& pickle) {
  return PythonDictionary(InputFile(pickle, "some-file"));
}

at::Tensor numbered_tensor(at::IntArrayRef sizes) {
  return at::arange(c10::multiply_integers(sizes), at::kLong).to(at::kByte).view(sizes);
}

std::string values(size_t count) {
  std::string bytes;
  for (size_t k = 0; k < count; ++k) {
    bytes += static_cast<char>(k);
  }
  return bytes;
}

std::string with_entry(const std::string& key, const std::string& value) {
  PickleWriter writer;
  return writer.start() + writer.text(key) + value + PickleWriter::stop();
}

TEST(PythonDictionaryTest, ReadsWhatPython2Writes) {
  PickleWriter writer;
  const auto pickle = writer.start() + writer.text("labels") + writer.numbers({3, 1, 500, 70000, -2}) +
                      writer.text("data") + writer.array({2, 150}, values(300)) + writer.text("names") +
                      writer.texts({"cat", "dog"}) + PickleWriter::stop();
  const auto dictionary = read_dictionary(pickle);
  EXPECT_TRUE(dictionary.whole_numbers("labels").equal(at::tensor({3, 1, 500, 70000, -2}, at::kLong)));
  EXPECT_TRUE(dictionary.bytes("data").equal(numbered_tensor({2, 150})));
  EXPECT_EQ(dictionary.texts("names"), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_TRUE(dictionary.has("names"));
  EXPECT_FALSE(dictionary.has("cat"));
}

TEST(PythonDictionaryTest, ReadsArraysByColumns) {
  PickleWriter writer;
  const auto pickle = with_entry("data", writer.array({2, 3}, values(6), true));
  EXPECT_TRUE(read_dictionary(pickle).bytes("data").equal(numbered_tensor({3, 2}).t()));
  EXPECT_TRUE(read_dictionary(pickle).bytes("data").is_contiguous());
}

/// pickle.dumps({'data': np.array([[0, 10], [200, 255]], np.uint8), 'labels': [1, 300]}, 4) of Python 3.
TEST(PythonDictionaryTest, ReadsWhatPython3Writes) {
  const auto array_4 =
      "\x8c\x16numpy._core.multiarray\x94\x8c\x0c_"
      "reconstruct\x94\x93\x94\x8c\5numpy\x94\x8c\7ndarray\x94\x93\x94K\0\x85"
      "\x94"s +
      "C\1b\x94\x87\x94R\x94(K\1K\2K\2\x86\x94h\5\x8c\5dtype\x94\x93\x94\x8c\2u1\x94\x89\x88\x87\x94R\x94("s +
      "K\3\x8c\1|\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t\x94"s + "b\x89" +
      "C\4\0\x0a\xc8\xff\x94t\x94"s + "b";
  const auto body = "}\x94(\x8c\4data\x94"s + array_4 + "\x8c\6labels\x94]\x94(K\1M\x2c\1eu."s;
  const auto framed = "\x80\4\x95"s + little_endian(body.size(), 8) + body;
  const auto dictionary = read_dictionary(framed);
  EXPECT_TRUE(dictionary.bytes("data").equal(at::tensor({0, 10, 200, 255}, at::kByte).view({2, 2})));
  EXPECT_TRUE(dictionary.whole_numbers("labels").equal(at::tensor({1, 300}, at::kLong)));
  // A frame of more than there is.
  EXPECT_SAYS(read_dictionary("\x80\4\x95"s + little_endian(body.size() + 1, 8) + body), "another");
  EXPECT_SAYS(read_dictionary("\x80\5"s + body), "from 2 to 4");
}

/// Protocol 2 of Python 3 writes bytes as a text that is to be encoded.
TEST(PythonDictionaryTest, ReadsBytesThatAreText) {
  const auto array = [](const std::string& text, const std::string& how = "latin1") {
    PickleWriter writer;
    const auto whole = writer.array({2, 2}, "VALUES");
    const auto at = whole.find("U\6VALUES");
    const auto encoded = writer.global("_codecs", "encode") + "X" + little_endian(text.size(), 4) + text +
                         "X" + little_endian(how.size(), 4) + how + "\x86R";
    return with_entry("data", whole.substr(0, at) + encoded + whole.substr(at + 8));
  };
  const auto pickle = array("\0\x0a\xc3\x88\xc3\xbf"s);
  EXPECT_TRUE(
      read_dictionary(pickle).bytes("data").equal(at::tensor({0, 10, 200, 255}, at::kByte).view({2, 2})));
  for (const auto& broken : {"\0\x0a\xc3\x88"s, "\0\x0a\xc3\x88\xc3"s, "\0\x0a\xc3\x88\xc4\x80"s,
                             "\0\x0a\xc3\x88\x80"s, "\0\x0a\xc3\x88\xc3\xbf."s, "\0\x0a\xc3\x88\xc3\xc3"s}) {
    const auto text = array(broken);
    EXPECT_SAYS(read_dictionary(text).bytes("data"), "as many bytes as [2, 2]");
  }
  EXPECT_SAYS(read_dictionary(array("\0\x0a\xc3\x88\xc3\xbf"s, "utf-16")).bytes("data"),
              "as numpy writes it");
}

TEST(PythonDictionaryTest, NothingForeignIsNamed) {
  for (const auto& [module, name] :
       std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                        {"posix", "system"},
                                                        {"nt", "system"},
                                                        {"__builtin__", "eval"},
                                                        {"builtins", "exec"},
                                                        {"numpy", "load"},
                                                        {"numpy.core.multiarray", "x"},
                                                        {"numpy", "ndarray.x"},
                                                        {"_codecs", "decode"},
                                                        {"subprocess", "Popen"}}) {
    const auto by_lines = with_entry("a", "c" + module + "\n" + name + "\nU\4true\x85R");
    EXPECT_SAYS(read_dictionary(by_lines), "'" + module + "." + name + "'");
    const auto by_stack = "\x80\4}(X\1\0\0\0aX"s + little_endian(module.size(), 4) + module + "X" +
                          little_endian(name.size(), 4) + name + "\x93X\4\0\0\0true\x85Ru."s;
    EXPECT_SAYS(read_dictionary(by_stack), "'" + module + "." + name + "'");
  }
  EXPECT_SAYS(read_dictionary("\x80\4}(K\1K\2\x93u."s), "two texts");
}

TEST(PythonDictionaryTest, NoOtherInstructionIsKnown) {
  // All of Python's that are not needed: INST, OBJ, NEWOBJ, EXT1, PERSID, BINPERSID, LONG, DUP, POP, BUFFER ...
  for (const char code :
       "io\x81\x82\x83\x84P"
       "QIFLSVNEWOBJ\x92\x90\x91\x8f\x96\x97\x98\x8b"
       "01"
       "2gp"s) {
    if (code == 'N' || code == 'B' || code == 'J') {
      continue;  // these are
    }
    const auto pickle = with_entry("a", "K\1K\2"s + code + "0\n0\n"s);
    SCOPED_TRACE(int{static_cast<uint8_t>(code)});
    EXPECT_SAYS(read_dictionary(pickle), "an instruction that Python");
  }
}

TEST(PythonDictionaryTest, RejectsOtherValues) {
  PickleWriter writer;
  const auto says = [](const std::string& value, const std::string& text) {
    const auto pickle = with_entry("data", value);
    EXPECT_SAYS(read_dictionary(pickle).bytes("data"), text);
    EXPECT_SAYS(read_dictionary(pickle).bytes("data"), "some-file");
  };
  says("K\1", "as numpy writes it");
  says("]", "as numpy writes it");
  says(writer.array({2, 3}, values(6), false, "i8"), "as numpy writes it");
  says(writer.array({2, 3}, values(6), false, "f4"), "as numpy writes it");
  says(writer.array({2, 0}, ""), "as numpy writes it");
  says(writer.array({-2, -3}, values(6)), "as numpy writes it");
  says(writer.array({2, 3}, values(5)), "as many bytes as [2, 3]");
  says(writer.array({2, 3}, values(7)), "as many bytes as [2, 3]");
  says(writer.array({1 << 30, 1 << 30, 1 << 30}, values(7)), "as numpy writes it");
  says(writer.array(std::vector<int64_t>(40, 1), values(1)), "as numpy writes it");
  says("cnumpy\ndtype\n)R", "as numpy writes it");
  says("cnumpy.core.multiarray\n_reconstruct\n)R", "as numpy writes it");
  says("cnumpy.core.multiarray\n_reconstruct\n)R)b", "as numpy writes it");

  const auto numbers = with_entry("labels", "](K\1U\1xe");
  EXPECT_SAYS(read_dictionary(numbers).whole_numbers("labels"), "whole numbers");
  EXPECT_SAYS(read_dictionary(numbers).texts("labels"), "texts");
  EXPECT_SAYS(read_dictionary(numbers).texts("names"), "'names'");
  EXPECT_SAYS(read_dictionary(with_entry("labels", "K\1")).whole_numbers("labels"), "a list");
  const auto twice = writer.start() + "U\1aK\1U\1aK\2" + PickleWriter::stop();
  EXPECT_SAYS(read_dictionary(twice).whole_numbers("a"), "two");
  EXPECT_SAYS(read_dictionary("\x80\2]."s), "a dictionary");
  EXPECT_SAYS(read_dictionary(""), "another 1 bytes");
  EXPECT_SAYS(read_dictionary("\x80\2}(U\1au."s), "keys with values");
}

/// Lists may hold themselves; a dictionary, too.
TEST(PythonDictionaryTest, CirclesDoNoHarm) {
  const auto circle = "\x80\2}q\1(U\4dataq\2]q\3h\3aU\6labelsh\1u."s;
  EXPECT_SAYS(read_dictionary(circle).whole_numbers("data"), "whole numbers");
  EXPECT_SAYS(read_dictionary(circle).whole_numbers("labels"), "a list");
}

TEST(PythonDictionaryTest, RejectsEveryTruncation) {
  PickleWriter writer;
  const auto pickle = writer.start() + writer.text("data") + writer.array({2, 3}, values(6)) +
                      writer.text("labels") + writer.numbers({1, 2}) + PickleWriter::stop();
  EXPECT_NO_THROW(read_dictionary(pickle));
  for (size_t length = 0; length < pickle.size(); ++length) {
    const auto part = pickle.substr(0, length);
    EXPECT_THROW(read_dictionary(part), c10::ValueError) << length;
  }
}

}  // namespace
}  // namespace optotorch
