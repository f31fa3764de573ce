#pragma once

namespace optotorch {

/// While it lives, Ctrl-C (SIGINT), SIGTERM and the end of the terminal (SIGHUP) ask for an end instead of
/// bringing it: long work asks `requested()` between steps, saves what it has, and returns. A second SIGINT
/// or SIGTERM ends the process at once; of SIGHUP a shell and the system may send one each. Where SIGHUP is
/// ignored, as under nohup, it stays so.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// True if a signal has asked for an end since the newest guard was made.
  static bool requested();

 private:
  void (*previous_int_)(int);
  void (*previous_term_)(int);
  void (*previous_hup_)(int);
};

}  // namespace optotorch
