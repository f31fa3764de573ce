#pragma once

#include <optotorch/modules/fields.h>
#include <optotorch/modules/layer.h>
#include <torch/arg.h>

#include <utility>
#include <vector>

namespace optotorch {

/// Options for PortArray: PortArrayOptions({4, 4}, {64, 64}).side(3).
struct PortArrayOptions {
  /// Ports as far apart as the window allows, each on one sample.
  PortArrayOptions(std::vector<int64_t> ports, std::vector<int64_t> window)
      : ports_(std::move(ports)), window_(std::move(window)) {}
  /// Rows and columns of ports.
  TORCH_ARG(std::vector<int64_t>, ports);
  /// Rows and columns of the field.
  TORCH_ARG(std::vector<int64_t>, window);
  /// Samples from a port to the next; 0: as many as fit.
  TORCH_ARG(int64_t, pitch) = 0;
  /// Samples along the side of the square that a port lights, evenly: 1 to the pitch.
  TORCH_ARG(int64_t, side) = 1;

 public:
  /// Every option by name (fields.h).
  void fields(FieldVisitor& visit) {
    visit("ports", ports_);
    visit("window", window_);
    visit("pitch", pitch_);
    visit("side", side_);
  }
};

/// From a chip into free space, as by an array of grating couplers: field [batch, rows x columns of ports] -> [batch,
/// 1, window]. Port k stands in row k / columns, column k % columns; the array is in the middle of the window, all else
/// is dark. Power is kept: a square of s x s samples has 1/s of the port's amplitude in each. No parameters.
class PortArrayImpl : public CloneableLayer<PortArrayImpl> {
 public:
  /// Throws c10::ValueError for sizes that are not positive, and an array that does not fit.
  explicit PortArrayImpl(PortArrayOptions options);

  Role role() const override { return Role::response; }

  /// The options it was made from.
  PortArrayOptions options;

 protected:
  void check_input(const torch::Tensor& x) const override;
  torch::Tensor compute(const torch::Tensor& x, Pass* kept) override;
  torch::Tensor compute_pullback(const Pass& pass, const torch::Tensor& dL_dy, bool to_input) override;
  std::vector<torch::Tensor> read_by_pullback(const Pass& /*pass*/) const override { return {}; }

 private:
  /// Samples of the ports' squares, a view [batch, rows, columns, pitch, pitch] of the field, narrowed to the squares.
  torch::Tensor squares(const torch::Tensor& field) const;
  int64_t pitch_ = 0;
};

TORCH_MODULE(PortArray);

}  // namespace optotorch
