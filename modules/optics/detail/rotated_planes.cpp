#include <ATen/ATen.h>
#include <optotorch/modules/optics/detail/rotated_planes.h>

#include <array>
#include <cmath>
#include <numbers>

namespace optotorch {
namespace {

/// Rows, or columns, moved in proportion to their distance from the middle: by that of a wave's phases.
struct Shear {
  int64_t dim;
  at::Tensor wave;       ///< 2 pi f times the distance, [rows, columns]
  double amount, slope;  ///< samples by samples of distance, and that by the angle

  at::Tensor phases(double sign) const { return at::polar(at::ones_like(wave), wave * (sign * amount)); }
};

/// A rotation by whole quarters of a turn, or halves of planes that are not square, and by shears for what is left of
/// it: those of a large angle would mix waves that no sample tells apart.
class Rotation {
 public:
  Rotation(const at::Tensor& planes, double angle) : rows_(planes.size(1)), columns_(planes.size(2)) {
    const double whole = rows_ == columns_ ? std::numbers::pi / 2 : std::numbers::pi;
    const double count = std::round(angle / whole);
    quarters_ = std::isfinite(count) ? std::lrint(std::remainder(count * (rows_ == columns_ ? 1 : 2), 4)) : 0;
    const double rest = angle - count * whole;
    const auto type = planes.options().dtype(c10::toRealValueType(planes.scalar_type()));
    // As much darkness as light, so that what a shear moves out of the grid comes in again beside the window.
    const auto places = [&](int64_t size) {
      return at::arange(2 * size, type) - static_cast<double>(size / 2) - static_cast<double>(size - 1) / 2;
    };
    const auto waves = [&](int64_t size) {
      return at::fft_fftfreq(2 * size, 1.0, type) * (2 * std::numbers::pi);
    };
    const double a = -std::tan(rest / 2), da = -1 / (1 + std::cos(rest));
    const auto across = waves(columns_) * places(rows_).unsqueeze(1);
    const auto down = waves(rows_).unsqueeze(1) * places(columns_);
    shears_ = {Shear{2, across, a, da}, Shear{1, down, std::sin(rest), std::cos(rest)},
               Shear{2, across, a, da}};
  }

  /// `spectra`, if any: those behind every shear, along its dimension.
  at::Tensor turn(const at::Tensor& planes, std::array<at::Tensor, 3>* spectra = nullptr) const {
    auto u = with_darkness(at::rot90(planes, quarters_, {1, 2}));
    for (size_t k = 0; k < shears_.size(); ++k) {
      const auto spectrum = at::fft_fft(u, std::nullopt, shears_[k].dim) * shears_[k].phases(1);
      u = at::fft_ifft(spectrum, std::nullopt, shears_[k].dim);
      if (spectra != nullptr) {
        (*spectra)[k] = spectrum;
      }
    }
    return window(u);
  }

  RotationGradients pull_back(const at::Tensor& dL_drotated, const at::Tensor& planes) const {
    std::array<at::Tensor, 3> spectra;
    turn(planes, &spectra);
    auto g = with_darkness(dL_drotated);
    double dL_dangle = 0;
    for (size_t k = shears_.size(); k-- > 0;) {
      const auto& shear = shears_[k];
      auto spectrum = at::fft_fft(g, std::nullopt, shear.dim);
      // dL = Re sum conj(g) i w u
      const auto slope = (at::imag(spectrum * spectra[k].conj()) * shear.wave).sum().item<double>();
      dL_dangle += shear.slope * slope / static_cast<double>(g.size(shear.dim));
      g = at::fft_ifft(spectrum * shear.phases(-1), std::nullopt, shear.dim);
    }
    return {at::rot90(window(g), -quarters_, {1, 2}), dL_dangle};
  }

 private:
  at::Tensor with_darkness(const at::Tensor& planes) const {
    auto wide = at::zeros({planes.size(0), 2 * rows_, 2 * columns_}, planes.options());
    window(wide).copy_(planes);
    return wide;
  }
  at::Tensor window(const at::Tensor& wide) const {
    return wide.narrow(1, rows_ / 2, rows_).narrow(2, columns_ / 2, columns_);
  }

  int64_t rows_, columns_, quarters_ = 0;
  std::array<Shear, 3> shears_;
};

}  // namespace

at::Tensor rotated(const at::Tensor& planes, double angle) {
  return Rotation(planes, angle).turn(planes);
}

RotationGradients rotated_backward(const at::Tensor& dL_drotated, const at::Tensor& planes, double angle) {
  return Rotation(planes, angle).pull_back(dL_drotated, planes);
}

}  // namespace optotorch
