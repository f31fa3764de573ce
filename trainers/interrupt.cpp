#include <optotorch/trainers/interrupt.h>

#include <csignal>

namespace optotorch {
namespace {

volatile std::sig_atomic_t interrupted = 0;

extern "C" void note_interrupt(int signal) {
  interrupted = 1;
  if (signal != SIGHUP) {
    std::signal(signal, SIG_DFL);
  }
}

}  // namespace

InterruptGuard::InterruptGuard()
    : previous_int_(std::signal(SIGINT, note_interrupt)),
      previous_term_(std::signal(SIGTERM, note_interrupt)),
      previous_hup_(std::signal(SIGHUP, note_interrupt)) {
  interrupted = 0;
  if (previous_hup_ == SIG_IGN) {
    std::signal(SIGHUP, SIG_IGN);
  }
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, previous_int_);
  std::signal(SIGTERM, previous_term_);
  std::signal(SIGHUP, previous_hup_);
}

bool InterruptGuard::requested() {
  return interrupted != 0;
}

}  // namespace optotorch
