#include "recipes/recipes.h"
#include "reproduce/compare.h"

namespace optotorch::tools {
namespace {

struct OpticalRow {
  const char *title, *network, *rule, *note;
};

constexpr OpticalRow optical_rows[] = {
    {"BP", "optical-cnn", "bp", "transports all weights"},
    {"DFA", "optical-cnn", "dfa", "transports nothing"},
    {"TPFP multi-point", "optical-cnn-strided", "tpfp-multi-point",
     "random F at every layer: transports nothing; strides, normalised channels"},
    {"shallow", "optical-cnn", "shallow", "only the read-out learns"},
    {"shallow, strided", "optical-cnn-strided", "shallow", "the network of TPFP's row"},
    {"electronic", "electronic-cnn", "bp", "torch::nn::Conv2d by back-propagation"},
};

std::vector<RecipeRow> train(const char* dataset, const RecipeOptions& options, Page& page) {
  std::vector<System> systems;
  for (const auto& [title, network, rule, note] : optical_rows) {
    RunConfig config;
    config.dataset = dataset;
    config.network = network;
    config.rule = rule;
    systems.push_back({title, config});
    systems.back().note = note;
  }
  return rows_of(compare(systems, options, page));
}

}  // namespace

std::vector<RecipeRow> optical_cnn(const RecipeOptions& options, Page& page) {
  page.paragraph(
      "A small convolutional network on Fashion-MNIST whose convolutions are banks of microrings: every "
      "patch of an image passes one bank, kernel by kernel. Beside it the same network in electronics.");
  return train("fashion-mnist", options, page);
}

std::vector<RecipeRow> cifar10(const RecipeOptions& options, Page& page) {
  page.paragraph("The network of optical-cnn on CIFAR-10, in colour.");
  return train("cifar10", options, page);
}

}  // namespace optotorch::tools
