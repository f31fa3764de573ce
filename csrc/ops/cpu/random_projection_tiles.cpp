// Products of the entries of random_entries-inl.h with samples.

#include <optotorch/ops/cpu/random_projection_kernels.h>
#include <optotorch/ops/cpu/scratch.h>

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/random_projection_tiles.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After highway.h.
#include <optotorch/ops/cpu/random_entries-inl.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Sums of a group of rows and of all samples: [batch][vectors x lanes].
template <typename T>
class Sums {
 public:
  Sums(int64_t batch, int64_t width) : width_(width), size_(batch * width), values_(scratch<T>(size_)) {}
  void clear() { std::fill(values_.get(), values_.get() + size_, T(0)); }
  T* of(int64_t sample) { return values_.get() + sample * width_; }

  /// Into y at the rows [begin, end).
  template <typename Out>
  void write(bool complex, Out* y, int64_t stride, int64_t batch, int64_t begin, int64_t end) {
    for (int64_t s = 0; s < batch; ++s) {
      const T* from = of(s);
      Out* to = y + s * stride * (complex ? 2 : 1);
      for (int64_t row = begin; row < end; ++row) {
        if (complex) {
          to[2 * row] = static_cast<Out>(from[row - begin]);
          to[2 * row + 1] = static_cast<Out>(from[width_ / 2 + row - begin]);
        } else {
          to[row] = static_cast<Out>(from[row - begin]);
        }
      }
    }
  }

 private:
  int64_t width_, size_;
  hwy::AlignedFreeUniquePtr<T[]> values_;
};

/// sums += entries x for `count` samples.
template <int64_t count, typename T>
HWY_INLINE void multiply(const T* tile, int64_t width, const T* x, int64_t x_stride, int64_t columns,
                         T* sums) {
  const Lanes<T> d;
  using V = hn::Vec<Lanes<T>>;
  constexpr int64_t parts = vectors * (std::is_same_v<T, double> ? 2 : 1);  // half the lanes a vector
  const int64_t step = static_cast<int64_t>(hn::Lanes(d));
  V acc[count][parts];
  for (auto& of_sample : acc) {
    for (auto& part : of_sample) {
      part = hn::Zero(d);
    }
  }
  for (int64_t c = 0; c < columns; ++c, tile += width) {
    V entries[parts];
    for (int64_t i = 0; i < parts; ++i) {
      entries[i] = hn::Load(d, tile + i * step);
    }
    for (int64_t s = 0; s < count; ++s) {
      const V value = hn::Set(d, x[s * x_stride + c]);
      for (int64_t i = 0; i < parts; ++i) {
        acc[s][i] = hn::MulAdd(value, entries[i], acc[s][i]);
      }
    }
  }
  for (int64_t s = 0; s < count; ++s) {
    for (int64_t i = 0; i < parts; ++i) {
      T* to = sums + s * width + i * step;
      hn::Store(hn::Add(hn::Load(d, to), acc[s][i]), d, to);
    }
  }
}

template <typename T>
void project(const Projection& p, const T* x, T* y, int64_t stride, int64_t begin, int64_t end) {
  const int64_t width = vectors * lanes(), group = group_rows(p.entries);
  const bool complex = p.entries == Entries::complex_normal;
  const auto tile = scratch<T>(projection_chunk * width);
  Sums<T> sums(p.batch, width);
  for (int64_t row = begin; row < end; row += group) {
    sums.clear();
    for (int64_t first = 0; first < p.columns; first += projection_chunk) {
      const int64_t columns = std::min(projection_chunk, p.columns - first);
      make_entries(p, row, first, columns, nullptr, [&](int64_t c, int64_t v, F entries) HWY_ATTR {
        store_entries(entries, tile.get() + c * width + v * lanes());
      });
      constexpr int64_t together = 4;
      int64_t s = 0;
      for (; s + together <= p.batch; s += together) {
        multiply<together>(tile.get(), width, x + s * p.columns + first, p.columns, columns, sums.of(s));
      }
      for (; s < p.batch; ++s) {
        multiply<1>(tile.get(), width, x + s * p.columns + first, p.columns, columns, sums.of(s));
      }
    }
    sums.write(complex, y, stride, p.batch, row, std::min(row + group, end));
  }
}

void project_f32(const Projection& p, const float* x, float* y, int64_t stride, int64_t begin, int64_t end) {
  project(p, x, y, stride, begin, end);
}

void project_f64(const Projection& p, const double* x, double* y, int64_t stride, int64_t begin,
                 int64_t end) {
  project(p, x, y, stride, begin, end);
}

