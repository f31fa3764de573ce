#pragma once

// Writes small files of array data sets, sound and broken ones, with nothing of the code under test: pickles,
// MAT files, bzip2.

#include <bzlib.h>
#include <gtest/gtest.h>
#include <support/temporary_folder.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace optotorch::testing {

inline std::string little_endian(uint64_t number, size_t width) {
  std::string bytes;
  for (size_t i = 0; i < width; ++i) {
    bytes += static_cast<char>(number >> 8 * i & 0xff);
  }
  return bytes;
}

/// Pickles of protocol 2 as Python 2's cPickle writes them, with everything it memorises.
class PickleWriter {
 public:
  std::string start() {
    next_ = 1;
    return std::string("\x80\2}", 3) + put() + "(";
  }
  static std::string stop() { return "u."; }

  std::string text(const std::string& value) {
    return (value.size() < 256 ? "U" + little_endian(value.size(), 1)
                               : "T" + little_endian(value.size(), 4)) +
           value + put();
  }
  static std::string number(int64_t value) {
    if (value >= 0 && value < 256) {
      return "K" + little_endian(static_cast<uint64_t>(value), 1);
    }
    if (value >= 0 && value < 65536) {
      return "M" + little_endian(static_cast<uint64_t>(value), 2);
    }
    return "J" + little_endian(static_cast<uint64_t>(value), 4);
  }
  std::string numbers(const std::vector<int64_t>& values) {
    std::string code = "]" + put() + "(";
    for (const auto value : values) {
      code += number(value);
    }
    return code + "e";
  }
  std::string texts(const std::vector<std::string>& values) {
    std::string code = "]" + put() + "(";
    for (const auto& value : values) {
      code += text(value);
    }
    return code + "e";
  }
  std::string global(const std::string& module, const std::string& name) {
    return "c" + module + "\n" + name + "\n" + put();
  }
  /// An array; `columns_first` only says so.
  std::string array(const std::vector<int64_t>& sizes, const std::string& values, bool columns_first = false,
                    const std::string& type = "u1", const std::string& module = "numpy.core.multiarray") {
    std::string code =
        global(module, "_reconstruct") + global("numpy", "ndarray") + number(0) + "\x85" + put();
    code += text("b") + "\x87" + put() + "R" + put() + "(" + number(1) + "(";
    for (const auto size : sizes) {
      code += number(size);
    }
    code += "t" + put() + global("numpy", "dtype") + text(type) + number(0) + number(1) + "\x87" + put() +
            "R" + put() + "(" + number(3) + text("|") + "NNN" + number(-1) + number(-1) + number(0) + "t" +
            put() + "b";
    return code + (columns_first ? "\x88" : "\x89") + text(values) + "t" + put() + "b";
  }

 private:
  std::string put() { return "q" + little_endian(next_++, 1); }
  uint64_t next_ = 1;
};

/// An element of a MAT file, with its padding.
inline std::string mat_element(uint32_t type, const std::string& bytes) {
  return little_endian(type, 4) + little_endian(bytes.size(), 4) + bytes +
         std::string((8 - bytes.size() % 8) % 8, '\0');
}

/// One of at most four bytes, in its tag.
inline std::string small_mat_element(uint32_t type, const std::string& bytes) {
  return little_endian(type | bytes.size() << 16, 4) + bytes + std::string(4 - bytes.size(), '\0');
}

/// An array of a class (9: uint8, 6: double), whose values are an element.
inline std::string mat_array(const std::string& name, uint32_t array_class, const std::vector<int32_t>& sizes,
                             const std::string& values, uint32_t flags = 0) {
  std::string dimensions;
  for (const auto size : sizes) {
    dimensions += little_endian(static_cast<uint32_t>(size), 4);
  }
  return mat_element(
      14, mat_element(6, little_endian(array_class | flags << 8, 8)) + mat_element(5, dimensions) +
              (name.size() <= 4 && !name.empty() ? small_mat_element(1, name) : mat_element(1, name)) +
              values);
}

inline std::string zlib_packed(const std::string& bytes) {
  std::string packed(compressBound(bytes.size()), '\0');
  uLongf length = packed.size();
  EXPECT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &length,
                     reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()),
            Z_OK);
  packed.resize(length);
  return packed;
}

/// An array packed by zlib, as an element without padding.
inline std::string packed_mat_array(const std::string& array) {
  const std::string packed = zlib_packed(array);
  return little_endian(15, 4) + little_endian(packed.size(), 4) + packed;
}

inline std::string mat_file(const std::string& arrays) {
  std::string header = "MATLAB 5.0 MAT-file, Platform: test";
  header.resize(116, ' ');
  return header + std::string(8, '\0') + std::string("\0\1IM", 4) + arrays;
}

/// `bytes` as one stream of bzip2.
inline std::string bzip2_packed(const std::string& bytes) {
  std::string packed(bytes.size() + bytes.size() / 100 + 600, '\0');
  auto length = static_cast<unsigned>(packed.size());
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(packed.data(), &length, const_cast<char*>(bytes.data()),
                                     static_cast<unsigned>(bytes.size()), 1, 0, 0),
            BZ_OK);
  packed.resize(length);
  return packed;
}

/// A line of usps: label and 256 values, of which the first are `values`, the others -1.
inline std::string usps_line(int label, const std::vector<std::string>& values) {
  std::string line = std::to_string(label);
  for (size_t k = 0; k < 256; ++k) {
    line += " " + std::to_string(k + 1) + ":" + (k < values.size() ? values[k] : "-1");
  }
  return line + " \n";
}

/// A line of semeion.data: ink where k % 3 == phase.
inline std::string semeion_line(size_t phase, size_t label) {
  std::string line;
  for (size_t k = 0; k < 256; ++k) {
    line += k % 3 == phase ? "1.0000 " : "0.0000 ";
  }
  for (size_t k = 0; k < 10; ++k) {
    line += k == label ? "1 " : "0 ";
  }
  return line + "\n";
}

/// 48 * 48 pixels (first + k) % 256 for FER2013.
inline std::string face(size_t first) {
  std::string pixels;
  for (size_t k = 0; k < 48 * 48; ++k) {
    pixels += (k > 0 ? " " : "") + std::to_string((first + k) % 256);
  }
  return pixels;
}

}  // namespace optotorch::testing
