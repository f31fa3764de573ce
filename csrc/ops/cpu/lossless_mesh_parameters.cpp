// From the sums over the batch of a LosslessMesh to the gradients of its parameters: weights, which its coefficients came
// with (lossless_mzi-inl.h), times sums.

#include <ATen/Parallel.h>
#include <optotorch/ops/cpu/mesh_kernels.h>

#include <algorithm>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/lossless_mesh_parameters.cpp"
#include <hwy/foreach_target.h>
#include <optotorch/ops/cpu/mesh_simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

/// total[i] = the sum over the groups, in their order, of their numbers [begin, end).
template <typename T>
void add_groups(const GroupSums<T>& sums, int64_t begin, int64_t end, double* total) {
  const D64 d;
  std::fill(total, total + (end - begin) + kernel_padding, 0.0);
  for (int64_t group = 0; group < sums.groups; ++group) {
    const T* const part = sums.mzis(group) + begin;
    for (int64_t i = 0; i < end - begin; i += hn::Lanes(d)) {
      hn::StoreU(hn::Add(hn::LoadU(d, total + i), load_double(part + i)), d, total + i);
    }
  }
}

/// Gradients of the MZIs of the columns that are swept together, in the order of the sweep.
template <typename T>
void sweep_gradients(const LosslessMesh<T>& mesh, int64_t sweep, const GroupSums<T>& sums,
                     const GradientArrays<T>& gradients) {
  const int64_t begin = sweep * LosslessMesh<T>::depth;
  const int64_t end = std::min(begin + LosslessMesh<T>::depth, mesh.layout.columns);
  const T* const weight = mesh.weights.get();
  AlignedArray<double> total(4 * mesh.longest_run());
  for (int64_t band = 0; band < mesh.bands; ++band) {
    for (int64_t step = begin; step < end; ++step) {
      const int64_t c = mesh.column(step);
      const auto run = mesh.run(step, band);
      const int64_t count = std::max<int64_t>(0, (run.end - run.begin + 1) / 2);
      const int64_t mzi = mesh.first_mzi(c) + (run.begin - MeshLayout::first_port(c)) / 2;
      add_groups(sums, 4 * run.row, 4 * (run.row + count), total.get());
      for (int64_t i = 0; i < count; ++i) {
        const double* const sum = total.get() + 4 * i;
        const T* const by = weight + run.row + i;
        const auto row = [&](int64_t number) { return static_cast<double>(by[number * mesh.stride]); };
        if (!mesh.has_errors) {
          gradients.theta[mzi + i] = static_cast<T>(row(0) * sum[0] + row(1) * sum[1]);
          gradients.phi[mzi + i] = static_cast<T>(row(2) * sum[2]);
          continue;
        }
        const auto by_four = [&](int64_t first) {
          return row(first) * sum[0] + row(first + 1) * sum[1] + row(first + 2) * sum[2] +
                 row(first + 3) * sum[3];
        };
        gradients.theta[mzi + i] = static_cast<T>(by_four(0));
        gradients.splitter_error[2 * (mzi + i)] = static_cast<T>(by_four(4));
        gradients.splitter_error[2 * (mzi + i) + 1] = static_cast<T>(row(8) * sum[0] + row(9) * sum[1]);
        gradients.phi[mzi + i] = static_cast<T>(by_four(10));
      }
    }
  }
}

void sweep_gradients_f32(const LosslessMesh<float>& mesh, int64_t sweep, const GroupSums<float>& sums,
                         const GradientArrays<float>& gradients) {
  sweep_gradients(mesh, sweep, sums, gradients);
}
void sweep_gradients_f64(const LosslessMesh<double>& mesh, int64_t sweep, const GroupSums<double>& sums,
                         const GradientArrays<double>& gradients) {
  sweep_gradients(mesh, sweep, sums, gradients);
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(sweep_gradients_f32);
HWY_EXPORT(sweep_gradients_f64);

template <typename T>
void LosslessMesh<T>::parameter_gradients(const GroupSums<T>& sums,
                                          const GradientArrays<T>& gradients) const {
  const int64_t sweeps = (layout.columns + depth - 1) / depth;
  at::parallel_for(0, sweeps, std::max<int64_t>(1, thread_mzis * sweeps / std::max<int64_t>(mzis, 1)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t sweep = begin; sweep < end; ++sweep) {
                       if constexpr (std::is_same_v<T, float>) {
                         HWY_DYNAMIC_DISPATCH(sweep_gradients_f32)(*this, sweep, sums, gradients);
                       } else {
                         HWY_DYNAMIC_DISPATCH(sweep_gradients_f64)(*this, sweep, sums, gradients);
                       }
                     }
                   });
  if (gradients.screen) {
    sums.add_ports(layout.ports, gradients.screen);
  }
}

template void LosslessMesh<float>::parameter_gradients(const GroupSums<float>&,
                                                       const GradientArrays<float>&) const;
template void LosslessMesh<double>::parameter_gradients(const GroupSums<double>&,
                                                        const GradientArrays<double>&) const;

}  // namespace optotorch::ops
#endif
