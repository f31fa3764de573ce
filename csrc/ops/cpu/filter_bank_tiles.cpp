// The recursions of filter_bank.h, a waveform a lane, in pieces that stay in the L1 cache.

#include <optotorch/ops/cpu/filter_bank_kernels.h>
#include <optotorch/ops/cpu/scratch.h>

#include <algorithm>
#include <array>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/filter_bank_tiles.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
using Lanes = hn::CappedTag<T, 64 / sizeof(T)>;

constexpr int64_t tile = filter_tile;

/// Rows of `tile` complex numbers, real parts and imaginary parts apart.
template <typename T>
struct Rows {
  T* re = nullptr;
  T* im = nullptr;

  void copy(const Rows& from, int64_t first, int64_t count) const {
    std::copy_n(from.re + first * tile, count * tile, re);
    std::copy_n(from.im + first * tile, count * tile, im);
  }
  void clear(int64_t count) const {
    std::fill_n(re, count * tile, T(0));
    std::fill_n(im, count * tile, T(0));
  }
};

/// All rows that a tile needs, in one piece of memory.
template <typename T>
class Memory {
 public:
  explicit Memory(int64_t rows) : memory_(scratch<T>(2 * rows * tile)), next_(memory_.get()) {
    std::fill_n(next_, 2 * rows * tile, T(0));
  }
  Rows<T> take(int64_t rows) {
    const Rows<T> taken{next_, next_ + rows * tile};
    next_ += 2 * rows * tile;
    return taken;
  }

 private:
  hwy::AlignedFreeUniquePtr<T[]> memory_;
  T* next_;
};

/// A bank at work on a tile. Stage 0 is the waveform, stage s what section s delivers; of each, rows 0 to m - 1 are the m
/// samples before the piece.
template <typename T>
class Bank {
 public:
  using D = Lanes<T>;
  using V = hn::Vec<D>;

  explicit Bank(const FilterTile<T>& of)
      : of_(of),
        order_(of.layout.order),
        m_(of.layout.delay),
        count_(of.windows * of.layout.window),
        piece_(std::max<int64_t>(128, m_)),
        pieces_((count_ + piece_ - 1) / piece_),
        integrates_(of.layout.memory == FilterBankLayout::integrate_and_dump),
        kept_(integrates_ ? T(1) : static_cast<T>(of.layout.memory)),
        gained_(integrates_ ? T(1) / static_cast<T>(of.layout.window)
                            : T(1) - static_cast<T>(of.layout.memory)) {}

  void forward(T* y) {
    Memory<T> memory((order_ + 1) * (m_ + piece_) + of_.filters * (order_ * m_ + 1));
    take_stages(memory);
    const auto states = memory.take(of_.filters * order_ * m_);
    const auto currents = memory.take(of_.filters);
    for (int64_t begin = 0; begin < count_; begin += piece_) {
      const int64_t length = std::min(piece_, count_ - begin);
      load(begin, length);
      for (int64_t k = 0; k < of_.filters; ++k) {
        filter(k, length, at(states, k * order_ * m_), at(states, k * order_ * m_));
        detect(k, begin, length, currents.re + k * tile, y);
      }
    }
  }

