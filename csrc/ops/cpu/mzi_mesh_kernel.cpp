// mzi_mesh's CPU face: checks, tensors to pointers, threads. The arithmetic: lossless_mesh_kernel.cpp and
// general_mesh_kernel.cpp.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/cpu/mesh_kernels.h>
#include <optotorch/ops/cpu/mesh_products.h>
#include <optotorch/ops/detail/mzi_mesh_schema.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
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
/// for the matrix: even at 260 samples. Backward, 0.60 us against 0.31 us plus 91 us: even at 310. At 256
/// ports both are even near 1150, at 784 ports near 3200 (forward) and 3600 (backward): building costs as
/// many samples as there are ports, and a product saves a quarter of a passage.
bool matrix_pays_forward(int64_t batch, int64_t ports) {
  return batch > 4 * ports + 100;
}
bool matrix_pays_backward(int64_t batch, int64_t ports) {
  return batch > 5 * ports + 100;
}

/// Is it cheaper to carry one matrix back, and signals alone where they are wanted, than fields and signals? Measured
/// on one core with AVX2, float32: without signals even at 53 samples for 64 ports and at 80 for 128, with them at 126 and
/// 178. One thread carries the matrix, so that with several a batch must be larger; with signals it never pays beyond 128
/// ports. Of few ports its rows fill no vectors: with 8 it takes 1.3 times as long at any batch.
bool gradient_matrix_pays(int64_t batch, int64_t ports, bool to_input) {
  return to_input ? ports >= 32 && ports <= 128 && batch > 2 * ports + 64
                  : ports >= 16 && batch >= (ports <= 128 ? 2 : 3) * ports;
}

at::Tensor dense(const at::Tensor& tensor) {
  return tensor.resolve_conj().resolve_neg().contiguous();
}

/// The mesh's tensors, contiguous.
MeshTensors dense(const MeshTensors& mesh) {
  const auto each = [](const std::optional<at::Tensor>& tensor) {
    return tensor ? std::optional<at::Tensor>(dense(*tensor)) : std::nullopt;
  };
  return {dense(mesh.theta), dense(mesh.phi), each(mesh.screen), each(mesh.splitter_error),
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

// ---- One mesh -------------------------------------------------------------------------------------------

template <typename T, class Mesh>
void forward(const Mesh& mesh, const T* x, T* y, Samples batch) {
  if (matrix_pays_forward(batch.end, mesh.layout.ports)) {
    multiply<Take::transpose>(realised<T>(mesh), mesh.layout.ports, x, y, batch);
  } else {
    pass_samples<T>(mesh, x, y, batch);
  }
}

/// Runs `kernel(samples, mzi_sums, port_sums)` over the groups of a batch.
template <typename T, class Mesh, class Kernel>
GroupSums<T> sum_groups(const Mesh& mesh, Samples batch, const Kernel& kernel) {
  const int64_t tile = tile_samples<T>, tiles = (batch.end + tile - 1) / tile;
  const int64_t most = most_groups(mesh.sums() + 1);
  const int64_t tiles_per_group = std::max<int64_t>(1, (tiles + most - 1) / most);
  const int64_t groups = (tiles + tiles_per_group - 1) / tiles_per_group;
  const int64_t samples = tiles_per_group * tile;
  GroupSums<T> sums(groups, mesh.sums(), mesh.layout.ports);
  at::parallel_for(0, groups, mesh_grain<T>(mesh.mzis), [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      kernel(Samples{group * samples, std::min((group + 1) * samples, batch.end), batch.stride},
             sums.mzis(group), sums.ports(group));
    }
  });
  return sums;
}

/// The fields of a pull-back.
template <typename T>
struct Fields {
  const T *dL_doutput, *input, *output;
  T* dL_dinput;
};

/// Signals at the input, and the sums for the parameters' gradients.
template <typename T, class Mesh>
GroupSums<T> pull_back(const Mesh& mesh, const Fields<T>& fields, Samples batch) {
  const auto [g, x, y, dL_dx] = fields;
  return sum_groups<T>(mesh, batch, [&](Samples samples, T* mzi_sums, T* port_sums) {
    if constexpr (std::is_same_v<Mesh, LosslessMesh<T>>) {
      mesh.backward(g, y, dL_dx, samples, mzi_sums, port_sums);
    } else {
      mesh.backward(g, x, y, dL_dx, samples, mzi_sums, port_sums);
    }
  });
}

/// The images of the unit vectors, by a mesh that was built for the way back.
template <typename T>
AlignedArray<T> images_of(const GeneralMesh<T>& mesh, const MeshArrays<T>& /*arrays*/) {
  return realised<T>(mesh);
}
template <typename T>
AlignedArray<T> images_of(const LosslessMesh<T>& /*mesh*/, const MeshArrays<T>& arrays) {
  return realised<T>(LosslessMesh<T>(arrays, Direction::forward, Carry::fields));
}

/// The parameters' gradients by fields and signals that are carried back, or through the matrix, whose pull-back is the
/// mesh's with the unit vectors as batch.
template <typename T, class Mesh>
void backward_by_fields(const Mesh& mesh, const MeshArrays<T>& arrays, const Fields<T>& fields, Samples batch,
                        const GradientArrays<T>& gradients) {
  const int64_t ports = mesh.layout.ports;
  if (!matrix_pays_backward(batch.end, ports)) {
    mesh.parameter_gradients(pull_back(mesh, fields, batch), gradients);
    return;
  }
  const auto images = images_of(mesh, arrays);
  if (fields.dL_dinput != nullptr) {
    multiply<Take::conjugate>(images, ports, fields.dL_doutput, fields.dL_dinput, batch);
  }
  const auto dL_dimages = correlate(fields.input, fields.dL_doutput, ports, batch);
  const auto sums = pull_back<T>(mesh, {dL_dimages.get(), identity<T>(ports).get(), images.get(), nullptr},
                                 unit_samples(ports));
  mesh.parameter_gradients(sums, gradients);
}

template <typename T>
void backward(const GeneralMesh<T>& mesh, const MeshArrays<T>& arrays, const Fields<T>& fields, Samples batch,
              const GradientArrays<T>& gradients) {
  backward_by_fields(mesh, arrays, fields, batch, gradients);
}

/// As the mesh was built for.
template <typename T>
void backward(const LosslessMesh<T>& mesh, const MeshArrays<T>& arrays, const Fields<T>& fields,
              Samples batch, const GradientArrays<T>& gradients) {
  if (mesh.carry == Carry::fields_and_signals) {
    backward_by_fields(mesh, arrays, fields, batch, gradients);
    return;
  }
  const int64_t ports = mesh.layout.ports;
  const auto correlation = correlate(fields.dL_doutput, fields.output, ports, batch);
  const GroupSums<T> sums(1, mesh.sums(), ports);
  mesh.gradient_sums(correlation.get(), sums.mzis(0), sums.ports(0));
  mesh.parameter_gradients(sums, gradients);
  if (fields.dL_dinput == nullptr) {
    return;
  }
  if (matrix_pays_forward(batch.end, ports)) {
    multiply<Take::conjugate>(images_of(mesh, arrays), ports, fields.dL_doutput, fields.dL_dinput, batch);
  } else {
    pass_samples<T>(mesh, fields.dL_doutput, fields.dL_dinput, batch);
  }
}

// ---- A stack of meshes ----------------------------------------------------------------------------------

/// Calls run(m) for every mesh of a stack, in parallel: one mesh a thread as long as every thread gets one;
/// the rest one after the other, each by all threads.
template <typename T, class Run>
void for_meshes(int64_t meshes, int64_t mzis, int64_t batch, const Run& run) {
  const int64_t tiles = (batch + tile_samples<T> - 1) / tile_samples<T>;
  const int64_t rounds = meshes - meshes % at::get_num_threads();
  at::parallel_for(0, rounds, mesh_grain<T>(mzis * (tiles + 1)), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) {
      run(m);
    }
  });
  for (int64_t m = rounds; m < meshes; ++m) {
    run(m);
  }
}

