#include "runs/run_data.h"

#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/batches.h>
#include <optotorch/trainers/datasets/load_file_sets.h>
#include <optotorch/trainers/datasets/load_image_sets.h>
#include <optotorch/trainers/datasets/split.h>
#include <optotorch/trainers/datasets/text/language.h>
#include <optotorch/trainers/datasets/text/text_batches.h>
#include <optotorch/trainers/datasets/text/text_split.h>
#include <optotorch/trainers/datasets/text/tiny_shakespeare.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/prefetched_batches.h>
#include <torch/nn/functional/loss.h>

#include <algorithm>
#include <cstdio>

namespace optotorch::tools {
namespace {

constexpr auto shakespeare = "tinyshakespeare";
constexpr int64_t windows_at_once = 64;  // of a text

bool is_of_files(const std::string& dataset) {
  const auto names = file_set_names();
  return std::find(names.begin(), names.end(), dataset) != names.end();
}

std::shared_ptr<const transforms::Transform> transform_of(const std::string& text) {
  return text.empty() ? nullptr : transforms::build_transform(text);
}

/// The batches, prepared ahead if there are workers for that.
std::shared_ptr<const BatchSource> by_workers(std::shared_ptr<const BatchSource> batches, int64_t workers) {
  return workers == 0 ? batches : std::make_shared<PrefetchedBatches>(std::move(batches), workers);
}

template <typename Set>
std::shared_ptr<const ImageBatches> evaluated(const Set& set, const RunConfig& config,
                                              const std::vector<int64_t>& shape) {
  // As many as in training, for pictures or the network's fields may be large; more where batches are tiny.
  const int64_t at_once =
      is_of_files(config.dataset) ? config.batch_size : std::clamp<int64_t>(config.batch_size, 100, 1000);
  const ImageBatchesOptions options(std::min(at_once, set.count()));
  return std::make_shared<ImageBatches>(
      set, ImageBatchesOptions(options).transform(transform_of(config.test_transform)).shape(shape));
}

template <typename Set>
std::shared_ptr<const BatchSource> whole(const Set& set, const RunConfig& config,
                                         const std::vector<int64_t>& shape) {
  return by_workers(evaluated(set, config, shape), config.workers);
}

std::shared_ptr<const BatchSource> whole(const Characters& text, int64_t context) {
  return std::make_shared<TextBatches>(text, TextBatchesOptions(windows_at_once, context));
}

/// Of a pair of sets in memory or in files.
template <typename Pair>
RunData batches_of(Pair sets, const RunConfig& config, const Training& training) {
  const auto first = ImageBatches(sets.test.select(torch::arange(1)),
                                  ImageBatchesOptions(1).transform(transform_of(config.test_transform)))
                         .batch(0, 0);
  RunData data{.classes = sets.train.classes(), .input = first.data.sizes().slice(1).vec()};
  if (config.samples > 0 && config.samples < sets.train.count()) {
    sets.train = sets.train.select(torch::arange(config.samples));
  }
  if (config.validation > 0) {
    auto parts = split(sets.train, config.validation, config.seed);
    sets.train = std::move(parts.training);
    data.validation = whole(parts.validation, config, data.input);
  }
  const auto transform = transform_of(config.transform);
  const bool in_memory = transform == nullptr && !is_of_files(config.dataset);
  const auto train = std::make_shared<ImageBatches>(sets.train, ImageBatchesOptions(config.batch_size)
                                                                    .shuffle(true)
                                                                    .seed(config.seed)
                                                                    .transform(transform)
                                                                    .shape(data.input)
                                                                    .shift(in_memory ? training.shift : 0)
                                                                    .flip(in_memory && training.flip));
  data.train = by_workers(train, config.workers);
  data.test = whole(sets.test, config, data.input);
  return data;
}

RunData load_images(const RunConfig& config, const Training& training) {
  return is_of_files(config.dataset)
             ? batches_of(load_file_sets(config.dataset, config.data_root), config, training)
             : batches_of(load_image_sets(config.dataset, config.data_root), config, training);
}

RunData load_text_windows(const RunConfig& config, const Training& training) {
  auto text = load_text(config.dataset, config.data_root, Characters::Mode::train);
  const auto test = load_text(config.dataset, config.data_root, Characters::Mode::test);
  RunData data{.classes = text.vocabulary_size(),
               .vocabulary = text.decode(torch::arange(text.vocabulary_size()))};
  if (config.validation > 0) {
    auto parts = split(text, config.validation);
    text = std::move(parts.training);
    data.validation = whole(parts.validation, training.context);
  }
  if (config.samples > 0 && config.samples < text.count()) {
    OPTOTORCH_CHECK(config.samples > training.context, .where = "optotorch", .argument = "--samples",
                    .expected = c10::str("0 for the whole text, or at least ", training.context + 1,
                                         " characters, a window of the network and one more"),
                    .got = std::to_string(config.samples));
    text = text.stretch(0, config.samples);
  }
  // With fewer characters an epoch has as many steps fewer.
  const int64_t most = std::max<int64_t>(1, text.count() / (config.batch_size * training.context));
  const int64_t steps = config.samples > 0 ? std::min(training.steps, most) : training.steps;
  data.train = std::make_shared<TextBatches>(
      text, TextBatchesOptions(config.batch_size, training.context).steps(steps).seed(config.seed));
  data.test = whole(test, training.context);
  return data;
}

}  // namespace

std::vector<std::string> image_data_names() {
  auto names = image_set_names();
  const auto of_files = file_set_names();
  names.insert(names.end(), of_files.begin(), of_files.end());
  return names;
}

std::vector<std::string> dataset_names() {
  auto names = image_data_names();
  names.emplace_back(shakespeare);
  return names;
}

Characters load_text(const std::string& dataset, const std::string& data_root, Characters::Mode mode) {
  if (dataset == shakespeare) {
    return TinyShakespeare(data_root, mode);
  }
  return read_characters(dataset).part(mode);
}

RunData load_data(const Run& run) {
  const auto& training = run.training();
  return training.learns_text() ? load_text_windows(run.config, training) : load_images(run.config, training);
}

TestData load_test_data(const Run& run) {
  const auto& config = run.config;
  if (!run.training().learns_text()) {
    const auto tested = [&config](const auto& set) {
      return TestData{whole(set, config, config.input), set.count(), set.class_names()};
    };
    return is_of_files(config.dataset)
               ? tested(load_file_set(config.dataset, config.data_root, ImageSet::Mode::test))
               : tested(load_image_set(config.dataset, config.data_root, ImageSet::Mode::test));
  }
  const auto text = load_text(config.dataset, config.data_root, Characters::Mode::test);
  std::vector<std::string> names;
  for (int64_t id = 0; id < text.vocabulary_size(); ++id) {
    names.push_back(text.decode(torch::tensor({id})));
  }
  return {whole(text, run.training().context), text.count() - 1, names};
}

Loss loss_of(const Training& training) {
  if (training.learns_text()) {
    return next_token_loss;
  }
  return [](const torch::Tensor& output, const torch::Tensor& target) {
    return torch::nn::functional::cross_entropy(output, target);
  };
}

Metric metric_of(const Training& training) {
  return training.learns_text() ? bits_per_character() : Metric(accuracy);
}

std::string in_figures(double value, const std::string& metric) {
  char text[96];
  if (metric == "accuracy") {
    std::snprintf(text, sizeof text, "%.2f %%", 100 * value);
  } else {
    std::snprintf(text, sizeof text, "%.4f", value);
  }
  return text;
}

}  // namespace optotorch::tools
