#include <fcntl.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/terminal.h>
#include <unistd.h>

namespace optotorch {
namespace {

const std::vector<LinePart> parts{{"epoch 3/15", 0}, {"[####----]", 3}, {"50 %", 2}, {"12 s left", 1}};

TEST(TerminalTest, LineHoldsWhatFits) {
  EXPECT_EQ(fitted_line(parts, 80), "epoch 3/15  [####----]  50 %  12 s left");
  EXPECT_EQ(fitted_line(parts, 40), "epoch 3/15  [####----]  50 %  12 s left");  // 39 characters
  EXPECT_EQ(fitted_line(parts, 39), "epoch 3/15  50 %  12 s left");
  EXPECT_EQ(fitted_line(parts, 27), "epoch 3/15  12 s left");
  EXPECT_EQ(fitted_line(parts, 12), "epoch 3/15");
  for (size_t columns = 1; columns < 80; ++columns) {
    EXPECT_LT(fitted_line(parts, columns).size(), columns);
  }
  EXPECT_EQ(fitted_line(parts, 6), "epoch");
  EXPECT_EQ(fitted_line(parts, 0), "");
  EXPECT_EQ(fitted_line({}, 80), "");
}

TEST(TerminalTest, BarIsAsWideAsItSays) {
  EXPECT_EQ(progress_bar(0, 12), "[----------]");
  EXPECT_EQ(progress_bar(0.6, 12), "[######----]");
  EXPECT_EQ(progress_bar(1, 12), "[##########]");
  EXPECT_EQ(progress_bar(7, 12), "[##########]");
  EXPECT_EQ(progress_bar(-1, 3), "[-]");
  EXPECT_EQ(progress_bar(0, 0), "[-]");
}

TEST(TerminalTest, TimesAreForPeople) {
  EXPECT_EQ(in_time_units(0.4), "0 s");
  EXPECT_EQ(in_time_units(59.4), "59 s");
  EXPECT_EQ(in_time_units(59.6), "1 min");
  EXPECT_EQ(in_time_units(200), "3 min 20 s");
  EXPECT_EQ(in_time_units(7500), "2 h 5 min");
  EXPECT_EQ(in_time_units(3 * 86400 + 4 * 3600), "3 d 4 h");
  EXPECT_EQ(in_time_units(-3), "0 s");
}

TEST(TerminalTest, WhatIsNoTerminalHasEightyColumns) {
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(terminal_columns(nothing), 80U);
  ::close(nothing);
  EXPECT_EQ(terminal_columns(-1), 80U);
}

}  // namespace
}  // namespace optotorch
