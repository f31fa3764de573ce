#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/random_pairs.h>
#include <optotorch/modules/laboratory/chips/built_stage.h>
#include <optotorch/modules/laboratory/chips/drift.h>
#include <optotorch/modules/optics/mzi_mesh.h>

#include <optional>

namespace optotorch {
namespace {

/// Streams of the seed: of readings as a chip's, one for each kind of error, one for its drift.
struct StageStream {
  enum : uint64_t { readings = 2, first_error = 16, first_drift = 1 << 16 };
};

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
        seed_(seed) {}

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

 private:
  std::shared_ptr<const Stage> stage_;
  StageDesign design_;
  Values errors_, commanded_;
  Imperfections imperfections_;
  int64_t seed_;
};

}  // namespace

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
