#include <ATen/ATen.h>
#include <c10/util/safe_numerics.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/python_dictionary.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>

namespace optotorch {
namespace {

constexpr std::string_view reconstruct = "numpy.core.multiarray\n_reconstruct";
constexpr std::string_view reconstruct_2 = "numpy._core.multiarray\n_reconstruct";  // from numpy 2 on
constexpr std::string_view array_class = "numpy\nndarray";
constexpr std::string_view type_class = "numpy\ndtype";
constexpr std::string_view encode = "_codecs\nencode";  // how Python 3 writes bytes in protocol 2
constexpr std::array globals = {reconstruct, reconstruct_2, array_class, type_class, encode};

constexpr PickleDialect numpy_arrays = {.writer = "Python for a dictionary of arrays",
                                        .file = "pickle of such a dictionary",
                                        .first_protocol = 2,
                                        .last_protocol = 4,
                                        .most_bytes = size_t{1} << 30,
                                        .most_steps = size_t{1} << 21,
                                        .objects = false,
                                        .python = true,
                                        .globals = globals};

std::string contents_of(InputFile file) {
  OPTOTORCH_CHECK(file.size() <= numpy_arrays.most_bytes, .where = file.name(), .argument = "length",
                  .expected = c10::str("at most ", numpy_arrays.most_bytes, " bytes"),
                  .got = c10::str(file.size()));
  return file.rest();
}

/// The bytes that `text`, UTF-8, has as Latin-1, into `to`, which has room for `count`; false if they are
/// others than that many or beyond Latin-1.
bool copy_latin1(std::string_view text, uint8_t* to, size_t count) {
  size_t done = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<uint8_t>(text[i]);
    if (byte >= 0x80) {
      const bool pair = (byte == 0xc2 || byte == 0xc3) && i + 1 < text.size() &&
                        (static_cast<uint8_t>(text[i + 1]) & 0xc0) == 0x80;
      if (!pair) {
        return false;
      }
      byte = static_cast<uint8_t>((byte & 3) << 6 | (static_cast<uint8_t>(text[++i]) & 0x3f));
    }
    if (done == count) {
      return false;
    }
    to[done++] = byte;
  }
  return done == count;
}

}  // namespace

PythonDictionary::PythonDictionary(InputFile file)
    : path_(file.name()), pickle_(contents_of(std::move(file)), path_, "contents", numpy_arrays) {
  OPTOTORCH_CHECK(pickle_.root().is(Kind::dictionary), .where = path_, .argument = "contents",
                  .expected = "a dictionary", .got = "something else");
}

void PythonDictionary::refuse(std::string_view key, const std::string& expected,
                              const std::string& got) const {
  reject({.where = path_,
          .argument = c10::str("'", key, "'"),
          .expected = expected,
          .got = got,
          .remedy = "The file is damaged or belongs to another data set"});
}

bool PythonDictionary::has(std::string_view key) const {
  const auto items = pickle_.items(pickle_.root());
  for (size_t i = 0; i < items.size(); i += 2) {
    if (pickle_.text(items[i]) == key) {
      return true;
    }
  }
  return false;
}

const PythonDictionary::Value& PythonDictionary::at(std::string_view key) const {
  const auto items = pickle_.items(pickle_.root());
  const Value* found = nullptr;
  for (size_t i = 0; i < items.size(); i += 2) {
    if (pickle_.text(items[i]) == key) {
      if (found != nullptr) {
        refuse(key, "one entry of that name", "two");
      }
      found = &items[i + 1];
    }
  }
  if (found == nullptr) {
    refuse(key, "an entry of that name", "none");
  }
  return *found;
}

const PythonDictionary::Value& PythonDictionary::list_at(std::string_view key) const {
  const Value& list = at(key);
  if (!list.is(Kind::sequence)) {
    refuse(key, "a list", "something else");
  }
  return list;
}

