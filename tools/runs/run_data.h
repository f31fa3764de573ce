#pragma once

// Data that a run learns from and is judged by: images, or a text.

#include <optotorch/trainers/batch_source.h>
#include <optotorch/trainers/datasets/text/characters.h>
#include <optotorch/trainers/metrics.h>
#include <optotorch/trainers/rules/rule.h>

#include <memory>
#include <string>
#include <vector>

#include "runs/run_config.h"

namespace optotorch::tools {

struct RunData {
  std::shared_ptr<const BatchSource> train = {}, validation = {},
                                     test = {};  ///< no validation if nothing is held back
  int64_t classes = 0;                           ///< of images; distinct characters of a text
  std::vector<int64_t> input = {};               ///< shape of an image
  std::string vocabulary = {};                   ///< of a text: its characters, in order
};

/// The data of a run. Throws c10::ValueError if they are missing or damaged.
RunData load_data(const Run& run);

/// Its test samples alone.
struct TestData {
  std::shared_ptr<const BatchSource> batches;
  int64_t count = 0;                          ///< images, or characters that are to be foretold
  std::vector<std::string> class_names = {};  ///< or the characters of a text
};
TestData load_test_data(const Run& run);

/// A text by the name of its data set, or from a file. Throws c10::ValueError as read_characters does.
Characters load_text(const std::string& dataset, const std::string& data_root, Characters::Mode mode);

/// Data sets that a configuration may name; those of images alone.
std::vector<std::string> dataset_names();
std::vector<std::string> image_data_names();

/// Loss and metric of a network.
Loss loss_of(const Training& training);
Metric metric_of(const Training& training);

/// A metric's value for people: an accuracy in per cent, any other as it is.
std::string in_figures(double value, const std::string& metric);

}  // namespace optotorch::tools
