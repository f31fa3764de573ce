#pragma once

// Child processes.

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace optotorch::tools {

/// The exit code of a child whose program was not found.
constexpr int program_not_found = 127;

struct Command {
  std::vector<std::string> arguments;  ///< the first is the program, looked for in PATH
  std::string folder = {};             ///< to work in; empty: this process's
  std::string log = {};                ///< standard output and error are appended to it; empty: discarded
};

/// Starts a process with its own process group, so that Ctrl-C does not reach it by itself, and asks the
/// system to end it (SIGTERM) when this process does. No shell is involved. Throws c10::ValueError if the log
/// can't be written or no process can be made.
pid_t start(const Command& command);

/// How a process ended, as of waitpid: 0, "exit code 2", "signal 9 (Killed)".
std::string describe_end(int status);

/// Starts a process and waits for it; its exit code, or 128 + the signal that ended it.
int run_and_wait(const Command& command);

/// Runs `work` in a copy of this process, without another program, and returns what it returns. The copy has
/// this thread alone: call it before others are at work (LibTorch's start with the first large tensor). It is
/// ended with this process. Throws c10::ValueError with what the copy threw, or if it ends otherwise.
std::string run_in_child(const std::function<std::string()>& work);

struct Job {
  Command command;
  int threads = 1;  ///< of options.threads; a job of more than all runs alone
};

/// Events of jobs, by their number.
class JobWatcher {
 public:
  virtual ~JobWatcher() = default;
  virtual void ended(size_t job) = 0;
  virtual void failed(size_t job, const std::string& how) = 0;
  virtual void tick() = 0;  ///< a few times a second
};

/// Runs the jobs in their order, as many at a time as fit into `threads`. After a failure or Ctrl-C no job is
/// started, and those that run get SIGINT once and are waited for. Returns false if Ctrl-C ended it.
bool run_jobs(const std::vector<Job>& jobs, int threads, JobWatcher& watcher);

}  // namespace optotorch::tools
