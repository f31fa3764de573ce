#include <c10/util/Exception.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/chips/chip_file.h>
#include <optotorch/modules/laboratory/chips/detail/chip_values.h>

#include <utility>

namespace optotorch {
namespace {

constexpr char chips_format[] = "optotorch-chips-1";

std::string chip_prefix(size_t number) {
  return "chip" + std::to_string(number) + "/";
}

}  // namespace

void save_chips(const std::string& path, const std::vector<Chip>& chips) {
  OPTOTORCH_CHECK(!chips.empty(), .where = "save_chips", .argument = "chips", .expected = "at least one",
                  .got = "none");
  SafeTensors content;
  content.metadata = {{"format", chips_format}, {"chips", to_text(chips.size())}};
  for (size_t index = 0; index < chips.size(); ++index) {
    put_chip(content, chip_prefix(index), chips[index]);
  }
  save_safetensors(path, content);
}

std::vector<Chip> load_chips(const std::string& path) {
  return read_chips(open_regular_file(path, "load_chips"));
}

std::vector<Chip> read_chips(InputFile file) {
  FileValues values(std::move(file), "load_chips", "save_chips");
  values.expect_format(chips_format);
  std::vector<Chip> chips;
  values.take_each("chip", [&](const std::string& in) { chips.push_back(take_chip(values, in)); });
  return chips;
}

}  // namespace optotorch