/// Tensors that all meshes of a stack have, contiguous; a single mesh is a stack of one.
struct Stack {
  Stack(const at::Tensor& input, const MeshTensors& given, const MeshLayout& layout)
      : tensors(dense(given)),
        layout(layout),
        meshes(input.dim() == 3 ? input.size(1) : 1),
        mzis(layout.mzis()),
        batch{0, input.size(0), meshes * layout.ports} {}

  /// The part of mesh m of what begins at `first` and holds `each` numbers a mesh.
  template <typename T>
  static T* part(T* first, int64_t m, int64_t each) {
    return first ? first + m * each : nullptr;
  }

  MeshTensors tensors;
  MeshLayout layout;
  int64_t meshes, mzis;
  Samples batch;
};

/// Builds the kernel's mesh for every mesh m of a stack, calls `use(mesh, its arrays, m)`, and rejects
/// phases that are not finite.
template <typename T, class Use>
void with_meshes(const Stack& stack, Direction direction, Carry carry, const Use& use) {
  const bool lossless = !stack.tensors.transmission;
  if (!lossless || stack.tensors.splitter_error) {
    check_mzi_mesh_values(stack.tensors);
  }
  const auto all = arrays_of<T>(stack.tensors, stack.layout);
  std::atomic<bool> finite = true;
  for_meshes<T>(stack.meshes, stack.mzis, stack.batch.end, [&](int64_t m) {
    const MeshArrays<T> arrays{all.layout,
                               Stack::part(all.theta, m, stack.mzis),
                               Stack::part(all.phi, m, stack.mzis),
                               Stack::part(all.screen, m, stack.layout.ports),
                               Stack::part(all.splitter_error, m, 2 * stack.mzis),
                               Stack::part(all.transmission, m, 2 * stack.mzis)};
    const auto use_finite = [&](const auto& mesh) {
      if (mesh.finite()) {
        use(mesh, arrays, m);
      } else {
        finite = false;
      }
    };
    if (lossless) {
      use_finite(LosslessMesh<T>(arrays, direction, carry));
    } else {
      use_finite(GeneralMesh<T>(arrays));
    }
  });
  if (!finite) {
    check_mzi_mesh_values(stack.tensors);
  }
}

