#include <gtest/gtest.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/core/detail/printable.h>
#include <optotorch/core/safetensors.h>
#include <support/errors.h>
#include <support/temporary_folder.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace optotorch {
namespace {

std::string repeated(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) {
    all += text;
  }
  return all;
}

TEST(JsonTest, ReadsJson) {
  const auto value = parse_json(R"({"a":[1,-2.5,"é",null,true],"b":{}})", "reader", "text");
  EXPECT_EQ(value.dump(), R"({"a":[1,-2.5,"é",null,true],"b":{}})");
  EXPECT_EQ(parse_json(repeated("[", 64) + repeated("]", 64), "reader", "text").size(), 1);
}

TEST(JsonTest, EverythingElseIsAnError) {
  const auto parse = [](const std::string& text) { return parse_json(text, "reader", "file", "a list"); };
  EXPECT_SAYS(parse("[1,"), "reader: file: expected a list, got parse error at line 1, column 4");
  EXPECT_SAYS(parse(""), "reader: file: expected a list, got parse error");
  EXPECT_SAYS(parse("[1e999]"), "number overflow");
  EXPECT_SAYS(parse("[\"\xff\"]"), "invalid");
  EXPECT_SAYS(parse(R"({"a":1,"b":{"a":2},"a":3})"), "the key 'a' twice");
  EXPECT_SAYS(parse(repeated("[", 65) + repeated("]", 65)), "more than 64 arrays and objects");
  for (const std::string open : {"[", R"({"a":)", R"([{"a":)"}) {
    EXPECT_SAYS(parse(repeated(open, 300'000)), "more than 64 arrays and objects");
  }
  const auto limited = [](const std::string& text) {
    return parse_json(text, "reader", "file", "a list", "", {.bytes = 20, .values = 8});
  };
  EXPECT_EQ(limited("[1,1,1,1,1,1,1]").size(), 7);
  EXPECT_SAYS(limited("[1,1,1,1,1,1,1,1]"), "more than 8 values");
  EXPECT_SAYS(limited("[" + repeated(" ", 20) + "]"), "got 22 bytes, where 20 are the limit");
}

TEST(JsonTest, ANestedHeaderOfSafetensorsIsAnError) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.path() + "/deep.safetensors";
  const std::string header = R"({"a":)" + repeated("[", 65'600) + repeated("]", 65'600) + "}";
  const uint64_t length = header.size();
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(&length), sizeof length)
      << header;
  EXPECT_SAYS(load_safetensors(path), path + ": expected a JSON object as header, got more than 64");
}

TEST(JsonTest, MessagesAreCutAndClean) {
  EXPECT_EQ(printable("plain \\ 'é€\U0001f600'"), "plain \\ 'é€\U0001f600'");
  EXPECT_EQ(printable(std::string_view("\0a\n\x1b[2J\x7f", 8)), "\\x00a\\x0a\\x1b[2J\\x7f");
  EXPECT_EQ(printable("\u009b31m \u202e \u2028"), "\\u009b31m \\u202e \\u2028");
  EXPECT_EQ(printable("\xff \xc0\xaf \xed\xa0\x80 \xe2\x82"), "\\xff \\xc0\\xaf \\xed\\xa0\\x80 \\xe2\\x82");
  EXPECT_EQ(printable("0123456789", 6), "0123 ... 89");
  EXPECT_EQ(printable("ééééééé" + std::string(1000, 'x') + "ab", 6), "éééé ... ab");
  const std::string said = message({.where = "w",
                                    .argument = "a\x1b",
                                    .expected = "e",
                                    .got = std::string(10'000'000, 'x'),
                                    .remedy = std::string(5000, '\xff')});
  EXPECT_EQ(said.rfind("w: a\\x1b: expected e, got xxx", 0), 0);
  EXPECT_LT(said.size(), 5000);
}

}  // namespace
}  // namespace optotorch
