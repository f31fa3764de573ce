// Readers of csrc/core.

#include <ATen/ATen.h>
#include <optotorch/core/detail/json.h>
#include <optotorch/core/npy.h>
#include <optotorch/core/safetensors.h>

#include <nlohmann/json.hpp>

#include "fuzz/fuzz.h"
#include "fuzz/memory_files.h"

namespace optotorch::fuzz {
namespace {

int json(const uint8_t* data, size_t size) {
  return attempt([&] {
    const auto value = parse_json(text_of(data, size), "fuzz", "json");
    // What readers do with it: copying and printing recurse.
    const nlohmann::json copy = value;  // NOLINT(performance-unnecessary-copy-initialization)
    static_cast<void>(copy.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  });
}

std::vector<std::string> json_seeds() {
  return {R"({"a": [1, -2.5e3, true, null, "text \u00e9 \n"], "b": {"c": {}, "d": []}})", "[[[[[[1]]]]]]",
          R"("a")", std::string(64, '[') + std::string(64, ']'), R"({"":0,"é":"\ud83d\ude00"})"};
}

const Registered json_target({"json",
                              json,
                              json_seeds,
                              {"[", "{", "]", "}", "[[[[[[[[[[[[[[[[", R"({"a":)", ",", ":", "\"", "\\u0000",
                               "\\ud800", "null", "true", "1e999", "-", "\xff", "\xc3", "//"}});

int safetensors(const uint8_t* data, size_t size) {
  return attempt([&] {
    for (const auto& [name, tensor] : read_safetensors(InputFile(text_of(data, size), "file")).tensors) {
      static_cast<void>(tensor.to(at::kComplexDouble).sum().item());  // every byte is looked at
    }
  });
}

std::vector<std::string> safetensors_seeds() {
  const MemoryFolder folder("safetensors");
  const auto path = folder / "file";
  std::vector<std::string> seeds;
  save_safetensors(path, {{{"a", at::ones({2, 3})},
                           {"b", at::arange(3).to(at::kBool)},
                           {"c", at::empty({0, 4}, at::kDouble)},
                           {"d", at::ones({2}, at::kComplexFloat)}},
                          {{"key", "a 'text'\n"}}});
  seeds.push_back(folder.read("file"));
  const auto plain = [&](const std::string& header, size_t bytes) {
    const uint64_t length = header.size();
    seeds.push_back(std::string(reinterpret_cast<const char*>(&length), sizeof length) + header +
                    std::string(bytes, 1));
  };
  // Without a checksum, which no mutation would hit.
  plain(
      R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BOOL","shape":[3],"data_offsets":[24,27]}})",
      27);
  plain(R"({"__metadata__":{"format":"pt"},"x":{"dtype":"I64","shape":[],"data_offsets":[0,8]}})", 8);
  return seeds;
}

const Registered safetensors_target({"safetensors",
                                     safetensors,
                                     safetensors_seeds,
                                     {"\"dtype\":", "\"shape\":", "\"data_offsets\":", "__metadata__", "F64",
                                      "F16", "BF16", "I8", "U8", "BOOL", "C64", "[0,0]", "{}", "[]",
                                      "18446744073709551615", "9223372036854775808", "crc32", "-1", "1e3"}});

int npy(const uint8_t* data, size_t size) {
  return attempt([&] {
    const auto array = read_npy(InputFile(text_of(data, size), "file"));
    static_cast<void>(array.to(at::kComplexDouble).sum().item());
  });
}

std::vector<std::string> npy_seeds() {
  const MemoryFolder folder("npy");
  std::vector<std::string> seeds;
  for (const auto& tensor :
       {at::ones({2, 3}), at::ones({4}, at::kDouble), at::ones({2, 1}, at::kComplexFloat),
        at::ones({}, at::kComplexDouble), at::ones({0, 3})}) {
    save_npy(folder / "file", tensor);
    seeds.push_back(folder.read("file"));
  }
  auto fortran = seeds[0];
  fortran.replace(fortran.find("False"), 5, "True ");
  seeds.push_back(fortran);
  return seeds;
}

const Registered npy_target({"npy",
                             npy,
                             npy_seeds,
                             {"'descr'",
                              "'fortran_order'",
                              "'shape'",
                              "True",
                              "False",
                              "<f8",
                              ">f8",
                              "<f2",
                              "|b1",
                              "|i1",
                              "<u2",
                              "<u4",
                              ">u8",
                              "<c16",
                              ">c8",
                              "|O",
                              "(",
                              ")",
                              "(0,)",
                              "(4611686018427387904, 4)",
                              ",",
                              "{",
                              "}",
                              ": ",
                              "\x93NUMPY\x03"}});

}  // namespace
}  // namespace optotorch::fuzz
