// All gradients of a lossless mesh from one matrix, whatever the batch: M = y g^H, summed over the samples, is
// carried back through the mesh instead of every field x and signal g. With T the unitary of a column, M' = T^H M T
// before it. What the gradients of lossless_mesh_kernel.cpp need of a batch,
//
//     S = sum conj(g_u) x_l - g_l conj(x_u),      sum Im(g_u conj(x_u)),
//
// stands in K = M - M^H alone: S = K_lu, and the other is -Im K_uu / 2. K is anti-Hermitian: the part above its
// diagonal is carried, block by block of 2 x 2 numbers,
//
//     K'_ij = R_i K_ij R_j^H        i < j: MZIs of a column,   R the scaled rotations of a field,
//
// and the blocks on the diagonal by themselves, three numbers each, i phi and i sigma on the diagonal, -conj(S) above:
//
//     phi' = phi + 2 Im(a S) + |a|^2 sigma,      sigma' = sigma + |b|^2 phi + 2 Im(conj(b) S),
//     K'_ul = -conj(S) + i (conj(b) phi + a sigma) + a conj(b) S
//
// A row of K holds the numbers of its even columns, then those of the odd ones, so that one vector holds the same arm of
// many MZIs. Below the diagonal a row holds numbers that nobody reads.
//
// An MZI costs 32 multiply-adds for each that follows it in its column, 8 N on average, where fields and signals
// cost 26 for every sample.

#include <optotorch/ops/cpu/mesh_kernels.h>

#include <type_traits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "optotorch/ops/cpu/lossless_mesh_gradient_kernel.cpp"
#include <hwy/foreach_target.h>
#include <optotorch/ops/cpu/mesh_simd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace optotorch::ops::HWY_NAMESPACE {

/// Two columns of K, or an MZI's arms in two rows.
template <class V>
struct ArmPair {
  Complex<V> upper, lower;
};

/// Exchanges where `swap` has all bits: blends would wait for the units that multiply.
template <class V>
HWY_INLINE ArmPair<V> exchanged(const V& swap, const ArmPair<V>& x) {
  const auto re = hn::And(hn::Xor(x.upper.re, x.lower.re), swap);
  const auto im = hn::And(hn::Xor(x.upper.im, x.lower.im), swap);
  return {{hn::Xor(x.upper.re, re), hn::Xor(x.upper.im, im)},
          {hn::Xor(x.lower.re, re), hn::Xor(x.lower.im, im)}};
}

/// x + a y
template <class V>
HWY_INLINE Complex<V> add_product(const Complex<V>& x, const Complex<V>& a, const Complex<V>& y) {
  return {hn::NegMulAdd(a.im, y.im, hn::MulAdd(a.re, y.re, x.re)),
          hn::MulAdd(a.im, y.re, hn::MulAdd(a.re, y.im, x.im))};
}
/// x + conj(a) y
template <class V>
HWY_INLINE Complex<V> add_conj_product(const Complex<V>& x, const Complex<V>& a, const Complex<V>& y) {
  return {hn::MulAdd(a.im, y.im, hn::MulAdd(a.re, y.re, x.re)),
          hn::NegMulAdd(a.im, y.re, hn::MulAdd(a.re, y.im, x.im))};
}

/// All bits of the lanes whose rotation takes its arms in exchanged order.
HWY_INLINE auto swap_bits(hn::CappedTag<float, 16> d, const int32_t* swaps) {
  const hn::RebindToSigned<decltype(d)> whole;
  return hn::BitCast(d, hn::Neg(hn::LoadU(whole, swaps)));
}
HWY_INLINE auto swap_bits(hn::CappedTag<double, 8> d, const int32_t* swaps) {
  const hn::RebindToSigned<decltype(d)> whole;
  const hn::Rebind<int32_t, decltype(d)> half;
  return hn::BitCast(d, hn::Neg(hn::PromoteTo(whole, hn::LoadU(half, swaps))));
}

/// A view of the carried matrix.
template <typename T>
struct Carried {
  T* data;
  int64_t half;  ///< numbers of a plane: one parity of the columns

  /// Real parts of row p at the columns of one parity; the imaginary parts lie `half` numbers behind.
  T* plane(int64_t row, int64_t parity) const { return data + (4 * row + 2 * parity) * half; }
  T* re(int64_t row, int64_t column) const { return plane(row, column % 2) + column / 2; }
};

