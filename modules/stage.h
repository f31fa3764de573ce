#pragma once

// Layers that a laboratory can command.

#include <optotorch/modules/layer.h>

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace optotorch {

/// Real tensors by name: commands of a stage, its errors, or gradients of either.
using Values = std::map<std::string, torch::Tensor>;

/// A tensor that is commanded.
struct Command {
  std::vector<int64_t> shape;  ///< sizes of the tensor
  bool required = true;        ///< false if a stage may be built without it

  bool operator==(const Command&) const = default;
};

/// Design of a stage, as it was sent to the foundry. The stage that was built may differ.
struct StageDesign {
  std::string type;            ///< "MziMesh"
  std::string options;         ///< options that decide what it is, a JSON object
  std::vector<int64_t> input,  ///< shape of a sample that it takes
      output;                  ///< shape of a sample that it delivers
  bool takes_field = true;     ///< true: a field; false: real values
  bool delivers_field = true;  ///< true: a field, whose intensities are read; false: values, read as they are
  std::map<std::string, Command> commands;  ///< tensors that are commanded, by name: "theta"

  bool operator==(const StageDesign&) const = default;
};

/// "MziMesh {"ports":64,...}, field [64] -> field [64]".
std::string describe(const StageDesign& design);

/// Throws c10::ValueError, in the name of `where`, for a design without a type, options that are no JSON
/// object, no commands, or shapes that no memory could hold.
void check_design(const std::string& where, const StageDesign& design);

/// Throws c10::ValueError, in the name of `where`, unless x is what such a stage takes, [batch, input...].
void check_stage_input(const std::string& where, const torch::Tensor& x, const StageDesign& design);

/// A kind of error that a built stage may have.
struct StageError {
  std::string name;            ///< "theta_offset"
  std::vector<int64_t> shape;  ///< sizes of the tensor
  std::string imperfection;    ///< option that gives its size (imperfections.h): "phase_error"
  /// Factors of the size; undefined: standard normal numbers.
  torch::Tensor profile = {};
  double least = -std::numeric_limits<double>::infinity(),  ///< lower end of its range, built or learnt
      most = std::numeric_limits<double>::infinity();       ///< upper end of that range
  /// Error that a model's parameter of 1 means, so that one learning rate serves all kinds.
  double unit = 1;
};

/// A layer that a laboratory can command: its parameters are what is commanded, and it knows what kinds of
/// errors the hardware has. MziMesh is one, PhaseScreen and WeightBank are others; examples/09_your_own_stage
/// is a user's own.
///
/// A subclass implements `make_design`, `errors`, `respond`, `respond_backward` and `check_input`, and derives
/// from CloneableLayer<Derived, Stage>. What it computes as a layer is its response without errors.
class Stage : public Layer {
 public:
  using Layer::Layer;

  Role role() const override { return Role::component; }

  /// Made once: rules ask for it at every step, and options are taken to stay as they were.
  const StageDesign& design() const;

  /// The kinds of errors that it may have; those that are left out of a call are zero.
  virtual std::vector<StageError> errors() const = 0;

  /// Output of the built stage for x [batch, input...] at these commands and errors: [batch, output...].
  virtual torch::Tensor respond(const torch::Tensor& x, const Values& commands,
                                const Values& errors) const = 0;

  /// Result of `respond_backward`.
  struct Gradients {
    torch::Tensor dL_dx;  ///< gradient at the input
    Values commands,      ///< gradients at the commands that were given, by name
        errors;           ///< gradients at the errors that were given, by name
  };
  /// Gradients that a caller will read. A stage may leave the others undefined.
  struct Wanted {
    bool input = true,    ///< dL_dx
        commands = true,  ///< those at the commands
        errors = true;    ///< those at the errors
  };
  /// The pull-back of dL_dy through `respond`, whose output is y.
  virtual Gradients respond_backward(const torch::Tensor& dL_dy, const torch::Tensor& x,
                                     const torch::Tensor& y, const Values& commands, const Values& errors,
                                     const Wanted& wanted) const = 0;

  /// Its parameters, as they are commanded now.
  Values commands() const;
  /// parameter.grad += of every command that learns.
  void accumulate_commands(const Values& dL_dcommands);

 protected:
  /// Makes the design that `design` returns; called once.
  virtual StageDesign make_design() const = 0;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;

 private:
  mutable std::optional<StageDesign> design_;
};

/// The tensor of that name; undefined if there is none.
torch::Tensor find(const Values& values, const std::string& name);

/// `base` with what was given under that name added, if anything was.
torch::Tensor plus(const torch::Tensor& base, const Values& values, const std::string& name);

}  // namespace optotorch
