// Readers of the data sets that are arrays in few files.

#include <ATen/ATen.h>
#include <optotorch/trainers/datasets/detail/bzip2.h>
#include <optotorch/trainers/datasets/detail/cifar_files.h>
#include <optotorch/trainers/datasets/detail/csv.h>
#include <optotorch/trainers/datasets/detail/mat_file.h>
#include <optotorch/trainers/datasets/detail/python_dictionary.h>
#include <optotorch/trainers/datasets/detail/stl10_files.h>
#include <optotorch/trainers/datasets/fer2013.h>
#include <optotorch/trainers/datasets/semeion.h>
#include <optotorch/trainers/datasets/svhn.h>
#include <optotorch/trainers/datasets/usps.h>
#include <support/array_files.h>

#include <stdexcept>

#include "fuzz/fuzz.h"

namespace optotorch::fuzz {
namespace {

using testing::PickleWriter;
using namespace std::string_literals;

InputFile file_of(const uint8_t* data, size_t size) {
  return {text_of(data, size), "file"};
}

int dictionary(const uint8_t* data, size_t size) {
  return attempt([&] {
    const PythonDictionary read(file_of(data, size));
    static_cast<void>(read.whole_numbers("labels"));
    static_cast<void>(read.texts("names"));
    static_cast<void>(read.bytes("data").sum());
  });
}

std::vector<std::string> dictionary_seeds() {
  std::vector<std::string> seeds;
  for (const bool columns_first : {false, true}) {
    PickleWriter writer;
    seeds.push_back(writer.start() + writer.text("labels") + writer.numbers({3, 300, -1}) +
                    writer.text("names") + writer.texts({"cat", "dog"}) + writer.text("data") +
                    writer.array({2, 3}, "abcdef", columns_first) + PickleWriter::stop());
  }
  const auto array =
      "\x8c\x16numpy._core.multiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\5numpy\x94\x8c\7ndarray\x94\x93\x94K\0\x85\x94"s
      "C\1b\x94\x87\x94R\x94(K\1K\2K\2\x86\x94h\x0a\x8c\5dtype\x94\x93\x94\x8c\2u1\x94\x89\x88\x87\x94R\x94(K\3\x8c\1|\x94"s
      "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t\x94"s +
      "b\x89" + "C\4\0\x0a\xc8\xff\x94t\x94"s + "b";
  const auto body =
      "}\x94(\x8c\6labels\x94]\x94(K\1M\x2c\1e\x8c\5names\x94]\x94\x8c\1x\x94"
      "a\x8c\4data\x94"s +
      array + "u.";
  seeds.push_back("\x80\4\x95"s + testing::little_endian(body.size(), 8) + body);
  return seeds;
}

const Registered dictionary_target({"dictionary",
                                    dictionary,
                                    dictionary_seeds,
                                    {"\x80\2",
                                     "\x80\4",
                                     "(",
                                     ")",
                                     "]",
                                     "}",
                                     "t",
                                     "\x85",
                                     "\x86",
                                     "\x87",
                                     "u",
                                     "s",
                                     "a",
                                     "e",
                                     "b",
                                     "R",
                                     "N",
                                     "\x88",
                                     "\x89",
                                     "K\1",
                                     "q\1",
                                     "h\1",
                                     "h\6",
                                     "r\xff\xff\xff\xff",
                                     "\x94",
                                     "\x93",
                                     "\x95\1\0\0\0\0\0\0\0"s,
                                     "X\4\0\0\0data"s,
                                     "X\6\0\0\0latin1"s,
                                     "U\4data",
                                     "C\4data",
                                     "B\xff\xff\xff\xff",
                                     "\x8e\xff\xff\xff\xff\xff\xff\xff\xff",
                                     "\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
                                     "cnumpy\nndarray\n",
                                     "cnumpy\ndtype\n",
                                     "c_codecs\nencode\n",
                                     "cos\nsystem\n",
                                     "cnumpy.core.multiarray\n_reconstruct\n",
                                     "J\xff\xff\xff\x7f",
                                     "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
                                     "labels",
                                     "u1"}});

std::string image(size_t count) {
  std::string bytes;
  for (size_t k = 0; k < count; ++k) {
    bytes += static_cast<char>(k * 7);
  }
  return bytes;
}

int cifar(const uint8_t* data, size_t size) {
  attempt([&] { read_cifar_binary(file_of(data, size), 2, 1); });
  return attempt([&] { read_cifar_pickle(file_of(data, size), "labels"); });
}

std::vector<std::string> cifar_seeds() {
  PickleWriter writer;
  return {writer.start() + writer.text("data") + writer.array({1, 3072}, image(3072)) +
          writer.text("labels") + writer.numbers({3}) + PickleWriter::stop()};
}

const Registered cifar_target(
    {"cifar", cifar, cifar_seeds, {"labels", "data", "M\0\x0c"s, "K\1", "(", "t", "b", "u."}});

int mat(const uint8_t* data, size_t size) {
  attempt([&] { read_mat(file_of(data, size), {"X", "y"}); });
  return attempt([&] {
    for (const auto& [name, values] : read_mat(file_of(data, size))) {
      static_cast<void>(values.sum());
    }
  });
}

std::vector<std::string> mat_seeds() {
  using namespace testing;
  std::vector<std::string> seeds;
  const auto x = mat_array("X", 9, {2, 3}, mat_element(2, "abcdef"));
  const auto y = mat_array("y", 6, {1, 2}, mat_element(9, std::string(16, '@')));
  const auto other = mat_array("something", 13, {1, 1, 2}, mat_element(6, "abcdefgh"));
  seeds.push_back(mat_file(x + y));
  seeds.push_back(mat_file(packed_mat_array(x) + packed_mat_array(y)));
  seeds.push_back(
      mat_file(other + packed_mat_array(x) + mat_array("y", 9, {1, 1}, small_mat_element(2, "a"))));
  seeds.push_back(
      mat_file(mat_array("c", 1, {1, 1}, x) + mat_array("z", 6, {1, 1}, small_mat_element(2, "a"), 8)));
  return seeds;
}

const Registered mat_target({"mat",
                             mat,
                             mat_seeds,
                             {"\xff\xff\xff\x7f", "\xff\xff\xff\xff", "\0\0\0\0"s, "\1\0\0\0"s, "\2\0\0\0"s,
                              "\5\0\0\0"s, "\6\0\0\0"s, "\x0e\0\0\0"s, "\x0f\0\0\0"s, "\1\0\1\0X\0\0\0"s,
                              "\1\0\1\0y\0\0\0"s, "\x78\x9c", "IM", "MI", "\0\1"s, "\0\2"s}});

int svhn(const uint8_t* data, size_t size) {
  return attempt([&] { read_svhn(file_of(data, size)); });
}

std::vector<std::string> svhn_seeds() {
  using namespace testing;
  const auto x = mat_array("X", 9, {32, 32, 3, 1}, mat_element(2, image(3072)));
  const auto y = mat_array("y", 6, {1, 1}, small_mat_element(2, "\x0a"));
  return {mat_file(x + y), mat_file(packed_mat_array(y) + packed_mat_array(x))};
}

const Registered svhn_target(
    {"svhn", svhn, svhn_seeds, {"\x20\0\0\0"s, "\3\0\0\0"s, "\1\0\1\0X\0\0\0"s, "\xff\xff\xff\x7f"}});

int bzip2(const uint8_t* data, size_t size) {
  constexpr uint64_t most = 1 << 20;
  return attempt([&] {
    if (unpack_bzip2(file_of(data, size), most).size() > most) {
      throw std::logic_error("more than allowed");
    }
  });
}

std::vector<std::string> bzip2_seeds() {
  const auto packed = testing::bzip2_packed(image(300));
  return {packed, packed + testing::bzip2_packed(""),
          testing::bzip2_packed(std::string(50'000, 'x')) + packed};
}

const Registered bzip2_target(
    {"bzip2", bzip2, bzip2_seeds, {"BZh9", "BZh1", "1AY&SY", "\x17\x72\x45\x38\x50\x90"}});

int usps(const uint8_t* data, size_t size) {
  return attempt([&] { parse_usps(text_of(data, size), "file"); });
}

std::vector<std::string> usps_seeds() {
  return {testing::usps_line(1, {"0.5", "-0.25", "1e-3"}) + testing::usps_line(10, {}),
          testing::usps_line(3, {"+1"})};
}

const Registered usps_target(
    {"usps", usps, usps_seeds, {":", "nan", "inf", "-", "1e999", "\n", " ", "256:", "0x1p3"}});

int semeion(const uint8_t* data, size_t size) {
  return attempt([&] { read_semeion(file_of(data, size)); });
}

std::vector<std::string> semeion_seeds() {
  return {testing::semeion_line(0, 3) + testing::semeion_line(1, 0), testing::semeion_line(2, 9) + "\n"};
}

const Registered semeion_target(
    {"semeion", semeion, semeion_seeds, {"0.0000 ", "1.0000 ", "1 ", "0 ", "\n", "nan", "1e9"}});

int stl10(const uint8_t* data, size_t size) {
  attempt([&] { read_stl10_images(file_of(data, size)); });
  attempt([&] { read_stl10_labels(file_of(data, size), 10); });
  return attempt([&] { read_stl10_fold(file_of(data, size), 1, 5000); });
}

std::vector<std::string> stl10_seeds() {
  return {"1 2 3\n4 5 4999 \n", "\n0"};
}

const Registered stl10_target(
    {"stl10", stl10, stl10_seeds, {"\n", "\r\n", " ", "5000", "-1", "99999999999999999999"}});

int fer2013(const uint8_t* data, size_t size) {
  attempt([&] { read_fer2013(file_of(data, size), ImageSet::Mode::test); });
  return attempt([&] { read_fer2013(file_of(data, size), ImageSet::Mode::train); });
}

std::vector<std::string> fer2013_seeds() {
  return {"emotion, Usage, pixels\n3,Training," + testing::face(1) + "\n",
          "emotion,pixels\n0,\"" + testing::face(2) + "\"\r\n"};
}

const Registered fer2013_target({"fer2013",
                                 fer2013,
                                 fer2013_seeds,
                                 {"\"", "\"\"", ",", "\n", "\r\n", "emotion", "pixels", "Usage", "PublicTest",
                                  "256"}});

int csv(const uint8_t* data, size_t size) {
  return attempt([&] {
    CsvReader reader(text_of(data, size), "file");
    size_t bytes = 0;
    for (std::vector<std::string_view> fields; reader.next(fields);) {
      for (const auto field : fields) {
        bytes += std::string(field).size();  // every field may be read
      }
    }
    if (bytes > size) {
      throw std::logic_error("more than the table holds");
    }
  });
}

std::vector<std::string> csv_seeds() {
  return {"a,b\n1,2\n", "\"a,b\",\"x\ny\"\r\n\"say \"\"no\"\"\",\n"};
}

const Registered csv_target({"csv", csv, csv_seeds, {"\"", "\"\"", ",", "\n", "\r\n"}});

}  // namespace
}  // namespace optotorch::fuzz