/// Rotations of a column's MZIs, from the first of a run on.
template <typename T>
struct ColumnRotations {
  ColumnRotations(const LosslessMesh<T>& mesh, int64_t row)
      : row(mesh.rotations.get() + row), stride(mesh.stride), swaps(mesh.swaps.get() + row) {}

  template <class D>
  HWY_INLINE Complex<Vector<D>> vector(D d, int64_t first, int64_t k) const {
    return {hn::LoadU(d, row + first * stride + k), hn::LoadU(d, row + (first + 1) * stride + k)};
  }
  template <class D>
  HWY_INLINE Complex<Vector<D>> scalar(D d, int64_t first, int64_t k) const {
    return {hn::Set(d, row[first * stride + k]), hn::Set(d, row[(first + 1) * stride + k])};
  }

  const T* row;
  int64_t stride;
  const int32_t* swaps;
};

/// Rows of the MZI on ports (u, u + 1), at the columns of the MZIs [begin, end) of a run whose first upper port is
/// `port`. Whole vectors but for the last.
template <typename T>
HWY_INLINE void carry_row_pair(const Carried<T>& k, int64_t u, int64_t own, const ColumnRotations<T>& rows,
                               const ColumnRotations<T>& columns, int64_t port, int64_t begin, int64_t end) {
  const Lanes<T> d;
  using V = Vector<decltype(d)>;
  const int64_t lanes = hn::Lanes(d), half = k.half;
  const auto a = rows.scalar(d, 0, own), b = rows.scalar(d, 2, own);
  const int64_t swap = rows.swaps[own];
  const int64_t up = port % 2, upper_at = port / 2, lower_at = (port + 1) / 2;
  T* const out_upper[2] = {k.plane(u, up) + upper_at, k.plane(u, 1 - up) + lower_at};
  T* const out_lower[2] = {k.plane(u + 1, up) + upper_at, k.plane(u + 1, 1 - up) + lower_at};
  T *const *const first = swap ? out_lower : out_upper, *const *const second = swap ? out_upper : out_lower;
  const auto load = [&](T* const* from, int64_t j) {
    return ArmPair<V>{{hn::LoadU(d, from[0] + j), hn::LoadU(d, from[0] + half + j)},
                      {hn::LoadU(d, from[1] + j), hn::LoadU(d, from[1] + half + j)}};
  };
  for (int64_t j = begin; j < end; j += lanes) {
    const auto f = load(first, j), s = load(second, j);
    const auto ca = columns.vector(d, 0, j), cb = columns.vector(d, 2, j);
    const auto swapped = swap_bits(d, columns.swaps + j);
    const auto turn = [&](const ArmPair<V>& row) {
      const auto in = exchanged(swapped, row);
      return ArmPair<V>{add_conj_product(in.upper, ca, in.lower), add_conj_product(in.lower, cb, in.upper)};
    };
    const auto upper = turn({add_product(f.upper, a, s.upper), add_product(f.lower, a, s.lower)});
    const auto lower = turn({add_product(s.upper, b, f.upper), add_product(s.lower, b, f.lower)});
    const auto store = [&](const ArmPair<V>& row, T* const* to) {
      if (j + lanes <= end) {
        hn::StoreU(row.upper.re, d, to[0] + j);
        hn::StoreU(row.upper.im, d, to[0] + half + j);
        hn::StoreU(row.lower.re, d, to[1] + j);
        hn::StoreU(row.lower.im, d, to[1] + half + j);
      } else {
        const auto valid = hn::FirstN(d, static_cast<size_t>(end - j));
        hn::BlendedStore(row.upper.re, valid, d, to[0] + j);
        hn::BlendedStore(row.upper.im, valid, d, to[0] + half + j);
        hn::BlendedStore(row.lower.re, valid, d, to[1] + j);
        hn::BlendedStore(row.lower.im, valid, d, to[1] + half + j);
      }
    };
    store(upper, out_upper);
    store(lower, out_lower);
  }
}

