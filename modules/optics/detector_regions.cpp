#include <ATen/ATen.h>
#include <c10/util/irange.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/detail/or_one.h>
#include <optotorch/modules/optics/detector_regions.h>
#include <optotorch/modules/optics/hop_options.h>

#include <cmath>
#include <numeric>
#include <sstream>

namespace optotorch {
namespace {

using Regions = std::vector<std::array<int64_t, 3>>;

int64_t count_of(const DetectorRegionsOptions& o) {
  return o.pairs() ? 2 * o.classes() : o.classes();
}

/// Rows of nearly as many; where they can't be, the middle ones have more.
std::vector<int64_t> usual_rows(int64_t count) {
  const auto rows = std::max<int64_t>(1, std::llround(std::sqrt(static_cast<double>(count))));
  std::vector<int64_t> result(static_cast<size_t>(rows), count / rows);
  for (int64_t n = 0; n < count % rows; ++n) {
    const int64_t from_middle = (n + 1) / 2 * (n % 2 == 1 ? 1 : -1);
    ++result[static_cast<size_t>(rows / 2 + from_middle)];
  }
  return result;
}

std::vector<int64_t> rows_of(const DetectorRegionsOptions& o) {
  if (o.layout().empty()) {
    return usual_rows(count_of(o));
  }
  std::vector<int64_t> rows;
  std::istringstream words(o.layout());
  for (std::string word; std::getline(words, word, '-');) {
    const bool is_number =
        !word.empty() && word.size() <= 4 && word.find_first_not_of("0123456789") == word.npos;
    rows.push_back(is_number ? std::stoll(word) : 0);
  }
  bool are_positive = o.layout().back() != '-';
  for (const int64_t row : rows) {
    are_positive = are_positive && row >= 1;
  }
  const int64_t sum = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  OPTOTORCH_CHECK(
      are_positive && sum == count_of(o), .where = "DetectorRegions", .argument = "layout",
      .expected = c10::str("numbers of regions of each row, ", count_of(o), " in all, such as 3-4-3"),
      .got = "'" + o.layout() + "'", .remedy = o.pairs() ? "Pairs want two regions for every class" : "");
  return rows;
}

Regions regions_of(const DetectorRegionsOptions& o) {
  const int64_t height = o.window()[0], width = o.window()[1];
  const auto side =
      static_cast<int64_t>(std::llround(o.side() * static_cast<double>(std::min(height, width))));
  const auto rows = rows_of(o);
  Regions regions;
  const auto begin_of = [&](size_t n, size_t count, int64_t room) {
    const double middle =
        (static_cast<double>(n) + .5) * static_cast<double>(room) / static_cast<double>(count);
    return static_cast<int64_t>(std::floor(middle - static_cast<double>(side) / 2 + .5));
  };
  for (const auto r : c10::irange(rows.size())) {
    const auto columns = static_cast<size_t>(rows[r]);
    OPTOTORCH_CHECK(
        side >= 1 && side * rows[r] <= width && side * static_cast<int64_t>(rows.size()) <= height,
        .where = "DetectorRegions", .argument = "side",
        .expected = c10::str("a side of which regions have pixels, and do not overlap in ", rows.size(),
                             " rows of up to ", *std::max_element(rows.begin(), rows.end())),
        .got = c10::str(o.side(), ", ", side, " of ", height, " x ", width, " pixels"));
    for (const auto c : c10::irange(columns)) {
      regions.push_back({begin_of(r, rows.size(), height), begin_of(c, columns, width), side});
    }
  }
  return regions;
}

/// Light in every region, [batch, regions].
torch::Tensor light_of(const Regions& regions, const torch::Tensor& image) {
  std::vector<torch::Tensor> sums;
  for (const auto& [top, left, side] : regions) {
    sums.push_back(image.narrow(2, top, side).narrow(3, left, side).sum({1, 2, 3}));
  }
  return at::stack(sums, 1);
}

torch::Tensor scores_of(const DetectorRegionsOptions& o, const torch::Tensor& light) {
  if (!o.pairs()) {
    return light * (o.scale() / or_one(light.sum(1, /*keepdim=*/true)));
  }
  const auto for_it = light.narrow(1, 0, o.classes()), against = light.narrow(1, o.classes(), o.classes());
  return (for_it - against) * (o.scale() / or_one(for_it + against));
}

}  // namespace

DetectorRegionsImpl::DetectorRegionsImpl(DetectorRegionsOptions options_)
    : CloneableLayer("DetectorRegions"), options(std::move(options_)) {
  check_window(name(), "window", options.window());
  OPTOTORCH_CHECK(options.classes() >= 1 && options.classes() <= 4096, .where = name(), .argument = "classes",
                  .expected = "1 to 4096", .got = std::to_string(options.classes()));
  OPTOTORCH_CHECK(options.side() > 0 && options.side() <= 1, .where = name(), .argument = "side",
                  .expected = "above 0, up to 1", .got = c10::str(options.side()));
  OPTOTORCH_CHECK(std::isfinite(options.scale()), .where = name(), .argument = "scale", .expected = "finite",
                  .got = c10::str(options.scale()));
  regions_ = regions_of(options);
}

void DetectorRegionsImpl::check_input(const torch::Tensor& x) const {
  const auto& window = options.window();
  OPTOTORCH_CHECK(
      x.defined() && x.is_floating_point() && x.dim() == 4 && x.sizes().slice(2) == at::IntArrayRef(window),
      .where = name(), .argument = "input",
      .expected = c10::str("real images [batch, planes, ", window[0], ", ", window[1], "]"),
      .got = describe(x),
      .remedy = x.defined() && x.is_complex() ? "A Camera turns a field into an image" : "");
}

torch::Tensor DetectorRegionsImpl::compute(const torch::Tensor& x, Pass* /*kept*/) {
  return scores_of(options, light_of(regions_, x));
}

torch::Tensor DetectorRegionsImpl::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy,
                                                    bool to_input) {
  if (!to_input) {
    return {};
  }
  const auto light = light_of(regions_, pass.input);
  torch::Tensor dL_dlight;
  if (options.pairs()) {
    // d (a - b) / (a + b) = 2 (b da - a db) / (a + b)^2, and 0 in the dark
    const auto a = light.narrow(1, 0, options.classes()),
               b = light.narrow(1, options.classes(), options.classes());
    const auto sum = or_one(a + b);
    const auto g = dL_dy * (2 * options.scale()) / sum.square();
    const auto lit = (a + b) > 0;
    const auto of_one = dL_dy * options.scale();  // where nothing is divided
    dL_dlight = at::cat({at::where(lit, g * b, of_one), at::where(lit, -g * a, -of_one)}, 1);
  } else {
    const auto total = light.sum(1, /*keepdim=*/true);
    const auto sum = or_one(total);
    const auto along = (dL_dy * light).sum(1, /*keepdim=*/true) / sum;
    dL_dlight = (dL_dy - at::where(total > 0, along, at::zeros_like(along))) * (options.scale() / sum);
  }
  auto dL_dx = at::zeros_like(pass.input, at::MemoryFormat::Contiguous);
  for (const auto n : c10::irange(regions_.size())) {
    const auto& [top, left, side] = regions_[n];
    dL_dx.narrow(2, top, side)
        .narrow(3, left, side)
        .add_(dL_dlight.select(1, static_cast<int64_t>(n)).view({-1, 1, 1, 1}));
  }
  return dL_dx;
}

Deployment DetectorRegionsImpl::deploy() {
  return {{}, [o = options, regions = regions_](const torch::Tensor& x) {
            return scores_of(o, light_of(regions, x));
          }};
}

namespace {

const RegisteredPart detector_regions_type(part_type<DetectorRegionsImpl>("DetectorRegions",
                                                                          DetectorRegionsOptions({100, 100}),
                                                                          1));

}  // namespace
}  // namespace optotorch
