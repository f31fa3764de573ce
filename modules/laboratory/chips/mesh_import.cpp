#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/ScopeExit.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/core/npy.h>
#include <optotorch/modules/laboratory/chips/mesh_import.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

namespace optotorch {
namespace {

/// Two files that come together.
using Kind = std::array<const char*, 2>;
constexpr Kind splitters = {"splitter_left", "splitter_right"}, phases = {"theta", "phi"};

std::string file_name(const std::string& folder, int64_t mesh, const char* what) {
  return folder + "/" + c10::str("mesh", mesh, "_", what, ".npy");
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

/// Any real type, as float64.
at::Tensor read_reals(const char* where, const std::string& path) {
  const auto values = load_npy(path);
  OPTOTORCH_CHECK(!values.is_complex() && values.scalar_type() != at::kBool, .where = where, .argument = path,
                  .expected = "real numbers", .got = describe(values));
  return values.to(at::kDouble);
}

void check_numbers(const char* where, const std::string& path, const at::Tensor& values) {
  OPTOTORCH_CHECK(values.isfinite().all().item<bool>(), .where = where, .argument = path,
                  .expected = "finite numbers", .got = "NaN or infinity in it",
                  .remedy = "What wrote the file has failed");
}

at::Tensor read_slots(const char* where, const std::string& path, const MeshLayout& layout) {
  const auto slots = read_reals(where, path);
  OPTOTORCH_CHECK(slots.sizes() == at::IntArrayRef({layout.columns, layout.ports / 2}), .where = where,
                  .argument = path, .expected = c10::str("[", layout.columns, ", ", layout.ports / 2, "]"),
                  .got = describe(slots), .remedy = "Is this the right layout?");
  auto values = in_mesh_order(slots, layout);
  check_numbers(where, path, values);
  return values;
}

nlohmann::ordered_json as_json(const MeshLayout& layout) {
  return {{"grid", to_string(layout.grid)},
          {"ports", layout.ports},
          {"columns", layout.columns},
          {"phi_arm", to_string(layout.phi_arm)},
          {"zero_state", to_string(layout.zero_state)},
          {"idle_port", to_string(layout.idle_port)}};
}

std::string layouts_of(const std::string& folder) {
  return folder + "/layouts.json";
}

/// Phases fit every mesh of their shape and mean another matrix in each. Folders of others don't say.
void check_layout(const char* where, const std::string& folder, const MeshLayout& layout, int64_t number) {
  const auto path = layouts_of(folder);
  if (!exists(path)) {
    return;
  }
  const std::string damaged = "The file is damaged";
  const auto all = load_json(path, where, path, "a list of layouts", damaged);
  const auto known = all.is_array() && number < static_cast<int64_t>(all.size()) &&
                     all[static_cast<size_t>(number)].is_object();
  OPTOTORCH_CHECK(known, .where = where, .argument = path,
                  .expected = c10::str("the layout of mesh ", number), .got = "none", .remedy = damaged);
  const auto& said = all[static_cast<size_t>(number)];
  const auto own = as_json(layout);
  for (const auto& [name, value] : own.items()) {
    const auto found = said.contains(name) ? said[name] : nlohmann::json();
    OPTOTORCH_CHECK(nlohmann::json(value) == found, .where = where,
                    .argument = c10::str(path, ", mesh ", number),
                    .expected = c10::str(name, " ", value.dump(), ", as in the network"), .got = found.dump(),
                    .remedy = "The phases were made for another layout: decompose the matrices for this one");
  }
}

/// True if the folder holds errors of this kind, of any of the meshes or of one more.
bool holds(const std::string& folder, const Kind& kind, size_t meshes) {
  for (size_t mesh = 0; mesh <= meshes; ++mesh) {
    for (const char* what : kind) {
      if (exists(file_name(folder, static_cast<int64_t>(mesh), what))) {
        return true;
      }
    }
  }
  return false;
}

/// The folder with errors of this kind; empty: none.
std::string folder_of(const std::vector<std::string>& folders, const Kind& kind, size_t meshes) {
  std::string found;
  for (const auto& folder : folders) {
    if (!holds(folder, kind, meshes)) {
      continue;
    }
    OPTOTORCH_CHECK(found.empty(), .where = "import_chips", .argument = "folders",
                    .expected = c10::str("one folder with ", kind[0], " and ", kind[1]),
                    .got = "'" + found + "' and '" + folder + "'");
    found = folder;
    for (const char* what : kind) {
      const auto beyond = file_name(folder, static_cast<int64_t>(meshes), what);
      OPTOTORCH_CHECK(!exists(beyond), .where = "import_chips", .argument = "layouts",
                      .expected = "one for every mesh", .got = c10::str(meshes, ", and there is ", beyond));
    }
  }
  return found;
}

}  // namespace

at::Tensor in_mesh_order(const at::Tensor& slots, const MeshLayout& layout) {
  constexpr char where[] = "in_mesh_order";
  layout.check(where);
  OPTOTORCH_CHECK(slots.defined() && slots.sizes() == at::IntArrayRef({layout.columns, layout.ports / 2}),
                  .where = where, .argument = "slots",
                  .expected = c10::str("[", layout.columns, ", ", layout.ports / 2, "]"),
                  .got = describe(slots));
  std::vector<at::Tensor> columns;
  for (int64_t column = 0; column < layout.columns; ++column) {
    columns.push_back(slots[column].narrow(0, 0, layout.pairs(column)));
  }
  return at::cat(columns);
}

at::Tensor in_slots(const at::Tensor& values, const MeshLayout& layout) {
  constexpr char where[] = "in_slots";
  layout.check(where);
  OPTOTORCH_CHECK(values.defined() && values.sizes() == at::IntArrayRef({layout.mzis()}), .where = where,
                  .argument = "values", .expected = c10::str("[", layout.mzis(), "]"),
                  .got = describe(values));
  auto slots = at::zeros({layout.columns, layout.ports / 2}, values.options());
  int64_t first = 0;
  for (int64_t column = 0; column < layout.columns; ++column) {
    const int64_t count = layout.pairs(column);
    slots[column].narrow(0, 0, count).copy_(values.narrow(0, first, count));
    first += count;
  }
  return slots;
}

void export_phases(const std::string& folder, const std::vector<MeshLayout>& layouts,
                   const std::vector<MeshPhases>& phases) {
  constexpr char where[] = "export_phases";
  const at::NoGradGuard no_grad;
  OPTOTORCH_CHECK(layouts.size() == phases.size() && !layouts.empty(), .where = where, .argument = "phases",
                  .expected = c10::str("those of at least one mesh, for ", layouts.size(), " layouts"),
                  .got = std::to_string(phases.size()));
  std::vector<std::pair<std::string, at::Tensor>> files;
  for (size_t k = 0; k < layouts.size(); ++k) {
    const auto& [layout, mesh] = std::tie(layouts[k], phases[k]);
    layout.check(where);
    const auto add = [&, k](const char* what, const at::Tensor& values, int64_t count) {
      const auto argument = c10::str(what, " of mesh ", k);
      OPTOTORCH_CHECK(
          values.defined() && values.sizes() == at::IntArrayRef({count}) && values.is_floating_point(),
          .where = where, .argument = argument, .expected = c10::str("real [", count, "]"),
          .got = describe(values));
      check_finite(where, argument, values);
      files.emplace_back(file_name("", static_cast<int64_t>(k), what),
                         values.detach().to(at::kCPU, at::kDouble));
    };
    add("theta", mesh.theta, layout.mzis());
    files.back().second = in_slots(files.back().second, layout);
    add("phi", mesh.phi, layout.mzis());
    files.back().second = in_slots(files.back().second, layout);
    if (mesh.gamma.defined()) {
      add("gamma", mesh.gamma, layout.ports);
    }
  }
  namespace fs = std::filesystem;
  const auto fails = [&](const std::error_code& error) {
    reject({.where = where,
            .argument = "folder",
            .expected = "a folder that is new or empty and can be made",
            .got = "'" + folder + "': " + (error ? error.message() : "it holds something"),
            .remedy = "Choose another"});
  };
  std::error_code error;
  if (fs::exists(folder, error) && (!fs::is_directory(folder, error) || !fs::is_empty(folder, error))) {
    fails(error);
  }
  // Under another name until it is whole.
  auto whole = fs::path(folder).lexically_normal();
  whole = whole.has_filename() ? whole : whole.parent_path();
  auto part = whole;
  part += c10::str(".part", ::getpid());
  if (!fs::create_directories(part, error) || error) {
    fails(error);
  }
  const auto remove = c10::make_scope_exit([&part] {
    std::error_code ignored;
    fs::remove_all(part, ignored);
  });
  auto written = nlohmann::ordered_json::array();
  for (const auto& layout : layouts) {
    written.push_back(as_json(layout));
  }
  write_text_atomically(layouts_of(part.string()), written.dump(2) + "\n");
  for (const auto& [name, values] : files) {
    save_npy(part.string() + name, values);
  }
  fs::rename(part, whole, error);
  if (error) {
    fails(error);
  }
}

MeshPhases import_phases(const std::string& folder, const MeshLayout& layout, int64_t number) {
  constexpr char where[] = "import_phases";
  layout.check(where);
  check_layout(where, folder, layout, number);
  MeshPhases read{.theta = read_slots(where, file_name(folder, number, "theta"), layout),
                  .phi = read_slots(where, file_name(folder, number, "phi"), layout),
                  .gamma = {}};
  const auto path = file_name(folder, number, "gamma");
  if (exists(path)) {
    const auto gamma = read_reals(where, path);
    OPTOTORCH_CHECK(gamma.sizes() == at::IntArrayRef({layout.ports}) ||
                        gamma.sizes() == at::IntArrayRef({1, layout.ports}),
                    .where = where, .argument = path,
                    .expected = c10::str("[", layout.ports, "] or [1, ", layout.ports, "]"),
                    .got = describe(gamma), .remedy = "Is this the right layout?");
    check_numbers(where, path, gamma);
    read.gamma = gamma.flatten();
  }
  return read;
}

std::vector<Chip> import_chips(const std::vector<std::string>& folders,
                               const std::vector<MeshLayout>& layouts, const Imperfections& imperfections,
                               int64_t seed) {
  constexpr char where[] = "import_chips";
  OPTOTORCH_CHECK(!layouts.empty(), .where = where, .argument = "layouts", .expected = "one for every mesh",
                  .got = "none");
  for (const auto& folder : folders) {
    OPTOTORCH_CHECK(holds(folder, splitters, layouts.size()) || holds(folder, phases, layouts.size()),
                    .where = where, .argument = "folders",
                    .expected = "a folder with mesh0_splitter_left.npy or mesh0_theta.npy",
                    .got = "neither in '" + folder + "'", .remedy = "Check the path");
  }
  const auto splitter_folder = folder_of(folders, splitters, layouts.size()),
             phase_folder = folder_of(folders, phases, layouts.size());
  std::vector<Chip> chips;
  for (size_t k = 0; k < layouts.size(); ++k) {
    const auto& layout = layouts[k];
    const auto mesh = static_cast<int64_t>(k);
    layout.check(where);
    const auto read = [&](const std::string& folder, const char* what) {
      return folder.empty() ? at::zeros({layout.mzis()}, at::kDouble)
                            : read_slots(where, file_name(folder, mesh, what), layout);
    };
    const auto splitter = [&](const char* what) {
      const auto e = read(splitter_folder, what);
      OPTOTORCH_CHECK(e.abs().le(1).all().item<bool>(), .where = where,
                      .argument = file_name(splitter_folder, mesh, what), .expected = "values in [-1, 1]",
                      .got = c10::str(e.min().item<double>(), " to ", e.max().item<double>()));
      return e;
    };
    const ChipTensors tensors{
        .theta_offset = read(phase_folder, phases[0]),
        .phi_offset = read(phase_folder, phases[1]),
        .splitter_error = at::stack({splitter(splitters[0]), splitter(splitters[1])}, 1),
        .transmission = at::ones({layout.mzis(), 2}, at::kDouble)};
    chips.emplace_back(layout, tensors, imperfections, static_cast<int64_t>(static_cast<uint64_t>(seed) + k));
  }
  return chips;
}

}  // namespace optotorch