template <typename T>
at::Tensor forward(const Stack& stack, const at::Tensor& input) {
  auto output = at::empty_like(input);
  const T* x = field_data<T>(input);
  T* y = mutable_field_data<T>(output);
  with_meshes<T>(stack, Direction::forward, Carry::fields, [&](const auto& mesh, const auto&, int64_t m) {
    const int64_t at = 2 * m * stack.layout.ports;
    forward<T>(mesh, x + at, y + at, stack.batch);
  });
  return output;
}

template <typename T>
MeshGradients backward(const Stack& stack, const at::Tensor& dL_doutput, const at::Tensor& input,
                       const at::Tensor& output, bool to_input) {
  const MeshTensors& mesh = stack.tensors;
  const auto like = [&](const std::optional<at::Tensor>& tensor) {
    return tensor ? at::empty_like(*tensor) : at::empty({0}, mesh.theta.options());
  };
  const MeshGradients result{to_input ? at::empty_like(input) : at::empty({0}, input.options()),
                             like(mesh.theta),
                             like(mesh.phi),
                             like(mesh.screen),
                             like(mesh.splitter_error),
                             like(mesh.transmission)};
  const auto data = [](const at::Tensor& gradient, const std::optional<at::Tensor>& of) {
    return of ? gradient.mutable_data_ptr<T>() : nullptr;
  };
  const GradientArrays<T> all{data(result.dL_dtheta, mesh.theta), data(result.dL_dphi, mesh.phi),
                              data(result.dL_dscreen, mesh.screen),
                              data(result.dL_dsplitter_error, mesh.splitter_error),
                              data(result.dL_dtransmission, mesh.transmission)};
  const Fields<T> fields{field_data<T>(dL_doutput), field_data<T>(input), field_data<T>(output),
                         to_input ? mutable_field_data<T>(result.dL_dinput) : nullptr};
  const auto carry = gradient_matrix_pays(input.size(0), stack.layout.ports, to_input)
                         ? Carry::matrix
                         : Carry::fields_and_signals;
  with_meshes<T>(stack, Direction::backward, carry, [&](const auto& built, const auto& arrays, int64_t m) {
    const int64_t at = 2 * m * stack.layout.ports;
    const Fields<T> own{fields.dL_doutput + at, fields.input + at, fields.output + at,
                        to_input ? fields.dL_dinput + at : nullptr};
    const GradientArrays<T> gradients{
        Stack::part(all.theta, m, stack.mzis), Stack::part(all.phi, m, stack.mzis),
        Stack::part(all.screen, m, stack.layout.ports), Stack::part(all.splitter_error, m, 2 * stack.mzis),
        Stack::part(all.transmission, m, 2 * stack.mzis)};
    backward<T>(built, arrays, own, stack.batch, gradients);
  });
  return result;
}

at::Tensor mzi_mesh_cpu(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                        const std::optional<at::Tensor>& screen,
                        const std::optional<at::Tensor>& splitter_error,
                        const std::optional<at::Tensor>& transmission, std::string_view grid, int64_t columns,
                        std::string_view arm, std::string_view zero, std::string_view idle) {
  const auto layout = layout_from_schema(input, grid, columns, arm, zero, idle);
  const MeshTensors given{theta, phi, screen, splitter_error, transmission};
  check_mzi_mesh(input, given, layout);
  const Stack stack(input, given, layout);
  const auto x = dense(input);
  return x.scalar_type() == at::kComplexFloat ? forward<float>(stack, x) : forward<double>(stack, x);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor> mzi_mesh_backward_cpu(
    const at::Tensor& dL_doutput, const at::Tensor& input, const at::Tensor& output, const at::Tensor& theta,
    const at::Tensor& phi, const std::optional<at::Tensor>& screen,
    const std::optional<at::Tensor>& splitter_error, const std::optional<at::Tensor>& transmission,
    std::string_view grid, int64_t columns, std::string_view arm, std::string_view zero,
    std::string_view idle, bool to_input) {
  const auto layout = layout_from_schema(input, grid, columns, arm, zero, idle);
  const MeshTensors given{theta, phi, screen, splitter_error, transmission};
  check_mzi_mesh_backward(dL_doutput, input, output, given, layout);
  const Stack stack(input, given, layout);
  const auto g = dense(dL_doutput), x = dense(input), y = dense(output);
  const MeshGradients d = x.scalar_type() == at::kComplexFloat ? backward<float>(stack, g, x, y, to_input)
                                                               : backward<double>(stack, g, x, y, to_input);
  return {d.dL_dinput, d.dL_dtheta, d.dL_dphi, d.dL_dscreen, d.dL_dsplitter_error, d.dL_dtransmission};
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("mzi_mesh", mzi_mesh_cpu);
  library.impl("mzi_mesh_backward", mzi_mesh_backward_cpu);
}

}  // namespace
}  // namespace optotorch::ops
