#include "runs/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

namespace optotorch::tools {

void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // open() takes the lowest number that is free: that of the stream, as those below are open by now.
    if (::fcntl(stream, F_GETFD) == -1 && errno == EBADF && ::open("/dev/null", O_RDWR) != stream) {
      std::abort();
    }
  }
}

void write_line_or_drop(int descriptor, const std::string& line) {
  // As much as a pipe that has room takes at once.
  const std::string bytes = line.substr(0, PIPE_BUF - 1) + "\n";
  pollfd ask = {descriptor, POLLOUT, 0};
  if (::poll(&ask, 1, 0) == 1 && ask.revents == POLLOUT) {
    [[maybe_unused]] const ssize_t ignored = ::write(descriptor, bytes.data(), bytes.size());
  }
}

}  // namespace optotorch::tools
