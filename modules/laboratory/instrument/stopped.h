#pragma once

#include <functional>

namespace optotorch {

/// Asked several times a second while something is awaited; true ends the wait.
using Stopped = std::function<bool()>;

}  // namespace optotorch
