#include <ATen/ATen.h>
#include <optotorch/ops/mzi.h>
#include <optotorch/ops/mzi_mesh_schema.h>
#include <torch/library.h>

#include <vector>

namespace optotorch::ops {
namespace {

using Complex = std::complex<double>;

std::vector<Mzi> mzis_of(const MeshTensors& mesh, const MeshLayout& layout) {
  const int64_t count = layout.mzis();
  std::vector<Mzi> mzis(count);
  const auto theta = mesh.theta.to(at::kDouble).contiguous();
  const auto phi = mesh.phi.to(at::kDouble).contiguous();
  const auto e = mesh.splitter_error ? mesh.splitter_error->to(at::kDouble).contiguous() : at::Tensor();
  const auto t = mesh.transmission ? mesh.transmission->to(at::kDouble).contiguous() : at::Tensor();
  for (int64_t k = 0; k < count; ++k) {
    mzis[k].theta = theta.const_data_ptr<double>()[k];
    mzis[k].phi = phi.const_data_ptr<double>()[k];
    if (e.defined()) {
      mzis[k].error_left = e.const_data_ptr<double>()[2 * k];
      mzis[k].error_right = e.const_data_ptr<double>()[2 * k + 1];
    }
    if (t.defined()) {
      mzis[k].upper_transmission = t.const_data_ptr<double>()[2 * k];
      mzis[k].lower_transmission = t.const_data_ptr<double>()[2 * k + 1];
    }
  }
  return mzis;
}

/// states[c] is the field before column c; returns all K + 1 of them, after/before the screen.
at::Tensor mzi_mesh_cpu(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                        const std::optional<at::Tensor>& screen,
                        const std::optional<at::Tensor>& splitter_error,
                        const std::optional<at::Tensor>& transmission, std::string_view grid, int64_t columns,
                        std::string_view arm, std::string_view zero, std::string_view idle) {
  const auto layout = layout_from_schema(input.size(-1), grid, columns, arm, zero, idle);
  return mzi_mesh_reference(input, {theta, phi, screen, splitter_error, transmission}, layout);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> mzi_mesh_backward_cpu(
    const at::Tensor& dL_doutput, const at::Tensor& input, const at::Tensor& output, const at::Tensor& theta,
    const at::Tensor& phi, const std::optional<at::Tensor>& screen,
    const std::optional<at::Tensor>& splitter_error, const std::optional<at::Tensor>& transmission,
    std::string_view grid, int64_t columns, std::string_view arm, std::string_view zero,
    std::string_view idle) {
  const auto layout = layout_from_schema(input.size(-1), grid, columns, arm, zero, idle);
  const MeshTensors mesh{theta, phi, screen, splitter_error, transmission};
  check_mzi_mesh(input, mesh, layout);
  const auto mzis = mzis_of(mesh, layout);
  std::vector<Matrix2> matrices, dL_dT(mzis.size());
  for (const auto& m : mzis) matrices.push_back(mzi_matrix(m, layout));
  const bool before = layout.phi_arm == PhiArm::output;
  const Complex idle_factor = layout.idle_port == IdlePort::wire ? Complex(1) : Complex(0, -1);
  const auto x = input.to(at::kComplexDouble).contiguous();
  auto g = dL_doutput.to(at::kComplexDouble).contiguous().clone();
  const int64_t batch = x.size(0), ports = layout.ports;
  std::vector<Complex> s(ports, 1.0);
  std::vector<double> dL_ds(ports, 0);
  if (screen) {
    const auto angle = screen->to(at::kDouble).contiguous();
    for (int64_t p = 0; p < ports; ++p) s[p] = std::polar(1.0, angle.const_data_ptr<double>()[p]);
  }
  std::vector<Complex> states((layout.columns + 1) * ports);
  for (int64_t b = 0; b < batch; ++b) {
    const auto* xb = reinterpret_cast<const Complex*>(x.const_data_ptr<c10::complex<double>>()) + b * ports;
    auto* gb = reinterpret_cast<Complex*>(g.mutable_data_ptr<c10::complex<double>>()) + b * ports;
    for (int64_t p = 0; p < ports; ++p) states[p] = before ? s[p] * xb[p] : xb[p];
    int64_t k = 0;
    for (int64_t c = 0; c < layout.columns; ++c) {
      const Complex* in = &states[c * ports];
      Complex* out = &states[(c + 1) * ports];
      for (int64_t p = 0; p < ports; ++p) out[p] = idle_factor * in[p];
      for (int64_t j = 0; j < layout.pairs(c); ++j, ++k) {
        const int64_t u = layout.first_port(c) + 2 * j;
        out[u] = matrices[k].uu * in[u] + matrices[k].ul * in[u + 1];
        out[u + 1] = matrices[k].lu * in[u] + matrices[k].ll * in[u + 1];
      }
    }
    if (!before) {
      for (int64_t p = 0; p < ports; ++p) {
        dL_ds[p] += (std::conj(gb[p]) * Complex(0, 1) * s[p] * states[layout.columns * ports + p]).real();
        gb[p] *= std::conj(s[p]);
      }
    }
    for (int64_t c = layout.columns - 1; c >= 0; --c) {
      k -= layout.pairs(c);
      const Complex* in = &states[c * ports];
      std::vector<Complex> next(ports);
      for (int64_t p = 0; p < ports; ++p) next[p] = std::conj(idle_factor) * gb[p];
      for (int64_t j = 0; j < layout.pairs(c); ++j) {
        const int64_t u = layout.first_port(c) + 2 * j;
        auto& d = dL_dT[k + j];
        const auto& t = matrices[k + j];
        d.uu += gb[u] * std::conj(in[u]);
        d.ul += gb[u] * std::conj(in[u + 1]);
        d.lu += gb[u + 1] * std::conj(in[u]);
        d.ll += gb[u + 1] * std::conj(in[u + 1]);
        next[u] = std::conj(t.uu) * gb[u] + std::conj(t.lu) * gb[u + 1];
        next[u + 1] = std::conj(t.ul) * gb[u] + std::conj(t.ll) * gb[u + 1];
      }
      std::copy(next.begin(), next.end(), gb);
    }
    if (before) {
      for (int64_t p = 0; p < ports; ++p) {
        dL_ds[p] += (std::conj(gb[p]) * Complex(0, 1) * states[p]).real();
        gb[p] *= std::conj(s[p]);
      }
    }
  }
  const int64_t count = layout.mzis();
  auto d_theta = at::empty({count}, at::kDouble), d_phi = at::empty({count}, at::kDouble);
  auto d_e = at::empty({splitter_error ? count : 0, 2}, at::kDouble);
  auto d_t = at::empty({transmission ? count : 0, 2}, at::kDouble);
  for (int64_t k = 0; k < count; ++k) {
    const Mzi d = mzi_pullback(mzis[k], layout, dL_dT[k]);
    d_theta.mutable_data_ptr<double>()[k] = d.theta;
    d_phi.mutable_data_ptr<double>()[k] = d.phi;
    if (splitter_error) {
      d_e.mutable_data_ptr<double>()[2 * k] = d.error_left;
      d_e.mutable_data_ptr<double>()[2 * k + 1] = d.error_right;
    }
    if (transmission) {
      d_t.mutable_data_ptr<double>()[2 * k] = d.upper_transmission;
      d_t.mutable_data_ptr<double>()[2 * k + 1] = d.lower_transmission;
    }
  }
  const auto type = theta.scalar_type();
  const auto absent = at::empty({0}, theta.options());
  const auto d_s = at::tensor(at::ArrayRef<double>(dL_ds), at::kDouble).to(type);
  return {g.to(input.scalar_type()),
          d_theta.to(type),
          d_phi.to(type),
          screen ? d_s : absent,
          splitter_error ? d_e.to(type) : absent,
          transmission ? d_t.to(type) : absent};
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("mzi_mesh", mzi_mesh_cpu);
  library.impl("mzi_mesh_backward", mzi_mesh_backward_cpu);
}

}  // namespace
}  // namespace optotorch::ops
