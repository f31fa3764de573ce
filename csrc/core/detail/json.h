#pragma once

// JSON that somebody else may have written. Not installed: the library's interface has no JSON in it.

#include <exception>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace optotorch {

/// Limits on JSON, far beyond what is written here and in reach of every stack and memory.
struct JsonLimits {
  size_t depth = 64;           ///< arrays and objects within each other
  size_t bytes = 100'000'000;  ///< of text; that of the safetensors format
  size_t values = 10'000'000;
};

/// Parses JSON (RFC 8259). The limits hold while parsing, which never recurses; what comes back is shallow
/// enough for code that does. A key that comes twice in an object is refused, as readers differ in which one
/// they take. Throws c10::ValueError "WHERE: ARGUMENT: expected EXPECTED, got ... REMEDY".
nlohmann::json parse_json(std::string_view text, const std::string& where, const std::string& argument,
                          const std::string& expected = "JSON", const std::string& remedy = "",
                          const JsonLimits& limits = {});

/// The same for a file, whose kind and size are looked at before it is read.
nlohmann::json load_json(const std::string& path, const std::string& where, const std::string& argument,
                         const std::string& expected = "JSON", const std::string& remedy = "");

/// The JSON library's words, without the number that it gives to its errors.
std::string json_complaint(const std::exception& error);

}  // namespace optotorch
