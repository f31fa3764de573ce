#include <c10/util/StringUtil.h>
#include <optotorch/trainers/terminal.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cmath>

namespace optotorch {

size_t terminal_columns(int descriptor) {
  constexpr size_t usual = 80;
  winsize size{};
  return ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : usual;
}

std::string progress_bar(double part, size_t width) {
  const size_t inside = std::max<size_t>(width, 3) - 2;
  const auto done = static_cast<size_t>(std::clamp(part, 0., 1.) * static_cast<double>(inside));
  return c10::str('[', std::string(done, '#'), std::string(inside - done, '-'), ']');
}

std::string in_time_units(double seconds) {
  constexpr long minute = 60, hour = 60 * minute, day = 24 * hour;
  const long whole = std::lround(std::clamp(seconds, 0., 1e9));
  const auto two = [whole](long unit, const char* name, long smaller, const char* small_name) {
    const long rest = whole % unit / smaller;
    return c10::str(whole / unit, name) + (rest > 0 ? c10::str(' ', rest, small_name) : "");
  };
  if (whole >= day) {
    return two(day, " d", hour, " h");
  }
  if (whole >= hour) {
    return two(hour, " h", minute, " min");
  }
  return whole >= minute ? two(minute, " min", 1, " s") : std::to_string(whole) + " s";
}

std::string fitted_line(std::vector<LinePart> parts, size_t columns) {
  const size_t room = std::max<size_t>(columns, 1) - 1;  // in the last column some terminals begin a new line
  for (;;) {
    std::string line;
    for (const auto& part : parts) {
      line += (line.empty() ? "" : "  ") + part.text;
    }
    if (line.size() <= room || parts.size() <= 1) {
      return line.substr(0, room);
    }
    parts.erase(std::max_element(parts.begin(), parts.end(),
                                 [](const auto& a, const auto& b) { return a.rank < b.rank; }));
  }
}

}  // namespace optotorch
