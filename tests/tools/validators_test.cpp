#include "runs/validators.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "optotorch/command.h"

namespace optotorch::tools {
namespace {

std::unique_ptr<CLI::App> program() {
  auto app = std::make_unique<CLI::App>("", "optotorch");
  for (const auto add : {add_train, add_sample, add_instrument, add_reproduce}) {
    add(*app);
  }
  check_numbers(*app);
  return app;
}

/// What the program says to `command --option value` if it is not content with the value; else empty.
std::string said_to(const std::string& command, const std::string& option, const std::string& value) {
  try {
    program()->parse(command + " " + option + " " + value);
  } catch (const CLI::RequiredError&) {  // what is asked for after that
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return "";
}

/// Calls visit(command, option, type) for every option of a number.
int each_number(
    const std::function<void(const std::string&, const std::string&, const std::string&)>& visit) {
  int count = 0;
  const auto app = program();
  for (const auto* command : app->get_subcommands([](const CLI::App*) { return true; })) {
    for (const auto* option : command->get_options()) {
      const auto type = option->get_type_name();
      if (type.starts_with("INT") || type.starts_with("UINT") || type.starts_with("FLOAT")) {
        visit(command->get_name(), "--" + option->get_lnames().at(0), type);
        ++count;
      }
    }
  }
  return count;
}

/// Nobody reads thirty digits.
bool is_readable(const std::string& text) {
  size_t digits = 0, most = 0;
  for (const char letter : text) {
    digits = letter >= '0' && letter <= '9' ? digits + 1 : 0;
    most = std::max(most, digits);
  }
  return most < 30;
}

TEST(ValidatorsTest, WholeOnesAreRefusedAndNotClipped) {
  const int count = each_number([](const std::string& command, const std::string& option,
                                   const std::string& type) {
    for (const std::string value : {"99999999999999999999", "-99999999999999999999", "9223372036854775808"}) {
      if (type.starts_with("INT")) {
        const auto said = said_to(command, option, value);
        EXPECT_TRUE(said.starts_with(option + ": expected a ") && said.ends_with("got " + value))
            << command << " " << option << " " << value << ": " << said;
      }
    }
    for (const std::string value : {"2.5", "x", "1e3", "010", "0x10", "5x"}) {
      if (type.starts_with("INT")) {
        EXPECT_NE(said_to(command, option, value), "") << command << " " << option << " " << value;
      }
    }
  });
  EXPECT_GT(count, 30);
}

TEST(ValidatorsTest, WrongOnesAreSaidInAFewDigits) {
  each_number([](const std::string& command, const std::string& option, const std::string&) {
    for (const std::string value : {"-1", "0", "1e999", "nan", "x"}) {
      const auto said = said_to(command, option, value);
      EXPECT_TRUE(is_readable(said)) << command << " " << option << " " << value << ": " << said;
      EXPECT_EQ(said.find("not in range"), std::string::npos) << said;  // CLI11's own words
      if (value != "-1" && value != "0") {
        EXPECT_TRUE(said.starts_with(option + ": expected ")) << command << " " << option << ": " << said;
      }
    }
  });
}

TEST(ValidatorsTest, WordsOfTheUsualOptions) {
  EXPECT_EQ(said_to("train", "--lr", "-1"), "--lr: expected a number above 0 and at most 1000000, got -1");
  EXPECT_EQ(said_to("train", "--epochs", "0"), "--epochs: expected a whole number from 1 to 1000000, got 0");
  EXPECT_EQ(said_to("train", "--batch-size", "0"), "--batch-size: expected a whole number from 1 to 1000000, got 0");
  EXPECT_EQ(said_to("train", "--seed", "99999999999999999999"),
            "--seed: expected a whole number of at most 9223372036854775807, got 99999999999999999999");
  EXPECT_EQ(said_to("train", "--seed", "-99999999999999999999"),
            "--seed: expected a whole number of at least -9223372036854775808, got -99999999999999999999");
  EXPECT_EQ(said_to("train", "--seed", "2.5"), "--seed: expected a whole number, got 2.5");
  EXPECT_EQ(said_to("train", "--splitter", "-1"), "--splitter: expected a number from 0 to 1, got -1");
  EXPECT_EQ(said_to("instrument", "--ports", "1"), "--ports: expected a whole number from 2 to 4096, got 1");
  EXPECT_EQ(said_to("train", "--seed", "-9223372036854775808"), "");
  EXPECT_EQ(said_to("train", "--seed", "9223372036854775807"), "");
  EXPECT_EQ(said_to("train", "--lr", "1e-3"), "");
}

}  // namespace
}  // namespace optotorch::tools
