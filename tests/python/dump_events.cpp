// Writes runs for tensorboard_test.py: FOLDER/run, FOLDER/resumed (cut off after step 5, resumed at step 3) and
// FOLDER/expected.json, which says by run what must come back:
//
//     "scalars", "texts"   TAG: [[step, value], ...]; NaN and infinity are texts
//     "histograms"         TAG: [[step, [min, max, num, sum, sum of squares, fullest interval's count]], ...]
//     "images"             TAG: [[step, [height, width, channels], [values of pixels, row by row]], ...]
//     "hparams", "metrics" NAME: value

#include <ATen/ATen.h>
#include <optotorch/trainers/tensorboard.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace {

using nlohmann::json;
using optotorch::TensorBoardWriter;

/// A writer that keeps in mind what it has written.
struct Run {
  TensorBoardWriter writer;
  json expected = {{"scalars", json::object()}, {"texts", json::object()},   {"histograms", json::object()},
                   {"images", json::object()},  {"hparams", json::object()}, {"metrics", json::object()}};

  void scalar(const std::string& tag, double value, int64_t step) {
    writer.add_scalar(tag, value, step);
    const auto kept = static_cast<float>(value);
    expected["scalars"][tag].push_back({step, std::isfinite(kept) ? json(kept) : json(std::to_string(kept))});
  }

  void text(const std::string& tag, const std::string& value, int64_t step) {
    writer.add_text(tag, value, step);
    expected["texts"][tag + "/text_summary"].push_back({step, value});
  }

  void histogram(const std::string& tag, const at::Tensor& values, int64_t step, const json& said) {
    writer.add_histogram(tag, values, step);
    expected["histograms"][tag].push_back({step, said});
  }

  /// `bytes` [channels, height, width] is what the image must come back as.
  void image(const std::string& tag, const at::Tensor& image, const at::Tensor& bytes, int64_t step) {
    writer.add_image(tag, image, step);
    json pixels = json::array();
    const auto rows = bytes.permute({1, 2, 0}).contiguous();
    for (int64_t i = 0; i < rows.numel(); ++i) {
      pixels.push_back(rows.const_data_ptr<uint8_t>()[i]);
    }
    expected["images"][tag].push_back({step, rows.sizes().vec(), pixels});
  }
};

void scalars_and_texts(Run& run) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  int64_t step = 0;
  for (const double value : {0., -0.1, 3e38, -1e-42, std::nan(""), infinity, -infinity, 1e300}) {
    run.scalar("loss/train", value, step++);
  }
  for (const int64_t far : {int64_t{-7}, int64_t{1} << 40, std::numeric_limits<int64_t>::max()}) {
    run.scalar("größe/β²", 0.5, far);
  }
  run.text("notes", "# A run\n\n* über **5 µm**\n* 日本語 🙂", 0);
  run.text("notes", "", 1);
  run.text("long", std::string(300'000, 'x'), 2);
}

void histograms(Run& run) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto whole = at::arange(640, at::kFloat);
  run.histogram("weights", whole, 0, {0, 639, 640, 204480, 87176640, 10});
  run.histogram("weights", whole.view({64, 10}).t() - 320, 1, {-320, 319, 640, -320, 21845440, 10});
  run.histogram("weights", at::full({3, 4}, 2.5), 2, {2.5, 2.5, 12, 30, 75, 12});
  run.histogram("weights", at::tensor({1., infinity, std::nan(""), 3., -infinity}), 3, {1, 3, 2, 4, 10, 1});
  run.histogram("weights", at::full({5}, std::nan("")), 4, {0, 0, 0, 0, 0, 0});
  run.histogram("weights", at::tensor({-1e-42, 0., 0.}, at::kDouble), 5, {-1e-42, 0, 3, -1e-42, 1e-84, 2});
  run.histogram("whole/int64", at::tensor({int64_t{-5}, int64_t{5}}), 0, {-5, 5, 2, 0, 50, 1});
  run.histogram("whole/bool", at::tensor({1, 0, 1}).to(at::kBool), 0, {0, 1, 3, 2, 2, 2});
  run.histogram("half", at::tensor({0.5, 0.25}).to(at::kHalf), 0, {0.25, 0.5, 2, 0.75, 0.3125, 1});
  run.histogram("one", at::scalar_tensor(-7), 0, {-7, -7, 1, -7, 49, 1});
}

