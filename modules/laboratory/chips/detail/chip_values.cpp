#include <c10/util/Exception.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/chips/detail/chip_values.h>

#include <system_error>
#include <utility>

namespace optotorch {
namespace {

constexpr std::array tensor_names = {"theta_offset", "phi_offset", "splitter_error", "transmission"};

}  // namespace

FileValues::FileValues(InputFile file, std::string where, std::string writer)
    : path_(file.name()),
      where_(std::move(where)),
      writer_(std::move(writer)),
      content_(read_safetensors(std::move(file))) {}

void FileValues::reject(const std::string& expected, const std::string& got) const {
  optotorch::reject({.where = where_,
                     .argument = path_,
                     .expected = expected,
                     .got = got,
                     .remedy = "The file is damaged or was not written by " + writer_});
}

std::string FileValues::text(const std::string& name) {
  auto found = content_.metadata.extract(name);
  if (found.empty()) {
    reject("metadata '" + name + "'", "none");
  }
  return found.mapped();
}

template <typename Number>
Number FileValues::number(const std::string& name) {
  const auto written = text(name);
  Number value{};
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), value);
  if (error != std::errc() || end != written.data() + written.size()) {
    reject("a number as '" + name + "'", "'" + written + "'");
  }
  return value;
}

double FileValues::real(const std::string& name) {
  return number<double>(name);
}

int64_t FileValues::integer(const std::string& name) {
  return number<int64_t>(name);
}

at::Tensor FileValues::tensor(const std::string& name) {
  auto found = content_.tensors.extract(name);
  if (found.empty()) {
    reject("a tensor '" + name + "'", "none");
  }
  return found.mapped();
}

std::map<std::string, at::Tensor> FileValues::tensors(const std::string& beginning) {
  std::map<std::string, at::Tensor> found;
  auto at = content_.tensors.lower_bound(beginning);
  while (at != content_.tensors.end() && at->first.starts_with(beginning)) {
    found.emplace(at->first.substr(beginning.size()), at->second);
    at = content_.tensors.erase(at);
  }
  return found;
}

void FileValues::expect_format(const std::string& format) {
  if (const auto found = text("format"); found != format) {
    reject("format '" + format + "'", "'" + found + "'");
  }
}

void FileValues::take_each(const std::string& kind, const std::function<void(const std::string& in)>& take) {
  const auto count = number<uint64_t>(kind + "s");
  if (count == 0) {
    reject("at least one " + kind, "none");
  }
  for (uint64_t index = 0; index < count; ++index) {
    try {
      take(kind + std::to_string(index) + "/");
    } catch (const c10::ValueError& error) {
      const std::string said = error.what_without_backtrace();
      if (said.starts_with(where_)) {
        throw;
      }
      // What is made of the file checks itself, but does not know whose it is.
      reject(c10::str("a sound ", kind, " number ", index), "'" + said + "'");
    }
  }
  expect_nothing_more();
}

void FileValues::expect_nothing_more() const {
  if (!content_.metadata.empty() || !content_.tensors.empty()) {
    const auto& name =
        content_.metadata.empty() ? content_.tensors.begin()->first : content_.metadata.begin()->first;
    reject("nothing more", "'" + name + "'");
  }
}

void put_imperfections(SafeTensors& content, const std::string& in, Imperfections imperfections,
                       bool of_meshes) {
  for (const auto& field : imperfection_fields()) {
    if (field.of_meshes || !of_meshes) {
      content.metadata[in + field.name] = to_text((imperfections.*field.value)());
    }
  }
  content.metadata[in + "phase_bits"] = to_text(imperfections.phase_bits());
}

Imperfections take_imperfections(FileValues& values, const std::string& in, bool of_meshes) {
  Imperfections imperfections;
  for (const auto& field : imperfection_fields()) {
    if (field.of_meshes || !of_meshes) {
      (imperfections.*field.value)() = values.real(in + field.name);
    }
  }
  return imperfections.phase_bits(values.integer(in + "phase_bits"));
}

void put_chip(SafeTensors& content, const std::string& in, const Chip& chip) {
  const auto put = [&](const std::string& name, const std::string& text) {
    content.metadata[in + name] = text;
  };
  const auto& layout = chip.layout();
  put("grid", to_string(layout.grid));
  put("ports", to_text(layout.ports));
  put("columns", to_text(layout.columns));
  put("phi_arm", to_string(layout.phi_arm));
  put("zero_state", to_string(layout.zero_state));
  put("idle_port", to_string(layout.idle_port));
  put_imperfections(content, in, chip.imperfections(), /*of_meshes=*/true);
  put("seed", to_text(chip.seed()));
  put("hours", to_text(chip.hours()));
  const auto [theta, phi, splitters, transmission] = chip.tensors();
  content.tensors[in + tensor_names[0]] = theta;
  content.tensors[in + tensor_names[1]] = phi;
  content.tensors[in + tensor_names[2]] = splitters;
  content.tensors[in + tensor_names[3]] = transmission;
}

Chip take_chip(FileValues& values, const std::string& in) {
  const MeshLayout layout{.grid = mesh_grid(values.text(in + "grid")),
                          .ports = values.integer(in + "ports"),
                          .columns = values.integer(in + "columns"),
                          .phi_arm = phi_arm(values.text(in + "phi_arm")),
                          .zero_state = zero_state(values.text(in + "zero_state")),
                          .idle_port = idle_port(values.text(in + "idle_port"))};
  const auto imperfections = take_imperfections(values, in, /*of_meshes=*/true);
  const ChipTensors tensors{values.tensor(in + tensor_names[0]), values.tensor(in + tensor_names[1]),
                            values.tensor(in + tensor_names[2]), values.tensor(in + tensor_names[3])};
  const auto seed = values.integer(in + "seed");
  return Chip(layout, tensors, imperfections, seed).at(values.real(in + "hours"));
}

}  // namespace optotorch
