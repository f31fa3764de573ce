#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/transforms/detail/checks.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_conversion.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_geometry.h>
#include <optotorch/trainers/datasets/transforms/detail/functional_grid.h>

#include <algorithm>
#include <cmath>

namespace optotorch::transforms {
namespace {

using Matrix = std::array<double, 6>;

double radians(double degrees) {
  constexpr double pi = 3.14159265358979323846;
  return degrees * (pi / 180.0);
}

/// The inverse of: move to the centre, rotate, scale and shear, move back and translate. The order of
/// operations is part of the result.
Matrix inverse_matrix(const std::array<double, 2>& center, const AffineMap& map) {
  const double rotation = radians(map.angle);
  const double sx = radians(map.shear[0]), sy = radians(map.shear[1]);
  const auto [cx, cy] = center;
  const auto [tx, ty] = map.translate;

  const double a = std::cos(rotation - sy) / std::cos(sy);
  const double b = -std::cos(rotation - sy) * std::tan(sx) / std::cos(sy) - std::sin(rotation);
  const double c = std::sin(rotation - sy) / std::cos(sy);
  const double d = -std::sin(rotation - sy) * std::tan(sx) / std::cos(sy) + std::cos(rotation);

  Matrix m{d, -b, 0.0, -c, a, 0.0};
  for (double& value : m) {
    value /= map.scale;
  }
  m[2] += m[0] * (-cx - tx) + m[1] * (-cy - ty);
  m[5] += m[3] * (-cx - tx) + m[4] * (-cy - ty);
  m[2] += cx;
  m[5] += cy;
  return m;
}

/// From the image's own centre.
std::array<double, 2> centre_of(const at::Tensor& image, const std::vector<double>& center) {
  if (center.empty()) {
    return {0.0, 0.0};
  }
  return {1.0 * (center[0] - static_cast<double>(image.size(2)) * 0.5),
          1.0 * (center[1] - static_cast<double>(image.size(1)) * 0.5)};
}

at::Tensor numbers(at::ArrayRef<double> values, at::ScalarType type) {
  return at::tensor(values, at::TensorOptions(type));
}

/// (x, y, 1) of every pixel, counted from the given first ones.
at::Tensor base_grid(double first_x, double first_y, double last_x, double last_y, int64_t width,
                     int64_t height, at::ScalarType type) {
  at::Tensor grid = at::empty({1, height, width, 3}, at::TensorOptions(type));
  grid.select(-1, 0).copy_(at::linspace(first_x, last_x, width, at::kFloat));
  grid.select(-1, 1).copy_(at::linspace(first_y, last_y, height, at::kFloat).unsqueeze(-1));
  grid.select(-1, 2).fill_(1);
  return grid.view({1, height * width, 3});
}

at::Tensor affine_grid(const at::Tensor& theta, int64_t w, int64_t h, int64_t ow, int64_t oh) {
  const double d = 0.5, x = static_cast<double>(ow), y = static_cast<double>(oh);
  const auto base =
      base_grid(-x * 0.5 + d, -y * 0.5 + d, x * 0.5 + d - 1, y * 0.5 + d - 1, ow, oh, theta.scalar_type());
  const auto rescaled =
      theta.transpose(1, 2) /
      numbers({0.5 * static_cast<double>(w), 0.5 * static_cast<double>(h)}, theta.scalar_type());
  return base.bmm(rescaled).view({1, oh, ow, 2});
}

at::Tensor sample(const at::Tensor& image, const at::Tensor& grid, Interpolation interpolation,
                  const Fill& fill) {
  const auto type = image.scalar_type();
  at::Tensor batch = image.unsqueeze(0).to(grid.scalar_type());
  if (fill.has_value()) {
    batch = at::cat({batch, at::ones({1, 1, image.size(1), image.size(2)}, batch.options())}, 1);
  }
  const int64_t mode = interpolation == Interpolation::nearest ? 1 : 0;
  batch = at::grid_sampler(batch, grid, mode, /*padding_mode=*/0, /*align_corners=*/false);
  if (fill.has_value()) {
    const int64_t channels = image.size(0);
    const at::Tensor mask = batch.slice(1, channels).expand({1, channels, batch.size(2), batch.size(3)});
    batch = batch.slice(1, 0, channels);
    const at::Tensor outside = numbers(*fill, batch.scalar_type()).view({1, -1, 1, 1}).expand_as(batch);
    batch = interpolation == Interpolation::nearest ? at::where(mask < 0.5, outside, batch)
                                                    : batch * mask + (1.0 - mask) * outside;
  }
  batch = batch.squeeze(0);
  return type == batch.scalar_type() ? batch : batch.round().to(type);
}

/// Width and height of what holds all of an image [h, w] behind the map.
std::array<int64_t, 2> expanded_size(const Matrix& matrix, int64_t w, int64_t h) {
  const double x = static_cast<double>(w), y = static_cast<double>(h);
  const auto points = numbers({-0.5 * x, -0.5 * y, 1.0, -0.5 * x, 0.5 * y, 1.0, 0.5 * x, 0.5 * y, 1.0,
                               0.5 * x, -0.5 * y, 1.0},
                              at::kFloat)
                          .view({4, 3});
  const auto moved = at::matmul(points, numbers(matrix, at::kFloat).view({2, 3}).t());
  const auto half = numbers({x * 0.5, y * 0.5}, at::kFloat);
  const auto least = std::get<0>(moved.min(0)) + half;
  const auto most = std::get<0>(moved.max(0)) + half;
  const double tolerance = 1e-4;  // so that 1e-15 too much is no further pixel
  const auto size =
      at::ceil((most / tolerance).trunc_() * tolerance) - at::floor((least / tolerance).trunc_() * tolerance);
  return {static_cast<int64_t>(size[0].item<float>()), static_cast<int64_t>(size[1].item<float>())};
}

at::Tensor theta_of(const Matrix& matrix, const at::Tensor& image) {
  return numbers(matrix, float_type(image)).reshape({1, 2, 3});
}

/// The eight numbers of (ax + by + c) / (gx + hy + 1), (dx + ey + f) / (gx + hy + 1), in float32.
std::array<double, 8> perspective_coefficients(const Corners& from, const Corners& to) {
  at::Tensor a = at::zeros({8, 8}, at::kDouble), b = at::empty({8}, at::kDouble);
  for (int64_t i = 0; i < 4; ++i) {
    const auto [x, y] = to[static_cast<size_t>(i)];
    const auto [u, v] = from[static_cast<size_t>(i)];
    double* const upper = a.mutable_data_ptr<double>() + 16 * i;
    const std::array<int64_t, 8> of_x{x, y, 1, 0, 0, 0, -u * x, -u * y},
        of_y{0, 0, 0, x, y, 1, -v * x, -v * y};
    std::copy(of_x.begin(), of_x.end(), upper);
    std::copy(of_y.begin(), of_y.end(), upper + 8);
    b.mutable_data_ptr<double>()[2 * i] = static_cast<double>(u);
    b.mutable_data_ptr<double>()[2 * i + 1] = static_cast<double>(v);
  }
  const auto solution = std::get<0>(at::linalg_lstsq(a, b, std::nullopt, "gels")).to(at::kFloat).contiguous();
  std::array<double, 8> values{};
  std::copy_n(solution.const_data_ptr<float>(), 8, values.begin());
  return values;
}

}  // namespace

Fill fill_for(const char* where, const std::vector<double>& fill, const at::Tensor& image) {
  if (fill.empty()) {
    return std::nullopt;
  }
  check_per_channel(where, "fill", fill, image);
  for (const double value : fill) {
    check_fill(where, value, image);
  }
  return fill;
}

at::Tensor affine(const at::Tensor& image, const AffineMap& map, Interpolation interpolation,
                  const Fill& fill, const std::vector<double>& center) {
  const auto matrix = inverse_matrix(centre_of(image, center), map);
  const int64_t h = image.size(1), w = image.size(2);
  return sample(image, affine_grid(theta_of(matrix, image), w, h, w, h), interpolation, fill);
}

at::Tensor rotate(const at::Tensor& image, double angle, Interpolation interpolation, const Fill& fill,
                  bool expand, const std::vector<double>& center) {
  const auto matrix = inverse_matrix(centre_of(image, center), {.angle = -angle});
  const int64_t h = image.size(1), w = image.size(2);
  const auto [ow, oh] = expand ? expanded_size(matrix, w, h) : std::array<int64_t, 2>{w, h};
  return sample(image, affine_grid(theta_of(matrix, image), w, h, ow, oh), interpolation, fill);
}

at::Tensor perspective(const at::Tensor& image, const Corners& from, const Corners& to,
                       Interpolation interpolation, const Fill& fill) {
  const auto c = perspective_coefficients(from, to);
  const int64_t h = image.size(1), w = image.size(2);
  const double d = 0.5, x = static_cast<double>(w), y = static_cast<double>(h);
  const auto type = float_type(image);
  const auto theta1 = numbers({c[0], c[1], c[2], c[3], c[4], c[5]}, type).view({1, 2, 3});
  const auto theta2 = numbers({c[6], c[7], 1.0, c[6], c[7], 1.0}, type).view({1, 2, 3});
  const auto base = base_grid(d, d, x * 1.0 + d - 1.0, y * 1.0 + d - 1.0, w, h, type);
  const auto rescaled = theta1.transpose(1, 2) / numbers({0.5 * x, 0.5 * y}, type);
  const auto grid = base.bmm(rescaled) / base.bmm(theta2.transpose(1, 2)) - 1.0;
  return sample(image, grid.view({1, h, w, 2}), interpolation, fill);
}

}  // namespace optotorch::transforms
