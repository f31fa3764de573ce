#pragma once

#include <optotorch/modules/hybrid.h>

#include <map>
#include <string>
#include <vector>

namespace optotorch {

/// Where the matrices F_l come from that carry the output error e to the places where a second pass is
/// modulated. W_l is the component that stands there.
enum class Feedback {
  random,   ///< fixed: transports nothing (strict TPFP). Entries uniform in +-.05 sqrt(6 / n), n their rows
  mirror,   ///< as `adjoint`, of matrices estimated before the first step by weight mirroring: noise is sent
            ///< into every component, B = mean of x (W x)^H; scaled to the size of `random`. Never refreshed,
            ///< but learnt anew in the next step while a read-out of zeros lets nothing through
  twin,     ///< W_l^H R_l: R fixed random, normal, real; W_l by light sent backwards through a twin
  adjoint,  ///< (W_L .. W_l)^H: transports the weights above too
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Feedback) {
  static const std::vector<std::string> all{"random", "mirror", "twin", "adjoint"};
  return all;
}

/// Where a second pass is modulated.
enum class Entrance {
  single,   ///< single-point: before the first component; the modulated light goes through all
  inputs,   ///< multi-point: before every hidden component anew: local pairs x_l, x_l - s F_l e
  outputs,  ///< multi-point: behind every hidden component, where its electronic adder can: z_l - s F_l e
};
/// Its words, in the order of its values.
inline const std::vector<std::string>& words(Entrance) {
  static const std::vector<std::string> all{"single", "inputs", "outputs"};
  return all;
}

/// A place of modulation: the component's number and the shape of one sample there.
struct EntrancePoint {
  size_t component = 0;  ///< number of its layer in the network
  bool behind = false;   ///< behind the component, else before it
  torch::Tensor sample;  ///< [1, ...], of which only shape and type count
};

/// The feedback paths of a network, one for every entrance.
class FeedbackPaths {
 public:
  /// `gain` multiplies every F_l; `seed` decides the random matrices and mirroring's noise.
  FeedbackPaths(Feedback kind, double gain, int64_t seed) : kind_(kind), gain_(gain), seed_(seed) {}

  /// (Re)takes what the paths are made of from the network as it is. `samples[i]` is a sample at the input of
  /// layer i (shape and type count); the last is at the output.
  void take(const HybridImpl& model, const std::vector<EntrancePoint>& points,
            const std::vector<torch::Tensor>& samples);
  /// Paths learnt through a read-out that is still zero carry nothing: they have to be taken again.
  bool taken() const { return !paths_.empty() && !dark_; }

  /// F_l e for errors [batch, ...] of the output, in the shape and type of the entrance.
  torch::Tensor apply(size_t point, const torch::Tensor& error) const;

  /// Throws unless the paths lead from such errors to such entrances.
  void check(size_t point, const torch::Tensor& error, const torch::Tensor& entrance) const;

  /// State that `take` has taken from the network.
  std::map<std::string, torch::Tensor> state() const;
  /// Drops the paths; the next `take` restores them from `state`. It throws c10::ValueError if that is
  /// another network's.
  void load_state(std::map<std::string, torch::Tensor> state);

 private:
  struct Path {
    EntrancePoint point;
    torch::Tensor random;             ///< F, or R; undefined if there is none
    torch::Tensor above;              ///< a sample where the first of the components begins
    std::vector<Adjoint> components;  ///< in the order in which the error meets them
    int64_t outputs = 0;
    double scale = 1;
  };
  Path make_path(const HybridImpl& model, const EntrancePoint& point, size_t number,
                 const std::vector<torch::Tensor>& samples) const;
  Adjoint take_layer(const HybridImpl& model, size_t layer, const std::vector<torch::Tensor>& samples) const;
  void restore();

  Feedback kind_;
  double gain_;
  int64_t seed_;
  std::vector<Path> paths_;
  bool dark_ = false;  ///< what was learnt leads nowhere
  std::map<std::string, torch::Tensor> pending_;
};

}  // namespace optotorch
