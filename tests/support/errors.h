#pragma once

// What a wrong call says.

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <string>

namespace optotorch::testing {

/// The message of what `call` throws; empty, and a failure, if it throws nothing.
template <typename Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();  // the names of functions in a backtrace would satisfy many a wish
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

}  // namespace optotorch::testing

/// `call` throws, and what it throws says `text`.
#define EXPECT_SAYS(call, text)                                                            \
  do {                                                                                     \
    const std::string said = ::optotorch::testing::error_of([&] { (void)(call); });        \
    EXPECT_NE(said.find(text), std::string::npos) << "wanted: " << (text) << "\n" << said; \
  } while (false)
