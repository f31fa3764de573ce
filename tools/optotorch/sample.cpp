#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/text/sample.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "optotorch/command.h"
#include "runs/run_config.h"
#include "runs/run_network.h"
#include "runs/validators.h"

namespace optotorch::tools {
namespace {

struct DrawOptions {
  std::string folder;
  std::optional<std::string> prompt = {};
  int64_t length = 500, seed = 0;
  double temperature = 1;
  bool best = false;
};

void draw(const DrawOptions& options) {
  const auto run = load_run(options.folder);
  OPTOTORCH_CHECK(run.training().learns_text(), .where = "optotorch", .argument = "RUN",
                  .expected = "a network of characters", .got = "'" + run.network.name + "'",
                  .remedy = "optotorch train --network charlm makes one");
  use_settings(run.config);
  const auto characters =
      read_characters(vocabulary_path(options.folder), Characters::most_bytes, TextForm::exact);
  auto model = load_model(run, options.folder, options.best);
  // A text without line ends begins with whatever its vocabulary begins with.
  const auto all = characters.decode(at::arange(characters.vocabulary_size()));
  const auto first = all.find('\n') != std::string::npos ? "\n" : characters.decode(at::zeros(1, at::kLong));
  const auto prompt = options.prompt.value_or(first);
  const auto text = sample(*model, characters, prompt,
                           SampleOptions(run.training().context)
                               .length(options.length)
                               .temperature(options.temperature)
                               .seed(static_cast<uint64_t>(options.seed)));
  std::printf("%s%s\n", prompt == "\n" ? "" : prompt.c_str(), text.c_str());
}

}  // namespace

void add_sample(CLI::App& app) {
  auto* command = app.add_subcommand("sample", "Draw a text from a RUN of characters");
  auto options = std::make_shared<DrawOptions>();
  command->add_option("RUN", options->folder, "Folder that train wrote")->required();
  command->add_option("--prompt", options->prompt,
                      "Text that comes before (default: a line end, if the text has any)");
  command->add_option("--length", options->length, "Characters to draw")->capture_default_str();
  command
      ->add_option("--temperature", options->temperature,
                   "Below 1 the probable becomes more so; 0: always the most probable")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Seed of the draw")
      ->check(not_negative())
      ->capture_default_str();
  command->add_flag("--best", options->best,
                    "Weights of the best epoch on the validation set, not of the last");
  command->callback([options] { draw(*options); });
}

}  // namespace optotorch::tools
