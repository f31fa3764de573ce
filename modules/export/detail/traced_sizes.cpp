#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/export/detail/traced_sizes.h>

#include <exception>
#include <functional>
#include <optional>
#include <set>
#include <vector>

namespace optotorch {
namespace {

constexpr char in_traced_sizes[] = "export_torchscript";

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

/// The last lines of TorchScript's traceback.
std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  return text.substr(text.rfind('\n') + 1);
}

/// The result, or nothing if there is an error.
std::optional<torch::Tensor> attempt(const std::function<torch::Tensor()>& compute) {
  try {
    return compute();
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

bool agree(const torch::Tensor& expected, const torch::Tensor& got) {
  return relative_difference(expected, got) <= allowed_difference(expected);
}

/// Which sizes of a sample a trace takes as they come, and whether it ever gave a wrong answer.
struct SampleSizes {
  std::set<int64_t> free{};   ///< dimensions in which trace and layer agree at another size
  std::set<int64_t> wrong{};  ///< dimensions in which they do not
};

class SizeProbes {
 public:
  SizeProbes(TracedLayer& layer, const torch::Tensor& example) : layer_(layer), example_(example) {}

  SampleSizes run() {
    for (int64_t dim = 1; dim < example_.dim(); ++dim) {
      const int64_t size = example_.size(dim);
      for (const int64_t other : {int64_t{1}, size + 1, 2 * size}) {
        if (other != size) {
          compare(resized(example_, dim, other), {dim});
        }
      }
    }
    // Half and double: flattened, such a sample is as long as before.
    for (int64_t doubled = 1; doubled < example_.dim(); ++doubled) {
      for (int64_t halved = 1; halved < example_.dim(); ++halved) {
        const int64_t half = example_.size(halved) / 2;
        if (halved != doubled && example_.size(halved) % 2 == 0 && sizes_.wrong.count(doubled) == 0 &&
            sizes_.wrong.count(halved) == 0) {
          compare(resized(example_.narrow(halved, 0, half), doubled, 2 * example_.size(doubled)),
                  {doubled, halved});
        }
      }
    }
    for (const auto dim : sizes_.wrong) {
      sizes_.free.erase(dim);
    }
    return sizes_;
  }

 private:
  void compare(const torch::Tensor& x, const std::vector<int64_t>& dims) {
    const auto got = attempt([&] { return layer_.traced(x); });
    if (!got) {
      return;  // the file's operators refuse it by themselves
    }
    const auto expected = attempt([&] { return layer_.forward(x); });
    const bool right = expected && agree(*expected, *got);
    if (!right) {
      sizes_.wrong.insert(dims.begin(), dims.end());
    } else if (dims.size() == 1) {
      sizes_.free.insert(dims.front());
    }
  }

  TracedLayer& layer_;
  torch::Tensor example_;
  SampleSizes sizes_;
};

/// TorchScript that refuses every sample with sizes other than the example's, but for the free ones.
std::string size_check(const std::string& name, const torch::Tensor& example, const std::set<int64_t>& free) {
  std::string condition = c10::str("input.dim() == ", example.dim()), shape = "[*";
  for (int64_t dim = 1; dim < example.dim(); ++dim) {
    if (free.count(dim) != 0) {
      shape += ", *";
      continue;
    }
    condition += c10::str(" and input.size(", dim, ") == ", example.size(dim));
    shape += c10::str(", ", example.size(dim));
  }
  return c10::str("  assert ", condition, ", '", name, ": input: expected ", shape,
                  "], the size that it was exported with, got {}'.format(input.size())\n");
}

}  // namespace

torch::Tensor resized(const torch::Tensor& x, int64_t dim, int64_t size) {
  return x.index_select(dim, at::arange(size, at::kLong).remainder(x.size(dim)));
}

void check_batch_sizes(TracedLayer& layer, const torch::Tensor& example) {
  const int64_t batch = example.size(0);
  for (const int64_t other : {int64_t{1}, batch + 1, 2 * batch + 1}) {
    const auto x = resized(example, 0, other);
    const auto expected = layer.untraced(x);
    std::string got;
    try {
      const auto output = layer.traced(x);
      if (!agree(expected, output)) {
        got = output.sizes() == expected.sizes()
                  ? c10::str("a relative difference of ", relative_difference(expected, output))
                  : c10::str(describe(output), " instead of ", describe(expected));
      }
    } catch (const std::exception& error) {
      const std::string text = last_line(error.what());
      got = text.empty() ? first_line(error.what()) : text;
    }
    OPTOTORCH_CHECK(got.empty() || agree(expected, layer.untraced(x)), .where = in_traced_sizes,
                    .argument = layer.name(), .expected = "a forward pass that repeats its values",
                    .got = "others in a second one", .remedy = "Is it random in eval mode?");
    OPTOTORCH_CHECK(got.empty(), .where = in_traced_sizes, .argument = layer.name(),
                    .expected = "a forward pass that is the same function of any number of samples",
                    .got = c10::str("traced with ", batch, " and run with ", other, ": ", got),
                    .remedy =
                        "x.size(0) is a number, which a trace keeps: let LibTorch find it, as in "
                        "flatten(1), view({-1, n}), expand_as, zeros_like or mean(0)");
  }
}

void define_forward(TracedLayer& layer, const torch::Tensor& example) {
  const auto sizes = SizeProbes(layer, example.narrow(0, 0, 1)).run();
  const std::string check = sizes.wrong.empty() ? "" : size_check(layer.name(), example, sizes.free);
  layer.module().define("def forward(self, input: Tensor) -> Tensor:\n" + check +
                        "  return self.compute(input)\n");
}

}  // namespace optotorch
