#pragma once

// The contract of every layer that a rule can train.

#include <optotorch/modules/freeze.h>
#include <optotorch/modules/version_mark.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/serialize/archive.h>
#include <torch/types.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace optotorch {

/// Traces of one forward pass at one layer. The rule owns it: what a rule must remember is visible.
struct Pass {
  torch::Tensor input;                 ///< x
  torch::Tensor output;                ///< y
  std::vector<torch::Tensor> saved{};  ///< the layer's own context
  std::vector<Pass> inside{};          ///< passes of the layers that it consists of
  std::vector<VersionMark> marks{};  ///< of all that its pull-back reads; none of a pass made by hand, which
                                     ///< is taken as it is
};

/// Purpose of a pass.
enum class Keep {
  context,  ///< it may be pulled back: keep what that needs
  nothing,  ///< only its input and output will be read
};

/// A layer as a machine without OptoTorch runs it: tensors and a function of plain ATen operators on them.
struct Deployment {
  std::vector<std::pair<std::string, torch::Tensor>> tensors;  ///< tensors that `forward` reads, by name
  std::function<torch::Tensor(const torch::Tensor&)> forward;  ///< y = f(x)
  torch::Tensor weight{},  ///< W [outputs, inputs] of a layer that is y = W x + b of rows x: one of
                           ///< `tensors`, or a view of it; undefined for any other layer
      bias{};              ///< b [outputs], likewise; undefined for any other layer, and for b = 0
};

/// A layer's linear map W, backwards: u -> W^H u of every sample, as it was when this was taken. Whoever
/// keeps it across a restart saves the tensors and copies them back into those of a new one.
struct Adjoint {
  std::vector<torch::Tensor> tensors;                          ///< tensors that `apply` reads
  std::function<torch::Tensor(const torch::Tensor& u)> apply;  ///< W^H u of u [batch, ...]
};

/// Hardware by kind: how many of each.
using Footprint = std::map<std::string, int64_t>;

/// Kinds of hardware that the library's layers count; a layer of one's own may count others.
namespace parts {
inline constexpr char mzis[] = "MZIs";                      ///< Mach-Zehnder interferometers of meshes
inline constexpr char phase_shifters[] = "phase shifters";  ///< commanded ones, including those of MZIs
inline constexpr char rings[] = "rings";                    ///< microring resonators of weight banks
inline constexpr char attenuators[] = "attenuators";        ///< amplitude controls between two meshes
inline constexpr char modulators[] = "modulators";          ///< modulators that write values into light
inline constexpr char detectors[] = "detectors";            ///< photodiodes
inline constexpr char lenses[] = "lenses";                  ///< lenses in free space
}  // namespace parts

/// Adds `some` to `all`, `times` over.
void add(Footprint& all, const Footprint& some, int64_t times = 1);

/// The way of one sample's light through a layer.
struct Traversal {
  Footprint along;     ///< hardware that light passes, one after the other, on its longest way
  int64_t passes = 1;  ///< times that light passes for a sample: rows, tokens, patches, symbols of a waveform
  /// Multiplications and additions, in pairs, of the same linear map as dense matrices; complex ones count once,
  /// diagonal maps not.
  int64_t multiply_adds = 0;
  int64_t detectors = 0;  ///< that read in each pass
};

/// A layer that is free of autograd: `forward` builds no graph, and a hand-written pull-back gives gradients.
/// Its parameters are real leaves, which any torch::optim optimiser steps. Those with `requires_grad` learn:
/// all, unless they are frozen (freeze.h). In an ordinary autograd graph a layer stands as
/// `differentiable(layer)`.
///
/// A subclass implements `check_input`, `compute` and `compute_pullback`, and derives from CloneableLayer.
/// Checks stand in the public functions of this class and nowhere else.
class Layer : public torch::nn::Module {
 public:
  /// How a layer takes its place in a block (see Hybrid).
  enum class Role {
    source,     ///< prepares light: opens a block, has no parameters (modulators, lenses)
    component,  ///< a linear component: opens a block, or joins the source that has opened it
    response,   ///< nonlinearity, detector, reshaping: belongs to the component before it
  };

  using torch::nn::Module::Module;

  /// Type and options, for a layer whose type is registered (describe.h).
  void pretty_print(std::ostream& stream) const override;

  using torch::nn::Module::to;
  /// Converts as torch::nn::Module does, except that tensors of integers keep their type, as in Python: a float32
  /// counts to 2^24 only.
  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  /// The same where the tensors are.
  void to(torch::Dtype dtype, bool non_blocking = false) override;

