#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/printable.h>
#include <optotorch/modules/export/detail/pickle.h>
#include <optotorch/modules/export/detail/torchscript_archive.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace optotorch {
namespace {

constexpr auto in_archive = "TorchScriptArchive";
constexpr size_t most_tensors = 1 << 18, longest_name = 512, deepest = 128, most_dimensions = 64;

/// Bytes of so many elements, or nothing where that is beyond all memory.
std::optional<int64_t> bytes_of(int64_t elements, at::ScalarType type) {
  int64_t bytes = 0;
  if (__builtin_mul_overflow(elements, static_cast<int64_t>(c10::elementSize(type)), &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

/// The type whose storages PyTorch calls that, as "FloatStorage".
std::optional<at::ScalarType> type_of_storage(std::string_view name) {
  for (int8_t code = 0; code < static_cast<int8_t>(at::ScalarType::Undefined); ++code) {
    const auto type = static_cast<at::ScalarType>(code);
    if (name == c10::str(c10::toString(type), "Storage")) {
      return type;
    }
  }
  return std::nullopt;
}

/// Walks the values of one pickle and notes the tensors.
class TensorFinder {
 public:
  using Kind = Pickle::Kind;
  using Value = Pickle::Value;

  /// `storages`: the folder of the records with the data.
  TensorFinder(const Pickle& pickle, ZipRecords& records, std::string storages,
               std::vector<ArchivedTensor>& found)
      : pickle_(pickle),
        records_(records),
        storages_(std::move(storages)),
        found_(found),
        visited_(pickle.nodes(), false) {}

  void find(const Value& value, const std::string& name, size_t depth = 0) {
    if (value.kind() < Kind::sequence) {
      return;
    }
    if (depth > deepest) {
      refuse(c10::str("values at most ", deepest, " deep in each other"), "more");
    }
    const auto items = pickle_.items(value);
    if (value.is(Kind::call) && is_tensor(items[0])) {
      note(items[1], name);
      return;
    }
    // Once: values may hold each other in a circle.
    if (visited_[pickle_.node(value)]) {
      return;
    }
    visited_[pickle_.node(value)] = true;
    switch (value.kind()) {
      case Kind::sequence:
        for (size_t i = 0; i < items.size(); ++i) {
          find(items[i], joined(name, std::to_string(i)), depth + 1);
        }
        break;
      case Kind::dictionary:
        for (size_t i = 0; i + 1 < items.size(); i += 2) {
          const Value& key = items[i];
          find(items[i + 1],
               joined(name, key.is(Kind::text)    ? std::string(pickle_.text(key))
                            : key.is(Kind::whole) ? std::to_string(key.number())
                                                  : std::to_string(i / 2)),
               depth + 1);
        }
        break;
      case Kind::call:
        // The names of a function's arguments are not known: the only one that can hold a tensor needs none.
        for (const Value& item : items.subspan(1)) {
          find_within(item, name, depth);
        }
        break;
      default:  // an object's arguments, none in TorchScript, and its state
        for (const Value& item : items.subspan(1)) {
          find(item, name, depth + 1);
        }
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const {
    reject({.where = in_archive,
            .argument = records_.name(),
            .expected = expected,
            .got = got,
            .remedy = "The file is damaged or is no TorchScript file"});
  }

  void find_within(const Value& value, const std::string& name, size_t depth) {
    const auto items = pickle_.items(value);
    const auto holds = [](const Value& item) { return item.kind() >= Kind::sequence; };
    if (value.is(Kind::sequence) && std::count_if(items.begin(), items.end(), holds) == 1) {
      find(*std::find_if(items.begin(), items.end(), holds), name, depth + 1);
    } else {
      find(value, name, depth + 1);
    }
  }

  std::string joined(const std::string& name, const std::string& part) const {
    if (name.size() + part.size() >= longest_name) {
      refuse(c10::str("names of at most ", longest_name, " bytes"), "'" + name + "." + part + "'");
    }
    return name.empty() ? part : name + "." + part;
  }

  bool is_tensor(const Value& function) const {
    const auto name = pickle_.text(function);
    return name == "torch._utils\n_rebuild_tensor_v2" || name == "torch._utils\n_rebuild_qtensor";
  }

  int64_t whole(const Value& value, const std::string& name) const {
    if (!value.is(Kind::whole) || value.number() < 0) {
      refuse("whole numbers of at least 0 for '" + name + "'", "something else");
    }
    return value.number();
  }

  std::vector<int64_t> wholes(const Value& value, const std::string& name) const {
    const auto items = pickle_.items(value);
    if (!value.is(Kind::sequence) || items.size() > most_dimensions) {
      refuse(c10::str("at most ", most_dimensions, " sizes and strides of '", name, "'"), "something else");
    }
    std::vector<int64_t> numbers;
    for (const Value& item : items) {
      numbers.push_back(whole(item, name));
    }
    return numbers;
  }

  /// The arguments of _rebuild_tensor_v2: storage, offset, sizes, strides, whether it wants a gradient, hooks
  /// and, of some, a dictionary of bits. Those of _rebuild_qtensor begin alike.
  void note(const Value& arguments, const std::string& name) {
    const auto items = pickle_.items(arguments);
    if (items.size() < 6 || !items[0].is(Kind::persistent)) {
      refuse("storage, offset, sizes and strides of '" + name + "'", "something else");
    }
    if (found_.size() == most_tensors) {
      refuse(c10::str("at most ", most_tensors, " tensors"), "more");
    }
    ArchivedTensor tensor;
    tensor.name = name;
    note_storage(pickle_.items(items[0])[0], tensor);
    tensor.offset = whole(items[1], name);
    tensor.sizes = wholes(items[2], name);
    tensor.strides = wholes(items[3], name);
    if (items.size() > 6) {
      note_bits(items[6], tensor);
    }
    check_bounds(tensor);
    found_.push_back(std::move(tensor));
  }

  /// ("storage", torch.FloatStorage, key, device, elements).
  void note_storage(const Value& value, ArchivedTensor& tensor) {
    const auto items = pickle_.items(value);
    if (items.size() != 5 || pickle_.text(items[0]) != "storage" || !items[1].is(Kind::global) ||
        !items[2].is(Kind::text) || !items[3].is(Kind::text)) {
      refuse("the storage of '" + tensor.name + "'", "something else");
    }
    constexpr std::string_view module = "torch\n";
    const auto kind = pickle_.text(items[1]);
    const auto type = kind.starts_with(module) ? type_of_storage(kind.substr(module.size()))
                                               : std::optional<at::ScalarType>();
    if (!type) {
      refuse("a known type of '" + tensor.name + "'", "'" + std::string(kind) + "'");
    }
    tensor.type = *type;
    tensor.device = pickle_.text(items[3]);
    tensor.record = storages_ + std::string(pickle_.text(items[2]));
    tensor.storage_elements = whole(items[4], tensor.name);
    if (tensor.device == "meta" || tensor.storage_elements == 0) {
      return;
    }
    const auto bytes = bytes_of(tensor.storage_elements, tensor.type);
    const uint64_t there = records_.length(tensor.record);
    if (!bytes || static_cast<uint64_t>(*bytes) != there) {
      refuse(c10::str(there, " bytes in the storage of '", tensor.name, "'"),
             c10::str(tensor.storage_elements, " elements of ", type_name(tensor.type)));
    }
  }

  void note_bits(const Value& value, ArchivedTensor& tensor) const {
    auto bits = value;
    if (bits.is(Kind::call)) {  // restore_type_tag(dictionary, "Dict[str, bool]")
      const auto arguments = pickle_.items(pickle_.items(bits)[1]);
      bits = arguments.empty() ? Value() : arguments[0];
    }
    if (!bits.is(Kind::dictionary)) {
      return;
    }
    const auto items = pickle_.items(bits);
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      const bool set = items[i + 1].is(Kind::boolean) && items[i + 1].number() == 1;
      tensor.conjugated = tensor.conjugated || (set && pickle_.text(items[i]) == "conj");
      tensor.negated = tensor.negated || (set && pickle_.text(items[i]) == "neg");
    }
  }

  /// The last element must lie in the storage, and bytes must be countable even of a tensor that repeats.
  void check_bounds(const ArchivedTensor& tensor) const {
    const auto outside = [&] {
      refuse(c10::str("'", tensor.name, "' within its storage of ", tensor.storage_elements, " elements"),
             c10::str(at::IntArrayRef(tensor.sizes), " with strides ", at::IntArrayRef(tensor.strides),
                      " from ", tensor.offset, " on"));
    };
    if (tensor.sizes.size() != tensor.strides.size()) {
      outside();
    }
    const bool none = std::find(tensor.sizes.begin(), tensor.sizes.end(), 0) != tensor.sizes.end();
    int64_t elements = 1, last = tensor.offset;
    for (size_t d = 0; d < tensor.sizes.size(); ++d) {
      int64_t span = 0;
      const int64_t steps = std::max<int64_t>(tensor.sizes[d], 1) - 1;
      if (__builtin_mul_overflow(elements, steps + 1, &elements) ||
          __builtin_mul_overflow(steps, tensor.strides[d], &span) ||
          __builtin_add_overflow(last, span, &last)) {
        outside();
      }
    }
    const bool fits = none ? tensor.offset <= tensor.storage_elements : last < tensor.storage_elements;
    if (!fits || !bytes_of(elements, tensor.type)) {
      outside();
    }
  }

  const Pickle& pickle_;
  ZipRecords& records_;
  std::string storages_;
  std::vector<ArchivedTensor>& found_;
  std::vector<bool> visited_;
};

Pickle read_pickle(ZipRecords& records, const std::string& record) {
  const std::string name = records.folder() + record;
  const uint64_t length = records.length(name);
  OPTOTORCH_CHECK(length <= Pickle::torchscript.most_bytes, .where = in_archive, .argument = records.name(),
                  .expected = c10::str(record, " of at most ", Pickle::torchscript.most_bytes, " bytes"),
                  .got = std::to_string(length));
  std::string bytes(length, '\0');
  records.read(name, bytes.data(), length);
  return {std::move(bytes), in_archive, records.name() + ": " + record};
}

}  // namespace

int64_t ArchivedTensor::elements() const {
  int64_t product = 1;
  for (const int64_t size : sizes) {
    product *= size;  // no overflow: that was checked when the file was read
  }
  return product;
}

std::string ArchivedTensor::description() const {
  auto text = c10::str(type_name(type), " ", at::IntArrayRef(sizes));
  if (device != "cpu") {
    text += " on " + printable(device);
  }
  if (elements() > storage_elements) {
    text += c10::str(", repeats ", storage_elements, storage_elements == 1 ? " value" : " values");
  }
  return text + (conjugated ? ", conjugated" : "") + (negated ? ", negated" : "");
}

TorchScriptArchive::TorchScriptArchive(const std::string& path)
    : TorchScriptArchive(open_regular_file(path, in_archive)) {}

TorchScriptArchive::TorchScriptArchive(InputFile file) : records_(std::move(file), in_archive) {
  for (const std::string part : {"data", "constants"}) {
    const auto pickle = read_pickle(records_, part + ".pkl");
    TensorFinder finder(pickle, records_, records_.folder() + part + "/", tensors_);
    finder.find(pickle.root(), part == "data" ? "" : part);
  }
  std::sort(tensors_.begin(), tensors_.end(),
            [](const ArchivedTensor& a, const ArchivedTensor& b) { return a.name < b.name; });
}

at::Tensor TorchScriptArchive::bytes(const ArchivedTensor& tensor) {
  const auto width = static_cast<int64_t>(c10::elementSize(tensor.type));
  if (tensor.device == "meta" || tensor.elements() == 0) {
    return at::empty({0}, at::kByte);
  }
  auto storage = at::empty({tensor.storage_elements * width}, at::kByte);
  records_.read(tensor.record, storage.mutable_data_ptr(), storage.nbytes());
  // Bytes, so that no bit pattern is ever looked at as a number or as a bool.
  auto sizes = tensor.sizes, strides = tensor.strides;
  for (size_t d = 0; d < sizes.size(); ++d) {
    strides[d] = sizes[d] == 1 ? 0 : strides[d] * width;  // that of one element may be any number
  }
  sizes.push_back(width);
  strides.push_back(1);
  return storage.as_strided(sizes, strides, tensor.offset * width).reshape({-1});
}

}  // namespace optotorch
