#include <optotorch/core/check.h>
#include <optotorch/modules/export/detail/pickle.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

namespace optotorch {

namespace {

bool holds_items(Pickle::Kind kind) {
  return kind >= Pickle::Kind::sequence;
}

}  // namespace

/// The machine with a stack, marks on it and a memory of numbered values.
class PickleMachine {
 public:
  using Kind = Pickle::Kind;
  using Value = Pickle::Value;

  PickleMachine(Pickle& pickle, const std::string& where, const std::string& name,
                const PickleDialect& dialect)
      : pickle_(pickle), where_(where), name_(name), dialect_(dialect) {}

  Value run() {
    constexpr uint8_t protocol = 0x80;
    const bool begins = take<uint8_t>() == protocol;
    const auto version = begins ? take<uint8_t>() : uint8_t{0};
    if (version < dialect_.first_protocol || version > dialect_.last_protocol) {
      const auto first = int{dialect_.first_protocol}, last = int{dialect_.last_protocol};
      refuse(first == last ? c10::str("a pickle of protocol ", first)
                           : c10::str("a pickle of a protocol from ", first, " to ", last),
             begins ? c10::str("protocol ", int{version}) : "something else");
    }
    while (true) {
      const auto code = take<char>();
      if (code == '.') {
        break;
      }
      // Each takes some bytes of memory, so that this bounds the memory.
      if (++steps_ > dialect_.most_steps) {
        refuse(c10::str("at most ", dialect_.most_steps, " instructions"), "more");
      }
      step(code);
    }
    if (stack_.size() != 1 || !marks_.empty()) {
      refuse("one value at the end of the pickle", c10::str(stack_.size()));
    }
    return stack_.back();
  }

 private:
  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const {
    reject({.where = where_,
            .argument = name_,
            .expected = expected,
            .got = c10::str(got, ", before byte ", position_),
            .remedy = c10::str("The file is damaged or is no ", dialect_.file)});
  }

  [[noreturn]] void refuse_code(char code) const {
    refuse(c10::str("an instruction that ", dialect_.writer, " writes"),
           c10::str(int{static_cast<uint8_t>(code)}));
  }

  void step(char code) {
    switch (code) {
      case 'N':
        return push(Kind::none);
      case '\x88':
        return push(Kind::boolean, 1);
      case '\x89':
        return push(Kind::boolean, 0);
      case 'K':
        return push(Kind::whole, take<uint8_t>());
      case 'M':
        return push(Kind::whole, take<uint16_t>());
      case 'J':
        return push(Kind::whole, take<int32_t>());
      case '\x8a':
        return push(Kind::whole, long_number());
      case 'G':
        take<int64_t>();
        return push(Kind::real);
      case 'X':
        return push_text(Kind::text, take<uint32_t>());
      case 'c':
        return push_global(two_lines());
      case '(':
        return marks_.push_back(stack_.size());
      case ')':
      case ']':
        return push_items(Kind::sequence, {});
      case '}':
        return push_items(Kind::dictionary, {});
      case 't':
      case 'l':
        return push_items(Kind::sequence, pop_to_mark());
      case 'd':
        return push_items(Kind::dictionary, pairs(pop_to_mark()));
      case '\x85':
        return push_items(Kind::sequence, pop(1));
      case '\x86':
        return push_items(Kind::sequence, pop(2));
      case '\x87':
        return push_items(Kind::sequence, pop(3));
      case 'a':
        return extend(Kind::sequence, pop(1));
      case 'e':
        return extend(Kind::sequence, pop_to_mark());
      case 's':
        return extend(Kind::dictionary, pop(2));
      case 'u':
        return extend(Kind::dictionary, pairs(pop_to_mark()));
      case 'q':
        return memorise(take<uint8_t>());
      case 'r':
        return memorise(take<uint32_t>());
      case 'h':
        return recall(take<uint8_t>());
      case 'j':
        return recall(take<uint32_t>());
      case 'R':
        return push_items(Kind::call, callable(pop(2)));
      case 'b':
        return build();
      default:
        if (dialect_.objects) {
          return step_of_objects(code);
        }
        return step_of_python(code);
    }
  }

