#pragma once

#include <cstdint>

namespace optotorch {

/// How many of `count` are held back; `what` they are called. `validation`: below 1 a fraction, rounded to
/// the nearest number, else a number of them. Throws c10::ValueError unless both parts keep one.
int64_t held_back_of(int64_t count, double validation, const char* what);

}  // namespace optotorch
