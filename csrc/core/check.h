#pragma once

// Argument checks with one wording: who complains, about which argument, what was expected, what came, what
// to do.

#include <ATen/core/Tensor.h>
#include <c10/util/StringUtil.h>

#include <string>

namespace optotorch {

/// An error's parts, for a user whose input is wrong.
struct WrongInput {
  std::string where;        ///< operator, module or file that complains, e.g. "mzi_mesh"
  std::string argument;     ///< name of the argument, e.g. "theta"
  std::string expected;     ///< e.g. "float32 [2016]"
  std::string got;          ///< e.g. "float32 [2048]"
  std::string remedy = {};  ///< what to do about it
};

/// "WHERE: ARGUMENT: expected EXPECTED, got GOT. REMEDY."
std::string message(const WrongInput& wrong);

/// Throws c10::ValueError (ValueError in Python) with `message(wrong)`.
[[noreturn]] void reject(const WrongInput& wrong);

/// "complex64 [128, 64]": what an error calls a tensor.
std::string describe(const at::Tensor& tensor);

/// "complex64": the name that PyTorch gives to a type.
std::string type_name(at::ScalarType type);

/// Throws if any element is NaN or infinite. Reads the values: never called on meta tensors.
void check_finite(const std::string& where, const std::string& argument, const at::Tensor& tensor);

/// The name among `known` that is nearest to `name` by edit distance, for "did you mean ...?". Empty if none
/// is near: within one edit, or one for every three letters.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);

}  // namespace optotorch

/// OPTOTORCH_CHECK(condition, .where = "...", .argument = "...", ...): rejects the input unless `condition`
/// holds. The strings are built only when it does not.
#define OPTOTORCH_CHECK(condition, ...)                          \
  do {                                                           \
    if (!(condition)) {                                          \
      ::optotorch::reject(::optotorch::WrongInput{__VA_ARGS__}); \
    }                                                            \
  } while (false)
