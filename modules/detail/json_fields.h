#pragma once

// Fields of options in JSON objects; parts of networks.

#include <optotorch/modules/describe.h>
#include <optotorch/modules/fields.h>
#include <torch/nn/modules/container/any.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace optotorch {

/// The description of a module, and the module that build() makes of it. `place`: its name in errors.
nlohmann::ordered_json describe_part(const torch::nn::Module& module, const std::string& place);
torch::nn::AnyModule build_part(const nlohmann::json& object, const std::string& place, const Sizes& sizes);

/// Writes every field under its name.
class JsonWriter : public FieldVisitor {
 public:
  JsonWriter(nlohmann::ordered_json& object, std::string place) : object_(object), place_(std::move(place)) {}

 protected:
  void value(const char* name, bool& field) override { object_[name] = field; }
  void value(const char* name, int64_t& field) override { object_[name] = field; }
  void value(const char* name, double& field) override { object_[name] = field; }
  void value(const char* name, std::string& field) override { object_[name] = field; }
  void value(const char* name, std::vector<int64_t>& field) override { object_[name] = field; }
  void value(const char* name, std::vector<double>& field) override { object_[name] = field; }
  void value(const char* name, std::vector<std::string>& field) override { object_[name] = field; }
  void value(const char* name, std::shared_ptr<Layer>& field) override;
  void word(const char* name, const std::vector<std::string>& words, size_t& index) override;
  void object(const char* name, const std::function<void(FieldVisitor&)>& fields) override;
  void structs(const char* name, size_t count, const std::function<void(size_t)>& resize,
               const std::function<void(size_t, FieldVisitor&)>& element) override;

 private:
  nlohmann::ordered_json& object_;
  std::string place_;
};

/// Sets every field that the object has. Throws c10::ValueError, naming the place, for a value of another
/// kind and for a word that is not known.
class JsonReader : public FieldVisitor {
 public:
  /// `place`: what errors call the object. Of its fields the first `required` must be there. Whole numbers
  /// may be names of `sizes`. Errors are told in the name of `where`.
  JsonReader(const nlohmann::json& object, std::string place, size_t required = 0, Sizes sizes = {},
             std::string where = "build")
      : object_(object),
        place_(std::move(place)),
        where_(std::move(where)),
        sizes_(std::move(sizes)),
        required_(required) {}

  /// Counts a field as looked at that somebody else reads.
  void known(const std::string& name) { names_.push_back(name); }
  /// Throws c10::ValueError for a name that no field has.
  void expect_nothing_more() const;

 protected:
  void value(const char* name, bool& field) override;
  void value(const char* name, int64_t& field) override;
  void value(const char* name, double& field) override;
  void value(const char* name, std::string& field) override;
  void value(const char* name, std::vector<int64_t>& field) override;
  void value(const char* name, std::vector<double>& field) override;
  void value(const char* name, std::vector<std::string>& field) override;
  void value(const char* name, std::shared_ptr<Layer>& field) override;
  void word(const char* name, const std::vector<std::string>& words, size_t& index) override;
  void object(const char* name, const std::function<void(FieldVisitor&)>& fields) override;
  void structs(const char* name, size_t count, const std::function<void(size_t)>& resize,
               const std::function<void(size_t, FieldVisitor&)>& element) override;

 private:
  /// The value of that name, or nullptr.
  const nlohmann::json* find(const char* name);
  std::string place_of(const std::string& name) const { return place_.empty() ? name : place_ + "." + name; }
  int64_t whole(const char* name, const nlohmann::json& got) const;
  [[noreturn]] void refuse(const std::string& name, const std::string& expected,
                           const nlohmann::json& got) const;

  const nlohmann::json& object_;
  std::string place_, where_;
  Sizes sizes_;
  size_t required_, seen_ = 0;
  std::vector<std::string> names_;
};

/// Throws c10::ValueError unless `object` is a JSON object.
void require_object(const nlohmann::json& object, const std::string& place,
                    const std::string& where = "build");

}  // namespace optotorch
