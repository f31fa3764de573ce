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
/// a group is depends on the batch alone: results do not depend on the number of threads.
constexpr int64_t most_groups = 16;

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

template <typename T, class Mesh>
at::Tensor forward(const Mesh& mesh, const at::Tensor& input) {
  const int64_t batch = input.size(0), tile = tile_samples<T>;
  auto output = at::empty_like(input);
  const T* x = field_data<T>(input);
  T* y = mutable_field_data<T>(output);
  at::parallel_for(0, (batch + tile - 1) / tile, grain<T>(mesh.mzis), [&](int64_t begin, int64_t end) {
    mesh.forward(x, y, {begin * tile, std::min(end * tile, batch)});
  });
  return output;
}

/// Sums over the batch that the parameters' gradients are made of.
struct Sums {
  std::vector<double> mzis, ports;
};

/// Runs `kernel(samples, mzi_sums, port_sums)` over the groups of a batch and adds up what they return.
template <typename T, class Mesh, class Kernel>
Sums sum_groups(const Mesh& mesh, int64_t batch, const Kernel& kernel) {
  const int64_t tile = tile_samples<T>, tiles = (batch + tile - 1) / tile;
  const int64_t tiles_per_group = std::max<int64_t>(1, (tiles + most_groups - 1) / most_groups);
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

template <typename T>
MeshGradients backward(const IdealMesh<T>& mesh, const at::Tensor& dL_doutput, const at::Tensor& input,
                       const at::Tensor& output, const MeshTensors& tensors) {
  auto gradients = empty_gradients(input, tensors);
  const T *g = field_data<T>(dL_doutput), *y = field_data<T>(output);
  T* dL_dx = mutable_field_data<T>(gradients.dL_dinput);
  const auto sums = sum_groups<T>(mesh, input.size(0), [&](Samples samples, T* mzi_sums, T* port_sums) {
    mesh.backward(g, y, dL_dx, samples, mzi_sums, port_sums);
  });
  mesh.parameter_gradients(sums.mzis.data(), sums.ports.data(), gradients.dL_dtheta.mutable_data_ptr<T>(),
                           gradients.dL_dphi.mutable_data_ptr<T>(),
                           data_if<T>(gradients.dL_dscreen, tensors.screen));
  return gradients;
}

template <typename T>
MeshGradients backward(const GeneralMesh<T>& mesh, const at::Tensor& dL_doutput, const at::Tensor& input,
                       const at::Tensor& output, const MeshTensors& tensors) {
  auto gradients = empty_gradients(input, tensors);
  const T *g = field_data<T>(dL_doutput), *x = field_data<T>(input), *y = field_data<T>(output);
  T* dL_dx = mutable_field_data<T>(gradients.dL_dinput);
  const auto sums = sum_groups<T>(mesh, input.size(0), [&](Samples samples, T* mzi_sums, T* port_sums) {
    mesh.backward(g, x, y, dL_dx, samples, mzi_sums, port_sums);
  });
  mesh.parameter_gradients(sums.mzis.data(), sums.ports.data(), gradients.dL_dtheta.mutable_data_ptr<T>(),
                           gradients.dL_dphi.mutable_data_ptr<T>(),
                           data_if<T>(gradients.dL_dscreen, tensors.screen),
                           data_if<T>(gradients.dL_dsplitter_error, tensors.splitter_error),
                           data_if<T>(gradients.dL_dtransmission, tensors.transmission));
  return gradients;
}

/// Builds the kernel's mesh, calls `use` with it, and rejects phases that are not finite.
template <typename T, class Use>
auto with_mesh(const MeshTensors& mesh, const MeshLayout& layout, Direction direction, const Use& use) {
  const auto checked = [&](const auto& built) {
    if (!built.finite()) {
      check_mzi_mesh_values(mesh);
    }
    return use(built);
  };
  const auto arrays = arrays_of<T>(mesh, layout);
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
                            [&](const auto& built) { return forward<float>(built, x); });
  }
  return with_mesh<double>(mesh, layout, Direction::forward,
                           [&](const auto& built) { return forward<double>(built, x); });
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
    d = with_mesh<float>(mesh, layout, Direction::backward,
                         [&](const auto& built) { return backward(built, g, x, y, mesh); });
  } else {
    d = with_mesh<double>(mesh, layout, Direction::backward,
                          [&](const auto& built) { return backward(built, g, x, y, mesh); });
  }
  return {d.dL_dinput, d.dL_dtheta, d.dL_dphi, d.dL_dscreen, d.dL_dsplitter_error, d.dL_dtransmission};
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("mzi_mesh", mzi_mesh_cpu);
  library.impl("mzi_mesh_backward", mzi_mesh_backward_cpu);
}

}  // namespace
}  // namespace optotorch::ops
