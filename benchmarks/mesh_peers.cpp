#include "mesh_peers.h"

#include <ATen/ATen.h>

#include <vector>

namespace optotorch::bench {
namespace {

/// The four elements of every MZI's matrix, [mzis] each, made at once.
struct Elements {
  at::Tensor uu, ul, lu, ll;
};

Elements elements_of(const at::Tensor& theta, const at::Tensor& phi) {
  const auto half = theta / 2;
  const auto s = half.sin(), c = half.cos();
  const auto zero = at::zeros_like(s);
  const auto outer = at::complex(-phi.sin(), phi.cos());  // i e^{i phi}
  return {outer * s, outer * c, at::complex(zero, c), at::complex(zero, -s)};
}

/// [mzis, 2, 2].
at::Tensor matrices_of(const at::Tensor& theta, const at::Tensor& phi) {
  const auto t = elements_of(theta, phi);
  return at::stack({t.uu, t.ul, t.lu, t.ll}, 1).view({-1, 2, 2});
}

}  // namespace

at::Tensor mesh_by_columns(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                           int64_t columns) {
  const int64_t ports = input.size(1), batch = input.size(0);
  const auto t = elements_of(theta, phi);
  const auto uu = t.uu.unsqueeze(1), ul = t.ul.unsqueeze(1), lu = t.lu.unsqueeze(1), ll = t.ll.unsqueeze(1);
  // Ports first: the MZIs of a column are contiguous rows, samples the inner dimension.
  auto x = input.t().contiguous();
  int64_t start = 0;
  for (int64_t c = 0; c < columns; ++c) {
    const int64_t first = c % 2, pairs = (ports - first) / 2;
    const auto block = x.narrow(0, first, 2 * pairs).view({pairs, 2, batch});
    const auto upper = block.select(1, 0), lower = block.select(1, 1);
    const auto here = [&](const at::Tensor& element) { return element.narrow(0, start, pairs); };
    auto y = at::stack({at::addcmul(here(uu) * upper, here(ul), lower),
                        at::addcmul(here(lu) * upper, here(ll), lower)},
                       1)
                 .view({2 * pairs, batch});
    x = first == 0 ? y : at::cat({x.narrow(0, 0, 1), y, x.narrow(0, ports - 1, 1)});
    start += pairs;
  }
  return x.t();
}

at::Tensor mesh_by_tree(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                        int64_t columns) {
  const int64_t ports = input.size(1);
  std::vector<int64_t> places, idle;
  for (int64_t c = 0; c < columns; ++c) {
    const int64_t first = c % 2, pairs = (ports - first) / 2;
    for (int64_t j = 0; j < pairs; ++j) {
      const int64_t u = (c * ports + first + 2 * j) * ports + first + 2 * j;
      places.insert(places.end(), {u, u + 1, u + ports, u + ports + 1});
    }
    for (const int64_t p : {int64_t{0}, ports - 1}) {
      if (first == 1) idle.push_back((c * ports + p) * ports + p);
    }
  }
  const auto entries = matrices_of(theta, phi).flatten();
  auto m = at::zeros({columns * ports * ports}, entries.options())
               .index_fill(0, at::tensor(idle), 1)
               .index_put({at::tensor(places)}, entries)
               .view({columns, ports, ports});
  while (m.size(0) > 1) {
    const int64_t pairs = m.size(0) / 2;
    const auto whole = m.narrow(0, 0, 2 * pairs).view({pairs, 2, ports, ports});
    const auto product = whole.select(1, 1).bmm(whole.select(1, 0));
    m = m.size(0) % 2 == 0 ? product : at::cat({product, m.narrow(0, 2 * pairs, 1)});
  }
  return input.matmul(m[0].t());
}

}  // namespace optotorch::bench
