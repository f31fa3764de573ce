#include "reproduce/process.h"

#include <fcntl.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/interrupt.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <thread>

namespace optotorch::tools {
namespace {

constexpr auto process_tick = std::chrono::milliseconds(100);

/// In the child, between fork and exec: only what is safe there.
[[noreturn]] void become(char** arguments, const char* folder, int output, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (::getppid() == parent && nothing >= 0 && ::dup2(nothing, STDIN_FILENO) >= 0 &&
      ::dup2(output, STDOUT_FILENO) >= 0 && ::dup2(output, STDERR_FILENO) >= 0 &&
      (*folder == '\0' || ::chdir(folder) == 0)) {
    ::execvp(arguments[0], arguments);
  }
  ::_exit(program_not_found);  // as shells have it
}

}  // namespace

pid_t start(const Command& command) {
  const std::string log = command.log.empty() ? "/dev/null" : command.log;
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  OPTOTORCH_CHECK(output >= 0, .where = "optotorch", .argument = log, .expected = "a file to write to",
                  .got = std::strerror(errno), .remedy = "Choose another folder");
  std::vector<std::string> copies = command.arguments;
  std::vector<char*> arguments;
  arguments.reserve(copies.size() + 1);
  for (auto& copy : copies) {
    arguments.push_back(copy.data());
  }
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid(), child = ::fork();
  if (child == 0) {
    become(arguments.data(), command.folder.c_str(), output, parent);
  }
  const int error = errno;
  ::close(output);
  OPTOTORCH_CHECK(child > 0, .where = "optotorch", .argument = command.arguments.front(),
                  .expected = "another process", .got = std::strerror(error),
                  .remedy = "Run fewer at a time: --threads");
  return child;
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) {
    return c10::str("signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")");
  }
  return WEXITSTATUS(status) == 0 ? "0" : c10::str("exit code ", WEXITSTATUS(status));
}

int run_and_wait(const Command& command) {
  const pid_t child = start(command);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string run_in_child(const std::function<std::string()>& work) {
  int ends[2] = {-1, -1};
  const bool piped = ::pipe2(ends, O_CLOEXEC) == 0;
  std::fflush(nullptr);  // or the copy's buffers would be written twice
  const pid_t parent = ::getpid(), child = piped ? ::fork() : -1;
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::string said = "-";  // the first letter tells whether it went well
    try {
      said = "+" + work();
    } catch (const c10::Error& error) {
      said += error.what_without_backtrace();
    } catch (const std::exception& error) {
      said += error.what();
    }
    const bool written = ::getppid() == parent &&
                         ::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
    ::_exit(written ? 0 : 1);
  }
  const int error = errno;
  ::close(ends[1]);
  std::string said;
  int status = 0;
  if (child > 0) {
    char part[4096];
    for (ssize_t count = 1; count > 0 || (count < 0 && errno == EINTR);) {
      count = ::read(ends[0], part, sizeof part);
      said.append(part, static_cast<size_t>(std::max<ssize_t>(count, 0)));
    }
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  ::close(ends[0]);
  OPTOTORCH_CHECK(child > 0 && said.starts_with('+'), .where = "optotorch", .argument = "child process",
                  .expected = "success",
                  .got = child < 0      ? std::strerror(error)
                         : said.empty() ? describe_end(status)
                                        : said.substr(1));
  return said.substr(1);
}

bool run_jobs(const std::vector<Job>& jobs, int threads, JobWatcher& watcher) {
  const InterruptGuard guard;
  std::map<pid_t, size_t> running;
  size_t next = 0;
  int busy = 0;
  bool stopping = false, asked = false;
  const auto weight = [&](size_t job) { return std::clamp(jobs[job].threads, 1, threads); };
  while (!running.empty() || (next < jobs.size() && !stopping)) {
    stopping = stopping || InterruptGuard::requested();
    if (stopping && !asked) {
      asked = true;
      for (const auto& [child, job] : running) {
        ::kill(child, SIGINT);
      }
    }
    while (!stopping && next < jobs.size() && busy + weight(next) <= threads) {
      running.emplace(start(jobs[next].command), next);
      busy += weight(next++);
    }
    for (auto entry = running.begin(); entry != running.end();) {
      int status = 0;
      if (::waitpid(entry->first, &status, WNOHANG) != entry->first) {
        ++entry;
        continue;
      }
      const size_t job = entry->second;
      busy -= weight(job);
      entry = running.erase(entry);
      if (status == 0) {
        watcher.ended(job);
      } else if (!stopping) {
        stopping = true;
        watcher.failed(job, describe_end(status));
      }
    }
    watcher.tick();
    if (!running.empty()) {
      std::this_thread::sleep_for(process_tick);
    }
  }
  return !InterruptGuard::requested();
}

}  // namespace optotorch::tools
