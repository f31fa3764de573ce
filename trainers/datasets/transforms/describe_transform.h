#pragma once

// A transform as a value: JSON, and back.

#include <optotorch/modules/fields.h>
#include <optotorch/trainers/datasets/transforms/transform.h>

#include <functional>
#include <memory>
#include <string>
#include <typeindex>
#include <typeinfo>
#include <utility>
#include <vector>

namespace optotorch::transforms {

/// The transform in JSON: an object with its type and the options that are not the usual ones,
/// {"type": "RandomCrop", "size": [32], "padding": [4]}; a Compose is an array of such objects. RandomApply
/// holds its own, {"type": "RandomApply", "p": 0.3, "transforms": [...]}.
///
/// Throws c10::ValueError, naming the place, for a transform whose type is not registered.
std::string describe_transform(const Transform& transform);

/// The transform that `text` describes: an object, or an array, which is a Compose; {"type": "Compose",
/// "transforms": [...]} is one, too. Options that are left out have their usual values, and where an option is
/// a list, a single number means a list of one.
///
/// Throws c10::ValueError, which names the place, transform[2].padding, for what is no description, for
/// options that do not fit, and for types, options and words that are not known, with the nearest.
std::shared_ptr<const Transform> build_transform(const std::string& text);

/// Names of all types that build_transform knows.
std::vector<std::string> transform_names();

/// A type of transform that can be described.
struct TransformType {
  std::string name;      ///< "RandomCrop"
  std::type_index type;  ///< of the transform
  size_t required = 0;   ///< its first options, which have no usual value
  /// Visits the options of a transform of this type; changes nothing.
  std::function<void(const Transform& transform, FieldVisitor& visit)> look;
  /// Visits the options with their usual values.
  std::function<void(FieldVisitor& visit)> look_at_usual;
  /// Makes a transform from the usual options after the visitor has changed them.
  std::function<std::shared_ptr<const Transform>(FieldVisitor& visit)> make;
};

/// The type of a transform `Own` that derives from OptionsTransform<Options>, whose options have `fields`
/// (modules/fields.h). `usual`: options with their defaults; the first `required` of them have none, and any
/// value there.
template <typename Own, typename Options>
TransformType transform_type(const std::string& name, const Options& usual, size_t required = 0) {
  return {name,
          typeid(Own),
          required,
          [](const Transform& transform, FieldVisitor& visit) {
            auto options = dynamic_cast<const Own&>(transform).options();
            options.fields(visit);
          },
          [usual](FieldVisitor& visit) {
            auto options = usual;
            options.fields(visit);
          },
          [usual](FieldVisitor& visit) {
            auto options = usual;
            options.fields(visit);
            return std::make_shared<const Own>(std::move(options));
          }};
}

/// Makes a type known. Throws c10::ValueError if its name or type is known already. Not while other threads
/// describe or build.
void register_transform(TransformType type);

/// The same before `main`, by a constant in the source file of the transform.
struct RegisteredTransform {
  /// Throws c10::ValueError as register_transform does.
  explicit RegisteredTransform(TransformType type) { register_transform(std::move(type)); }
};

}  // namespace optotorch::transforms
