#include <ATen/ATen.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/core/safetensors.h>

#include <zlib.h>
#include <algorithm>
#include <array>
#include <bit>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

namespace optotorch {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian, and data is copied as it is");

using json = nlohmann::json;

constexpr uint64_t largest_header = 100'000'000;  // the limit that the format's own library sets

constexpr std::array<std::pair<at::ScalarType, const char*>, 11> safetensors_types{
    {{at::kDouble, "F64"},
     {at::kFloat, "F32"},
     {at::kHalf, "F16"},
     {at::kBFloat16, "BF16"},
     {at::kLong, "I64"},
     {at::kInt, "I32"},
     {at::kShort, "I16"},
     {at::kChar, "I8"},
     {at::kByte, "U8"},
     {at::kBool, "BOOL"},
     {at::kComplexFloat, "C64"}}};

constexpr auto damaged = "The file is damaged or is no safetensors file";

[[noreturn]] void reject_safetensors(const std::string& path, const std::string& expected,
                                     const std::string& got) {
  reject(
      {.where = "load_safetensors", .argument = path, .expected = expected, .got = got, .remedy = damaged});
}

// Where the checksum's digits stand in a header. Quotation marks within strings are escaped: nothing else
// can look like this.
const std::string checksum_name = "crc32", checksum_before = "\"" + checksum_name + "\":\"",
                  no_checksum = "00000000";

class Checksum {
 public:
  void add(const void* data, size_t bytes) {
    value_ = ::crc32_z(value_, static_cast<const unsigned char*>(data), bytes);
  }
  std::string digits() const {
    char text[9];
    std::snprintf(text, sizeof text, "%08lx", value_);
    return text;
  }

 private:
  unsigned long value_ = ::crc32_z(0, nullptr, 0);
};

/// The checksum of what stands before the data, whose header has zeros for its digits.
Checksum begin_checksum(const std::string& header) {
  Checksum checksum;
  const uint64_t length = header.size();
  checksum.add(&length, sizeof length);
  checksum.add(header.data(), header.size());
  return checksum;
}

const char* name_of(at::ScalarType type) {
  const auto known = std::find_if(safetensors_types.begin(), safetensors_types.end(),
                                  [&](const auto& pair) { return pair.first == type; });
  OPTOTORCH_CHECK(known != safetensors_types.end(), .where = "save_safetensors", .argument = "tensor type",
                  .expected = "a type of the safetensors format", .got = type_name(type));
  return known->second;
}

struct Entry {
  std::string name;
  at::ScalarType type;
  std::vector<int64_t> shape;
  uint64_t begin, end;
};

Entry parse_entry(const std::string& path, const std::string& name, const json& value, uint64_t data_size) {
  const auto wrong = [&](const std::string& expected) {
    reject_safetensors(path, expected, "'" + name + "': " + value.dump());
  };
  if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") ||
      !value.contains("data_offsets") || !value["dtype"].is_string() || !value["shape"].is_array() ||
      !value["data_offsets"].is_array() || value["data_offsets"].size() != 2) {
    wrong("dtype, shape and two data_offsets for every tensor");
  }
  const auto known = std::find_if(safetensors_types.begin(), safetensors_types.end(),
                                  [&](const auto& pair) { return value["dtype"] == pair.second; });
  if (known == safetensors_types.end()) {
    wrong("a known dtype");
  }
  Entry entry{name, known->first, {}, 0, 0};
  uint64_t bytes = c10::elementSize(entry.type);
  for (const auto& size : value["shape"]) {
    if (!size.is_number_unsigned()) {
      wrong("sizes that are whole numbers");
    }
    const auto extent = size.get<uint64_t>();
    if (extent > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) ||
        __builtin_mul_overflow(bytes, extent, &bytes)) {
      wrong("a shape that fits into memory");
    }
    entry.shape.push_back(static_cast<int64_t>(extent));
  }
  const auto& offsets = value["data_offsets"];
  if (!offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned()) {
    wrong("data_offsets that are whole numbers");
  }
  entry.begin = offsets[0].get<uint64_t>();
  entry.end = offsets[1].get<uint64_t>();
  if (entry.begin > entry.end || entry.end > data_size || entry.end - entry.begin != bytes) {
    wrong("data_offsets that span " + std::to_string(bytes) + " of the file's " + std::to_string(data_size) +
          " bytes of data");
  }
  return entry;
}

}  // namespace

