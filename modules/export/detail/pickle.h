#pragma once

// Python's pickle as plain values, without Python: nothing in it is ever called.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace optotorch {

/// What a reader expects of a pickle.
struct PickleDialect {
  std::string_view writer;  ///< who writes it, in errors
  std::string_view file;    ///< what its file is called in errors
  uint8_t first_protocol, last_protocol;
  size_t most_bytes, most_steps;  ///< length in bytes and in instructions at most
  bool objects;                   ///< instructions for objects other than calls, and for persistent names
  bool python;                    ///< instructions of Python alone: strings of bytes, those of protocols 3, 4
  /// The classes and functions that may be named, as "module\nname"; empty: all. Literals.
  std::span<const std::string_view> globals = {};
};

/// Values in a pickle of protocol 2, as far as LibTorch writes it
/// (torch/csrc/jit/serialization/pickler.h), or in the pickle of another dialect.
///
/// A pickle is a program for a machine with a stack. This machine keeps what the program would call as data:
/// a class by its name, an object as its class, its arguments and its state, a call as the function and its
/// arguments. Lists may hold each other in a circle, and one value may stand in many places.
class Pickle {
 public:
  enum class Kind : uint8_t {
    none,
    boolean,     ///< number() is 0 or 1
    whole,       ///< number()
    real,        ///< its value is not kept
    text,        ///< text(), UTF-8
    bytes,       ///< text(): a string of Python 2, bytes of Python 3
    global,      ///< text(): "module\nname"
    sequence,    ///< items(): those of a list or tuple
    dictionary,  ///< items(): key, value, key, value ...
    object,      ///< items(): class, arguments, and a state for each BUILD
    call,        ///< items(): function, arguments, and a state for each BUILD
    persistent,  ///< items(): what names a thing outside of the pickle
  };

  class Value {
   public:
    Kind kind() const { return kind_; }
    bool is(Kind kind) const { return kind_ == kind; }
    int64_t number() const { return number_; }

   private:
    friend class Pickle;
    friend class PickleMachine;
    Kind kind_ = Kind::none;
    uint32_t length_ = 0;  ///< of a text
    /// Also where a text begins (below 0: which of the dialect's globals it is, -1 the first), or which of the
    /// nodes holds the items.
    int64_t number_ = 0;
  };

  /// What LibTorch writes.
  static constexpr PickleDialect torchscript = {.writer = "LibTorch",
                                                .file = "TorchScript file",
                                                .first_protocol = 2,
                                                .last_protocol = 2,
                                                .most_bytes = size_t{1} << 26,
                                                .most_steps = size_t{1} << 23,
                                                .objects = true,
                                                .python = false};

  /// Runs the machine. Throws c10::ValueError in the name of `where`, which calls the pickle `name`, if it
  /// ends early, holds an instruction or a global that the dialect has not, or is larger than it allows.
  Pickle(std::string bytes, const std::string& where, const std::string& name,
         const PickleDialect& dialect = torchscript);

  const Value& root() const { return root_; }
  std::string_view text(const Value& value) const;
  std::span<const Value> items(const Value& value) const;

  /// Which of `nodes()` holds the items of a value that has some: the same number is the same thing.
  size_t node(const Value& value) const { return static_cast<size_t>(value.number_); }
  size_t nodes() const { return nodes_.size(); }

 private:
  friend class PickleMachine;

  std::string bytes_;
  std::span<const std::string_view> globals_;
  std::vector<std::vector<Value>> nodes_;
  Value root_;
};

}  // namespace optotorch
