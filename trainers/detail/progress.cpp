#include <optotorch/trainers/detail/progress.h>
#include <optotorch/trainers/terminal.h>
#include <unistd.h>

#include <cmath>

#include <cstdio>

namespace optotorch {
namespace {

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Progress::Progress(std::string label, int64_t total, bool enabled, int64_t done, int64_t later)
    : label_(std::move(label)),
      total_(total),
      first_(done),
      done_(done),
      later_(later),
      enabled_(enabled),
      terminal_(::isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (enabled_ && terminal_ && drawn_) {
    std::fputs("\r\033[K", stderr);
  }
}

void Progress::step(int64_t done, int64_t items, const std::string& metrics) {
  done_ = done;
  items_ += items;
  const auto now = Clock::now();
  if (!enabled_ || seconds_between(last_, now) < (terminal_ ? 0.1 : 10.0)) {
    return;
  }
  last_ = now;
  drawn_ = true;
  draw(metrics);
}

void Progress::draw(const std::string& metrics) const {
  constexpr size_t bar = 22;
  const double elapsed = seconds_between(start_, last_);
  const auto open = static_cast<double>(total_ - done_ + later_);
  const std::string left = in_time_units(elapsed * open / static_cast<double>(done_ - first_)) + " left",
                    rate = std::to_string(std::lround(static_cast<double>(items_) / elapsed)) + " samples/s",
                    count = std::to_string(done_) + "/" + std::to_string(total_);
  if (!terminal_) {
    std::fprintf(stderr, "%s  %s  %s  %s  %s\n", label_.c_str(), count.c_str(), rate.c_str(), left.c_str(),
                 metrics.c_str());
    return;
  }
  const double part = static_cast<double>(done_) / static_cast<double>(total_);
  const std::string percent = std::to_string(static_cast<int>(100 * part)) + " %";
  const auto line = fitted_line(
      {{label_, 0}, {progress_bar(part, bar), 4}, {percent, 2}, {left, 1}, {metrics, 3}, {rate, 5}},
      terminal_columns(STDERR_FILENO));
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
}

}  // namespace optotorch