void save_safetensors(const std::string& path, const SafeTensors& content) {
  OPTOTORCH_CHECK(!content.metadata.contains(checksum_name), .where = "save_safetensors",
                  .argument = "metadata", .expected = "names other than " + checksum_name,
                  .got = checksum_name);
  json header = json::object();
  header["__metadata__"] = content.metadata;
  header["__metadata__"][checksum_name] = no_checksum;
  std::vector<at::Tensor> data;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : content.tensors) {
    data.push_back(tensor.detach().cpu().resolve_conj().resolve_neg().contiguous());
    const uint64_t end = offset + data.back().nbytes();
    header[name] = {{"dtype", name_of(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // keeps the data aligned
  auto checksum = begin_checksum(text);
  for (const auto& tensor : data) {
    checksum.add(tensor.const_data_ptr(), tensor.nbytes());
  }
  text.replace(text.find(checksum_before) + checksum_before.size(), no_checksum.size(), checksum.digits());
  write_atomically(path, [&](const std::string& temporary) {
    std::ofstream file;
    file.exceptions(std::ios::failbit | std::ios::badbit);
    file.open(temporary, std::ios::binary);
    const uint64_t length = text.size();
    file.write(reinterpret_cast<const char*>(&length), sizeof length);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    for (const auto& tensor : data) {
      file.write(static_cast<const char*>(tensor.const_data_ptr()),
                 static_cast<std::streamsize>(tensor.nbytes()));
    }
    file.close();
  });
}

SafeTensors load_safetensors(const std::string& path) {
  return read_safetensors(open_regular_file(path, "load_safetensors"));
}

SafeTensors read_safetensors(InputFile file) {
  const std::string& path = file.name();
  uint64_t length = 0;
  if (file.read(&length, sizeof length) != sizeof length || length > largest_header || length > file.left()) {
    reject_safetensors(
        path, "a header within the file's " + std::to_string(file.size()) + " bytes",
        file.size() >= sizeof length ? "a header of " + std::to_string(length) + " bytes" : "a shorter file");
  }
  std::string text(length, '\0');
  if (file.read(text.data(), length) != length) {
    reject_safetensors(path, "a JSON object as header", "a shorter file");
  }
  const json header = parse_json(text, "load_safetensors", path, "a JSON object as header", damaged);
  if (!header.is_object()) {
    reject_safetensors(path, "a JSON object as header", header.type_name());
  }
  const uint64_t data_size = file.left();

  SafeTensors content;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(parse_entry(path, name, value, data_size));
      continue;
    }
    if (!value.is_object()) {
      reject_safetensors(path, "metadata of strings", value.dump());
    }
    for (const auto& [key, item] : value.items()) {
      if (!item.is_string()) {
        reject_safetensors(path, "metadata of strings", key + ": " + item.dump());
      }
      content.metadata[key] = item.get<std::string>();
    }
  }
  // Tensors must tile the data: then the memory taken below is at most the file's size.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::string checksum_of_file;
  Checksum checksum;
  if (const auto found = content.metadata.find(checksum_name); found != content.metadata.end()) {
    checksum_of_file = found->second;
    content.metadata.erase(found);
    const auto digits = text.find(checksum_before + checksum_of_file + "\"");
    if (digits == std::string::npos || checksum_of_file.size() != no_checksum.size()) {
      reject_safetensors(path, "a checksum of eight digits", "'" + checksum_of_file + "'");
    }
    text.replace(digits + checksum_before.size(), no_checksum.size(), no_checksum);
    checksum = begin_checksum(text);
  }
  uint64_t covered = 0;
  for (const auto& entry : entries) {
    if (entry.begin != covered) {
      reject_safetensors(path, "tensors that follow each other without gap or overlap",
                         "'" + entry.name + "'");
    }
    covered = entry.end;
  }
  if (covered != data_size) {
    reject_safetensors(path, std::to_string(covered) + " bytes of data", std::to_string(data_size));
  }
  for (const auto& entry : entries) {
    // A bool is read as the byte it is: one that is neither 0 nor 1 must never be looked at as a bool.
    auto tensor = at::empty(entry.shape, entry.type == at::kBool ? at::kByte : entry.type);
    if (file.read(tensor.mutable_data_ptr(), tensor.nbytes()) != tensor.nbytes()) {
      reject_safetensors(path, "the data of '" + entry.name + "'", "a shorter file");
    }
    checksum.add(tensor.const_data_ptr(), tensor.nbytes());
    if (entry.type == at::kBool) {
      if (tensor.gt(1).any().item<bool>()) {
        reject_safetensors(path, "0 or 1 in '" + entry.name + "'", "another byte");
      }
      tensor = tensor.to(at::kBool);
    }
    content.tensors.emplace(entry.name, std::move(tensor));
  }
  OPTOTORCH_CHECK(checksum_of_file.empty() || checksum.digits() == checksum_of_file,
                  .where = "load_safetensors", .argument = path,
                  .expected = "the checksum " + checksum_of_file, .got = checksum.digits(),
                  .remedy =
                      "The file has changed since it was written: take a copy that has not, or, if the "
                      "change was meant, leave out the checksum in its metadata");
  return content;
}

}  // namespace optotorch
