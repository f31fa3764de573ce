#pragma once

// A batch through a mesh, or through the matrix that it realises, in parallel: what mzi_mesh's CPU face is made of.

#include <ATen/Parallel.h>
#include <optotorch/ops/cpu/mesh_kernels.h>

#include <algorithm>
#include <cstdint>

namespace optotorch::ops {

/// Samples whose passage is worth a thread of its own: some 20 microseconds of arithmetic.
template <typename T>
int64_t mesh_grain(int64_t mzis) {
  return std::max<int64_t>(1, 2000 / std::max<int64_t>(mzis, 1));
}

/// Calls run(samples) for parts of a batch, whole tiles, in parallel.
template <typename T, class Run>
void for_samples(Samples batch, int64_t mzis, const Run& run) {
  constexpr int64_t tile = tile_samples<T>;
  at::parallel_for(0, (batch.end + tile - 1) / tile, mesh_grain<T>(mzis), [&](int64_t begin, int64_t end) {
    run(Samples{begin * tile, std::min(end * tile, batch.end), batch.stride});
  });
}

/// The mesh on every sample.
template <typename T, class Mesh>
void pass_samples(const Mesh& mesh, const T* x, T* y, Samples batch) {
  for_samples<T>(batch, mesh.mzis, [&](Samples samples) { mesh.forward(x, y, samples); });
}

/// The rows of a square field: one sample for every port.
inline Samples unit_samples(int64_t ports) {
  return {0, ports, ports};
}

template <typename T>
AlignedArray<T> identity(int64_t ports) {
  AlignedArray<T> rows(2 * ports * ports);
  std::fill(rows.get(), rows.get() + 2 * ports * ports, T(0));
  for (int64_t p = 0; p < ports; ++p) {
    rows[2 * p * (ports + 1)] = 1;
  }
  return rows;
}

/// The images of the unit vectors, one a row: the transpose of the matrix that the mesh realises.
template <typename T, class Mesh>
AlignedArray<T> realised(const Mesh& mesh) {
  const int64_t ports = mesh.layout.ports;
  AlignedArray<T> images(2 * ports * ports);
  pass_samples<T>(mesh, identity<T>(ports).get(), images.get(), unit_samples(ports));
  return images;
}

/// Operation on the rows of `realised` that makes a matrix.
enum class Take { transpose, conjugate };

/// y = M x of every sample x, with M the transpose or the conjugate of `rows`, interleaved [ports, ports].
template <Take take, typename T>
void multiply(const AlignedArray<T>& rows, int64_t ports, const T* x, T* y, Samples batch) {
  const AlignedArray<T> re(ports * ports), im(ports * ports);
  constexpr int64_t block = 16;  // of rows, that lines of both matrices are met whole in the cache
  at::parallel_for(0, (ports + block - 1) / block, 8, [&](int64_t begin, int64_t end) {
    for (int64_t first = begin * block; first < std::min(end * block, ports); first += block) {
      for (int64_t j = 0; j < ports; ++j) {
        for (int64_t i = first; i < std::min(first + block, ports); ++i) {
          const int64_t from = 2 * (take == Take::transpose ? j * ports + i : i * ports + j);
          re[i * ports + j] = rows[from];
          im[i * ports + j] = take == Take::transpose ? rows[from + 1] : -rows[from + 1];
        }
      }
    }
  });
  for_samples<T>(batch, ports * ports / 2,
                 [&](Samples samples) { multiply_samples(re.get(), im.get(), ports, x, y, samples); });
}

/// sum over samples of conj(x)_q g_p, interleaved [ports q, ports p]: the gradient by what `realised`
/// returns.
template <typename T>
AlignedArray<T> correlate(const T* x, const T* g, int64_t ports, Samples batch) {
  const int64_t padded = padded_ports<T>(ports);
  const AlignedArray<T> planes(2 * padded * batch.end), rows(2 * padded * ports);
  for_samples<T>(batch, ports, [&](Samples samples) { split_rows(g, ports, samples, planes.get()); });
  AlignedArray<T> result(2 * ports * ports);
  constexpr int64_t block = 16;
  at::parallel_for(0, (ports + block - 1) / block, 1, [&](int64_t begin, int64_t end) {
    const int64_t last = std::min(end * block, ports);
    correlate_rows(x, planes.get(), ports, batch, begin * block, last, rows.get());
    for (int64_t q = begin * block; q < last; ++q) {
      for (int64_t p = 0; p < ports; ++p) {
        result[2 * (q * ports + p)] = rows[2 * q * padded + p];
        result[2 * (q * ports + p) + 1] = rows[(2 * q + 1) * padded + p];
      }
    }
  });
  return result;
}

}  // namespace optotorch::ops