  void step_of_objects(char code) {
    switch (code) {
      case '\x81':
        return push_items(Kind::object, callable(pop(2)));
      case 'Q':
        return push_items(Kind::persistent, pop(1));
      default:
        return step_of_python(code);
    }
  }

  void step_of_python(char code) {
    switch (dialect_.python ? code : '\0') {
      case 'U':
      case 'C':
        return push_text(Kind::bytes, take<uint8_t>());
      case 'T':
      case 'B':
        return push_text(Kind::bytes, take<uint32_t>());
      case '\x8e':
        return push_text(Kind::bytes, take<uint64_t>());
      case '\x8c':
        return push_text(Kind::text, take<uint8_t>());
      case '\x8d':
        return push_text(Kind::text, take<uint64_t>());
      case '\x93':
        return push_global_of(pop(2));
      case '\x94':
        return memorise(static_cast<uint32_t>(memory_.size()));
      case '\x95':
        return need(take<uint64_t>());  // a frame: what follows is read as if there were none
      default:
        refuse_code(code);
    }
  }

  /// Little-endian, as this machine is.
  template <typename T>
  T take() {
    T value{};
    need(sizeof value);
    std::memcpy(&value, pickle_.bytes_.data() + position_, sizeof value);
    position_ += sizeof value;
    return value;
  }

  void need(uint64_t count) const {
    const uint64_t left = pickle_.bytes_.size() - position_;
    if (count > left) {
      refuse(c10::str("another ", count, " bytes"), std::to_string(left));
    }
  }

  int64_t long_number() {
    const auto size = take<uint8_t>();
    if (size > sizeof(int64_t)) {
      refuse("a whole number of at most 8 bytes", std::to_string(size));
    }
    need(size);
    uint64_t value = 0;
    for (size_t byte = 0; byte < size; ++byte) {
      value |= uint64_t{static_cast<uint8_t>(pickle_.bytes_[position_ + byte])} << 8 * byte;
    }
    position_ += size;
    const bool negative = size > 0 && value >> (8 * size - 1) == 1;
    if (negative && size < sizeof(int64_t)) {
      value |= ~uint64_t{0} << 8 * size;
    }
    return static_cast<int64_t>(value);
  }

  /// Length of the two lines that name a global, without the last line end, which is skipped afterwards.
  uint32_t two_lines() {
    const auto first = pickle_.bytes_.find('\n', position_);
    const auto second = first == std::string::npos ? first : pickle_.bytes_.find('\n', first + 1);
    if (second == std::string::npos) {
      refuse("two lines that name a class", "the end");
    }
    return static_cast<uint32_t>(second - position_);
  }

  void push_text(Kind kind, uint64_t length) {
    need(length);
    Value value = made(kind, static_cast<int64_t>(position_));
    value.length_ = static_cast<uint32_t>(length);  // fits: a pickle is shorter than 4 GiB
    position_ += length;
    push(value);
  }

  void push_global(uint32_t length) {
    if (!dialect_.globals.empty()) {
      allowed_global(std::string_view(pickle_.bytes_).substr(position_, length));
    }
    push_text(Kind::global, length);
    ++position_;  // the second line's end
  }

  void push_global_of(const std::vector<Value>& names) {
    if (!names[0].is(Kind::text) || !names[1].is(Kind::text)) {
      refuse("two texts that name a class", "something else");
    }
    const auto name = c10::str(pickle_.text(names[0]), "\n", pickle_.text(names[1]));
    push(Kind::global, -1 - static_cast<int64_t>(allowed_global(name)));
  }

  /// Which of the dialect's globals that is.
  size_t allowed_global(std::string_view name) const {
    const auto found = std::find(dialect_.globals.begin(), dialect_.globals.end(), name);
    if (found == dialect_.globals.end()) {
      auto spelled = std::string(name.substr(0, 100));
      std::replace(spelled.begin(), spelled.end(), '\n', '.');
      refuse(c10::str("a class or function that ", dialect_.writer, " names"), "'" + spelled + "'");
    }
    return static_cast<size_t>(found - dialect_.globals.begin());
  }

