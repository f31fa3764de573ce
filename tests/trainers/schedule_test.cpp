#include <gtest/gtest.h>
#include <optotorch/trainers/schedule.h>

namespace optotorch {
namespace {

TEST(ScheduleTest, CosineWarmsUpAndFallsToZero) {
  const auto schedule = cosine_schedule(10);
  EXPECT_DOUBLE_EQ(schedule(0, 100), 0.1);
  EXPECT_DOUBLE_EQ(schedule(50, 100), 0.5);
  EXPECT_NEAR(schedule(99, 100), 0, 1e-3);
  EXPECT_NEAR(schedule(100, 100), 0, 1e-15);
  EXPECT_DOUBLE_EQ(cosine_schedule()(0, 100), 1);
}

TEST(ScheduleTest, StepsDropWhereTheySay) {
  const auto schedule = step_schedule({{0.6, 0.3}, {0.85, 0.1}});
  EXPECT_EQ(schedule(59, 100), 1);
  EXPECT_EQ(schedule(60, 100), 0.3);
  EXPECT_EQ(schedule(84, 100), 0.3);
  EXPECT_EQ(schedule(85, 100), 0.1);
  EXPECT_EQ(constant_schedule()(7, 100), 1);
}

TEST(ScheduleTest, RejectsDropsOutOfOrder) {
  EXPECT_ANY_THROW(step_schedule({{0.6, 0.3}, {0.5, 0.1}}));
  EXPECT_ANY_THROW(step_schedule({{1.5, 0.3}}));
  EXPECT_ANY_THROW(step_schedule({{0.5, -1}}));
  EXPECT_ANY_THROW(cosine_schedule(-1));
}

}  // namespace
}  // namespace optotorch
