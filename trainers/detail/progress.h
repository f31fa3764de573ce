#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace optotorch {

/// How far long work has come, on standard error: one line that redraws itself on a terminal, as much of it
/// as the terminal is wide, and a plain line every ten seconds elsewhere.
class Progress {
 public:
  /// `label` stands first, e.g. "epoch 3/15"; `total` steps are to come, `done` of them done already. The
  /// time that is said to be left is that of these and of `later` ones, e.g. of the epochs to come.
  Progress(std::string label, int64_t total, bool enabled, int64_t done = 0, int64_t later = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Step `done` of `total` has ended; `items` samples were worked on in it. `metrics`, e.g. "loss 0.312", is
  /// shown.
  void step(int64_t done, int64_t items, const std::string& metrics);

 private:
  void draw(const std::string& metrics) const;

  using Clock = std::chrono::steady_clock;
  std::string label_;
  int64_t total_, first_, done_, later_, items_ = 0;
  bool enabled_, terminal_, drawn_ = false;
  Clock::time_point start_, last_;
};

}  // namespace optotorch
