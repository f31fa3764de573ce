#pragma once

// Between mzi_mesh's CPU face (tensors, threads) and its SIMD kernels (pointers).
//
// A kernel works on tiles: a few samples, real and imaginary planes [port][sample], that stay in the L1
// cache while all columns pass over them. Fields outside tiles are interleaved complex rows [sample][port].

#include <optotorch/ops/cpu/scratch.h>
#include <optotorch/ops/mesh_layout.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace optotorch::ops {

/// Samples in a tile: a row of one plane is 128 bytes, two AVX-512 vectors.
template <typename T>
inline constexpr int64_t tile_samples = 128 / sizeof(T);

/// Elements that a kernel may write past the end of an array.
inline constexpr int64_t kernel_padding = 64;

/// MZIs whose coefficients or gradients are worth a thread of their own.
inline constexpr int64_t thread_mzis = 8000;

/// Memory for vectors, uninitialised.
template <typename T>
class AlignedArray {
 public:
  AlignedArray() = default;
  explicit AlignedArray(int64_t size) : data_(scratch<T>(size + kernel_padding)) {}
  T* get() const { return data_.get(); }
  T& operator[](int64_t index) const { return data_[static_cast<size_t>(index)]; }

 private:
  hwy::AlignedFreeUniquePtr<T[]> data_;
};

/// A mesh as the operator gets it, or the first of a stack; absent tensors are null.
template <typename T>
struct MeshArrays {
  MeshLayout layout;
  const T* theta = nullptr;
  const T* phi = nullptr;
  const T* screen = nullptr;
  const T* splitter_error = nullptr;
  const T* transmission = nullptr;
};

/// Where the gradients of a mesh go, or of the first of a stack; null where there is no such tensor.
template <typename T>
struct GradientArrays {
  T* theta = nullptr;
  T* phi = nullptr;
  T* screen = nullptr;
  T* splitter_error = nullptr;
  T* transmission = nullptr;
};

/// The samples [begin, end) of a mesh's interleaved complex fields, whose rows of `ports` numbers lie
/// `stride` numbers apart: in a stack the rows of the other meshes lie between them.
struct Samples {
  int64_t begin, end, stride;
};

/// Sums over the samples that the real parameters' gradients are made of, one set for every group of tiles.
/// They are added up in double, in the order of the groups.
template <typename T>
struct GroupSums {
  GroupSums(int64_t groups, int64_t mzi_sums, int64_t ports)
      : groups(groups),
        ports_at(mzi_sums + kernel_padding),
        stride(ports_at + ports + kernel_padding),
        memory(groups * stride) {}

  T* mzis(int64_t group) const { return memory.get() + group * stride; }
  T* ports(int64_t group) const { return mzis(group) + ports_at; }

  /// The first `count` of the ports' sums, over all groups.
  void add_ports(int64_t count, T* total) const {
    for (int64_t p = 0; p < count; ++p) {
      double sum = 0;
      for (int64_t group = 0; group < groups; ++group) {
        sum += static_cast<double>(ports(group)[p]);
      }
      total[p] = static_cast<T>(sum);
    }
  }

  int64_t groups, ports_at, stride;
  AlignedArray<T> memory;
};

/// Use of the coefficients of an LosslessMesh.
enum class Direction { forward, backward };
/// What goes through an LosslessMesh: fields alone, a tile of each field and its signal, or the matrix of
/// lossless_mesh_gradient_kernel.cpp and signals alone.
enum class Carry { fields, fields_and_signals, matrix };

/// A mesh without loss, as one scaled rotation per MZI. See lossless_mesh_kernel.cpp.
///
/// Columns are counted in steps in the direction of the pass. A tile that would not fit the L1 cache is swept
/// `depth` steps at a time in bands of ports that do fit: with every step a band moves up by one port, so
/// that each MZI finds both its arms as the step before has left them. Coefficients and sums lie in the order
/// of the sweep.
template <typename T>
class LosslessMesh {
 public:
  LosslessMesh(const MeshArrays<T>& mesh, Direction direction, Carry carry);

  /// False if a phase is NaN or infinite; nothing else is defined then.
  bool finite() const { return finite_; }

  void forward(const T* input, T* output, Samples samples) const;

  /// Writes dL_dinput, unless it is null, and, for these samples, `mzi_sums` [sums()] and `port_sums` [ports].
  void backward(const T* dL_doutput, const T* output, T* dL_dinput, Samples samples, T* mzi_sums,
                T* port_sums) const;

  /// The same sums, of all samples, from correlation[q][p] = sum conj(g_q) y_p, interleaved [ports, ports]; of a
  /// mesh of Direction::backward.
  void gradient_sums(const T* correlation, T* mzi_sums, T* port_sums) const;

  int64_t sums() const { return 4 * stride; }

  void parameter_gradients(const GroupSums<T>& sums, const GradientArrays<T>& gradients) const;

  /// Columns between which fields are scaled back to their size: rounding stays, overflow is far.
  static constexpr int64_t strip = 32;
  /// Columns that all bands go through before the next columns begin.
  static constexpr int64_t depth = 16;
  static_assert(strip % depth == 0);

