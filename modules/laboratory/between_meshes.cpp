#include <c10/util/StringUtil.h>
#include <optotorch/modules/laboratory/between_meshes.h>
#include <optotorch/modules/optics/electro_optic_activation.h>
#include <optotorch/modules/optics/saturable_absorber.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace optotorch {
namespace {

struct Entry {
  std::string name;
  std::vector<std::string> constants;
};

const Entry& entry(BetweenMeshes::Kind kind) {
  static const std::array<Entry, BetweenMeshes::kinds> all = {
      {{"something that is not told", {}},
       {"nothing", {}},
       {"electro-optic", {"tap", "gain", "bias"}},
       {"saturable absorber", {"depth", "saturation"}}}};
  return all.at(static_cast<size_t>(kind));
}

}  // namespace

const std::vector<std::string>& constant_names(BetweenMeshes::Kind kind) {
  return entry(kind).constants;
}

BetweenMeshes between_meshes(const Layer* layer) {
  using Kind = BetweenMeshes::Kind;
  if (layer == nullptr) {
    return {Kind::nothing, {}};
  }
  if (const auto* activation = dynamic_cast<const ElectroOpticActivationImpl*>(layer)) {
    const auto& options = activation->options;
    return {Kind::electro_optic, {options.tap(), options.gain(), options.bias()}};
  }
  if (const auto* absorber = dynamic_cast<const SaturableAbsorberImpl*>(layer)) {
    return {Kind::saturable_absorber, {absorber->options.depth(), absorber->options.saturation()}};
  }
  return {};
}

bool contradict(const BetweenMeshes& a, const BetweenMeshes& b) {
  if (a.kind == BetweenMeshes::Kind::untold || b.kind == BetweenMeshes::Kind::untold) {
    return false;
  }
  const auto near = [](double x, double y) {
    constexpr double rounding = 1e-6;
    return std::abs(x - y) <= rounding * std::max(std::abs(x), std::abs(y));
  };
  return a.kind != b.kind ||
         !std::equal(a.constants.begin(), a.constants.end(), b.constants.begin(), b.constants.end(), near);
}

std::string describe(const BetweenMeshes& between) {
  const auto& [name, constants] = entry(between.kind);
  std::string text = name;
  for (size_t i = 0; i < constants.size(); ++i) {
    text += c10::str(", ", constants[i], " ", between.constants.at(i));
  }
  return text;
}

}  // namespace optotorch
