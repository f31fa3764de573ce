#include <ATen/ATen.h>
#include <optotorch/core/check.h>
#include <optotorch/trainers/datasets/detail/csv.h>
#include <optotorch/trainers/datasets/detail/set_files.h>
#include <optotorch/trainers/datasets/detail/text_numbers.h>
#include <optotorch/trainers/datasets/fer2013.h>

#include <optional>
#include <vector>

namespace optotorch {
namespace {

using Mode = ImageSet::Mode;

constexpr int64_t fer2013_side = 48, fer2013_pixels = fer2013_side * fer2013_side;
constexpr auto fer2013_folder = "fer2013";
constexpr auto fer2013_remedy =
    "Get them from "
    "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-"
    "challenge and put them there; torchvision.datasets.FER2013(root) downloads nothing either";

/// In torchvision's order.
std::vector<PublishedSum> fer2013_files(Mode mode) {
  return {{"fer2013.csv", "f8428a1edbd21e88f42c73edd2a14f95"},
          {"icml_face_data.csv", "b114b9e04e6949e5fe8b6a98b3892b1d"},
          mode == Mode::train ? PublishedSum{"train.csv", "3f0dfb3d3fd99c811a1299cb947e3131"}
                              : PublishedSum{"test.csv", "b02c2298636a634e8c2faabbf3ea9a23"}};
}

FoundSet find_file(const std::string& root, Mode mode) {
  std::vector<SetPlace> places;
  for (const auto& file : fer2013_files(mode)) {
    places.push_back({fer2013_folder, {file.file}});
  }
  return find_set("FER2013", root, places, fer2013_remedy);
}

ImageSet read_fer2013_files(const std::string& root, Mode mode) {
  const auto found = find_file(root, mode);
  return read_fer2013(open_regular_file(found.path(fer2013_files(mode)[found.place].file), "data"), mode);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

/// Which column is which. icml_face_data.csv has a blank before the names of all but the first.
struct Columns {
  std::optional<size_t> emotion, usage, pixels;
};

class TableReader {
 public:
  TableReader(std::string_view text, const std::string& path, Mode mode)
      : path_(path), table_(text, path), mode_(mode) {}

  ImageSet read() {
    read_header();
    while (table_.next(fields_)) {
      if (fields_.size() != width_) {
        refuse(c10::str(width_, " fields"), c10::str(fields_.size()));
      }
      if (is_wanted()) {
        read_row();
      }
    }
    OPTOTORCH_CHECK(!targets_.empty(), .where = path_, .argument = "rows",
                    .expected = mode_ == Mode::train ? "images to train on" : "images to test on",
                    .got = "none");
    const auto count = static_cast<int64_t>(targets_.size());
    return {"FER2013",
            at::tensor(images_, at::kByte).view({count, 1, fer2013_side, fer2013_side}),
            at::tensor(targets_, at::kLong),
            {"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"},
            columns_.emotion ? ImageSet::Labels::all : ImageSet::Labels::some};
  }

 private:
  [[noreturn]] void refuse(const std::string& expected, const std::string& got) const {
    reject({.where = path_,
            .argument = c10::str("row ", table_.row()),
            .expected = expected,
            .got = got,
            .remedy = "The file is damaged or belongs to another data set"});
  }

  void read_header() {
    table_.next(fields_);
    width_ = fields_.size();
    const std::vector<std::pair<std::string_view, std::optional<size_t>*>> known = {
        {"emotion", &columns_.emotion}, {"Usage", &columns_.usage}, {"pixels", &columns_.pixels}};
    for (size_t k = 0; k < width_; ++k) {
      for (const auto& [name, column] : known) {
        if (trimmed(fields_[k]) != name) {
          continue;
        }
        if (*column) {
          refuse(c10::str("one column '", name, "'"), "two");
        }
        *column = k;
      }
    }
    if (!columns_.pixels) {
      refuse("a column 'pixels'", "none");
    }
    if (!columns_.emotion && (mode_ == Mode::train || columns_.usage)) {
      refuse("a column 'emotion'", "none");
    }
  }

  bool is_wanted() const {
    if (!columns_.usage) {
      return true;
    }
    const auto usage = trimmed(fields_[*columns_.usage]);
    const bool training = usage == "Training";
    if (!training && usage != "PublicTest" && usage != "PrivateTest") {
      refuse("usage Training, PublicTest or PrivateTest", shown(usage));
    }
    return training == (mode_ == Mode::train);
  }

  void read_row() {
    targets_.push_back(ImageSet::no_label);
    if (columns_.emotion) {
      constexpr int64_t classes = 7;
      const auto field = fields_[*columns_.emotion];
      const auto emotion = whole_number(trimmed(field));
      if (!emotion || *emotion < 0 || *emotion >= classes) {
        refuse(c10::str("an emotion from 0 to ", classes - 1), shown(field));
      }
      targets_.back() = *emotion;
    }
    auto left = fields_[*columns_.pixels];
    int64_t count = 0;
    for (std::string_view word; next_word(left, word); ++count) {
      const auto value = whole_number(word);
      if (!value || *value < 0 || *value > 255 || count == fer2013_pixels) {
        refuse(c10::str(fer2013_pixels, " pixels from 0 to 255"),
               count == fer2013_pixels ? "more" : shown(word));
      }
      images_.push_back(static_cast<uint8_t>(*value));
    }
    if (count != fer2013_pixels) {
      refuse(c10::str(fer2013_pixels, " pixels from 0 to 255"), c10::str(count));
    }
  }

  const std::string& path_;
  CsvReader table_;
  Mode mode_;
  size_t width_ = 0;
  Columns columns_;
  std::vector<std::string_view> fields_;
  std::vector<uint8_t> images_;
  std::vector<int64_t> targets_;
};

}  // namespace

ImageSet read_fer2013(InputFile file, Mode mode) {
  constexpr uint64_t most = uint64_t{1} << 30;
  const std::string path = file.name();
  OPTOTORCH_CHECK(file.size() <= most, .where = path, .argument = "length",
                  .expected = c10::str("at most ", most, " bytes"), .got = c10::str(file.size()));
  const std::string text = file.rest();
  return TableReader(text, path, mode).read();
}

FER2013::FER2013(const std::string& root, Mode mode) : ImageSet(read_fer2013_files(root, mode)) {}

void FER2013::verify(const std::string& root, Mode mode) {
  verify_set("FER2013", root, {fer2013_folder, {}}, {fer2013_files(mode)[find_file(root, mode).place]},
             fer2013_remedy);
}

}  // namespace optotorch