  /// Is a strip complete after `steps` columns and one more?
  bool ends_strip(int64_t step) const { return (step + 1) % strip == 0 || step + 1 == layout.columns; }
  const T* factors_after(int64_t step) const {
    return strip_factors.get() + 2 * layout.ports * (step / strip);
  }
  int64_t column(int64_t step) const {
    return direction == Direction::forward ? step : layout.columns - 1 - step;
  }
  /// Number of the first MZI of a column in the mesh's tensors.
  int64_t first_mzi(int64_t column) const { return first_mzis[static_cast<size_t>(column)]; }

  /// MZIs of one column in one band: upper ports `begin`, begin + 2, ... below `end` (none if begin >= end),
  /// in the arrays below from `row` on, a whole vector of eight. For Carry::matrix ports that no MZI covers follow, in
  /// pairs that are not rotated: factors of 0.
  struct Run {
    int64_t begin, end, row;
  };
  Run run(int64_t step, int64_t band) const {
    const int64_t c = column(step), first = MeshLayout::first_port(c), top = band * width - step % depth;
    const int64_t begin = std::max(top, first);
    return {begin + (begin - first) % 2, std::min(top + width, first + 2 * layout.pairs(c)),
            rows[static_cast<size_t>(step * bands + band)]};
  }

  /// Pairs of ports of a band from a run's first on: its MZIs and, behind them, ports that none covers.
  int64_t pairs(int64_t step, int64_t band) const {
    const int64_t below = std::min(band * width - step % depth + width, layout.ports);
    return std::max<int64_t>(0, (below - run(step, band).begin + 1) / 2);
  }

  /// No run is longer.
  int64_t longest_run() const { return std::min(width, layout.ports) / 2 + 1; }

  MeshLayout layout;
  Direction direction;
  Carry carry;
  bool has_errors;  ///< of splitters
  int64_t mzis = 0;
  int64_t width = 0, bands = 1;  ///< ports of a band, and their number
  std::vector<int64_t> first_mzis, rows;
  int64_t stride = 0;             ///< MZIs that the arrays below have room for
  AlignedArray<T> rotations;      ///< four rows: re a, im a, re b, im b of every MZI
  AlignedArray<int32_t> swaps;    ///< 1 where a rotation takes its arms in exchanged order
  AlignedArray<T> weights;        ///< backward: rows of the sums' weights in every MZI's gradients
  AlignedArray<T> strip_factors;  ///< after every strip: real parts of the ports' factors, then imaginary

 private:
  bool finite_ = true;
};

/// A mesh of any MZIs, one complex 2x2 matrix each. See general_mesh_kernel.cpp.
template <typename T>
class GeneralMesh {
 public:
  explicit GeneralMesh(const MeshArrays<T>& mesh);
  bool finite() const { return finite_; }

  void forward(const T* input, T* output, Samples samples) const;

  /// Like LosslessMesh::backward; eight sums an MZI.
  void backward(const T* dL_doutput, const T* input, const T* output, T* dL_dinput, Samples samples,
                T* mzi_sums, T* port_sums) const;

  int64_t sums() const { return 8 * mzis; }

  void parameter_gradients(const GroupSums<T>& sums, const GradientArrays<T>& gradients) const;

  MeshArrays<T> arrays;  ///< not owned
  MeshLayout layout;
  int64_t mzis = 0;
  int64_t stride = 0;         ///< of the eight rows of `matrices` and `inverses`
  AlignedArray<T> matrices;   ///< re, im of uu, ul, lu, ll
  AlignedArray<T> inverses;   ///< the same of the inverse matrices
  AlignedArray<T> exit;       ///< factors at the output ports: real parts, then imaginary parts
  std::vector<int64_t> cuts;  ///< columns at whose input the backward keeps the state; the first is 0

 private:
  bool finite_ = true;
};

/// Ports of a row that is a whole number of tile rows.
template <typename T>
constexpr int64_t padded_ports(int64_t ports) {
  return (ports + tile_samples<T> - 1) / tile_samples<T> * tile_samples<T>;
}

// Matrix products of large batches, see matrix_kernel.cpp. Each is also there in double.

/// output[b] = M input[b] for some samples; M [ports, ports] by its real and imaginary parts.
void multiply_samples(const float* re, const float* im, int64_t ports, const float* input, float* output,
                      Samples samples);
void multiply_samples(const double* re, const double* im, int64_t ports, const double* input, double* output,
                      Samples samples);

/// planes[b] = padded_ports real parts, then as many imaginary parts of field[b], for some samples.
void split_rows(const float* field, int64_t ports, Samples samples, float* planes);
void split_rows(const double* field, int64_t ports, Samples samples, double* planes);

/// result[q] = sum over the batch of conj(x[b, q]) g[b] for the rows q of [begin, end): of g and of the
/// result the planes of split_rows; x as `batch`, from sample 0 on, says.
void correlate_rows(const float* x, const float* g_planes, int64_t ports, Samples batch, int64_t begin,
                    int64_t end, float* result);
void correlate_rows(const double* x, const double* g_planes, int64_t ports, Samples batch, int64_t begin,
                    int64_t end, double* result);

}  // namespace optotorch::ops