/// The first row where no MZI covers its port, at the columns of the pairs from port `port` on.
template <typename T>
void carry_idle_row(const Carried<T>& k, const ColumnRotations<T>& columns, int64_t port, int64_t pairs) {
  const Lanes<T> d;
  using V = Vector<decltype(d)>;
  const int64_t lanes = hn::Lanes(d), half = k.half;
  T* const upper = k.plane(0, port % 2) + port / 2;
  T* const lower = k.plane(0, 1 - port % 2) + (port + 1) / 2;
  for (int64_t j = 0; j < pairs; j += lanes) {
    const auto valid = hn::FirstN(d, static_cast<size_t>(std::min(lanes, pairs - j)));
    const auto in = exchanged(swap_bits(d, columns.swaps + j),
                              ArmPair<V>{{hn::LoadU(d, upper + j), hn::LoadU(d, upper + half + j)},
                                         {hn::LoadU(d, lower + j), hn::LoadU(d, lower + half + j)}});
    const auto out_upper = add_conj_product(in.upper, columns.vector(d, 0, j), in.lower);
    const auto out_lower = add_conj_product(in.lower, columns.vector(d, 2, j), in.upper);
    hn::BlendedStore(out_upper.re, valid, d, upper + j);
    hn::BlendedStore(out_upper.im, valid, d, upper + half + j);
    hn::BlendedStore(out_lower.re, valid, d, lower + j);
    hn::BlendedStore(out_lower.im, valid, d, lower + half + j);
  }
}

/// Blocks on the diagonal while a column is carried: K_ul of its MZIs, and the imaginary diagonal by ports' parity.
template <typename T>
struct Diagonal {
  explicit Diagonal(int64_t ports)
      : re(ports / 2 + 1), im(ports / 2 + 1), half(ports / 2 + 1), by_parity(2 * stride()) {
    std::fill(by_parity.get(), by_parity.get() + 2 * stride(), T(0));
  }
  int64_t stride() const { return half + kernel_padding; }
  T* plane(int64_t parity) const { return by_parity.get() + parity * stride(); }
  T& operator[](int64_t port) const { return plane(port % 2)[port / 2]; }

  AlignedArray<T> re, im;
  int64_t half;
  AlignedArray<T> by_parity;
};

/// Carries the blocks of `count` MZIs from port `port` on, K_ul in diagonal.re and .im, and writes their sums.
/// The third is the upper port's phase sum, before the MZI or behind it, the fourth the lower one's behind it.
template <bool upper_before, typename T>
void carry_diagonal(const ColumnRotations<T>& rotations, int64_t port, int64_t count,
                    const Diagonal<T>& diagonal, T* sums) {
  const Lanes<T> d;
  using V = Vector<decltype(d)>;
  T* const of_upper = diagonal.plane(port % 2) + port / 2;
  T* const of_lower = diagonal.plane(1 - port % 2) + (port + 1) / 2;
  const int64_t lanes = hn::Lanes(d);
  const auto half = hn::Set(d, T(-0.5));
  for (int64_t j = 0; j < count; j += lanes) {
    const auto valid = hn::FirstN(d, static_cast<size_t>(std::min(lanes, count - j)));
    const auto a = rotations.vector(d, 0, j), b = rotations.vector(d, 2, j);
    const auto swap = hn::MaskFromVec(swap_bits(d, rotations.swaps + j));
    const auto u = hn::LoadU(d, of_upper + j), l = hn::LoadU(d, of_lower + j);
    const auto phi = hn::IfThenElse(swap, l, u), sigma = hn::IfThenElse(swap, u, l);
    const auto re = hn::LoadU(d, diagonal.re.get() + j), im = hn::LoadU(d, diagonal.im.get() + j);
    // S = K_lu = -conj(K_ul) without exchange, K_ul with it.
    const Complex<V> s{hn::IfThenElse(swap, re, hn::Neg(re)), im};
    const auto a_s = a * s;
    const auto b_conj_s = hn::NegMulAdd(b.im, s.re, hn::Mul(b.re, s.im));  // Im(conj(b) S)
    const auto norm_a = hn::MulAdd(a.re, a.re, hn::Mul(a.im, a.im));
    const auto norm_b = hn::MulAdd(b.re, b.re, hn::Mul(b.im, b.im));
    const auto next_u = hn::MulAdd(norm_a, sigma, hn::Add(phi, hn::Add(a_s.im, a_s.im)));
    const auto next_l = hn::MulAdd(norm_b, phi, hn::Add(sigma, hn::Add(b_conj_s, b_conj_s)));
    // conj(b) a S by its parts.
    const auto product_re = hn::MulAdd(b.im, a_s.im, hn::Mul(b.re, a_s.re));
    const auto product_im = hn::NegMulAdd(b.im, a_s.re, hn::Mul(b.re, a_s.im));
    // i (conj(b) phi + a sigma) = (b.im phi - a.im sigma) + i (b.re phi + a.re sigma)
    const auto next_re = hn::Add(hn::Sub(product_re, s.re), hn::NegMulAdd(a.im, sigma, hn::Mul(b.im, phi)));
    const auto next_im = hn::Add(hn::Add(product_im, s.im), hn::MulAdd(a.re, sigma, hn::Mul(b.re, phi)));
    hn::StoreU(next_re, d, diagonal.re.get() + j);
    hn::StoreU(next_im, d, diagonal.im.get() + j);
    hn::BlendedStore(next_u, valid, d, of_upper + j);
    hn::BlendedStore(next_l, valid, d, of_lower + j);
    const auto phase = hn::Mul(half, upper_before ? next_u : u);
    // A whole run of vectors: the rows of a run are padded.
    hn::StoreInterleaved4(s.re, s.im, phase, hn::Mul(half, l), d, sums + 4 * j);
  }
}

