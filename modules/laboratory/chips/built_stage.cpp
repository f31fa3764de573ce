#include <ATen/ATen.h>
#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/core/memory_limit.h>
#include <optotorch/core/random_pairs.h>
#include <optotorch/modules/describe.h>
#include <optotorch/modules/laboratory/chips/built_stage.h>
#include <optotorch/modules/laboratory/chips/detail/chip_values.h>
#include <optotorch/modules/laboratory/chips/drift.h>
#include <optotorch/modules/optics/mzi_mesh.h>

#include <array>
#include <optional>
#include <utility>

namespace optotorch {
namespace {

/// Streams of the seed: of readings as a chip's, one for each kind of error, one for its drift.
struct StageStream {
  enum : uint64_t { readings = 2, first_error = 16, first_drift = 1 << 16 };
};

/// What a file says of a stage: a chip of a mesh, or any stage and its errors.
constexpr std::array stage_kinds = {"chip", "errors"};
constexpr char errors_prefix[] = "errors/";

bool is_like(const at::TensorOptions& some, const at::TensorOptions& others) {
  return some.type_equal(others) && some.device() == others.device();
}

class BuiltMesh : public BuiltStage {
 public:
  explicit BuiltMesh(const Chip& chip) : chip_(chip), design_(mesh_design(chip.layout())) {}

  const StageDesign& design() const override { return design_; }

  void command(const Values& commands) override {
    commanded_ = {.theta = commands.at("theta"), .phi = commands.at("phi")};
    if (const auto gamma = find(commands, "gamma"); gamma.defined()) {
      commanded_.screen = gamma;
    }
    realised_.reset();
  }

  torch::Tensor respond(const torch::Tensor& x) override {
    const auto options = x.options().dtype(c10::toRealValueType(x.scalar_type()));
    if (!realised_ || !is_like(realised_->theta.options(), options)) {
      const auto each = [&options](const std::optional<at::Tensor>& tensor) {
        return tensor ? std::optional<at::Tensor>(tensor->to(options)) : std::nullopt;
      };
      // Offsets are added in float64, then rounded: a float32 command meets the same chip as a float64 one.
      const auto exact = chip_.realise(commanded_);
      realised_ = {exact.theta.to(options), exact.phi.to(options), each(exact.screen),
                   each(exact.splitter_error), each(exact.transmission)};
    }
    return ops::mzi_mesh(x, *realised_, chip_.layout());
  }

  torch::Tensor read_out(const torch::Tensor& ideal, int64_t first_sample) const override {
    return chip_.read_out(ideal, first_sample);
  }

  std::shared_ptr<BuiltStage> at(double hours) const override {
    return std::make_shared<BuiltMesh>(chip_.at(hours));
  }

  Values errors() const override {
    const auto tensors = chip_.tensors();
    return {{"theta_offset", tensors.theta_offset},
            {"phi_offset", tensors.phi_offset},
            {"splitter_error", tensors.splitter_error}};
  }

  void save(SafeTensors& content, const std::string& in) const override {
    content.metadata[in + "kind"] = stage_kinds[0];
    put_chip(content, in, chip_);
  }

 private:
  Chip chip_;
  StageDesign design_;
  ops::MeshTensors commanded_;
  std::optional<ops::MeshTensors> realised_;
};

double size_of(const StageError& error, Imperfections imperfections) {
  for (const auto& field : imperfection_fields()) {
    if (error.imperfection == field.name) {
      return (imperfections.*field.value)();
    }
  }
  reject({.where = "built",
          .argument = error.name,
          .expected = "an error whose size an imperfection gives (imperfections.h)",
          .got = "'" + error.imperfection + "'"});
}

/// Number `kind` of a stage's errors, as it is at this time.
torch::Tensor error_at(double hours, const StageError& error, double size, double drift, int64_t seed,
                       uint64_t kind) {
  const auto numbers = c10::multiply_integers(error.shape);
  auto parts =
      error.profile.defined()
          ? error.profile.to(at::kDouble)
          : normal_pairs(seed, StageStream::first_error + kind, 0, numbers).select(1, 0).reshape(error.shape);
  if (drift > 0 && hours > 0) {
    const auto walked = wiener_pairs(seed, StageStream::first_drift + kind, hours, numbers).select(1, 0);
    parts = parts + drift * walked.reshape(error.shape);
  }
  return (parts * size).clamp(error.least, error.most);
}

Values errors_at(double hours, const Stage& stage, Imperfections imperfections, int64_t seed) {
  Values errors;
  uint64_t kind = 0;
  for (const auto& error : stage.errors()) {
    if (const double size = size_of(error, imperfections); size != 0) {
      errors[error.name] = error_at(hours, error, size, imperfections.error_drift(), seed, kind);
    }
    ++kind;
  }
  return errors;
}

class BuiltFromErrors : public BuiltStage {
 public:
  BuiltFromErrors(std::shared_ptr<const Stage> stage, const Imperfections& imperfections, int64_t seed,
                  double hours)
      : stage_(std::move(stage)),
        design_(stage_->design()),
        errors_(errors_at(hours, *stage_, imperfections, seed)),
        imperfections_(imperfections),
        seed_(seed),
        hours_(hours) {}
  /// As it was saved: what the errors are is not worked out again.
  BuiltFromErrors(std::shared_ptr<const Stage> stage, Values errors, const Imperfections& imperfections,
                  int64_t seed, double hours)
      : stage_(std::move(stage)),
        design_(stage_->design()),
        errors_(std::move(errors)),
        imperfections_(imperfections),
        seed_(seed),
        hours_(hours) {}