  /// As torch::nn::Module does. In training nothing is kept of what was deployed.
  void train(bool on = true) override;

  /// y = f(x), without a graph. In eval mode it is what `deploy()` computes, bit for bit (see `evaluate`).
  /// Throws c10::ValueError if x does not fit the layer, and if a graph would end here unnoticed: with
  /// gradient mode on, for an x that requires grad, and in a module of a Hybrid that learns (see
  /// `differentiable`).
  torch::Tensor forward(const torch::Tensor& x);

  /// y = f(x) with what the pull-back needs. What x requires goes no further than here.
  Pass propagate(const torch::Tensor& x, Keep keep = Keep::context);

  /// Adds dL_dp to the `.grad` of every parameter p that learns and returns dL_dx (undefined if `to_input` is
  /// false: the work is then saved). dL_dz = dL/dRe z + i dL/dIm z. Throws c10::ValueError if dL_dy does not
  /// fit the pass's output, and if what it reads (of the pass, and parameters) was changed in place since.
  torch::Tensor pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input = true);

  // The hooks by which the rules reach a layer: each adds to the parameters' `.grad` from a signal at the
  // output and returns the signal at the input. By default each is the pull-back; a layer overrides one where
  // physics gives it something cheaper or more faithful.

  /// The signal is a difference of two forward passes: where a layer is nonlinear, its slope is already in
  /// it.
  virtual torch::Tensor tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input);
  /// The signal is a projected error, B e.
  virtual torch::Tensor dfa_update(const Pass& pass, const torch::Tensor& signal, bool to_input);
  /// The signal comes from a numerical model evaluated at measured states.
  virtual torch::Tensor dat_update(const Pass& pass, const torch::Tensor& signal, bool to_input);

  /// The layer's place in a block.
  virtual Role role() const = 0;

  /// True for a component that is y = W x + b of every row of [batch, inputs], with one W and b whatever the
  /// rows and the mode: whoever sends it many rows may send the identity instead, and multiply.
  virtual bool is_matrix() const { return false; }

  /// W^H of a linear layer for inputs like `x` (its shape beyond the batch, its type): light sent backwards
  /// through a twin that keeps its present parameters. What is not linear is taken at x = 0, where an
  /// amplitude modulator is; a response hands u on as in `tpfp_update`. By default the pull-back of a clone.
  virtual Adjoint adjoint(const torch::Tensor& x) const;

  /// The layer in eval mode, in plain ATen operators; by default `compute` itself, for layers that need no
  /// others.
  virtual Deployment deploy();

  /// Hardware that the layer is built of, where its options say so: kinds (`parts`) and their numbers.
  virtual Footprint footprint() const { return {}; }

  /// The way of a sample's light in a pass of this layer. By default: one part of each kind of the footprint after
  /// the other; where it `is_matrix` a sample's rows one after the other, elsewhere whole samples and no multiply-adds.
  virtual Traversal traversal(const Pass& pass) const;

  /// Saves as torch::nn::Module does, and which parameters are frozen.
  void save(torch::serialize::OutputArchive& archive) const override;
  /// Loads as torch::nn::Module does, but a tensor of another shape or type is an error that changes nothing
  /// (torch::load by itself resizes tensors to whatever the file says). Freezes what was frozen.
  void load(torch::serialize::InputArchive& archive) override;

  /// parameter.grad += dL_dparameter, or = if there is none yet; nothing for a parameter without
  /// `requires_grad`.
  static void accumulate(torch::Tensor& parameter, const torch::Tensor& dL_dparameter);

 protected:
  /// Throws unless x fits this layer.
  virtual void check_input(const torch::Tensor& x) const = 0;

  /// f(x). If `kept` is not null, puts into its `saved` and `inside` what compute_pullback needs beyond x and
  /// y, which the caller adds. Runs without a graph.
  virtual torch::Tensor compute(const torch::Tensor& x, Pass* kept) = 0;
  /// f(x) in eval mode, by what `deploy()` gives, which is kept until a parameter or buffer has another value
  /// (options are taken to stay as they were). A layer that cannot be deployed, or consists of others,
  /// overrides it.
  virtual torch::Tensor evaluate(const torch::Tensor& x);

  /// The pull-back, by `accumulate` for the parameters; may return an undefined tensor unless `to_input`.
  virtual torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) = 0;

  /// Tensors that `compute_pullback` reads: a change in place of any of them makes the pass useless. By
  /// default input, output and all that was saved, here and inside, the parameters, and buffers of floating
  /// point; a layer that reads less says so, and its output may then be changed in place, as behind
  /// torch::nn::Linear.
  virtual std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const;
  /// The last two of them.
  std::vector<torch::Tensor> own_tensors() const;
  /// Tensors that a pass has saved, here and inside.
  static std::vector<torch::Tensor> saved_tensors(const Pass& pass);
  /// Marks what the pull-back of this pass will read. `propagate` does; so does who changes a pass.
  void mark(Pass& pass) const;
  /// Throws if any of it was changed. `pullback` does; so does a hook that goes past it.
  void check_unchanged(const Pass& pass) const;

  /// Registers a real tensor that learns. To write to it in place takes a torch::NoGradGuard, as ever.
  torch::Tensor& register_phases(const std::string& name, torch::Tensor tensor);

 private:
  struct Deployed;
  static std::shared_ptr<Deployed> nothing_deployed();
  std::shared_ptr<Deployed> deployed_ = nothing_deployed();
};

