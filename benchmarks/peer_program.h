#pragma once

// Peers that are libraries of Python: a process runs them, in turn with ours.

#include <sys/types.h>

#include <cstdio>
#include <string>

namespace optotorch::bench {

/// A folder that is gone afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// `python script folder`, which says "done" when it is ready, takes names of work on its standard input and says
/// "done" after each. Throws std::runtime_error, naming what it `needs`, if it ends before that.
class PeerProgram {
 public:
  PeerProgram(const std::string& python, const std::string& script, const std::string& folder,
              std::string needs);
  PeerProgram(const PeerProgram&) = delete;
  PeerProgram& operator=(const PeerProgram&) = delete;
  ~PeerProgram();

  void run(const char* work);

 private:
  void wait();

  std::string needs_;
  pid_t process_ = -1;
  FILE *to_ = nullptr, *from_ = nullptr;
};

}  // namespace optotorch::bench
