#include <optotorch/trainers/progress.h>
#include <unistd.h>

#include <cstdio>

namespace optotorch {
namespace {

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Progress::Progress(std::string label, int64_t total, bool enabled, int64_t done)
    : label_(std::move(label)),
      total_(total),
      first_(done),
      done_(done),
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
  const double elapsed = seconds_between(start_, last_);
  const double left = elapsed * static_cast<double>(total_ - done_) / static_cast<double>(done_ - first_);
  std::fprintf(stderr, "%s%s  %lld/%lld  %.0f samples/s  %.0f s left  %s%s", terminal_ ? "\r\033[K" : "",
               label_.c_str(), static_cast<long long>(done_), static_cast<long long>(total_),
               static_cast<double>(items_) / elapsed, left, metrics.c_str(), terminal_ ? "" : "\n");
  std::fflush(stderr);
}

}  // namespace optotorch
