#include "mesh_peers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
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

at::Tensor mesh_by_small_products(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                                  int64_t columns) {
  const int64_t ports = input.size(1), batch = input.size(0);
  const auto t = matrices_of(theta, phi);
  auto x = input.t().contiguous();
  int64_t start = 0;
  for (int64_t c = 0; c < columns; ++c) {
    const int64_t first = c % 2, pairs = (ports - first) / 2;
    const auto y = t.narrow(0, start, pairs)
                       .bmm(x.narrow(0, first, 2 * pairs).view({pairs, 2, batch}))
                       .view({2 * pairs, batch});
    x = first == 0 ? y : at::cat({x.narrow(0, 0, 1), y, x.narrow(0, ports - 1, 1)});
    start += pairs;
  }
  return x.t();
}

namespace {

/// Which MZI stands where in the diamonds. With a = (c + p)/2 and b = (c - p)/2 for the MZI in column c with
/// upper port p, a diamond is a square of (a, b); its columns are a + b, its ports a - b.
struct BlockPlan {
  static constexpr int64_t half = 4;
  static constexpr int64_t size = 2 * half;

  BlockPlan(int64_t ports, int64_t columns) {
    std::vector<int64_t> start{0};
    for (int64_t c = 0; c < columns; ++c) start.push_back(start.back() + (ports - c % 2) / 2);
    const auto mzi = [&](int64_t a, int64_t b) {
      const int64_t c = a + b, p = a - b;
      return c < 0 || c >= columns || p < 0 || p > ports - 2 ? start.back() : start[c] + p / 2;
    };
    std::vector<std::vector<int64_t>> places(2 * half - 1);
    for (int64_t column = -1; column <= (columns - 1) / half; ++column) {
      int64_t count = 0, top = 0;
      for (int64_t d = -ports; d <= ports; ++d) {
        const int64_t upper = d * half - (half - 1);
        if ((d + column) % 2 != 0 || upper >= ports || upper + size <= 0) continue;
        if (count++ == 0) top = upper;
        const int64_t a0 = (column + d) / 2 * half, b0 = (column - d) / 2 * half;
        for (int64_t step = 0; step < 2 * half - 1; ++step) {
          for (int64_t a = std::max<int64_t>(0, step - half + 1); a <= std::min(step, half - 1); ++a) {
            places[step].push_back(mzi(a0 + a, b0 + step - a));
          }
        }
      }
      counts.push_back(count);
      tops.push_back(top);
      blocks += count;
    }
    for (const auto& place : places) steps.push_back(at::tensor(place));
  }

  int64_t blocks = 0;
  std::vector<at::Tensor> steps;      ///< MZIs of each of a diamond's columns; one past the last: none
  std::vector<int64_t> counts, tops;  ///< diamonds of a column, and the port where the first begins
};

}  // namespace

at::Tensor mesh_by_blocks(const at::Tensor& input, const at::Tensor& theta, const at::Tensor& phi,
                          int64_t columns) {
  const int64_t ports = input.size(1), batch = input.size(0), half = BlockPlan::half, size = BlockPlan::size;
  static std::map<std::pair<int64_t, int64_t>, BlockPlan> plans;
  const auto& plan = plans.try_emplace({ports, columns}, ports, columns).first->second;
  auto t = elements_of(theta, phi);
  const auto one = at::ones({1}, t.uu.options()), zero = at::zeros({1}, t.uu.options());
  t = {at::cat({t.uu, one}), at::cat({t.ul, zero}), at::cat({t.lu, zero}), at::cat({t.ll, one})};
  auto m = at::eye(size, t.uu.options()).expand({plan.blocks, size, size});
  for (int64_t step = 0; step < 2 * half - 1; ++step) {
    const int64_t pairs = half - std::abs(step - half + 1), first = half - pairs;
    const auto here = [&](const at::Tensor& element) {
      return element.index_select(0, plan.steps[step]).view({plan.blocks, pairs, 1});
    };
    const auto rows = m.narrow(1, first, 2 * pairs).unflatten(1, {pairs, 2});
    const auto upper = rows.select(2, 0), lower = rows.select(2, 1);
    const auto y = at::stack({at::addcmul(here(t.uu) * upper, here(t.ul), lower),
                              at::addcmul(here(t.lu) * upper, here(t.ll), lower)},
                             2)
                       .view({plan.blocks, 2 * pairs, size});
    m = first == 0 ? y : at::cat({m.narrow(1, 0, first), y, m.narrow(1, size - first, first)}, 1);
  }
  const auto margin = at::zeros({size, batch}, input.options());
  auto x = at::cat({margin, input.t(), margin});
  for (size_t column = 0, start = 0; column < plan.counts.size(); ++column) {
    const int64_t count = plan.counts[column], top = plan.tops[column] + size, below = top + count * size;
    const auto y = m.narrow(0, static_cast<int64_t>(start), count)
                       .bmm(x.narrow(0, top, count * size).view({count, size, batch}))
                       .view({count * size, batch});
    x = at::cat({x.narrow(0, 0, top), y, x.narrow(0, below, x.size(0) - below)});
    start += static_cast<size_t>(count);
  }
  return x.narrow(0, size, ports).t();
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
