#pragma once

// Figures of components, each with the source that it was read in.

#include <optotorch/modules/layer.h>

#include <map>
#include <optional>
#include <string>

namespace optotorch {

/// Kinds that a cost counts beside those of layers (`parts`).
namespace parts {
inline constexpr char dacs[] = "DACs";                ///< one for every input
inline constexpr char adcs[] = "ADCs";                ///< one for every detector
inline constexpr char lasers[] = "lasers";            ///< one for all light between two detections
inline constexpr char electronics[] = "electronics";  ///< multiply-adds that are no light's
}  // namespace parts

/// Figures that a component may have.
namespace figures {
inline constexpr char loss_db[] = "loss_db";    ///< power that light loses in one, decibels
inline constexpr char hold_mw[] = "hold_mw";    ///< power while it keeps its setting, or is on
inline constexpr char use_pj[] = "use_pj";      ///< energy of a use: a symbol, a reading, a multiply-add
inline constexpr char rate_hz[] = "rate_hz";    ///< uses per second, at most
inline constexpr char delay_s[] = "delay_s";    ///< time from its input to its output
inline constexpr char area_um2[] = "area_um2";  ///< chip area of one
inline constexpr char responsivity_a_per_w[] = "responsivity_a_per_w";  ///< detector current per light
inline constexpr char noise_a_per_rthz[] = "noise_a_per_rthz";          ///< input noise of its amplifier
inline constexpr char efficiency[] = "efficiency";  ///< light of a laser by its electrical power
}  // namespace figures

/// A known property of a component.
struct Figure {
  double value = 0;    ///< number, in the unit that ends the figure's name; an efficiency is a ratio
  std::string source;  ///< where it was read
};

/// Known properties of components, by kind and figure.
class ComponentTable {
 public:
  /// Reads {"format": "optotorch-components-1", "components": {KIND: {FIGURE: {"value": .., "source": ".."}}}}. `where`
  /// and `argument` stand in errors. Throws c10::ValueError for anything else: figures that are not known, negative
  /// or not finite, a rate or responsivity of 0, an efficiency outside (0, 1], and a figure without a source.
  static ComponentTable parse(const std::string& json, const std::string& where, const std::string& argument);
  /// The same from a file.
  static ComponentTable read(const std::string& path);

  /// True if the table has the kind, with figures or without.
  bool has(const std::string& kind) const { return figures_.contains(kind); }
  /// The figure; nothing if the table does not say. Throws c10::ValueError for a kind that is not in it.
  std::optional<Figure> find(const std::string& kind, const std::string& figure) const;

  /// All figures, by kind and by name.
  const std::map<std::string, std::map<std::string, Figure>>& all() const { return figures_; }

 private:
  std::map<std::string, std::map<std::string, Figure>> figures_;
};

}  // namespace optotorch
