#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <optotorch/ops/cpu/sepn_kernels.h>
#include <torch/library.h>

namespace optotorch::ops {
namespace {

constexpr int64_t group = 64;    // samples whose gradients are summed before others'
constexpr int64_t together = 4;  // output channels in a row of packed weights

/// Calls visit(output pixel, input pixel, tap) for all that a convolution brings together.
template <typename Visit>
void visit_links(const SepnConvolution& c, const Visit& visit) {
  // The kernel is centred on pixel stride x of the larger image.
  const int64_t small = c.transposed ? c.in_side : c.out_side, large = c.transposed ? c.out_side : c.in_side;
  for (int64_t y = 0; y < small; ++y) {
    for (int64_t x = 0; x < small; ++x) {
      for (int64_t tap = 0; tap < 9; ++tap) {
        const int64_t v = c.stride() * y + tap / 3 - 1, u = c.stride() * x + tap % 3 - 1;
        if (v >= 0 && v < large && u >= 0 && u < large) {
          const int64_t one = y * small + x, other = v * large + u;
          visit(c.transposed ? other : one, c.transposed ? one : other, tap);
        }
      }
    }
  }
}

SepnLinks gather(int64_t pixels, const std::vector<std::array<int64_t, 3>>& links, size_t target,
                 size_t source) {
  SepnLinks result;
  std::vector<std::vector<SepnLinks::Link>> of(static_cast<size_t>(pixels));
  for (const auto& link : links) {
    of[static_cast<size_t>(link[target])].push_back(
        {static_cast<int32_t>(link[source]), static_cast<int32_t>(link[2])});
  }
  for (const auto& some : of) {
    result.begin.push_back(static_cast<int32_t>(result.links.size()));
    result.links.insert(result.links.end(), some.begin(), some.end());
  }
  result.begin.push_back(static_cast<int32_t>(result.links.size()));
  return result;
}

SepnStep make_step(const SepnConvolution& c, int64_t x, int64_t y, bool active) {
  std::vector<std::array<int64_t, 3>> links;
  SepnStep step{c, x, y, active, {}, {}, std::vector<std::vector<std::pair<int32_t, int32_t>>>(9)};
  visit_links(c, [&](int64_t out, int64_t in, int64_t tap) {
    links.push_back({out, in, tap});
    step.pairs[static_cast<size_t>(tap)].emplace_back(static_cast<int32_t>(out), static_cast<int32_t>(in));
  });
  step.forward = gather(c.out_side * c.out_side, links, 0, 1);
  step.backward = gather(c.in_side * c.in_side, links, 1, 0);
  return step;
}

/// weight(target, source, tap) in the order of the kernel's loops.
template <typename T, typename Weight>
void pack(int64_t targets, int64_t sources, T sign, const Weight& weight, std::vector<T>& to) {
  for (int64_t first = 0; first < targets; first += together) {
    for (int64_t tap = 0; tap < 9; ++tap) {
      for (int64_t source = 0; source < sources; ++source) {
        for (int64_t part = 0; part < 2; ++part) {
          for (int64_t target = first; target < first + together; ++target) {
            const T value = target < targets ? weight(target, source, tap)[part] : T(0);
            to.push_back(part == 1 ? sign * value : value);
          }
        }
      }
    }
  }
}

}  // namespace

template <typename T>
SepnPlan<T>::SepnPlan(const SepnLayout& layout, const T* parameters)
    : layout(layout), parameters(parameters) {
  const auto convolutions = layout.convolutions();
  const auto place = [&](int64_t channels, int64_t side) {
    const int64_t first = rows;
    rows += channels * side * side;
    return first;
  };
  const auto& c = convolutions;
  const int64_t x0 = place(1, c[0].in_side);
  const auto step = [&](size_t index, int64_t x, int64_t y) {
    steps.push_back(make_step(c[index], x, y, index + 1 < c.size()));
    return y;
  };
  const auto after = [&](size_t index, int64_t x) {
    return step(index, x, place(c[index].out, c[index].out_side));
  };
  // Concatenated planes lie together: x1 before u2, x2 before u1.
  const int64_t x1 = after(2, after(1, after(0, x0))), u2 = place(c[12].out, c[12].out_side);
  const int64_t d1 = after(3, x0);
  const int64_t x2 = after(6, after(5, after(4, d1))), u1 = place(c[11].out, c[11].out_side);
  const int64_t x3 = after(10, after(9, after(8, after(7, d1))));
  step(11, x3, u1);
  step(12, x2, u2);
  output = after(13, x1);
  for (const auto& [in, out, in_side, out_side, transposed, first, bias] : c) {
    direct_at.push_back(static_cast<int64_t>(direct.size()));
    adjoint_at.push_back(static_cast<int64_t>(adjoint.size()));
    const auto weight = [&, in = in, out = out, transposed = transposed, first = first](int64_t o, int64_t i,
                                                                                        int64_t tap) {
      return parameters + 2 * (first + 9 * (transposed ? i * out + o : o * in + i) + tap);
    };
    pack(out, in, T(1), weight, direct);
    pack(
        in, out, T(-1), [&](int64_t i, int64_t o, int64_t tap) { return weight(o, i, tap); }, adjoint);
  }
}

template class SepnPlan<float>;
template class SepnPlan<double>;

namespace {

template <typename scalar_t>
using Real = typename scalar_t::value_type;

template <typename scalar_t>
const Real<scalar_t>* read(const at::Tensor& tensor) {
  return reinterpret_cast<const Real<scalar_t>*>(tensor.const_data_ptr<scalar_t>());
}
template <typename scalar_t>
Real<scalar_t>* write(const at::Tensor& tensor) {
  return reinterpret_cast<Real<scalar_t>*>(tensor.mutable_data_ptr<scalar_t>());
}

at::Tensor sepn_cpu(const at::Tensor& x, const at::Tensor& parameters, at::IntArrayRef features) {
  const auto layout = sepn_layout(x, features);
  check_sepn(x, parameters, layout);
  const auto field = x.resolve_conj().contiguous(), numbers = parameters.contiguous();
  auto y = at::empty_like(field);
  AT_DISPATCH_COMPLEX_TYPES(field.scalar_type(), "sepn", [&] {
    const SepnPlan<Real<scalar_t>> plan(layout, numbers.const_data_ptr<Real<scalar_t>>());
    at::parallel_for(0, (field.size(0) + group - 1) / group, 1, [&](int64_t begin, int64_t end) {
      plan.forward(read<scalar_t>(field), write<scalar_t>(y), begin * group,
                   std::min(end * group, field.size(0)));
    });
  });
  return y;
}

std::tuple<at::Tensor, at::Tensor> sepn_backward_cpu(const at::Tensor& dL_dy, const at::Tensor& x,
                                                     const at::Tensor& parameters, at::IntArrayRef features,
                                                     bool to_x, bool to_parameters) {
  const auto layout = sepn_layout(x, features);
  check_sepn_backward(dL_dy, x, parameters, layout);
  const auto field = x.resolve_conj().contiguous(), signal = dL_dy.resolve_conj().contiguous(),
             numbers = parameters.contiguous();
  const int64_t groups = (field.size(0) + group - 1) / group;
  auto dL_dx = to_x ? at::empty_like(field) : at::empty({0}, field.options());
  // One sum a group, so that results do not depend on the number of threads.
  const auto sums = at::zeros({groups, to_parameters ? numbers.size(0) : 0, 2}, numbers.options());
  AT_DISPATCH_COMPLEX_TYPES(field.scalar_type(), "sepn_backward", [&] {
    using T = Real<scalar_t>;
    const SepnPlan<T> plan(layout, numbers.const_data_ptr<T>());
    at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
      for (int64_t one = begin; one < end; ++one) {
        plan.backward(read<scalar_t>(signal), read<scalar_t>(field), to_x ? write<scalar_t>(dL_dx) : nullptr,
                      to_parameters ? sums.mutable_data_ptr<T>() + one * numbers.numel() : nullptr,
                      one * group, std::min((one + 1) * group, field.size(0)));
      }
    });
  });
  return {dL_dx, to_parameters ? sums.sum(0) : at::empty({0}, numbers.options())};
}

TORCH_LIBRARY_IMPL(optotorch, CPU, library) {
  library.impl("sepn", sepn_cpu);
  library.impl("sepn_backward", sepn_backward_cpu);
}

}  // namespace
}  // namespace optotorch::ops