/// A layer that follows a component elementwise or by regrouping. The difference of two measured passes
/// behind it already carries its slope, so its `tpfp_update` hands the signal on instead of pulling it back.
class ResponseLayer : public Layer {
 public:
  using Layer::Layer;
  Role role() const override { return Role::response; }
  torch::Tensor tpfp_update(const Pass& pass, const torch::Tensor& signal, bool to_input) override;
  Adjoint adjoint(const torch::Tensor& x) const override;

 protected:
  /// Input and parameters.
  std::vector<torch::Tensor> read_by_pullback(const Pass& pass) const override;
  /// The same signal in the shape and type of the pass's input; by default the shapes must agree.
  virtual torch::Tensor carry(const Pass& pass, const torch::Tensor& signal) const;
};

/// Gives a layer `Derived` that is made from `Derived::options` its clone(): a deep copy, made from the
/// options and then given this layer's tensors and what of them is frozen. A layer that needs more than
/// options has a `remake` of its own.
template <typename Derived, typename Base = Layer>
class CloneableLayer : public Base {
 public:
  using Base::Base;

  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override {
    auto copy = static_cast<const Derived&>(*this).remake();
    copy_tensors(this->named_parameters(), copy->named_parameters(), device);
    copy_tensors(this->named_buffers(), copy->named_buffers(), device);
    set_frozen(*copy, frozen_parameters(*this));
    copy->train(this->is_training());
    return copy;
  }

 protected:
  /// A layer like this one, with other tensors.
  std::shared_ptr<Derived> remake() const {
    return std::make_shared<Derived>(static_cast<const Derived&>(*this).options);
  }

 private:
  template <typename Tensors>
  static void copy_tensors(const Tensors& from, Tensors to, const std::optional<torch::Device>& device) {
    for (const auto& item : from) {
      auto value = item.value().detach();
      to[item.key()].set_data(device ? value.to(*device, value.scalar_type(), false, /*copy=*/true)
                                     : value.clone());
    }
  }
};

/// Throws unless x is [batch, ports], complex64 or complex128.
void check_field(const torch::nn::Module& module, const torch::Tensor& x, int64_t ports);

/// Throws unless x is [batch, ...] with `sample` as its last sizes, complex64 or complex128.
void check_field(const torch::nn::Module& module, const torch::Tensor& x, at::IntArrayRef sample);

/// Throws unless a field's shape has axes, of at least one element each, and memory could hold it.
void check_shape(const torch::nn::Module& module, at::IntArrayRef sample);

/// Throws unless x is complex64 or complex128, of any shape.
void check_field(const torch::nn::Module& module, const torch::Tensor& x);

/// Throws unless x's real type is that of `parameter`: layer and data share one precision.
void check_precision(const torch::nn::Module& module, const torch::Tensor& x, const torch::Tensor& parameter);

/// Throws if a graph would end unnoticed in a module that builds none (see Layer::forward).
void check_no_graph(const torch::nn::Module& module, const torch::Tensor& x);

/// Runs `load` on the module and throws, with the module as before, if that changed a tensor's shape or type.
/// Then freezes what the archive says (see save_frozen), if it does.
void load_checked(torch::nn::Module& module, torch::serialize::InputArchive& archive,
                  const std::function<void()>& load);
/// Writes which parameters of the module are frozen.
void save_frozen(const torch::nn::Module& module, torch::serialize::OutputArchive& archive);

}  // namespace optotorch