  void backward(const T* dL_dy, T* dL_dx, double* sums) {
    const int64_t states_of_all = of_.filters * order_ * m_;
    Memory<T> memory((order_ + 1) * (m_ + piece_) + (pieces_ + 2) * states_of_all + of_.filters + 3 * piece_ +
                     m_);
    take_stages(memory);
    const auto states =
        memory.take((pieces_ + 1) * states_of_all);  // before every piece, and behind the last
    for (int64_t n = 0; n < pieces_; ++n) {
      const int64_t length = std::min(piece_, count_ - n * piece_);
      load(n * piece_, length);
      for (int64_t k = 0; k < of_.filters; ++k) {
        filter(k, length, at(states, n * states_of_all + k * order_ * m_),
               at(states, (n + 1) * states_of_all + k * order_ * m_));
      }
    }
    const auto carried = memory.take(states_of_all);  // delta of the m samples behind the piece
    const auto omega = memory.take(of_.filters);      // dL/dw of the sample behind it
    const auto signal = memory.take(piece_);          // at the output of a section, then at its input
    const auto delta = memory.take(piece_ + m_);      // dL/dv with all that comes later
    const auto dL_dpiece = memory.take(piece_);
    for (int64_t n = pieces_ - 1; n >= 0; --n) {
      const int64_t begin = n * piece_, length = std::min(piece_, count_ - begin);
      load(begin, length);
      dL_dpiece.clear(length);
      for (int64_t k = 0; k < of_.filters; ++k) {
        filter(k, length, at(states, n * states_of_all + k * order_ * m_), {});
        undetect(k, begin, length, dL_dy, omega.re + k * tile, signal);
        for (int64_t section = order_ - 1; section >= 0; --section) {
          const auto behind = at(carried, (k * order_ + section) * m_);
          at(delta, length).copy(behind, 0, m_);
          unfilter(k, section, length, signal, delta, sums);
          behind.copy(delta, 0, m_);
        }
        add(signal, length, dL_dpiece);
      }
      if (dL_dx != nullptr) {
        store(dL_dpiece, begin, length, dL_dx);
      }
    }
  }

 private:
  static Rows<T> at(const Rows<T>& rows, int64_t first) {
    return {rows.re + first * tile, rows.im + first * tile};
  }

  struct Complex {
    V re, im;
  };
  static Complex load(const Rows<T>& rows, int64_t row, int64_t lane) {
    const D d;
    return {hn::Load(d, rows.re + row * tile + lane), hn::Load(d, rows.im + row * tile + lane)};
  }
  static void store(const Complex& z, const Rows<T>& rows, int64_t row, int64_t lane) {
    const D d;
    hn::Store(z.re, d, rows.re + row * tile + lane);
    hn::Store(z.im, d, rows.im + row * tile + lane);
  }
  /// sum + c z.
  static Complex plus(const Complex& sum, const Complex& c, const Complex& z) {
    return {hn::MulAdd(c.re, z.re, hn::NegMulAdd(c.im, z.im, sum.re)),
            hn::MulAdd(c.re, z.im, hn::MulAdd(c.im, z.re, sum.im))};
  }
  /// sum + conj(c) z.
  static Complex plus_conjugate(const Complex& sum, const Complex& c, const Complex& z) {
    return {hn::MulAdd(c.re, z.re, hn::MulAdd(c.im, z.im, sum.re)),
            hn::MulAdd(c.re, z.im, hn::NegMulAdd(c.im, z.re, sum.im))};
  }
  static Complex zero() { return {hn::Zero(D()), hn::Zero(D())}; }
  Complex coefficient(int64_t k, int64_t which) const {
    const T* const c = of_.coefficients + 2 * (3 * k + which);
    return {hn::Set(D(), c[0]), hn::Set(D(), c[1])};
  }
  static int64_t lanes() { return static_cast<int64_t>(hn::Lanes(D())); }

  void take_stages(Memory<T>& memory) {
    for (int64_t section = 0; section <= order_; ++section) {
      stages_[static_cast<size_t>(section)] = memory.take(m_ + piece_);
    }
  }

  /// The waveforms from m samples before the piece on, as rows.
  void load(int64_t begin, int64_t length) {
    const int64_t dark = std::clamp<int64_t>(m_ - begin, 0, m_);
    stages_[0].clear(dark);
    for (int64_t s = 0; s < of_.count; ++s) {
      const T* const x = of_.waveforms + 2 * (s * of_.pitch + begin - m_);
      for (int64_t row = dark; row < m_ + length; ++row) {
        stages_[0].re[row * tile + s] = x[2 * row];
        stages_[0].im[row * tile + s] = x[2 * row + 1];
      }
    }
  }

  void store(const Rows<T>& rows, int64_t begin, int64_t length, T* dL_dx) const {
    for (int64_t s = 0; s < of_.count; ++s) {
      T* const x = dL_dx + 2 * (s * of_.pitch + begin);
      for (int64_t row = 0; row < length; ++row) {
        x[2 * row] = rows.re[row * tile + s];
        x[2 * row + 1] = rows.im[row * tile + s];
      }
    }
  }

