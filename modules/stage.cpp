#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/modules/stage.h>

#include <nlohmann/json.hpp>

namespace optotorch {
namespace {

void check_stage_shape(const std::string& where, const std::string& argument,
                       const std::vector<int64_t>& shape) {
  constexpr int64_t most = int64_t{1} << 32;
  int64_t elements = 1;
  for (const int64_t size : shape) {
    OPTOTORCH_CHECK(size >= 1 && size <= most / elements, .where = where, .argument = argument,
                    .expected = "sizes of at least 1, of at most 2^32 elements together",
                    .got = c10::str(at::IntArrayRef(shape)));
    elements *= size;
  }
}

std::string in_words(bool is_field, const std::vector<int64_t>& shape) {
  return c10::str(is_field ? "field [" : "values [", c10::Join(", ", shape), "]");
}

}  // namespace

std::string describe(const StageDesign& design) {
  return c10::str(design.type, " ", design.options, ", ", in_words(design.takes_field, design.input), " -> ",
                  in_words(design.delivers_field, design.output));
}

void check_design(const std::string& where, const StageDesign& design) {
  OPTOTORCH_CHECK(!design.type.empty(), .where = where, .argument = "type", .expected = "a stage's type",
                  .got = "none");
  OPTOTORCH_CHECK(parse_json(design.options, where, "options").is_object(), .where = where,
                  .argument = "options", .expected = "a JSON object", .got = "something else");
  check_stage_shape(where, "input", design.input);
  check_stage_shape(where, "output", design.output);
  OPTOTORCH_CHECK(!design.commands.empty(), .where = where, .argument = "commands",
                  .expected = "at least one tensor that is commanded", .got = "none");
  for (const auto& [name, command] : design.commands) {
    check_stage_shape(where, "commands." + name, command.shape);
  }
}

void check_stage_input(const std::string& where, const torch::Tensor& x, const StageDesign& design) {
  const bool right_type =
      x.defined() &&
      (design.takes_field ? x.scalar_type() == at::kComplexFloat || x.scalar_type() == at::kComplexDouble
                          : x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble);
  OPTOTORCH_CHECK(right_type && x.dim() >= 1 && x.sizes().slice(1) == at::IntArrayRef(design.input),
                  .where = where, .argument = "x",
                  .expected = c10::str(design.takes_field ? "a complex64 or complex128 field [batch, "
                                                          : "float32 or float64 values [batch, ",
                                       c10::Join(", ", design.input), "]"),
                  .got = describe(x),
                  .remedy = design.takes_field ? "A Modulator turns real values into a field" : "");
}

const StageDesign& Stage::design() const {
  if (!design_) {
    design_ = make_design();
  }
  return *design_;
}

Values Stage::commands() const {
  Values all;
  for (const auto& parameter : named_parameters()) {
    all[parameter.key()] = parameter.value().detach();
  }
  return all;
}

void Stage::accumulate_commands(const Values& dL_dcommands) {
  auto own = named_parameters();
  for (const auto& [name, gradient] : dL_dcommands) {
    accumulate(own[name], gradient);
  }
}

torch::Tensor Stage::compute(const torch::Tensor& x, Pass* /*kept*/) {
  return respond(x, commands(), {});
}

torch::Tensor Stage::compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) {
  const auto gradients =
      respond_backward(dL_dy, pass.input, pass.output, commands(), {}, {.input = to_input, .errors = false});
  accumulate_commands(gradients.commands);
  return gradients.dL_dx;
}

torch::Tensor find(const Values& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? torch::Tensor() : found->second;
}

torch::Tensor plus(const torch::Tensor& base, const Values& values, const std::string& name) {
  const auto more = find(values, name);
  return more.defined() ? base + more : base;
}

}  // namespace optotorch
