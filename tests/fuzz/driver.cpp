// fuzz TARGET [--runs N] [--seconds S] [--seed K] [--findings FOLDER]      breeds inputs and runs them
// fuzz TARGET FILE...                                                      runs these inputs
// fuzz --list
//
// TARGET `all` shares the time among all targets. Without --runs and --seconds it runs for a second. The
// inputs depend on nothing but the seed. An input that ends the program, or takes longer than half a minute,
// is written to FOLDER/TARGET-NUMBER first; `fuzz TARGET FILE` repeats it.

#include <c10/util/Logging.h>
#include <fcntl.h>
#include <optotorch/core/detail/printable.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>

#include "fuzz/fuzz.h"
#include "fuzz/mutator.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>

extern "C" const char* __asan_default_options() {
  // A reader that takes a file's word for its size is a finding. What is left at the end is not looked for.
  return "max_allocation_size_mb=2048:detect_leaks=0:handle_abort=0";
}
#endif

namespace optotorch::fuzz {

std::vector<Target>& targets() {
  static std::vector<Target> all;
  return all;
}

namespace {

using Clock = std::chrono::steady_clock;
constexpr time_t longest_s = 30;    // of the processor, for one input
constexpr size_t most_kept = 4096;  // inputs to breed from

/// The input at work, for handlers of signals: no memory is taken there.
struct Current {
  std::array<char, 512> path;
  const char* data = nullptr;
  size_t size = 0;
} current;

std::string last_outcome;

void write_current() {
  if (current.data == nullptr) {
    return;
  }
  const int file = ::open(current.path.data(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const bool written =
      file >= 0 && ::write(file, current.data, current.size) == static_cast<ssize_t>(current.size);
  const std::string_view said =
      written ? "\nfuzz: a finding, written to " : "\nfuzz: a finding, which cannot be written to ";
  const std::string_view path(current.path.data());
  for (const auto part : {said, path, std::string_view("\n")}) {
    [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, part.data(), part.size());
  }
  current.data = nullptr;
}

void on_signal(int signal) {
  write_current();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void watch_signals() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(write_current);
  for (const int signal : {SIGABRT, SIGPROF}) {
#else
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGPROF}) {
#endif
    std::signal(signal, on_signal);
  }
}

/// SIGPROF after so many seconds of work, however many others work on the machine; 0: never.
void limit_time(time_t seconds) {
  const itimerval timer{{0, 0}, {seconds, 0}};
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}

/// The words of an outcome without numbers and quotations, which would make each one a new one: what was
/// expected, and how what came begins.
std::string kind_of(const std::string& outcome) {
  constexpr size_t words_of_what_came = 4;
  const size_t came = outcome.find(", got ");
  std::string kind;
  bool quoted = false;
  size_t words = 0;
  for (size_t i = 0; i < outcome.size() && words <= words_of_what_came; ++i) {
    const char c = outcome[i];
    quoted = quoted != (c == '\'');
    words += i > came && c == ' ' ? 1 : 0;
    if (!quoted && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' ')) {
      kind += c;
    }
  }
  return kind;
}

struct Options {
  uint64_t runs = 0, seed = 1;
  double seconds = 0;
  std::string findings = ".";
};

uint64_t breed(const Target& target, const Options& options) {
  auto corpus = target.seeds();
  std::set<std::string> kinds;
  size_t refused_seeds = 0;
  for (const auto& seed : corpus) {
    target.run(reinterpret_cast<const uint8_t*>(seed.data()), seed.size());
    refused_seeds += last_outcome == "accepted" ? 0 : 1;
    kinds.insert(kind_of(last_outcome));
  }
  if (refused_seeds > 0) {
    std::fprintf(stderr, "fuzz: %s: %zu of %zu valid inputs were refused: %s\n", target.name.c_str(),
                 refused_seeds, corpus.size(), printable(last_outcome).c_str());
    std::exit(1);
  }
  const size_t seeds = corpus.size();
  Mutator mutator(options.seed, target.words);
  const auto begin = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  uint64_t runs = 0, accepted = 0;
  constexpr uint64_t between_looks = 64;
  for (; options.runs == 0 || runs < options.runs; ++runs) {
    if (runs % between_looks == 0) {
      limit_time(longest_s);
      if (options.seconds > 0 && seconds() > options.seconds) {
        break;
      }
    }
    const std::string input = mutator.next(corpus, seeds);
    std::snprintf(current.path.data(), current.path.size(), "%s/%s-%llu", options.findings.c_str(),
                  target.name.c_str(), static_cast<unsigned long long>(runs));
    current.size = input.size();
    current.data = input.data();
    // A copy of exactly that length, so that a sanitiser sees a read beyond it.
    const std::vector<uint8_t> exact(input.begin(), input.end());
    target.run(exact.data(), exact.size());
    current.data = nullptr;
    accepted += last_outcome == "accepted" ? 1 : 0;
    if (kinds.insert(kind_of(last_outcome)).second && corpus.size() < most_kept) {
      corpus.push_back(input);
    }
  }
  limit_time(0);
  std::printf("%-14s %10llu inputs, %llu accepted, %zu ways to end, %.1f s\n", target.name.c_str(),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(accepted), kinds.size(),
              seconds());
  std::fflush(stdout);
  return runs;
}

int repeat(const Target& target, const std::vector<std::string>& files) {
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<uint8_t> input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    target.run(input.data(), input.size());
    std::printf("%s: %s\n", path.c_str(), printable(last_outcome).c_str());
  }
  return 0;
}

int usage() {
  std::fputs(
      "usage: fuzz TARGET|all|--list [--runs N] [--seconds S] [--seed K] [--findings FOLDER] [FILE...]\n",
      stderr);
  return 2;
}

int main(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    return usage();
  }
  std::sort(targets().begin(), targets().end(),
            [](const Target& a, const Target& b) { return a.name < b.name; });
  if (arguments[0] == "--list") {
    for (const auto& target : targets()) {
      std::puts(target.name.c_str());
    }
    return 0;
  }
  Options options;
  std::vector<std::string> files;
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (!arguments[i].starts_with("--")) {
      files.push_back(arguments[i]);
      continue;
    }
    if (i + 1 == arguments.size()) {
      return usage();
    }
    const std::string& value = arguments[i + 1];
    if (arguments[i] == "--runs") {
      options.runs = std::strtoull(value.c_str(), nullptr, 10);
    } else if (arguments[i] == "--seconds") {
      options.seconds = std::strtod(value.c_str(), nullptr);
    } else if (arguments[i] == "--seed") {
      options.seed = std::strtoull(value.c_str(), nullptr, 10);
    } else if (arguments[i] == "--findings") {
      options.findings = value;
    } else {
      return usage();
    }
    ++i;
  }
  if (options.runs == 0 && options.seconds == 0) {
    options.seconds = 1;
  }
  std::vector<Target> chosen;
  std::copy_if(targets().begin(), targets().end(), std::back_inserter(chosen),
               [&](const Target& target) { return arguments[0] == "all" || arguments[0] == target.name; });
  if (chosen.empty()) {
    std::fprintf(stderr, "fuzz: no target '%s'; --list names them\n", arguments[0].c_str());
    return 2;
  }
  options.seconds /= static_cast<double>(chosen.size());
  options.runs = (options.runs + chosen.size() - 1) / chosen.size();
  watch_signals();
  // Stacks of calls, which every exception would write down, take most of the time and say nothing here.
  c10::SetStackTraceFetcher(std::function<std::string()>([] { return std::string(); }));
  if (!files.empty()) {
    return repeat(chosen.front(), files);
  }
  uint64_t runs = 0;
  for (const auto& target : chosen) {
    runs += breed(target, options);
  }
  std::printf("%llu inputs in all, no finding\n", static_cast<unsigned long long>(runs));
  return 0;
}

}  // namespace

void note(std::string_view outcome) {
  last_outcome = outcome;
}

}  // namespace optotorch::fuzz

int main(int argc, char** argv) {
  return optotorch::fuzz::main({argv + 1, argv + argc});
}