void project_lists(const Projection& p, const TernaryLists& x, float* y, int64_t stride, int64_t begin,
                   int64_t end) {
  const Floats d;
  const int64_t width = vectors * lanes(), group = group_rows(p.entries);
  const int64_t chunks = (p.columns + projection_chunk - 1) / projection_chunk;
  const auto tile = scratch<float>(projection_chunk * width);
  Sums<float> sums(p.batch, width);
  for (int64_t row = begin; row < end; row += group) {
    sums.clear();
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const int64_t first = chunk * projection_chunk;
      make_entries(p, row, first, std::min(projection_chunk, p.columns - first), x.used.data(),
                   [&](int64_t c, int64_t v, F entries)
                       HWY_ATTR { hn::Store(entries, d, tile.get() + c * width + v * lanes()); });
      for (int64_t s = 0; s < p.batch; ++s) {
        const auto at = static_cast<size_t>(s * chunks + chunk);
        F acc[vectors];
        for (auto& part : acc) {
          part = hn::Zero(d);
        }
        // In the order of `multiply`.
        for (int64_t n = x.first[at]; n < x.first[at + 1]; ++n) {
          const uint32_t column = x.columns[static_cast<size_t>(n)],
                         sign_bit = column & TernaryLists::negative;
          const float* entries = tile.get() + (column - sign_bit) * width;
          constexpr int to_sign = 24;
          const F sign = hn::BitCast(d, hn::Set(Words(), sign_bit << to_sign));
          for (int64_t v = 0; v < vectors; ++v) {
            acc[v] = hn::Add(acc[v], hn::Xor(hn::Load(d, entries + v * lanes()), sign));
          }
        }
        for (int64_t v = 0; v < vectors; ++v) {
          float* to = sums.of(s) + v * lanes();
          hn::Store(hn::Add(hn::Load(d, to), acc[v]), d, to);
        }
      }
    }
    sums.write(p.entries == Entries::complex_normal, y, stride, p.batch, row, std::min(row + group, end));
  }
}

void project_planes(const Projection& p, const TernaryPlanes& x, float* y, int64_t stride, int64_t begin,
                    int64_t end) {
  const Words d;
  const int64_t width = lanes();
  constexpr int64_t blocks_together = 32;
  const auto words = scratch<uint32_t>(blocks_together * 4 * width);
  std::vector<int64_t> chosen;
  Sums<uint32_t> sums(p.batch, width);
  for (int64_t row = begin; row < end; row += width) {
    sums.clear();
    for (int64_t block = 0; block < x.blocks;) {
      chosen.clear();
      for (; block < x.blocks && static_cast<int64_t>(chosen.size()) < blocks_together; ++block) {
        if (x.used[static_cast<size_t>(block)] != 0) {
          W w[4];
          philox(p.seed, static_cast<uint32_t>(Entries::rademacher), static_cast<uint32_t>(block),
                 static_cast<uint32_t>(p.first_row + row), w);
          for (int64_t i = 0; i < 4; ++i) {
            hn::Store(w[i], d, words.get() + (4 * static_cast<int64_t>(chosen.size()) + i) * width);
          }
          chosen.push_back(block);
        }
      }
      for (int64_t s = 0; s < p.batch; ++s) {
        W acc = hn::Load(d, sums.of(s));
        const uint32_t* from = words.get();
        for (const int64_t one : chosen) {
          const auto at = static_cast<size_t>((s * x.blocks + one) * 4);
          for (size_t i = 0; i < 4; ++i, from += width) {
            const W differ = hn::And(hn::Xor(hn::Load(d, from), hn::Set(d, x.negative[at + i])),
                                     hn::Set(d, x.nonzero[at + i]));
            acc = hn::Add(acc, hn::PopulationCount(differ));
          }
        }
        hn::Store(acc, d, sums.of(s));
      }
    }
    for (int64_t s = 0; s < p.batch; ++s) {
      for (int64_t r = row; r < std::min(row + width, end); ++r) {
        y[s * stride + r] = static_cast<float>(x.count[static_cast<size_t>(s)] -
                                               2 * static_cast<int64_t>(sums.of(s)[r - row]));
      }
    }
  }
}

double sum_entries(const Projection& p, int64_t begin, int64_t end) {
  const Floats d;
  double sum = 0;
  for (int64_t row = begin; row < end; row += group_rows(p.entries)) {
    F acc = hn::Zero(d);
    for (int64_t first = 0; first < p.columns; first += projection_chunk) {
      make_entries(p, row, first, std::min(projection_chunk, p.columns - first), nullptr,
                   [&](int64_t, int64_t, F entries) HWY_ATTR { acc = hn::Add(acc, entries); });
    }
    sum += hn::GetLane(hn::SumOfLanes(d, acc));
  }
  return sum;
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(group_rows);
HWY_EXPORT(project_f32);
HWY_EXPORT(project_f64);
HWY_EXPORT(project_lists);
HWY_EXPORT(project_planes);
HWY_EXPORT(sum_entries);

int64_t projection_group(Entries entries) {
  return HWY_DYNAMIC_DISPATCH(group_rows)(entries);
}

template <>
void project_rows(const Projection& projection, const float* x, float* y, int64_t stride, int64_t begin,
                  int64_t end) {
  HWY_DYNAMIC_DISPATCH(project_f32)(projection, x, y, stride, begin, end);
}

template <>
void project_rows(const Projection& projection, const double* x, double* y, int64_t stride, int64_t begin,
                  int64_t end) {
  HWY_DYNAMIC_DISPATCH(project_f64)(projection, x, y, stride, begin, end);
}

void project_rows(const Projection& projection, const TernaryLists& x, float* y, int64_t stride,
                  int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(project_lists)(projection, x, y, stride, begin, end);
}

void project_rows(const Projection& projection, const TernaryPlanes& x, float* y, int64_t stride,
                  int64_t begin, int64_t end) {
  HWY_DYNAMIC_DISPATCH(project_planes)(projection, x, y, stride, begin, end);
}

double sum_of_rows(const Projection& projection, int64_t begin, int64_t end) {
  return HWY_DYNAMIC_DISPATCH(sum_entries)(projection, begin, end);
}

}  // namespace optotorch::ops
#endif
