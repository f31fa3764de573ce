#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/mesh/decomposition.h>
#include <optotorch/mesh/detail/block_mesh.h>
#include <optotorch/mesh/mzi_list.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace optotorch {
namespace {

using detail::BlockMesh;
using detail::Complex;
using detail::i;
using detail::Matrix2;

constexpr std::pair<MziConvention, const char*> names[] = {
    {MziConvention::strawberry_fields, "strawberryfields"},
    {MziConvention::strawberry_fields_mz, "strawberryfields-mz"},
    {MziConvention::neurophox, "neurophox"},
    {MziConvention::neurophox_hadamard, "neurophox-hadamard"},
    {MziConvention::neurophox_single_mode, "neurophox-single-mode"},
    {MziConvention::neurophox_single_mode_hadamard, "neurophox-single-mode-hadamard"},
    {MziConvention::perceval_phase_first, "perceval-phase-first"},
    {MziConvention::perceval_phase_last, "perceval-phase-last"}};

Matrix2 operator*(Complex factor, const Matrix2& t) {
  return {factor * t.uu, factor * t.ul, factor * t.lu, factor * t.ll};
}

Matrix2 matrix(MziConvention convention, double theta, double phi) {
  const double s = std::sin(theta / 2), c = std::cos(theta / 2);
  const Complex p = std::polar(1.0, phi), common = std::polar(1.0, theta / 2);
  const Matrix2 output_arm = i * Matrix2{p * s, p * c, c, -s};
  const Matrix2 hadamard = {p * c, i * p * s, i * s, c};
  switch (convention) {
    case MziConvention::strawberry_fields:
      return {p * std::cos(theta), -std::sin(theta), p * std::sin(theta), std::cos(theta)};
    case MziConvention::strawberry_fields_mz:
    case MziConvention::perceval_phase_first:
      return i * common * Matrix2{p * s, c, p * c, -s};
    case MziConvention::neurophox:
      return output_arm;
    case MziConvention::neurophox_hadamard:
      return hadamard;
    case MziConvention::neurophox_single_mode:
      return common * output_arm;
    case MziConvention::neurophox_single_mode_hadamard:
      return common * hadamard;
    case MziConvention::perceval_phase_last:
      return i * common * Matrix2{-s, c, p * c, p * s};
  }
  TORCH_INTERNAL_ASSERT(false, "an MziConvention without a matrix");
}

void check(const char* where, const MziList& list) {
  OPTOTORCH_CHECK(list.ports >= 2, .where = where, .argument = "ports", .expected = "at least 2",
                  .got = std::to_string(list.ports));
  for (size_t k = 0; k < list.mzis.size(); ++k) {
    const auto& [mode, theta, phi] = list.mzis[k];
    OPTOTORCH_CHECK(
        mode >= 0 && mode + 1 < list.ports, .where = where, .argument = c10::str("mzis[", k, "].mode"),
        .expected =
            c10::str("0 to ", list.ports - 2, ", the upper of two neighbours among ", list.ports, " ports"),
        .got = std::to_string(mode));
    OPTOTORCH_CHECK(std::isfinite(theta) && std::isfinite(phi), .where = where,
                    .argument = c10::str("mzis[", k, "]"), .expected = "finite phases",
                    .got = c10::str("theta ", theta, ", phi ", phi));
  }
  for (const auto& [name, phases] : {std::pair{"input", &list.input}, std::pair{"output", &list.output}}) {
    OPTOTORCH_CHECK(phases->empty() || phases->size() == static_cast<size_t>(list.ports), .where = where,
                    .argument = name, .expected = c10::str("none or ", list.ports, " phases"),
                    .got = std::to_string(phases->size()));
    OPTOTORCH_CHECK(std::all_of(phases->begin(), phases->end(), [](double x) { return std::isfinite(x); }),
                    .where = where, .argument = name, .expected = "finite phases", .got = "others");
  }
}

/// The column of every interferometer, each as early as its ports and the brick wall allow, and how many
/// there are.
std::pair<std::vector<int64_t>, int64_t> columns_of(const MziList& list) {
  std::vector<int64_t> columns, next(list.ports, 0);
  int64_t count = 1;
  for (const auto& mzi : list.mzis) {
    int64_t column = std::max(next[mzi.mode], next[mzi.mode + 1]);
    column += (column - mzi.mode) % 2 == 0 ? 0 : 1;
    next[mzi.mode] = next[mzi.mode + 1] = column + 1;
    columns.push_back(column);
    count = std::max(count, column + 1);
  }
  return {columns, count};
}

/// The list on a rectangular layout with at least its columns.
BlockMesh block_mesh(const MziList& list, const std::vector<int64_t>& columns, const MeshLayout& layout) {
  BlockMesh mesh(layout);
  mesh.idle = list.idle_port == IdlePort::wire ? Complex(1) : -i;
  std::fill(mesh.blocks.begin(), mesh.blocks.end(), Matrix2{mesh.idle, 0, 0, mesh.idle});
  const auto starts = detail::column_starts(layout);
  for (size_t k = 0; k < columns.size(); ++k) {
    const auto& [mode, theta, phi] = list.mzis[k];
    mesh.blocks[starts[columns[k]] + mode / 2] = matrix(list.convention, theta, phi);
  }
  for (auto [phases, side] : {std::pair{&list.input, &mesh.input}, std::pair{&list.output, &mesh.output}}) {
    std::transform(phases->begin(), phases->end(), side->begin(),
                   [](double x) { return std::polar(1.0, x); });
  }
  return mesh;
}

}  // namespace

std::string to_string(MziConvention convention) {
  const auto found = std::find_if(std::begin(names), std::end(names),
                                  [&](const auto& entry) { return entry.first == convention; });
  TORCH_INTERNAL_ASSERT(found != std::end(names), "an MziConvention without a name");
  return found->second;
}

MziConvention mzi_convention(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [convention, its_name] : names) {
    if (name == its_name) {
      return convention;
    }
    known.emplace_back(its_name);
  }
  reject({.where = "mzi_convention",
          .argument = "name",
          .expected = "one of " + c10::Join(", ", known),
          .got = "'" + name + "'"});
}

at::Tensor matrix_of(const MziList& list) {
  check("matrix_of", list);
  const auto [columns, count] = columns_of(list);
  const MeshLayout layout{.ports = list.ports, .columns = count};
  return detail::matrix_of(block_mesh(list, columns, layout), layout);
}

MeshPhases import_mzi_list(const MziList& list, const MeshLayout& layout) {
  constexpr char where[] = "import_mzi_list";
  check(where, list);
  layout.check(where);
  OPTOTORCH_CHECK(layout.ports == list.ports, .where = where, .argument = "layout",
                  .expected = c10::str(list.ports, " ports, as the list has"),
                  .got = c10::str(layout.ports, " ports"));
  const auto [columns, count] = columns_of(list);
  // Columns that the list does not have are wires.
  const bool fits = count == layout.columns || (count < layout.columns && list.idle_port == IdlePort::wire);
  if (layout.grid == MeshGrid::rectangular && fits) {
    return detail::settle(block_mesh(list, columns, layout), layout);
  }
  const int64_t universal = MeshLayout::universal_columns(layout.grid, layout.ports);
  OPTOTORCH_CHECK(
      layout.columns == universal, .where = where, .argument = "layout",
      .expected = c10::str(count, " columns of a rectangular grid, as the list has, or ", universal,
                           ", with which a ", to_string(layout.grid), " mesh is universal"),
      .got = c10::str(layout.columns, " columns, ", to_string(layout.grid)));
  return decompose(matrix_of(list), layout);
}

}  // namespace optotorch
