#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/chips/detail/chip_values.h>
#include <optotorch/modules/laboratory/chips/stage_file.h>

#include <utility>

namespace optotorch {
namespace {

constexpr char stages_format[] = "optotorch-stages-1";

}  // namespace

void save_stages(const std::string& path, const std::vector<std::shared_ptr<BuiltStage>>& stages) {
  OPTOTORCH_CHECK(!stages.empty(), .where = "save_stages", .argument = "stages", .expected = "at least one",
                  .got = "none");
  SafeTensors content;
  content.metadata = {{"format", stages_format}, {"stages", to_text(stages.size())}};
  for (size_t index = 0; index < stages.size(); ++index) {
    stages[index]->save(content, "stage" + std::to_string(index) + "/");
  }
  save_safetensors(path, content);
}

std::vector<std::shared_ptr<BuiltStage>> load_stages(const std::string& path) {
  return read_stages(open_regular_file(path, "load_stages"));
}

std::vector<std::shared_ptr<BuiltStage>> read_stages(InputFile file) {
  FileValues values(std::move(file), "load_stages", "save_stages");
  values.expect_format(stages_format);
  std::vector<std::shared_ptr<BuiltStage>> stages;
  values.take_each("stage", [&](const std::string& in) { stages.push_back(take_stage(values, in)); });
  return stages;
}

}  // namespace optotorch
