// The files byte by byte. What TensorBoard itself makes of them: tests/python/tensorboard_test.py.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/trainers/detail/event_file.h>
#include <optotorch/trainers/detail/png.h>
#include <optotorch/trainers/tensorboard.h>
#include <support/errors.h>
#include <support/event_files.h>
#include <support/temporary_folder.h>
#include <sys/resource.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <limits>
#include <regex>

namespace optotorch::testing {
namespace {

/// A writer in a folder of its own, and the events that are in its file.
struct Written {
  TemporaryFolder folder;
  TensorBoardWriter writer{folder.path() + "/runs/one"};

  std::string bytes() const { return contents_of(event_path(folder.path() + "/runs/one")); }
  ReadMessage event(size_t index) const { return ReadMessage(records_of(bytes()).at(index)); }
  /// The value of the last event, whose step is `step`.
  ReadMessage last(int64_t step) const {
    const ReadMessage event(records_of(bytes()).back());
    EXPECT_EQ(event.integer(2), step);
    EXPECT_NEAR(event.float64(1), static_cast<double>(std::time(nullptr)), 600);
    return event.message(5).message(1);
  }
  ReadMessage histogram(const at::Tensor& values) {
    writer.add_histogram("h", values, 1);
    return last(1).message(5);
  }
};

/// A disk with room for files of `bytes`.
class SmallDisk {
 public:
  explicit SmallDisk(uint64_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  rlimit before_ = {};
  void (*signal_)(int);
};

TEST(TensorboardRecord, HasItsChecksums) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283);
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AA);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43);
  EXPECT_EQ(crc32c(""), 0);
  // What tensorboard.summary.writer.record_writer makes of it.
  const std::string wanted(
      "\3\0\0\0\0\0\0\0\xb0\x99\x49\x0e"
      "abc"
      "\x6e\x57\xf1\x21",
      19);
  EXPECT_EQ(tf_record("abc"), wanted);
}

TEST(TensorboardWriter, MakesAFileOfItsOwn) {
  const TemporaryFolder folder;
  const TensorBoardWriter first(folder.path()), second(folder.path());
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    const std::string name = entry.path().filename().string();
    EXPECT_TRUE(std::regex_match(name, std::regex(R"(events\.out\.tfevents\.\d{10}\..+\.\d+\.\d+)"))) << name;
    const auto records = records_of(contents_of(entry.path().string()));
    EXPECT_EQ(records.size(), 1);
    EXPECT_EQ(ReadMessage(records[0]).text(3), "brain.Event:2");
    names.push_back(name);
  }
  EXPECT_EQ(names.size(), 2);
}

TEST(TensorboardWriter, WritesScalars) {
  Written run;
  run.writer.add_scalar("a/b", 0.1, 7);
  EXPECT_EQ(run.last(7).text(1), "a/b");
  EXPECT_EQ(run.last(7).float32(2), 0.1F);
  constexpr int64_t far = std::numeric_limits<int64_t>::min();
  run.writer.add_scalar("a/b", std::nan(""), far);
  EXPECT_TRUE(std::isnan(run.last(far).float32(2)));
  run.writer.add_scalar("a/b", -1e300, 8);
  EXPECT_EQ(run.last(8).float32(2), -std::numeric_limits<float>::infinity());
  run.writer.flush();
  EXPECT_EQ(records_of(run.bytes()).size(), 4);
}

TEST(TensorboardWriter, WritesTexts) {
  Written run;
  run.writer.add_text("t", "5 \xC2\xB5m", 2);
  const auto value = run.last(2);
  EXPECT_EQ(value.text(1), "t/text_summary");
  EXPECT_EQ(value.message(9).message(1).text(1), "text");
  EXPECT_EQ(value.message(8).integer(1), 7);
  EXPECT_EQ(value.message(8).message(2).message(2).integer(1), 1);
  EXPECT_EQ(value.message(8).text(8), "5 \xC2\xB5m");
}