/// A call of `function`, complete with its arguments.
bool PythonDictionary::calls(const Value& value, std::string_view function) const {
  return value.is(Kind::call) && pickle_.text(pickle_.items(value)[0]) == function;
}

at::Tensor PythonDictionary::bytes(std::string_view key) const {
  const Value& array = at(key);
  const auto sound = [&](bool holds) {
    if (!holds) {
      refuse(key, "an array of uint8 as numpy writes it", "something else");
    }
  };
  // call: function, arguments, state (version, shape, type, columns first, bytes)
  sound(calls(array, reconstruct) || calls(array, reconstruct_2));
  const auto parts = pickle_.items(array);
  sound(parts.size() == 3 && parts[2].is(Kind::sequence));
  const auto arguments = pickle_.items(parts[1]);
  sound(!arguments.empty() && pickle_.text(arguments[0]) == array_class);
  const auto state = pickle_.items(parts[2]);
  sound(state.size() == 5 && state[1].is(Kind::sequence) && calls(state[2], type_class));
  const auto type_arguments = pickle_.items(pickle_.items(state[2])[1]);
  sound(!type_arguments.empty() && pickle_.text(type_arguments[0]) == "u1");
  sound(state[3].is(Kind::boolean) || state[3].is(Kind::whole));
  const bool columns_first = state[3].number() != 0;

  std::vector<int64_t> sizes;
  uint64_t count = 1;
  for (const Value& size : pickle_.items(state[1])) {
    constexpr size_t most_dimensions = 32;
    sound(size.is(Kind::whole) && size.number() >= 1 && sizes.size() < most_dimensions &&
          !c10::mul_overflows(count, static_cast<uint64_t>(size.number()), &count));
    sizes.push_back(size.number());
  }
  const bool encoded = calls(state[4], encode);
  std::string_view contents;
  if (encoded) {
    const auto how = pickle_.items(pickle_.items(state[4])[1]);
    sound(how.size() == 2 && how[0].is(Kind::text) && pickle_.text(how[1]) == "latin1");
    contents = pickle_.text(how[0]);
  } else {
    sound(state[4].is(Kind::bytes));
    contents = pickle_.text(state[4]);
  }
  const auto wrong_length = [&] {
    refuse(key, c10::str("as many bytes as ", at::IntArrayRef(sizes), " has elements"),
           c10::str(contents.size(), encoded ? " bytes of text" : ""));
  };
  if (encoded ? count > contents.size() : count != contents.size()) {
    wrong_length();
  }
  if (columns_first) {
    std::reverse(sizes.begin(), sizes.end());
  }
  at::Tensor tensor = at::empty(sizes, at::kByte);
  auto* const to = tensor.mutable_data_ptr<uint8_t>();
  if (!encoded) {
    std::memcpy(to, contents.data(), contents.size());
  } else if (!copy_latin1(contents, to, count)) {
    wrong_length();
  }
  if (!columns_first) {
    return tensor;
  }
  std::vector<int64_t> backwards(sizes.size());
  std::iota(backwards.rbegin(), backwards.rend(), 0);
  return tensor.permute(backwards).contiguous();
}

at::Tensor PythonDictionary::whole_numbers(std::string_view key) const {
  const auto items = pickle_.items(list_at(key));
  at::Tensor numbers = at::empty({static_cast<int64_t>(items.size())}, at::kLong);
  auto* to = numbers.mutable_data_ptr<int64_t>();
  for (const Value& item : items) {
    if (!item.is(Kind::whole)) {
      refuse(key, "a list of whole numbers", "one that holds something else");
    }
    *to++ = item.number();
  }
  return numbers;
}

std::vector<std::string> PythonDictionary::texts(std::string_view key) const {
  std::vector<std::string> texts;
  for (const Value& item : pickle_.items(list_at(key))) {
    if (!item.is(Kind::text) && !item.is(Kind::bytes)) {
      refuse(key, "a list of texts", "one that holds something else");
    }
    texts.emplace_back(pickle_.text(item));
  }
  return texts;
}

}  // namespace optotorch