  const StageDesign& design() const override { return design_; }
  void command(const Values& commands) override { commanded_ = commands; }

  torch::Tensor respond(const torch::Tensor& x) override {
    // In float64, then rounded: a float32 command meets the same stage as a float64 one.
    const auto wide = x.to(x.is_complex() ? at::kComplexDouble : at::kDouble).to(at::kCPU);
    const auto y = stage_->respond(wide, commanded_, errors_);
    return y.to(x.options().dtype(y.is_complex() ? c10::toComplexType(c10::toRealValueType(x.scalar_type()))
                                                 : c10::toRealValueType(x.scalar_type())));
  }

  torch::Tensor read_out(const torch::Tensor& ideal, int64_t first_sample) const override {
    return noisy_readings(ideal, imperfections_, seed_, StageStream::readings, first_sample);
  }

  std::shared_ptr<BuiltStage> at(double hours) const override {
    check_hours("BuiltStage::at", hours);
    return std::make_shared<BuiltFromErrors>(stage_, imperfections_, seed_, hours);
  }

  Values errors() const override { return errors_; }

  void save(SafeTensors& content, const std::string& in) const override {
    HybridImpl alone;
    alone.push_back(std::dynamic_pointer_cast<Layer>(stage_->clone()));
    content.metadata[in + "kind"] = stage_kinds[1];
    content.metadata[in + "layer"] = describe(alone);
    put_imperfections(content, in, imperfections_, /*of_meshes=*/false);
    content.metadata[in + "seed"] = to_text(seed_);
    content.metadata[in + "hours"] = to_text(hours_);
    for (const auto& [name, value] : errors_) {
      content.tensors[in + errors_prefix + name] = value;
    }
  }

 private:
  std::shared_ptr<const Stage> stage_;
  StageDesign design_;
  Values errors_, commanded_;
  Imperfections imperfections_;
  int64_t seed_;
  double hours_;
};

/// The stage that a file describes. Planes of 4,096 x 4,096 pixels fit the memory that it may take.
std::shared_ptr<Stage> stage_of(const std::string& description) {
  constexpr uint64_t most = 256 << 20;
  const MemoryLimit limit("a described stage", most);
  const auto network = build(description);
  const auto layers = network->children();
  auto stage = layers.size() == 1 ? std::dynamic_pointer_cast<Stage>(layers.front()) : nullptr;
  OPTOTORCH_CHECK(stage != nullptr, .where = "built", .argument = "layer", .expected = "one stage",
                  .got = description);
  return stage;
}

/// Throws unless it is an error that the stage may have.
void check_stage_error(const Stage& stage, const std::string& name, const torch::Tensor& value) {
  for (const auto& error : stage.errors()) {
    if (error.name == name) {
      OPTOTORCH_CHECK(value.scalar_type() == at::kDouble && value.sizes() == at::IntArrayRef(error.shape) &&
                          at::logical_and(value >= error.least, value <= error.most).all().item<bool>() &&
                          value.isfinite().all().item<bool>(),
                      .where = "built", .argument = name,
                      .expected = c10::str("float64 [", c10::Join(", ", error.shape), "], finite, ",
                                           error.least, " to ", error.most),
                      .got = describe(value));
      return;
    }
  }
  reject({.where = "built",
          .argument = name,
          .expected = "an error of " + stage.design().type,
          .got = "'" + name + "'"});
}

}  // namespace

void BuiltStage::save(SafeTensors& /*content*/, const std::string& /*in*/) const {
  reject({.where = "BuiltStage::save",
          .argument = "stage",
          .expected = "one that `built` made, or whose class says how it is saved",
          .got = design().type});
}

std::shared_ptr<BuiltStage> take_stage(FileValues& values, const std::string& in) {
  const auto kind = values.text(in + "kind");
  if (kind == stage_kinds[0]) {
    return built(take_chip(values, in));
  }
  if (kind != stage_kinds[1]) {
    values.reject(c10::str("'", c10::Join("' or '", stage_kinds), "' as '", in, "kind'"), "'" + kind + "'");
  }
  auto stage = stage_of(values.text(in + "layer"));
  const auto imperfections = take_imperfections(values, in, /*of_meshes=*/false);
  check_imperfections("built", imperfections);
  const auto seed = values.integer(in + "seed");
  const double hours = values.real(in + "hours");
  check_hours("built", hours);
  Values errors = values.tensors(in + errors_prefix);
  for (const auto& [name, value] : errors) {
    check_stage_error(*stage, name, value);
  }
  return std::make_shared<BuiltFromErrors>(std::move(stage), std::move(errors), imperfections, seed, hours);
}

std::shared_ptr<BuiltStage> built(const Chip& chip) {
  return std::make_shared<BuiltMesh>(chip);
}

std::shared_ptr<BuiltStage> built(const Stage& stage, const Imperfections& imperfections, int64_t seed) {
  if (const auto* mesh = dynamic_cast<const MziMeshImpl*>(&stage)) {
    static_cast<void>(mesh->design());  // of one error-free mesh
    return built(Chip(mesh->layout(), imperfections, seed));
  }
  check_imperfections("built", imperfections);
  auto copy = std::dynamic_pointer_cast<Stage>(stage.clone());
  return std::make_shared<BuiltFromErrors>(std::move(copy), imperfections, seed, /*hours=*/0.0);
}

}  // namespace optotorch
