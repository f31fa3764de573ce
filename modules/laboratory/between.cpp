#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/modules/detail/json_fields.h>
#include <optotorch/modules/laboratory/between.h>

#include <algorithm>
#include <cmath>

namespace optotorch {
namespace {

constexpr char nothing[] = "nothing";

/// With every option, whatever was left out.
nlohmann::json complete(const std::string& text) {
  const auto object = parse_json(text, "between", "layer");
  return describe_part(*build_part(object, "layer", {}).ptr(), "layer");
}

bool near(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.is_number() && b.is_number()) {
    constexpr double rounding = 1e-6;
    const auto x = a.get<double>(), y = b.get<double>();
    return std::abs(x - y) <= rounding * std::max(std::abs(x), std::abs(y));
  }
  return a == b;
}

}  // namespace

std::string between(const Layer* layer) {
  if (layer == nullptr) {
    return nothing;
  }
  try {
    return nlohmann::json(describe_part(*layer, "layer")).dump();
  } catch (const c10::ValueError&) {
    return "";
  }
}

bool contradict(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty() || a == b) {
    return false;
  }
  if (a == nothing || b == nothing) {
    return true;
  }
  const auto some = complete(a), others = complete(b);
  return some.size() != others.size() ||
         !std::all_of(some.items().begin(), some.items().end(), [&](const auto& item) {
           const auto found = others.find(item.key());
           return found != others.end() && near(item.value(), *found);
         });
}

}  // namespace optotorch
