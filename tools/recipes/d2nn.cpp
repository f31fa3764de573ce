// Diffractive networks on digits and clothes, by three rules and three ways to read the camera.

#include <optotorch/core/check.h>

#include "recipes/diffractive.h"
#include "recipes/recipes.h"
#include "reproduce/compare.h"
#include "runs/words.h"

namespace optotorch::tools {
namespace {

struct Way {
  const char *network, *title;
};

constexpr Way ways[] = {
    {"d2nn", "regions"}, {"d2nn-pairs", "pairs of regions"}, {"d2nn-electronic", "one electronic layer"}};

const Way& way_of(const std::string& network) {
  for (const auto& way : ways) {
    if (network == way.network) {
      return way;
    }
  }
  reject({.where = "d2nn",
          .argument = "--networks",
          .expected = "some of d2nn, d2nn-pairs, d2nn-electronic",
          .got = "'" + network + "'"});
}

}  // namespace

std::vector<RecipeOption> d2nn_options() {
  return {{"datasets", "Some of mnist, fashion-mnist", "mnist,fashion-mnist"},
          {"networks", "Some of d2nn, d2nn-pairs, d2nn-electronic", "d2nn,d2nn-pairs,d2nn-electronic"},
          {"rules", "Some of bp, dfa, tpfp", "bp,dfa,tpfp"},
          {"samples", "Training images; 0: all", "0"}};
}

std::vector<RecipeRow> d2nn(const RecipeOptions& options, Page& page) {
  const auto samples = whole_number_option("d2nn", options, "samples", 0, 1'000'000);
  page.paragraph(
      "Five phase planes of 200 x 200 pixels (17 um, 532 nm, 100 mm apart); images in the amplitude of the "
      "light, 7 x 7 "
      "pixels a value; a camera behind. Regions: the light in ten squares, as a part of all; pairs: twenty "
      "squares, "
      "differences; electronic: a layer on 25 x 25 means of the camera's image. Nothing here repeats a "
      "published "
      "system: Mengu et al. (2019) report 97.18 and 89.13 % for five phase-only planes of another geometry, "
      "with 98.71 "
      "and 90.04 % behind an electronic layer.");
  std::vector<System> systems;
  for (const auto& dataset : split_at_commas(options.own.at("datasets"))) {
    require_word("d2nn", "--datasets", dataset, {"mnist", "fashion-mnist"});
    for (const auto& network : split_at_commas(options.own.at("networks"))) {
      for (const auto& rule : split_at_commas(options.own.at("rules"))) {
        require_word("d2nn", "--rules", rule, {"bp", "dfa", "tpfp"});
        auto system = diffractive_in_silico(network, dataset,
                                            c10::str(dataset, ", ", way_of(network).title, ", ",
                                                     rule == "bp"    ? "BP"
                                                     : rule == "dfa" ? "DFA"
                                                                     : "TPFP"));
        system.config.rule = rule;
        system.config.samples = samples;
        systems.push_back(system);
      }
    }
  }
  const auto outcomes = compare(systems, options, page);
  for (const auto& outcome : outcomes) {
    if (outcome.system.config.rule == "bp") {
      show_planes(outcome.system.title + ": planes and light of one image", outcome.runs.front(), page);
    }
  }
  return rows_of(outcomes);
}

}  // namespace optotorch::tools
