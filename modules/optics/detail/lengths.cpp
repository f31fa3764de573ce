#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/optics/detail/lengths.h>

#include <algorithm>
#include <cmath>

namespace optotorch {
namespace {

std::string listed(const std::vector<double>& values) {
  return c10::str("[", c10::Join(", ", values), "]");
}

}  // namespace

void check_lengths(const std::string& where, const std::string& argument,
                   const std::vector<double>& lengths) {
  const auto is_length = [](double length) { return std::isfinite(length) && length > 0; };
  OPTOTORCH_CHECK(std::all_of(lengths.begin(), lengths.end(), is_length), .where = where,
                  .argument = argument, .expected = "more than 0 m, finite",
                  .got = lengths.size() == 1 ? c10::str(lengths.front()) : listed(lengths));
}

void check_place(const std::string& where, const std::string& argument, const std::vector<double>& place) {
  OPTOTORCH_CHECK(place.size() == 2 && std::isfinite(place[0]) && std::isfinite(place[1]), .where = where,
                  .argument = argument, .expected = "two finite numbers: metres down, metres right",
                  .got = listed(place));
}

torch::Tensor sample_places(int64_t count, double spacing, double center) {
  return (at::arange(count, at::kDouble) - static_cast<double>(count - 1) / 2) * spacing - center;
}

}  // namespace optotorch
