// mzi_mesh's CPU face: checks, tensors to pointers, threads. The arithmetic: ideal_mesh_kernel.cpp and
// general_mesh_kernel.cpp.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/cpu/mesh_kernels.h>
#include <optotorch/ops/mzi_mesh_schema.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

namespace optotorch::ops {
namespace {

/// Parameter gradients are summed over groups of tiles in T, then over the groups, in order, in double. What
/// a group is depends on the mesh and the batch alone: results do not depend on the number of threads. Few
/// groups where their sums are large: they would leave the cache.
int64_t most_groups(int64_t sums) {
  return std::clamp<int64_t>((int64_t{1} << 19) / sums, 4, 16);
}

/// Is it cheaper to build the matrix once and to multiply? Measured on one core of a Zen 5 processor with
/// AVX-512, float32, for 64 ports: forward, 0.26 us a sample through the mesh, 0.15 us a sample plus 29 us
/// for the matrix: even at 260 samples. Backward, 0.60 us against 0.31 us plus 91 us: even at 310. Smaller
/// meshes pay more for the tensors in between.
bool matrix_pays_forward(int64_t batch, int64_t ports) {
  return batch > 4 * ports + 100;
}
bool matrix_pays_backward(int64_t batch, int64_t ports) {
  return batch > 5 * ports + 100;
}

at::Tensor plain(const at::Tensor& tensor) {
  return tensor.resolve_conj().resolve_neg().contiguous();
}

/// The mesh's tensors, contiguous.
MeshTensors plain(const MeshTensors& mesh) {
  const auto each = [](const std::optional<at::Tensor>& tensor) {
    return tensor ? std::optional<at::Tensor>(plain(*tensor)) : std::nullopt;
  };
  return {plain(mesh.theta), plain(mesh.phi), each(mesh.screen), each(mesh.splitter_error),
          each(mesh.transmission)};
}

template <typename T>
MeshArrays<T> arrays_of(const MeshTensors& mesh, const MeshLayout& layout) {
  const auto data = [](const std::optional<at::Tensor>& tensor) {
    return tensor ? tensor->const_data_ptr<T>() : nullptr;
  };
  return {layout,
          mesh.theta.const_data_ptr<T>(),
          mesh.phi.const_data_ptr<T>(),
          data(mesh.screen),
          data(mesh.splitter_error),
          data(mesh.transmission)};
}

template <typename T>
const T* field_data(const at::Tensor& field) {
  return reinterpret_cast<const T*>(field.const_data_ptr<c10::complex<T>>());
}
template <typename T>
T* mutable_field_data(const at::Tensor& field) {
  return reinterpret_cast<T*>(field.mutable_data_ptr<c10::complex<T>>());
}

/// Samples whose passage is worth a thread of its own: some 20 microseconds of arithmetic.
template <typename T>
int64_t grain(int64_t mzis) {
  return std::max<int64_t>(1, 2000 / std::max<int64_t>(mzis, 1));
}

/// Calls run(samples) for parts of a batch, whole tiles, in parallel.
template <typename T, class Run>
void for_samples(int64_t batch, int64_t mzis, const Run& run) {
  constexpr int64_t tile = tile_samples<T>;
  at::parallel_for(0, (batch + tile - 1) / tile, grain<T>(mzis), [&](int64_t begin, int64_t end) {
    run(Samples{begin * tile, std::min(end * tile, batch)});
  });
}

/// The mesh on every sample.
template <typename T, class Mesh>
at::Tensor pass_samples(const Mesh& mesh, const at::Tensor& input) {
  auto output = at::empty_like(input);
  const T* x = field_data<T>(input);
  T* y = mutable_field_data<T>(output);
  for_samples<T>(input.size(0), mesh.mzis, [&](Samples samples) { mesh.forward(x, y, samples); });
  return output;
}

/// The transpose of the matrix that the mesh realises: the images of the unit vectors, [ports, ports].
template <typename T, class Mesh>
at::Tensor realised(const Mesh& mesh, const at::Tensor& input) {
  return pass_samples<T>(mesh, at::eye(mesh.layout.ports, input.options()));
}

/// M x of every sample x.
template <typename T>
at::Tensor multiply(const at::Tensor& matrix, const at::Tensor& input) {
  const auto parts = at::view_as_real(matrix.resolve_conj());
  const auto re = parts.select(2, 0).contiguous(), im = parts.select(2, 1).contiguous();
  auto output = at::empty_like(input);
  const T *m_re = re.const_data_ptr<T>(), *m_im = im.const_data_ptr<T>(), *x = field_data<T>(input);
  T* y = mutable_field_data<T>(output);
  const int64_t ports = input.size(1);
  for_samples<T>(input.size(0), ports * ports / 2,
                 [&](Samples samples) { multiply_samples(m_re, m_im, ports, x, y, samples); });
  return output;
}

/// sum over samples of conj(x)_q g_p, [ports q, ports p]: the gradient by what `realised` returns.
template <typename T>
at::Tensor correlate(const at::Tensor& input, const at::Tensor& dL_doutput) {
  const int64_t ports = input.size(1), batch = input.size(0), padded = padded_ports<T>(ports);
  const AlignedArray<T> planes(2 * padded * batch);
  const T *x = field_data<T>(input), *g = field_data<T>(dL_doutput);
  for_samples<T>(batch, ports, [&](Samples samples) { split_rows(g, ports, samples, planes.get()); });
  const auto result = at::empty({ports, 2, padded}, at::view_as_real(input).options());
  T* const rows = result.template mutable_data_ptr<T>();
  constexpr int64_t block = 16;
  at::parallel_for(0, (ports + block - 1) / block, 1, [&](int64_t begin, int64_t end) {
    correlate_rows(x, planes.get(), ports, batch, begin * block, std::min(end * block, ports), rows);
  });
  return at::complex(result.select(1, 0), result.select(1, 1)).narrow(1, 0, ports).contiguous();
}

template <typename T, class Mesh>
at::Tensor forward(const Mesh& mesh, const at::Tensor& input) {
  if (matrix_pays_forward(input.size(0), input.size(1))) {
    return multiply<T>(realised<T>(mesh, input).t(), input);
  }
  return pass_samples<T>(mesh, input);
}

/// Sums over the batch that the parameters' gradients are made of.
struct Sums {
  std::vector<double> mzis, ports;
};

/// Runs `kernel(samples, mzi_sums, port_sums)` over the groups of a batch and adds up what they return.
template <typename T, class Mesh, class Kernel>
Sums sum_groups(const Mesh& mesh, int64_t batch, const Kernel& kernel) {
  const int64_t tile = tile_samples<T>, tiles = (batch + tile - 1) / tile;
  const int64_t most = most_groups(mesh.sums() + 1);
  const int64_t tiles_per_group = std::max<int64_t>(1, (tiles + most - 1) / most);
  const int64_t groups = (tiles + tiles_per_group - 1) / tiles_per_group;
  const int64_t samples = tiles_per_group * tile, ports = mesh.layout.ports;
  const int64_t size = mesh.sums(), stride = size + ports + 2 * kernel_padding;
  const AlignedArray<T> partial(groups * stride);
  at::parallel_for(0, groups, grain<T>(mesh.mzis), [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      T* const sums = partial.get() + group * stride;
      kernel(Samples{group * samples, std::min((group + 1) * samples, batch)}, sums,
             sums + size + kernel_padding);
    }
  });
  Sums total{std::vector<double>(size), std::vector<double>(ports)};
  for (int64_t group = 0; group < groups; ++group) {
    const T* const sums = partial.get() + group * stride;
    for (int64_t k = 0; k < size; ++k) {
      total.mzis[k] += sums[k];
    }
    for (int64_t p = 0; p < ports; ++p) {
      total.ports[p] += sums[size + kernel_padding + p];
    }
  }
  return total;
}

MeshGradients empty_gradients(const at::Tensor& input, const MeshTensors& mesh) {
  const auto like = [&](const std::optional<at::Tensor>& tensor) {
    return tensor ? at::empty_like(*tensor) : at::empty({0}, mesh.theta.options());
  };
  return {at::empty_like(input), like(mesh.theta),          like(mesh.phi),
          like(mesh.screen),     like(mesh.splitter_error), like(mesh.transmission)};
}

template <typename T>
T* data_if(const at::Tensor& gradient, const std::optional<at::Tensor>& of) {
  return of ? gradient.mutable_data_ptr<T>() : nullptr;
}

/// Signals at the input, and the sums for the parameters' gradients.
template <typename T, class Mesh>
Sums pull_back(const Mesh& mesh, const at::Tensor& dL_doutput, const at::Tensor& input,
               const at::Tensor& output, const at::Tensor& dL_dinput) {
  const T *g = field_data<T>(dL_doutput), *x = field_data<T>(input), *y = field_data<T>(output);
  T* dL_dx = mutable_field_data<T>(dL_dinput);
  return sum_groups<T>(mesh, input.size(0), [&](Samples samples, T* mzi_sums, T* port_sums) {
    if constexpr (std::is_same_v<Mesh, IdealMesh<T>>) {
      mesh.backward(g, y, dL_dx, samples, mzi_sums, port_sums);
    } else {
      mesh.backward(g, x, y, dL_dx, samples, mzi_sums, port_sums);
    }
  });
}

template <typename T, class Mesh>
MeshGradients backward(const Mesh& mesh, const at::Tensor& dL_doutput, const at::Tensor& input,
                       const at::Tensor& output, const MeshTensors& tensors, const MeshArrays<T>& arrays) {
  auto gradients = empty_gradients(input, tensors);
  Sums sums;
  if (matrix_pays_backward(input.size(0), input.size(1))) {
    const auto matrix = [&] {
      if constexpr (std::is_same_v<Mesh, IdealMesh<T>>) {
        return realised<T>(IdealMesh<T>(arrays, Direction::forward), input);
      } else {
        return realised<T>(mesh, input);
      }
    }();
    gradients.dL_dinput = multiply<T>(matrix.conj(), dL_doutput);
    sums = pull_back<T>(mesh, correlate<T>(input, dL_doutput), at::eye(input.size(1), input.options()),
                        matrix, at::empty_like(matrix));
  } else {
    sums = pull_back<T>(mesh, dL_doutput, input, output, gradients.dL_dinput);
  }
  T* const dL_dtheta = gradients.dL_dtheta.template mutable_data_ptr<T>();
  T* const dL_dphi = gradients.dL_dphi.template mutable_data_ptr<T>();
  T* const dL_dscreen = data_if<T>(gradients.dL_dscreen, tensors.screen);
  if constexpr (std::is_same_v<Mesh, IdealMesh<T>>) {
    mesh.parameter_gradients(sums.mzis.data(), sums.ports.data(), dL_dtheta, dL_dphi, dL_dscreen);
  } else {
    mesh.parameter_gradients(sums.mzis.data(), sums.ports.data(), dL_dtheta, dL_dphi, dL_dscreen,
                             data_if<T>(gradients.dL_dsplitter_error, tensors.splitter_error),
                             data_if<T>(gradients.dL_dtransmission, tensors.transmission));
  }
  return gradients;
}

/// Builds the kernel's mesh, calls `use` with it, and rejects phases that are not finite.
template <typename T, class Use>
auto with_mesh(const MeshTensors& mesh, const MeshLayout& layout, Direction direction, const Use& use) {
  const auto arrays = arrays_of<T>(mesh, layout);
  const auto checked = [&](const auto& built) {
    if (!built.finite()) {
      check_mzi_mesh_values(mesh);
    }
    return use(built, arrays);
  };
  if (mesh.splitter_error || mesh.transmission) {
    check_mzi_mesh_values(mesh);
    return checked(GeneralMesh<T>(arrays));
  }
  return checked(IdealMesh<T>(arrays, direction));
}

at::Tensor mzi_mesh_cpu(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                        const std::optional<at::Tensor>& screen,
                        const std::optional<at::Tensor>& splitter_error,
                        const std::optional<at::Tensor>& transmission, std::string_view grid, int64_t columns,
                        std::string_view arm, std::string_view zero, std::string_view idle) {
  const auto layout = layout_from_schema(input.size(-1), grid, columns, arm, zero, idle);
  const MeshTensors given{theta, phi, screen, splitter_error, transmission};
  check_mzi_mesh(input, given, layout);
  const auto x = plain(input);
  const auto mesh = plain(given);
  if (input.scalar_type() == at::kComplexFloat) {
    return with_mesh<float>(mesh, layout, Direction::forward,
                            [&](const auto& built, const auto&) { return forward<float>(built, x); });
  }
  return with_mesh<double>(mesh, layout, Direction::forward,
                           [&](const auto& built, const auto&) { return forward<double>(built, x); });
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> mzi_mesh_backward_cpu(
    const at::Tensor& dL_doutput, const at::Tensor& input, const at::Tensor& output, const at::Tensor& theta,
    const at::Tensor& phi, const std::optional<at::Tensor>& screen,
    const std::optional<at::Tensor>& splitter_error, const std::optional<at::Tensor>& transmission,
    std::string_view grid, int64_t columns, std::string_view arm, std::string_view zero,
    std::string_view idle) {
  const auto layout = layout_from_schema(input.size(-1), grid, columns, arm, zero, idle);
  const MeshTensors given{theta, phi, screen, splitter_error, transmission};
  check_mzi_mesh(input, given, layout);
  const auto check_field = [&](const char* argument, const at::Tensor& field) {
    OPTOTORCH_CHECK(field.scalar_type() == input.scalar_type() && field.sizes() == input.sizes(),
                    .where = "mzi_mesh_backward", .argument = argument, .expected = describe(input),
                    .got = describe(field), .remedy = "It has the shape and type of the input");
  };
  check_field("dL_doutput", dL_doutput);
  check_field("output", output);
  const auto g = plain(dL_doutput), x = plain(input), y = plain(output);
  const auto mesh = plain(given);
  MeshGradients d;
  if (input.scalar_type() == at::kComplexFloat) {
    d = with_mesh<float>(mesh, layout, Direction::backward, [&](const auto& built, const auto& arrays) {
      return backward(built, g, x, y, mesh, arrays);
    });
  } else {
    d = with_mesh<double>(mesh, layout, Direction::backward, [&](const auto& built, const auto& arrays) {
      return backward(built, g, x, y, mesh, arrays);
    });
  }
  return {d.dL_dinput, d.dL_dtheta, d.dL_dphi, d.dL_dscreen, d.dL_dsplitter_error, d.dL_dtransmission};
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("mzi_mesh", mzi_mesh_cpu);
  library.impl("mzi_mesh_backward", mzi_mesh_backward_cpu);
}

}  // namespace
}  // namespace optotorch::ops
