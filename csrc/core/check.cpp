#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/printable.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

namespace optotorch {

std::string message(const WrongInput& wrong) {
  // Any part may quote what came from a file, a name or a peer.
  std::string text = printable(wrong.where) + ": " + printable(wrong.argument) + ": expected " +
                     printable(wrong.expected) + ", got " + printable(wrong.got);
  const auto end = [&text] {  // one full stop, also behind a part that quotes another message
    while (text.ends_with('.')) {
      text.pop_back();
    }
    text += text.ends_with('?') ? "" : ".";
  };
  end();
  if (!wrong.remedy.empty()) {
    text += " " + printable(wrong.remedy);
    end();
  }
  return text;
}

void reject(const WrongInput& wrong) {
  C10_THROW_ERROR(ValueError, message(wrong));
}

std::string type_name(at::ScalarType type) {
  switch (type) {
    case at::kByte:
      return "uint8";
    case at::kChar:
      return "int8";
    case at::kShort:
      return "int16";
    case at::kInt:
      return "int32";
    case at::kLong:
      return "int64";
    case at::kUInt16:
      return "uint16";
    case at::kUInt32:
      return "uint32";
    case at::kUInt64:
      return "uint64";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kComplexHalf:
      return "complex32";
    case at::kComplexFloat:
      return "complex64";
    case at::kComplexDouble:
      return "complex128";
    case at::kBool:
      return "bool";
    default:
      return c10::toString(type);
  }
}

std::string describe(const at::Tensor& tensor) {
  if (!tensor.defined()) {
    return "an undefined tensor";
  }
  return c10::str(type_name(tensor.scalar_type()), " ", tensor.sym_sizes());
}

void check_finite(const std::string& where, const std::string& argument, const at::Tensor& tensor) {
  // One sum finds them: a NaN or an infinity anywhere makes 0 * sum NaN, and no temporary of the tensor's
  // size is made.
  const at::Tensor real = tensor.is_complex() ? at::view_as_real(tensor.resolve_conj()) : tensor;
  const double probe = real.sum(at::kDouble).item<double>();
  // Large ones, whose sum overflows, are finite nevertheless.
  OPTOTORCH_CHECK(std::isfinite(probe) || real.isfinite().all().item<bool>(), .where = where,
                  .argument = argument, .expected = "finite values",
                  .got = "NaN or infinity in " + describe(tensor),
                  .remedy = "Look for a division by zero or a learning rate that is too large");
}

std::string nearest_name(const std::string& name, const std::vector<std::string>& known) {
  const auto lower = [](std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
  };
  // Letters changed, left out, added, or swapped with their neighbours.
  const auto distance = [](const std::string& a, const std::string& b) {
    std::vector<size_t> before, last, row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
      before = std::move(last);
      last = row;
      row[0] = i;
      for (size_t j = 1; j <= b.size(); ++j) {
        row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
          row[j] = std::min(row[j], before[j - 2] + 1);
        }
      }
    }
    return row.back();
  };
  const auto said = lower(name);
  std::string nearest;
  size_t least = std::max<size_t>(1, name.size() / 3) + 1;  // what is farther off was another word
  for (const auto& other : known) {
    const size_t edits = distance(said, lower(other));
    if (edits < least && edits < other.size()) {
      least = edits;
      nearest = other;
    }
  }
  return nearest;
}

}  // namespace optotorch
