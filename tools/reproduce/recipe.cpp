#include "reproduce/recipe.h"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace optotorch::tools {

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