  static void add(const Rows<T>& some, int64_t length, const Rows<T>& to) {
    const D d;
    for (int64_t i = 0; i < length * tile; i += lanes()) {
      hn::Store(hn::Add(hn::Load(d, to.re + i), hn::Load(d, some.re + i)), d, to.re + i);
      hn::Store(hn::Add(hn::Load(d, to.im + i), hn::Load(d, some.im + i)), d, to.im + i);
    }
  }

  /// All sections of a filter. `before` and `after` hold m rows a section.
  void filter(int64_t k, int64_t length, const Rows<T>& before, const Rows<T>& after) {
    for (int64_t section = 0; section < order_; ++section) {
      const auto &in = stages_[static_cast<size_t>(section)],
                 &out = stages_[static_cast<size_t>(section) + 1];
      out.copy(before, section * m_, m_);
      for (int64_t lane = 0; lane < tile; lane += lanes()) {
        m_ == 1 ? run<true>(k, length, lane, in, out) : run<false>(k, length, lane, in, out);
      }
      if (after.re != nullptr) {
        at(after, section * m_).copy(out, length, m_);
      }
    }
  }

  /// v[n] = a u[n] + b u[n - m] + p v[n - m]. A delay of one sample stays in registers.
  template <bool next>
  void run(int64_t k, int64_t length, int64_t lane, const Rows<T>& in, const Rows<T>& out) const {
    const auto a = coefficient(k, 0), b = coefficient(k, 1), p = coefficient(k, 2);
    auto v = load(out, 0, lane);
    for (int64_t n = 0; n < length; ++n) {
      const auto driven = plus(plus(zero(), a, load(in, n + m_, lane)), b, load(in, n, lane));
      v = plus(driven, p, next ? v : load(out, n, lane));
      store(v, out, n + m_, lane);
    }
  }

  /// Readings of the piece; `current` is w.
  void detect(int64_t k, int64_t begin, int64_t length, T* current, T* y) const {
    const D d;
    const auto& v = stages_[static_cast<size_t>(order_)];
    const auto kept = hn::Set(d, kept_), gained = hn::Set(d, gained_);
    for (int64_t lane = 0; lane < tile; lane += lanes()) {
      auto w = hn::Load(d, current + lane);
      int64_t window = begin / of_.layout.window, last = (window + 1) * of_.layout.window - 1 - begin;
      for (int64_t n = 0; n < length; ++n) {
        const auto z = load(v, n + m_, lane);
        const auto intensity = hn::MulAdd(z.re, z.re, hn::Mul(z.im, z.im));
        w = hn::MulAdd(kept, w, hn::Mul(gained, intensity));
        if (n == last) {
          HWY_ALIGN std::array<T, tile> read{};
          hn::Store(w, d, read.data());
          for (int64_t s = lane; s < std::min(lane + lanes(), of_.count); ++s) {
            y[(s * of_.filters + k) * of_.windows + window] = read[static_cast<size_t>(s - lane)];
          }
          w = integrates_ ? hn::Zero(d) : w;
          ++window;
          last += of_.layout.window;
        }
      }
      hn::Store(w, d, current + lane);
    }
  }

  /// dL/dv = 2 v dL/d|v|^2 of the piece; `omega` is dL/dw.
  void undetect(int64_t k, int64_t begin, int64_t length, const T* dL_dy, T* omega,
                const Rows<T>& dL_dv) const {
    const D d;
    const auto& v = stages_[static_cast<size_t>(order_)];
    const auto kept = hn::Set(d, kept_), twice_gained = hn::Set(d, 2 * gained_);
    for (int64_t lane = 0; lane < tile; lane += lanes()) {
      auto w = hn::Load(d, omega + lane);
      int64_t window = (begin + length - 1) / of_.layout.window;
      int64_t last = (window + 1) * of_.layout.window - 1 - begin;
      for (int64_t n = length - 1; n >= 0; --n) {
        if (n < last - of_.layout.window + 1) {
          --window;
          last -= of_.layout.window;
        }
        w = integrates_ ? w : hn::Mul(kept, w);
        if (n == last) {
          HWY_ALIGN std::array<T, tile> read{};
          for (int64_t s = lane; s < std::min(lane + lanes(), of_.count); ++s) {
            read[static_cast<size_t>(s - lane)] = dL_dy[(s * of_.filters + k) * of_.windows + window];
          }
          const auto signal = hn::Load(d, read.data());
          w = integrates_ ? signal : hn::Add(w, signal);
        }
        const auto z = load(v, n + m_, lane);
        const auto slope = hn::Mul(twice_gained, w);
        store({hn::Mul(slope, z.re), hn::Mul(slope, z.im)}, dL_dv, n, lane);
      }
      hn::Store(w, d, omega + lane);
    }
  }

