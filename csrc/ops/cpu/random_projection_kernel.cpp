#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <optotorch/core/check.h>
#include <optotorch/ops/cpu/random_projection_kernels.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

[[noreturn]] void reject_value(int8_t value) {
  reject({.where = "random_projection",
          .argument = "x",
          .expected = "-1, 0 and 1 in int8",
          .got = std::to_string(value),
          .remedy = "Encode values as ternary frames, or project them in float32"});
}

TernaryPlanes planes_of(const at::Tensor& x) {
  const int64_t batch = x.size(0), columns = x.size(1);
  TernaryPlanes planes;
  planes.blocks = (columns + 127) / 128;
  planes.nonzero.resize(static_cast<size_t>(batch * planes.blocks * 4));
  planes.negative.resize(planes.nonzero.size());
  planes.count.resize(static_cast<size_t>(batch));
  planes.used.resize(static_cast<size_t>(planes.blocks));
  const auto* values = x.const_data_ptr<int8_t>();
  for (int64_t s = 0; s < batch; ++s) {
    for (int64_t c = 0; c < columns; ++c) {
      const int8_t value = values[s * columns + c];
      if (value == 0) {
        continue;
      }
      if (value != 1 && value != -1) {
        reject_value(value);
      }
      const auto word = static_cast<size_t>(s * planes.blocks * 4 + c / 32);
      planes.nonzero[word] |= 1U << (c % 32);
      planes.negative[word] |= (value < 0 ? 1U : 0U) << (c % 32);
      ++planes.count[static_cast<size_t>(s)];
      planes.used[static_cast<size_t>(c / 128)] = 1;
    }
  }
  return planes;
}

TernaryLists lists_of(const at::Tensor& x) {
  const int64_t batch = x.size(0), columns = x.size(1);
  TernaryLists lists;
  // Blocks of four columns are asked for by twos.
  lists.used.resize(static_cast<size_t>((columns + 3) / 4 * 2));
  const auto* values = x.const_data_ptr<int8_t>();
  for (int64_t s = 0; s < batch; ++s) {
    for (int64_t first = 0; first < columns; first += projection_chunk) {
      const int64_t end = std::min(columns, first + projection_chunk);
      lists.first.push_back(static_cast<int64_t>(lists.columns.size()));
      for (int64_t c = first; c < end; ++c) {
        const int8_t value = values[s * columns + c];
        if (value == 0) {
          continue;
        }
        if (value != 1 && value != -1) {
          reject_value(value);
        }
        lists.columns.push_back(static_cast<uint8_t>(c - first + (value < 0 ? TernaryLists::negative : 0)));
        lists.used[static_cast<size_t>(c / 2)] = 1;
      }
    }
  }
  lists.first.push_back(static_cast<int64_t>(lists.columns.size()));
  return lists;
}

/// Additions wait for each other, where products of four samples do not; what saves time is entries that
/// nobody asks for.
bool additions_pay(const TernaryLists& x, const Projection& projection) {
  constexpr int64_t few_samples = 4, rare = 16;
  return projection.batch < few_samples ||
         static_cast<int64_t>(x.columns.size()) * rare < projection.batch * projection.columns;
}

template <typename X, typename T>
void project_all(const Projection& projection, const X& x, T* y, int64_t rows) {
  const int64_t group = projection_group(projection.entries), groups = (rows + group - 1) / group;
  at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
    project_rows(projection, x, y, rows, begin * group, std::min(end * group, rows));
  });
}

at::Tensor random_projection_cpu(const at::Tensor& x, int64_t rows, int64_t seed, std::string_view kind,
                                 int64_t first_row) {
  const auto entries = entries_from(std::string(kind));
  check_random_projection(x, rows, entries, first_row);
  const auto in = x.contiguous();
  auto y = at::empty({x.size(0), rows}, x.options().dtype(random_projection_type(x.scalar_type(), entries)));
  const Projection projection{static_cast<uint64_t>(seed), entries, first_row, x.size(0), x.size(1)};
  if (x.size(0) == 0) {
    return y;
  }
  if (x.scalar_type() == at::kDouble) {
    project_all(projection, in.const_data_ptr<double>(), static_cast<double*>(y.mutable_data_ptr()), rows);
  } else if (x.scalar_type() == at::kFloat) {
    project_all(projection, in.const_data_ptr<float>(), static_cast<float*>(y.mutable_data_ptr()), rows);
  } else if (entries == Entries::rademacher) {
    project_all(projection, planes_of(in), y.mutable_data_ptr<float>(), rows);
  } else if (const auto lists = lists_of(in); additions_pay(lists, projection)) {
    project_all(projection, lists, static_cast<float*>(y.mutable_data_ptr()), rows);
  } else {
    const auto values = in.to(at::kFloat);  // the same bits
    project_all(projection, values.const_data_ptr<float>(), static_cast<float*>(y.mutable_data_ptr()), rows);
  }
  return y;
}

}  // namespace

double sum_of_entries(int64_t rows, int64_t columns, int64_t seed, Entries entries) {
  const Projection projection{static_cast<uint64_t>(seed), entries, 0, 0, columns};
  const int64_t group = projection_group(entries), groups = (rows + group - 1) / group;
  return at::parallel_reduce(
      0, groups, 1, 0.0,
      [&](int64_t begin, int64_t end, double sum) {
        return sum + sum_of_rows(projection, begin * group, std::min(end * group, rows));
      },
      std::plus<>());
}

namespace {

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("random_projection", random_projection_cpu);
}

}  // namespace
}  // namespace optotorch::ops