/// Takes the blocks of one band of rows and one of columns a step back; with the same band for both, those on the
/// diagonal, too.
template <bool upper_before, typename T>
void carry_step(const LosslessMesh<T>& mesh, int64_t step, int64_t row_band, int64_t column_band,
                const Carried<T>& k, const Diagonal<T>& diagonal, T* sums) {
  const auto rows = mesh.run(step, row_band), columns = mesh.run(step, column_band);
  const int64_t mzis = std::max<int64_t>(0, (rows.end - rows.begin + 1) / 2);
  const int64_t others = mesh.pairs(step, column_band), lanes = hn::Lanes(Lanes<T>());
  const ColumnRotations<T> row_rotations(mesh, rows.row), column_rotations(mesh, columns.row);
  const bool on_diagonal = row_band == column_band;
  for (int64_t i = 0; on_diagonal && i < mzis; ++i) {
    const T* const from = k.re(rows.begin + 2 * i, rows.begin + 2 * i + 1);
    diagonal.re[i] = from[0];
    diagonal.im[i] = from[k.half];
  }
  if (on_diagonal) {
    carry_diagonal<upper_before>(row_rotations, rows.begin, mzis, diagonal, sums + 4 * rows.row);
  }
  if (row_band == 0 && rows.begin == 1) {
    carry_idle_row(k, column_rotations, columns.begin, others);
  }
  for (int64_t i = 0; i < mzis; ++i) {
    const int64_t begin = on_diagonal ? (i + 1) / lanes * lanes : 0;
    carry_row_pair(k, rows.begin + 2 * i, i, row_rotations, column_rotations, columns.begin, begin, others);
  }
  for (int64_t i = 0; on_diagonal && i < mzis; ++i) {
    T* const to = k.re(rows.begin + 2 * i, rows.begin + 2 * i + 1);
    to[0] = diagonal.re[i];
    to[k.half] = diagonal.im[i];
  }
}

/// K_pq *= D_p conj(D_q)
template <typename T>
void scale_matrix(const Carried<T>& k, int64_t ports, const T* factors, const Diagonal<T>& diagonal) {
  const Lanes<T> d;
  using V = Vector<decltype(d)>;
  const int64_t lanes = hn::Lanes(d);
  const AlignedArray<T> memory(4 * k.half);
  std::fill(memory.get(), memory.get() + 4 * k.half, T(0));
  const Carried<T> split{memory.get(), k.half};
  for (int64_t p = 0; p < ports; ++p) {
    T* const to = split.re(0, p);
    to[0] = factors[p];
    to[k.half] = factors[ports + p];
    diagonal[p] *= factors[p] * factors[p] + factors[ports + p] * factors[ports + p];
  }
  for (int64_t p = 0; p < ports; ++p) {
    const Complex<V> own{hn::Set(d, factors[p]), hn::Set(d, factors[ports + p])};
    for (const int64_t parity : {0, 1}) {
      T* const at = k.plane(p, parity);
      const T* const by = split.plane(0, parity);
      for (int64_t j = p / 2 / lanes * lanes; 2 * j < ports; j += lanes) {
        const Complex<V> x{hn::LoadU(d, at + j), hn::LoadU(d, at + k.half + j)};
        const Complex<V> factor{hn::LoadU(d, by + j), hn::Neg(hn::LoadU(d, by + k.half + j))};
        const auto y = own * factor * x;
        hn::StoreU(y.re, d, at + j);
        hn::StoreU(y.im, d, at + k.half + j);
      }
    }
  }
}

