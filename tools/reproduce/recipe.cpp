#include "reproduce/recipe.h"

#include <optotorch/core/check.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace optotorch::tools {

double number_option(const std::string& recipe, const RecipeOptions& options, const std::string& name) {
  const auto& text = options.own.at(name);
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  OPTOTORCH_CHECK(!text.empty() && *end == '\0', .where = recipe, .argument = "--" + name,
                  .expected = "a number", .got = "'" + text + "'");
  return value;
}

int64_t whole_number_option(const std::string& recipe, const RecipeOptions& options, const std::string& name,
                            int64_t least, int64_t most) {
  const double value = number_option(recipe, options, name);
  OPTOTORCH_CHECK(
      value == std::floor(value) && value >= static_cast<double>(least) && value <= static_cast<double>(most),
      .where = recipe, .argument = "--" + name,
      .expected = c10::str("a whole number from ", least, " to ", most),
      .got = "'" + options.own.at(name) + "'");
  return static_cast<int64_t>(value);
}

void log_line(const RecipeOptions& options, const std::string& line) {
  std::FILE* file = std::fopen((options.out + "/log.txt").c_str(), "ae");
  if (file == nullptr) {
    return;  // it could be written when the recipe began; nobody wants hours of work to end for this
  }
  using Clock = std::chrono::steady_clock;  // the date may be set while this runs
  static const auto start = Clock::now();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  char when[32];
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  std::strftime(when, sizeof when, "%F %T", ::localtime_r(&now, &local));
  std::fprintf(file, "%s  %9.1f s  %s\n", when, seconds, line.c_str());
  std::fclose(file);
}

void tell(const RecipeOptions& options, const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
  log_line(options, line);
}

}  // namespace optotorch::tools
