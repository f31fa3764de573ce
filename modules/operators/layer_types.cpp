// The types that may be described, as an operator:
//
//     layer_types() -> str
//         A JSON list: name, whether it is a layer or a module that LibTorch's autograd differentiates, its options
//         in their order (name, kind, words, default; the first have none).

#include <optotorch/modules/describe.h>
#include <torch/library.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace optotorch {
namespace {

using ordered_json = nlohmann::ordered_json;

/// Writes what a type's options are.
class SignatureWriter : public FieldVisitor {
 public:
  SignatureWriter(ordered_json& fields, size_t required) : fields_(fields), required_(required) {}

 protected:
  void value(const char* name, bool& field) override { write(name, "bool", field); }
  void value(const char* name, int64_t& field) override { write(name, "int", field); }
  void value(const char* name, double& field) override { write(name, "float", field); }
  void value(const char* name, std::string& field) override { write(name, "str", field); }
  void value(const char* name, std::vector<int64_t>& field) override { write(name, "ints", field); }
  void value(const char* name, std::vector<double>& field) override { write(name, "floats", field); }
  void value(const char* name, std::vector<std::string>& field) override { write(name, "strs", field); }
  void value(const char* name, std::shared_ptr<Layer>& /*field*/) override { write(name, "layer", nullptr); }
  void word(const char* name, const std::vector<std::string>& words, size_t& index) override {
    write(name, "word", words.at(index))["words"] = words;
  }
  void object(const char* name, const std::function<void(FieldVisitor&)>& fields) override {
    auto inner = ordered_json::array();
    SignatureWriter writer(inner, 0);
    fields(writer);
    write(name, "object", ordered_json::object())["fields"] = inner;
  }
  void structs(const char* name, size_t /*count*/, const std::function<void(size_t)>& /*resize*/,
               const std::function<void(size_t, FieldVisitor&)>& /*element*/) override {
    write(name, "objects", ordered_json::array());
  }

 private:
  template <typename Value>
  ordered_json& write(const char* name, const char* kind, const Value& usual) {
    ordered_json field{{"name", name}, {"kind", kind}};
    if (fields_.size() >= required_) {
      field["default"] = usual;
    }
    fields_.push_back(std::move(field));
    return fields_.back();
  }

  ordered_json& fields_;
  size_t required_;
};

std::string layer_types() {
  std::map<std::string, ordered_json> types;  // in one order, however the library was linked
  for (const auto& part : known_parts()) {
    auto fields = ordered_json::array();
    if (part.usual) {
      SignatureWriter writer(fields, part.required);
      part.usual(writer);
    }
    types[part.name] = {{"name", part.name}, {"layer", part.is_layer}, {"fields", fields}};
  }
  auto list = ordered_json::array();
  for (auto& [name, type] : types) {
    list.push_back(std::move(type));
  }
  return list.dump();
}

TORCH_LIBRARY_FRAGMENT(optotorch, library) {
  library.def("layer_types() -> str", layer_types);
}

}  // namespace
}  // namespace optotorch
