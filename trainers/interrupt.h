#pragma once

namespace optotorch {

/// While it lives, Ctrl-C (SIGINT) and SIGTERM ask for an end instead of bringing it: long work asks
/// `requested()` between steps, saves what it has, and returns. A second signal ends the process at once.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool requested();

 private:
  void (*previous_int_)(int);
  void (*previous_term_)(int);
};

}  // namespace optotorch