template <bool upper_before, typename T>
void gradient_sums(const LosslessMesh<T>& mesh, const T* correlation, T* mzi_sums, T* port_sums) {
  const int64_t ports = mesh.layout.ports, columns = mesh.layout.columns;
  const bool phi_first = mesh.layout.phi_arm == PhiArm::input;
  // Vectors begin at a multiple of their length behind the first port of a band, or the next.
  const int64_t lanes = hn::Lanes(Lanes<T>());
  const int64_t half = (ports / 2 + 1 + lanes - 1) / lanes * lanes + (mesh.bands > 1 ? lanes : 0);
  const AlignedArray<T> memory(4 * ports * half);
  std::fill(memory.get(), memory.get() + 4 * ports * half, T(0));
  const Carried<T> k{memory.get(), half};
  const Diagonal<T> diagonal(ports);
  // correlation[q][p] = M_pq, interleaved.
  for (int64_t p = 0; p < ports; ++p) {
    diagonal[p] = 2 * correlation[2 * p * (ports + 1) + 1];
    for (int64_t q = p + 1; q < ports; ++q) {
      const T *const pq = correlation + 2 * (q * ports + p), *const qp = correlation + 2 * (p * ports + q);
      T* const to = k.re(p, q);
      to[0] = pq[0] - qp[0];
      to[half] = pq[1] + qp[1];
    }
  }
  const auto add_screen = [&] {
    for (int64_t p = 0; p < ports; ++p) {
      port_sums[p] = T(-0.5) * diagonal[p];
    }
  };
  if (phi_first) {
    add_screen();
  }
  for (int64_t begin = 0; begin < columns; begin += LosslessMesh<T>::depth) {
    const int64_t end = std::min(begin + LosslessMesh<T>::depth, columns);
    for (int64_t row_band = 0; row_band < mesh.bands; ++row_band) {
      for (int64_t column_band = row_band; column_band < mesh.bands; ++column_band) {
        for (int64_t step = begin; step < end; ++step) {
          carry_step<upper_before>(mesh, step, row_band, column_band, k, diagonal, mzi_sums);
        }
      }
    }
    if (mesh.ends_strip(end - 1)) {
      scale_matrix(k, ports, mesh.factors_after(end - 1), diagonal);
    }
  }
  if (!phi_first) {
    add_screen();
  }
}

template <typename T>
void gradient_sums(const LosslessMesh<T>& mesh, const T* correlation, T* mzi_sums, T* port_sums) {
  if (mesh.layout.phi_arm == PhiArm::input && !mesh.has_errors) {
    gradient_sums<true>(mesh, correlation, mzi_sums, port_sums);
  } else {
    gradient_sums<false>(mesh, correlation, mzi_sums, port_sums);
  }
}

void gradient_sums_f32(const LosslessMesh<float>& mesh, const float* correlation, float* mzi_sums,
                       float* port_sums) {
  gradient_sums(mesh, correlation, mzi_sums, port_sums);
}
void gradient_sums_f64(const LosslessMesh<double>& mesh, const double* correlation, double* mzi_sums,
                       double* port_sums) {
  gradient_sums(mesh, correlation, mzi_sums, port_sums);
}

}  // namespace optotorch::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace optotorch::ops {

HWY_EXPORT(gradient_sums_f32);
HWY_EXPORT(gradient_sums_f64);

template <typename T>
void LosslessMesh<T>::gradient_sums(const T* correlation, T* mzi_sums, T* port_sums) const {
  if constexpr (std::is_same_v<T, float>) {
    HWY_DYNAMIC_DISPATCH(gradient_sums_f32)(*this, correlation, mzi_sums, port_sums);
  } else {
    HWY_DYNAMIC_DISPATCH(gradient_sums_f64)(*this, correlation, mzi_sums, port_sums);
  }
}

template void LosslessMesh<float>::gradient_sums(const float*, float*, float*) const;
template void LosslessMesh<double>::gradient_sums(const double*, double*, double*) const;

}  // namespace optotorch::ops
#endif
