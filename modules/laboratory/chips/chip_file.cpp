#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <optotorch/core/check.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/modules/laboratory/chips/chip_file.h>

#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

namespace optotorch {
namespace {

constexpr char chips_format[] = "optotorch-chips-1";
constexpr std::array tensor_names = {"theta_offset", "phi_offset", "splitter_error", "transmission"};

std::string prefix(size_t number) {
  return "chip" + std::to_string(number) + "/";
}

/// The shortest text that gives back the same bits, in any locale.
template <typename Number>
std::string to_text(Number value) {
  std::array<char, 64> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

[[noreturn]] void reject_file(const std::string& path, const std::string& expected, const std::string& got) {
  reject({.where = "load_chips",
          .argument = path,
          .expected = expected,
          .got = got,
          .remedy = "The file is damaged or was not written by save_chips"});
}

/// A file's content, taken away piece by piece: the rest was not expected.
class ChipReader {
 public:
  explicit ChipReader(InputFile file) : path_(file.name()), content_(read_safetensors(std::move(file))) {}

  std::string text(const std::string& name) {
    auto found = content_.metadata.extract(name);
    if (found.empty()) {
      reject_file(path_, "metadata '" + name + "'", "none");
    }
    return found.mapped();
  }

  template <typename Number>
  Number number(const std::string& name) {
    const auto written = text(name);
    Number value{};
    const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), value);
    if (error != std::errc() || end != written.data() + written.size()) {
      reject_file(path_, "a number as '" + name + "'", "'" + written + "'");
    }
    return value;
  }

  at::Tensor tensor(const std::string& name) {
    auto found = content_.tensors.extract(name);
    if (found.empty()) {
      reject_file(path_, "a tensor '" + name + "'", "none");
    }
    return found.mapped();
  }

  Chip chip(size_t index) {
    const auto in = prefix(index);
    const MeshLayout layout{.grid = mesh_grid(text(in + "grid")),
                            .ports = number<int64_t>(in + "ports"),
                            .columns = number<int64_t>(in + "columns"),
                            .phi_arm = phi_arm(text(in + "phi_arm")),
                            .zero_state = zero_state(text(in + "zero_state")),
                            .idle_port = idle_port(text(in + "idle_port"))};
    Imperfections imperfections;
    for (const auto& field : imperfection_fields()) {
      if (field.of_meshes) {
        (imperfections.*field.value)() = number<double>(in + field.name);
      }
    }
    imperfections.phase_bits(number<int64_t>(in + "phase_bits"));
    const ChipTensors tensors{tensor(in + tensor_names[0]), tensor(in + tensor_names[1]),
                              tensor(in + tensor_names[2]), tensor(in + tensor_names[3])};
    const auto seed = number<int64_t>(in + "seed");
    return Chip(layout, tensors, imperfections, seed).at(number<double>(in + "hours"));
  }

  void expect_nothing_more() const {
    if (!content_.metadata.empty() || !content_.tensors.empty()) {
      const auto& name =
          content_.metadata.empty() ? content_.tensors.begin()->first : content_.metadata.begin()->first;
      reject_file(path_, "nothing more", "'" + name + "'");
    }
  }

 private:
  const std::string path_;
  SafeTensors content_;
};

}  // namespace

void save_chips(const std::string& path, const std::vector<Chip>& chips) {
  OPTOTORCH_CHECK(!chips.empty(), .where = "save_chips", .argument = "chips", .expected = "at least one",
                  .got = "none");
  SafeTensors content;
  content.metadata = {{"format", chips_format}, {"chips", to_text(chips.size())}};
  for (size_t index = 0; index < chips.size(); ++index) {
    const auto& chip = chips[index];
    const auto in = prefix(index);
    const auto put = [&](const std::string& name, const std::string& text) {
      content.metadata[in + name] = text;
    };
    put("grid", to_string(chip.layout().grid));
    put("ports", to_text(chip.layout().ports));
    put("columns", to_text(chip.layout().columns));
    put("phi_arm", to_string(chip.layout().phi_arm));
    put("zero_state", to_string(chip.layout().zero_state));
    put("idle_port", to_string(chip.layout().idle_port));
    auto imperfections = chip.imperfections();
    for (const auto& field : imperfection_fields()) {
      if (field.of_meshes) {
        put(field.name, to_text((imperfections.*field.value)()));
      }
    }
    put("phase_bits", to_text(imperfections.phase_bits()));
    put("seed", to_text(chip.seed()));
    put("hours", to_text(chip.hours()));
    const auto [theta, phi, splitters, transmission] = chip.tensors();
    content.tensors[in + tensor_names[0]] = theta;
    content.tensors[in + tensor_names[1]] = phi;
    content.tensors[in + tensor_names[2]] = splitters;
    content.tensors[in + tensor_names[3]] = transmission;
  }
  save_safetensors(path, content);
}

std::vector<Chip> load_chips(const std::string& path) {
  return read_chips(open_regular_file(path, "load_chips"));
}

std::vector<Chip> read_chips(InputFile file) {
  const std::string path = file.name();
  ChipReader reader(std::move(file));
  const auto found = reader.text("format");
  if (found != chips_format) {
    reject_file(path, std::string("format '") + chips_format + "'", "'" + found + "'");
  }
  const auto count = reader.number<size_t>("chips");
  if (count == 0) {
    reject_file(path, "at least one chip", "none");
  }
  std::vector<Chip> chips;
  for (size_t index = 0; index < count; ++index) {
    try {
      chips.push_back(reader.chip(index));
    } catch (const c10::ValueError& error) {
      const std::string said = error.what_without_backtrace();
      if (said.starts_with("load_chips")) {
        throw;
      }
      // Layout and chip check themselves, but do not know whose file it is.
      reject_file(path, "a sound chip number " + std::to_string(index), "'" + said + "'");
    }
  }
  reader.expect_nothing_more();
  return chips;
}

}  // namespace optotorch