TEST(TensorboardWriter, WritesHistograms) {
  Written run;
  const auto values = at::arange(640, at::kFloat).view({2, 320}).t() - 20;
  const auto histogram = run.histogram(values);
  EXPECT_EQ(histogram.float64(1), -20);
  EXPECT_EQ(histogram.float64(2), 619);
  EXPECT_EQ(histogram.float64(3), 640);
  EXPECT_EQ(histogram.float64(4), values.sum().item<double>());
  EXPECT_EQ(histogram.float64(5), values.to(at::kDouble).square().sum().item<double>());
  EXPECT_EQ(histogram.float64s(7), std::vector<double>(64, 10));
  const auto limits = histogram.float64s(6);
  ASSERT_EQ(limits.size(), 64);
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_NEAR(limits[i], -20 + 639 * static_cast<double>(i + 1) / 64, 1e-10);
  }
  EXPECT_EQ(limits.back(), 619);
  EXPECT_EQ(run.histogram(at::tensor({1, 0, 1}).to(at::kBool)).float64(4), 2);
  EXPECT_EQ(run.histogram(at::tensor({3, 4}).to(at::kBFloat16).requires_grad_()).float64(5), 25);
}

TEST(TensorboardWriter, WritesHistogramsOfUnusualValues) {
  Written run;
  const auto same = run.histogram(at::full({3, 2}, -2.5));
  EXPECT_EQ(same.float64s(6), std::vector<double>{-2.5});
  EXPECT_EQ(same.float64s(7), std::vector<double>{6});
  const double infinity = std::numeric_limits<double>::infinity();
  const auto finite = run.histogram(at::tensor({1., infinity, std::nan(""), -infinity, 3.}));
  EXPECT_EQ(finite.float64(1), 1);
  EXPECT_EQ(finite.float64(2), 3);
  EXPECT_EQ(finite.float64(3), 2);
  EXPECT_EQ(finite.float64(4), 4);
  EXPECT_FALSE(run.histogram(at::full({3}, std::nan(""))).has(6));
  for (const double size : {1.7e308, 1e-310}) {
    const auto far = run.histogram(at::tensor({-size, 0., size, size}, at::kDouble));
    const auto counts = far.float64s(7), limits = far.float64s(6);
    EXPECT_EQ(counts.front(), 1);
    EXPECT_EQ(counts.back(), 2);
    EXPECT_EQ(counts[32], 1);
    EXPECT_EQ(limits.back(), size);
    EXPECT_TRUE(std::is_sorted(limits.begin(), limits.end()));
  }
}

TEST(TensorboardWriter, WritesImages) {
  Written run;
  const auto bytes = at::arange(3 * 2 * 5).mul(8).to(at::kByte).view({3, 2, 5});
  run.writer.add_image("i", bytes, 0);
  const auto first = run.last(0);
  EXPECT_EQ(first.message(4).integer(1), 2);
  EXPECT_EQ(first.message(4).integer(2), 5);
  EXPECT_EQ(first.message(4).integer(3), 3);
  EXPECT_EQ(first.message(4).text(4), png_of(bytes.permute({1, 2, 0}).contiguous()));
  for (const auto type : {at::kFloat, at::kDouble}) {
    run.writer.add_image("i", bytes.to(type) / 255, 1);
    EXPECT_EQ(run.last(1).text(4), first.text(4));
  }
  run.writer.add_image("i", bytes[1], 2);
  const auto grey = run.last(2);
  EXPECT_EQ(grey.message(4).integer(3), 1);
  run.writer.add_image("i", bytes.slice(0, 1, 2), 2);
  EXPECT_EQ(run.last(2).text(4), grey.text(4));
}