  static Value made(Kind kind, int64_t number = 0) {
    Value value;
    value.kind_ = kind;
    value.number_ = number;
    return value;
  }

  void push(Kind kind, int64_t number = 0) { push(made(kind, number)); }

  void push(const Value& value) { stack_.push_back(value); }

  void push_items(Kind kind, std::vector<Value> items) {
    pickle_.nodes_.push_back(std::move(items));
    push(kind, static_cast<int64_t>(pickle_.nodes_.size()) - 1);
  }

  /// Those above the last mark, or above `count` values less than there are.
  std::vector<Value> pop(size_t count) {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    if (count > stack_.size() - floor) {
      refuse(c10::str(count, " values on the stack"), std::to_string(stack_.size() - floor));
    }
    const auto begin = stack_.end() - static_cast<std::ptrdiff_t>(count);
    std::vector<Value> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    return items;
  }

  std::vector<Value> pop_to_mark() {
    if (marks_.empty()) {
      refuse("a mark on the stack", "none");
    }
    auto items = pop(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  std::vector<Value> pairs(std::vector<Value> items) const {
    if (items.size() % 2 != 0) {
      refuse("keys with values", c10::str(items.size(), " of them together"));
    }
    return items;
  }

  std::vector<Value> callable(std::vector<Value> items) const {
    if (!items[0].is(Kind::global) || !items[1].is(Kind::sequence)) {
      refuse("a class or function with a tuple of arguments", "something else");
    }
    return items;
  }

  /// The value on top, which keeps its place.
  Value& top() {
    if (stack_.size() == (marks_.empty() ? 0 : marks_.back())) {
      refuse("a value on the stack", "none");
    }
    return stack_.back();
  }

  void extend(Kind kind, const std::vector<Value>& items) {
    const Value& owner = top();
    if (!owner.is(kind)) {
      refuse(kind == Kind::sequence ? "a list to append to" : "a dictionary to write to", "something else");
    }
    auto& old = pickle_.nodes_[pickle_.node(owner)];
    old.insert(old.end(), items.begin(), items.end());
  }

  void build() {
    const auto state = pop(1);
    const Value& owner = top();
    if (!owner.is(Kind::object) && !owner.is(Kind::call)) {
      refuse("an object that gets a state", "something else");
    }
    pickle_.nodes_[pickle_.node(owner)].push_back(state[0]);
  }

  void memorise(uint32_t number) { memory_[number] = top(); }

  void recall(uint32_t number) {
    const auto found = memory_.find(number);
    if (found == memory_.end()) {
      refuse(c10::str("a value with number ", number), "none");
    }
    push(found->second);
  }

  Pickle& pickle_;
  const std::string& where_;
  const std::string& name_;
  const PickleDialect& dialect_;
  size_t position_ = 0, steps_ = 0;
  std::vector<Value> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, Value> memory_;
};

Pickle::Pickle(std::string bytes, const std::string& where, const std::string& name,
               const PickleDialect& dialect)
    : bytes_(std::move(bytes)), globals_(dialect.globals) {
  OPTOTORCH_CHECK(bytes_.size() <= dialect.most_bytes, .where = where, .argument = name,
                  .expected = c10::str("at most ", dialect.most_bytes, " bytes"),
                  .got = std::to_string(bytes_.size()));
  root_ = PickleMachine(*this, where, name, dialect).run();
}

std::string_view Pickle::text(const Value& value) const {
  if (value.is(Kind::global) && value.number_ < 0) {
    return globals_[static_cast<size_t>(-1 - value.number_)];
  }
  return value.is(Kind::text) || value.is(Kind::bytes) || value.is(Kind::global)
             ? std::string_view(bytes_).substr(static_cast<size_t>(value.number_), value.length_)
             : std::string_view();
}

std::span<const Pickle::Value> Pickle::items(const Value& value) const {
  return holds_items(value.kind()) ? std::span<const Value>(nodes_[node(value)]) : std::span<const Value>();
}

}  // namespace optotorch
