// Quality of an optical processing unit: how far its camera is from the ideal product, what that is worth
// as noise of the training model, and the statistics of its speckle.

#include <ATen/ATen.h>
#include <optotorch/modules/projectors/opu.h>
#include <optotorch/modules/projectors/ternary_frames.h>

#include <cmath>

#include "recipes/recipes.h"
#include "reproduce/formatted.h"
#include "reproduce/page.h"

namespace optotorch::tools {
namespace {

/// Mean cosine of the samples' signals, and the noise over the signal that a noisy model would need.
struct Quality {
  double cosine = 0, sigma = 0;
};

Quality quality_of(const at::Tensor& signal, const at::Tensor& ideal) {
  const double cosine = at::cosine_similarity(signal, ideal, 1).mean().item<double>();
  return {cosine, ((signal - ideal).norm() / ideal.norm()).item<double>()};
}

}  // namespace

std::vector<RecipeRow> opu(const RecipeOptions& options, Page& page) {
  const int64_t rows = options.quick ? 200 : 2058, columns = options.quick ? 50 : 1000, batch = 16;
  at::manual_seed(1);
  const auto error = at::randn({batch, columns});
  const auto q = TernaryFrames(TernaryFramesOptions().frames(1)).encode(error).front().values;
  const auto plan = OpuOptions(rows, columns);
  const auto ideal = Opu(OpuOptions(plan).model(OpuModel::ideal)).project(q);

  std::vector<RecipeRow> results;
  std::vector<std::vector<std::string>> table;
  LinePlot cosines{"cosine of camera and ideal signal",
                   "photons a pixel",
                   "cosine",
                   {{"8 bits", {}, {}}, {"continuous", {}, {}}},
                   true};
  for (const double photons : {3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0, 100000.0}) {
    std::vector<std::string> line{formatted("%.0f", photons)};
    for (size_t i = 0; i < 2; ++i) {
      const int64_t bits = i == 0 ? 8 : 0;
      const auto camera = OpuOptions(plan).model(OpuModel::camera).photons(photons).bits(bits);
      const auto [cosine, sigma] = quality_of(Opu(camera).project(q), ideal);
      // The noisy model of that sigma is as far away.
      const auto noisy =
          quality_of(Opu(OpuOptions(plan).model(OpuModel::noisy).sigma(sigma)).project(q), ideal);
      RecipeRow row{
          .system = c10::str(formatted("%.0f", photons), " photons, ", bits == 0 ? "continuous" : "8 bits"),
          .measured = cosine,
          .selection = "cosine"};
      row.figures = {{"sigma", sigma}, {"cosine_of_noisy_model", noisy.cosine}};
      results.push_back(row);
      line.insert(line.end(),
                  {formatted("%.4f", cosine), formatted("%.3f", sigma), formatted("%.4f", noisy.cosine)});
      cosines.series[i].x.push_back(photons);
      cosines.series[i].y.push_back(cosine);
    }
    table.push_back(line);
  }
  page.paragraph(c10::str(batch, " ternary frames of ", columns, " values on ", rows,
                          " pixels: the camera's signal by holography "
                          "(two exposures of each sign, shot noise, saturation at eight times the mean) "
                          "against B q. Sigma is the "
                          "noise over the signal; a noisy model with it comes as near."));
  page.table({"Photons a pixel", "Cosine, 8 bits", "sigma", "noisy model", "Cosine, continuous", "sigma",
              "noisy model"},
             table);
  page.plot(cosines);

  const auto binary = at::randint(0, 2, {batch, columns}, at::kChar);
  const auto intensity = Opu(plan).speckle(binary).flatten();
  constexpr int64_t bins = 40;
  constexpr double most = 8;
  const auto counts = at::histc(intensity, bins, 0, most).to(at::kDouble);
  LinePlot histogram{"speckle: intensity over its mean",
                     "I / <I>",
                     "probability density",
                     {{"measured", {}, {}}, {"exp(-I / <I>)", {}, {}}},
                     false,
                     true};
  for (int64_t bin = 0; bin < bins; ++bin) {
    const double centre = (static_cast<double>(bin) + 0.5) * most / bins;
    histogram.series[0].x.push_back(centre);
    histogram.series[0].y.push_back(counts[bin].item<double>() * bins / most /
                                    static_cast<double>(intensity.numel()));
    histogram.series[1].x.push_back(centre);
    histogram.series[1].y.push_back(std::exp(-centre));
  }
  page.plot(histogram);
  const double contrast = (intensity.std() / intensity.mean()).item<double>();
  results.push_back(
      {.system = "speckle contrast (theory: 1)", .measured = contrast, .selection = "std / mean"});
  results.back().agrees = std::abs(contrast - 1) < (options.quick ? 0.1 : 0.02);
  return results;
}

}  // namespace optotorch::tools