TEST(TensorboardPng, HoldsEveryPixel) {
  const auto pixels = at::arange(2 * 3 * 3).to(at::kByte).view({2, 3, 3});
  const std::string file = png_of(pixels);
  EXPECT_TRUE(file.starts_with("\x89PNG\r\n\x1a\n"));
  EXPECT_EQ(file.substr(16, 13), std::string("\0\0\0\3\0\0\0\2\10\2\0\0\0", 13));
  EXPECT_EQ(file.substr(file.size() - 12), std::string("\0\0\0\0IEND\xae\x42\x60\x82", 12));
  std::string rows(2 * 10, 'x');
  uLongf size = rows.size();
  const auto* packed = reinterpret_cast<const Bytef*>(file.data()) + 41;
  ASSERT_EQ(uncompress(reinterpret_cast<Bytef*>(rows.data()), &size, packed, file.size() - 41 - 16), Z_OK);
  EXPECT_EQ(rows, std::string("\0\0\1\2\3\4\5\6\7\10\0\11\12\13\14\15\16\17\20\21", 20));
}

TEST(TensorboardWriter, WritesHyperparameters) {
  Written run;
  run.writer.add_hparams({{"lr", 0.5}, {"on", true}, {"rule", "bp"}, {"steps", 3}}, {{"end/loss", 0.25}}, 4);
  const auto summary = run.event(1).message(5);
  ASSERT_EQ(summary.count(1), 4);
  const auto content = [&](size_t index, const std::string& tag) {
    EXPECT_EQ(summary.message(1, index).text(1), tag);
    const auto plugin = summary.message(1, index).message(9).message(1);
    EXPECT_EQ(plugin.text(1), "hparams");
    return plugin.message(2);
  };
  const auto experiment = content(0, "_hparams_/experiment").message(2);
  const std::vector<std::string> names = {"lr", "on", "rule", "steps"};
  const std::vector<int64_t> types = {3, 2, 1, 3};
  const auto start = content(1, "_hparams_/session_start_info").message(3);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(experiment.message(4, i).text(1), names[i]);
    EXPECT_EQ(experiment.message(4, i).integer(4), types[i]);
    EXPECT_EQ(start.message(1, i).text(1), names[i]);
  }
  EXPECT_EQ(experiment.message(5).message(1).text(2), "end/loss");
  EXPECT_EQ(start.message(1, 0).message(2).float64(2), 0.5);
  EXPECT_EQ(start.message(1, 1).message(2).integer(4), 1);
  EXPECT_EQ(start.message(1, 2).message(2).text(3), "bp");
  EXPECT_EQ(start.message(1, 3).message(2).float64(2), 3);
  EXPECT_EQ(content(2, "_hparams_/session_end_info").message(4).integer(1), 1);
  EXPECT_EQ(summary.message(1, 3).text(1), "end/loss");
  EXPECT_EQ(summary.message(1, 3).float32(2), 0.25F);
}

TEST(TensorboardWriter, SaysWhereAResumedRunBegins) {
  const TemporaryFolder folder;
  const TensorBoardWriter writer(folder.path(), TensorBoardWriterOptions().start_from(12));
  const auto records = records_of(contents_of(event_path(folder.path())));
  ASSERT_EQ(records.size(), 3);
  for (const size_t i : {1, 2}) {
    EXPECT_EQ(ReadMessage(records[i]).integer(2), 12);
    EXPECT_EQ(ReadMessage(records[i]).message(7).integer(1), 1);
  }
}

