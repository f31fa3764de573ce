#include "peer_program.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace optotorch::bench {

TemporaryFolder::TemporaryFolder() {
  auto name = (std::filesystem::temp_directory_path() / "optotorch-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("no temporary folder can be made");
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::filesystem::remove_all(path_);
}

PeerProgram::PeerProgram(const std::string& python, const std::string& script, const std::string& folder,
                         std::string needs)
    : needs_(std::move(needs)) {
  std::array<int, 2> to{}, from{};
  if (pipe(to.data()) != 0 || pipe(from.data()) != 0 || (process_ = fork()) < 0) {
    throw std::runtime_error("no process can be made");
  }
  if (process_ == 0) {
    dup2(to[0], 0);
    dup2(from[1], 1);
    for (const int end : {to[0], to[1], from[0], from[1]}) {
      close(end);
    }
    execlp(python.c_str(), python.c_str(), script.c_str(), folder.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  to_ = fdopen(to[1], "w");
  from_ = fdopen(from[0], "r");
  wait();
}

PeerProgram::~PeerProgram() {
  std::fclose(to_);
  std::fclose(from_);
  waitpid(process_, nullptr, 0);
}

void PeerProgram::run(const char* work) {
  std::fprintf(to_, "%s\n", work);
  std::fflush(to_);
  wait();
}

void PeerProgram::wait() {
  std::array<char, 64> line{};
  if (std::fgets(line.data(), line.size(), from_) == nullptr || std::string(line.data()) != "done\n") {
    throw std::runtime_error("Python's side failed: it needs " + needs_ + "; name one by --python");
  }
}

}  // namespace optotorch::bench
