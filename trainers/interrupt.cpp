#include <optotorch/trainers/interrupt.h>

#include <csignal>

namespace optotorch {
namespace {

volatile std::sig_atomic_t interrupted = 0;

extern "C" void note_interrupt(int signal) {
  interrupted = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

InterruptGuard::InterruptGuard()
    : previous_int_(std::signal(SIGINT, note_interrupt)),
      previous_term_(std::signal(SIGTERM, note_interrupt)) {
  interrupted = 0;
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, previous_int_);
  std::signal(SIGTERM, previous_term_);
}

bool InterruptGuard::requested() {
  return interrupted != 0;
}

}  // namespace optotorch