TEST(TensorboardWriter, RefusesWrongInputAndWritesNothing) {
  Written run;
  auto& writer = run.writer;
  writer.add_scalar("loss", 1, 0);
  const std::string before = run.bytes();
  const auto image = at::zeros({3, 2, 2}), row = at::ones({2});
  for (const std::string tag : {"", "a\xFF", "a\xC0\x80"}) {
    EXPECT_SAYS(writer.add_scalar(tag, 1, 1), "add_scalar: tag");
    EXPECT_SAYS(writer.add_text(tag, "", 1), "add_text: tag");
    EXPECT_SAYS(writer.add_histogram(tag, row, 1), "add_histogram: tag");
    EXPECT_SAYS(writer.add_image(tag, image, 1), "add_image: tag");
    EXPECT_SAYS(writer.add_hparams({{"lr", 1.}}, {{tag, 1.}}), "add_hparams: tag");
    EXPECT_SAYS(writer.add_hparams({{tag, 1.}}, {}), "add_hparams: hparams");
  }
  EXPECT_SAYS(writer.add_histogram("loss", row, 1), "expected one of histograms, got 'loss' of scalars");
  EXPECT_SAYS(writer.add_image("loss", image, 1), "'loss' of scalars");
  EXPECT_SAYS(writer.add_text("t", "\xE2\x82", 1), "add_text: text");
  EXPECT_SAYS(writer.add_text("t", std::string((1 << 24) + 1, 'x'), 1),
              "at most 16777216 bytes, got 16777217");
  for (const auto& values : {at::Tensor(), at::zeros({2, 0}), at::zeros({2}, at::kComplexFloat),
                             at::zeros({2}, at::kMeta), at::eye(3).to_sparse()}) {
    EXPECT_SAYS(writer.add_histogram("h", values, 1), "add_histogram: values");
  }
  for (const auto& wrong :
       {at::Tensor(), at::zeros({3, 0, 2}), at::zeros({2, 2, 2}), at::zeros({4}), at::zeros({1, 1, 2, 2}),
        at::zeros({2, 2}, at::kInt), at::zeros({2, 2}, at::kMeta), at::zeros({2, 2}, at::kComplexFloat),
        at::zeros({1, 1}).expand({8193, 8193})}) {
    EXPECT_SAYS(writer.add_image("i", wrong, 1), "add_image: image");
  }
  for (const double wrong : {-1e-6, 1 + 1e-6, std::nan("")}) {
    auto one = image.clone();
    one[1][1][0] = wrong;
    EXPECT_SAYS(writer.add_image("i", one, 1), "values from 0 to 1");
  }
  EXPECT_SAYS(writer.add_hparams({}, {{"x", 1.}}), "at least one hyperparameter");
  EXPECT_SAYS(writer.add_hparams({{"rule", "\xFF"}}, {}), "add_hparams: rule");
  EXPECT_EQ(run.bytes(), before);
  writer.add_hparams({{"lr", 1.}}, {{"loss", 1.}});
  const std::string once = run.bytes();
  EXPECT_SAYS(writer.add_hparams({{"lr", 1.}}, {}), "expected one call for a run");
  EXPECT_EQ(run.bytes(), once);
}

TEST(TensorboardWriter, SaysWhatIsWrongWithTheFolder) {
  const TemporaryFolder folder;
  const std::string file = folder.write("file", {});
  EXPECT_SAYS(TensorBoardWriter(""), "folder: expected its name, got none");
  EXPECT_SAYS(TensorBoardWriter(std::string(file)), file + ": expected a folder");
  EXPECT_SAYS(TensorBoardWriter(file + "/below"), "Not a directory");
  EXPECT_SAYS(TensorBoardWriter("/proc/self/none"), "/proc/self/none");
}

TEST(TensorboardWriter, LeavesWholeRecordsOnAFullDisk) {
  Written run;
  run.writer.add_text("t", "first", 0);
  const std::string before = run.bytes();
  {
    // Half of it still has room.
    const SmallDisk disk(before.size() + 500);
    EXPECT_SAYS(run.writer.add_text("t", std::string(1000, 'x'), 1), "has room, got File too large");
    EXPECT_EQ(run.bytes(), before);
    EXPECT_SAYS(run.writer.add_hparams({{"text", std::string(1000, 'x')}}, {}), "has room");
    EXPECT_SAYS(TensorBoardWriter(run.folder.path() + "/other", TensorBoardWriterOptions().start_from(1))
                    .add_text("t", std::string(1000, 'x'), 1),
                "other/events");
    run.writer.add_scalar("small", 1, 1);
  }
  run.writer.add_text("t", std::string(1000, 'x'), 2);
  run.writer.add_hparams({{"lr", 1.}}, {});
  EXPECT_EQ(records_of(run.bytes()).size(), 5);
}

}  // namespace
}  // namespace optotorch::testing