void images(Run& run) {
  const auto bytes = at::arange(3 * 5 * 7).mul(11).remainder(256).to(at::kByte).view({3, 5, 7});
  run.image("colour", bytes, bytes, 0);
  run.image("colour", bytes.to(at::kFloat) / 255, bytes, 1);
  run.image("colour", (bytes.to(at::kDouble) / 255).requires_grad_(), bytes, 2);
  const auto grey = bytes.narrow(0, 1, 1);
  run.image("grey", grey, grey, 0);
  run.image("grey", grey[0], grey, 1);
  run.image("grey", grey[0].t(), grey.transpose(1, 2), 2);
  run.image("grey", at::tensor({0.f, 0.5f, 1.f, 0.001f}).view({2, 2}),
            at::tensor({0, 128, 255, 0}).to(at::kByte).view({1, 2, 2}), 3);
  const auto large = at::arange(400 * 300).remainder(251).to(at::kByte).view({1, 400, 300});
  run.image("large", large, large, 0);
}

void hparams(Run& run) {
  run.writer.add_hparams(
      {{"rule", "bp"}, {"lr", 0.05}, {"epochs", 12}, {"laboratory", true}, {"noise", false}},
      {{"final/accuracy", 0.75}, {"final/loss", 0.5}}, 9);
  run.expected["hparams"] = {
      {"rule", "bp"}, {"lr", 0.05}, {"epochs", 12}, {"laboratory", true}, {"noise", false}};
  run.expected["metrics"] = {{"final/accuracy", 0.75}, {"final/loss", 0.5}};
  run.expected["scalars"]["final/accuracy"] = json::array({json::array({9, 0.75})});
  run.expected["scalars"]["final/loss"] = json::array({json::array({9, 0.5})});
}

json resumed(const std::string& folder) {
  Run run{TensorBoardWriter(folder, optotorch::TensorBoardWriterOptions().start_from(3))};
  for (const int64_t step : {3, 4}) {
    run.scalar("loss", 10. * static_cast<double>(step), step);
    run.text("notes", "resumed", step);
    run.histogram("weights", at::full({1}, step), step, {step, step, 1, step, step * step, 1});
  }
  return run.expected;
}

json cut_off(const std::string& folder) {
  Run run{TensorBoardWriter(folder)};
  for (int64_t step = 0; step < 6; ++step) {
    run.scalar("loss", static_cast<double>(step), step);
    run.text("notes", "cut off", step);
    run.histogram("weights", at::full({1}, -step), step, {-step, -step, 1, -step, step * step, 1});
  }
  return run.expected;
}

/// What is left of the first part, and the second.
json both(json first, const json& second) {
  for (const auto* kind : {"scalars", "texts", "histograms"}) {
    for (auto& [tag, points] : first[kind].items()) {
      points.erase(points.begin() + 3, points.end());
      points.insert(points.end(), second[kind][tag].begin(), second[kind][tag].end());
    }
  }
  return first;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: dump_events FOLDER\n";
    return 2;
  }
  const std::string folder = arguments[1];
  Run run{TensorBoardWriter(folder + "/run")};
  scalars_and_texts(run);
  histograms(run);
  images(run);
  hparams(run);
  run.writer.flush();
  const auto first = cut_off(folder + "/resumed");
  const json expected = {{"run", run.expected}, {"resumed", both(first, resumed(folder + "/resumed"))}};
  std::ofstream(folder + "/expected.json") << expected.dump();
}