  /// delta[n] = dL/dv[n] + conj(p) delta[n + m], and in place of dL/dv conj(a) delta[n] + conj(b) delta[n + m].
  void unfilter(int64_t k, int64_t section, int64_t length, const Rows<T>& signal, const Rows<T>& delta,
                double* sums) const {
    const auto a = coefficient(k, 0), b = coefficient(k, 1), p = coefficient(k, 2);
    const auto &u = stages_[static_cast<size_t>(section)], &v = stages_[static_cast<size_t>(section) + 1];
    for (int64_t lane = 0; lane < tile; lane += lanes()) {
      auto by_a = zero(), by_b = zero(), by_p = zero();
      for (int64_t n = length - 1; n >= 0; --n) {
        const auto later = load(delta, n + m_, lane);
        const auto now = plus_conjugate(load(signal, n, lane), p, later);
        store(now, delta, n, lane);
        store(plus_conjugate(plus_conjugate(zero(), a, now), b, later), signal, n, lane);
        by_a = plus_conjugate(by_a, load(u, n + m_, lane), now);
        by_b = plus_conjugate(by_b, load(u, n, lane), now);
        by_p = plus_conjugate(by_p, load(v, n, lane), now);
      }
      if (sums != nullptr) {
        double* to = sums + 6 * k;
        for (const auto& by : {by_a, by_b, by_p}) {
          *to++ += static_cast<double>(hn::GetLane(hn::SumOfLanes(D(), by.re)));
          *to++ += static_cast<double>(hn::GetLane(hn::SumOfLanes(D(), by.im)));
        }
      }
    }
  }

  const FilterTile<T>& of_;
  int64_t order_, m_, count_, piece_, pieces_;
  bool integrates_;
  T kept_, gained_;
  std::array<Rows<T>, 17> stages_{};
};

void forward_f32(const FilterTile<float>& tile, float* y) {
  Bank<float>(tile).forward(y);
}
void forward_f64(const FilterTile<double>& tile, double* y) {
  Bank<double>(tile).forward(y);
}
void backward_f32(const FilterTile<float>& tile, const float* dL_dy, float* dL_dx, double* sums) {
  Bank<float>(tile).backward(dL_dy, dL_dx, sums);
}
void backward_f64(const FilterTile<double>& tile, const double* dL_dy, double* dL_dx, double* sums) {
  Bank<double>(tile).backward(dL_dy, dL_dx, sums);
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_f64);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_f64);

void filter_forward(const FilterTile<float>& tile, float* y) {
  HWY_DYNAMIC_DISPATCH(forward_f32)(tile, y);
}
void filter_forward(const FilterTile<double>& tile, double* y) {
  HWY_DYNAMIC_DISPATCH(forward_f64)(tile, y);
}
void filter_backward(const FilterTile<float>& tile, const float* dL_dy, float* dL_dx,
                     double* dL_dcoefficients) {
  HWY_DYNAMIC_DISPATCH(backward_f32)(tile, dL_dy, dL_dx, dL_dcoefficients);
}
void filter_backward(const FilterTile<double>& tile, const double* dL_dy, double* dL_dx,
                     double* dL_dcoefficients) {
  HWY_DYNAMIC_DISPATCH(backward_f64)(tile, dL_dy, dL_dx, dL_dcoefficients);
}

}  // namespace optotorch::ops
#endif
