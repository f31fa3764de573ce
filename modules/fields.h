#pragma once

// The options of a layer by name: one enumeration serves everything that writes, reads or compares them.
//
//     struct MyOptions {
//       TORCH_ARG(int64_t, ports) = 8;
//       TORCH_ARG(Encoding, encoding) = Encoding::phase;
//
//      public:
//       void fields(FieldVisitor& visit) {
//         visit("ports", ports_);
//         visit("encoding", encoding_);
//       }
//     };
//
// An enum is known by words: `const std::vector<std::string>& words(Encoding)` gives them in the order of its
// values, which count from 0.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace optotorch {

class Layer;

/// Looks at every field of an options struct, or sets it.
class FieldVisitor {
 public:
  FieldVisitor() = default;
  FieldVisitor(const FieldVisitor&) = delete;
  FieldVisitor& operator=(const FieldVisitor&) = delete;
  virtual ~FieldVisitor() = default;

  /// Visits a field under its name. Its type is one of those below, an enum that has `words`, a struct that has
  /// `fields`, or a std::vector of such structs.
  template <typename Field>
  void operator()(const char* name, Field& field) {
    if constexpr (std::is_enum_v<Field>) {
      auto index = static_cast<size_t>(field);
      word(name, words(Field()), index);
      field = static_cast<Field>(index);
    } else if constexpr (requires { field.fields(*this); }) {
      object(name, [&](FieldVisitor& visit) { field.fields(visit); });
    } else if constexpr (requires { field.front().fields(*this); }) {
      structs(
          name, field.size(), [&](size_t count) { field.resize(count); },
          [&](size_t index, FieldVisitor& visit) { field[index].fields(visit); });
    } else {
      value(name, field);
    }
  }

 protected:
  /// A Boolean.
  virtual void value(const char* name, bool& field) = 0;
  /// A whole number.
  virtual void value(const char* name, int64_t& field) = 0;
  /// A real number.
  virtual void value(const char* name, double& field) = 0;
  /// A string.
  virtual void value(const char* name, std::string& field) = 0;
  /// A list of whole numbers.
  virtual void value(const char* name, std::vector<int64_t>& field) = 0;
  /// A list of real numbers.
  virtual void value(const char* name, std::vector<double>& field) = 0;
  /// A list of strings.
  virtual void value(const char* name, std::vector<std::string>& field) = 0;
  /// A layer that belongs to this one.
  virtual void value(const char* name, std::shared_ptr<Layer>& field) = 0;
  /// One of `words`, by its number.
  virtual void word(const char* name, const std::vector<std::string>& words, size_t& index) = 0;
  /// A struct with fields of its own.
  virtual void object(const char* name, const std::function<void(FieldVisitor& visit)>& fields) = 0;
  /// A list of such structs.
  virtual void structs(const char* name, size_t count, const std::function<void(size_t count)>& resize,
                       const std::function<void(size_t index, FieldVisitor& visit)>& element) = 0;
};

}  // namespace optotorch
