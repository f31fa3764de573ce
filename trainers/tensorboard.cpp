#include <ATen/ATen.h>
#include <c10/util/StringUtil.h>
#include <optotorch/core/check.h>
#include <optotorch/core/detail/protobuf.h>
#include <optotorch/trainers/datasets/text/utf8.h>
#include <optotorch/trainers/detail/event_file.h>
#include <optotorch/trainers/detail/png.h>
#include <optotorch/trainers/tensorboard.h>

#include <chrono>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

namespace optotorch {
namespace {

constexpr size_t most_event_text = size_t{1} << 24;
constexpr int64_t most_event_pixels = int64_t{1} << 26;
constexpr int64_t histogram_bins = 64;

/// Begins an event. Here and below, numbers of fields are those of TensorBoard's files *.proto.
Protobuf event_at(int64_t step) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return Protobuf().float64(1, now.count()).integer(2, step);
}

/// Readers give up a file at a string that is no UTF-8.
void check_utf8(const std::string& where, const std::string& argument, const std::string& text) {
  for (size_t position = 0; position < text.size();) {
    read_code_point(text, position, where, argument);
  }
}

Protobuf plugin_metadata(const std::string& plugin, const Protobuf& content = {}) {
  Protobuf data;
  data.bytes(1, plugin).message(2, content);
  return Protobuf().message(1, data);
}

/// A tensor of one string.
Protobuf string_tensor(const std::string& text) {
  constexpr int64_t type_string = 7;
  const Protobuf shape = Protobuf().message(2, Protobuf().integer(1, 1));
  return Protobuf().integer(1, type_string).message(2, shape).bytes(8, text);
}

bool is_real_and_here(const at::Tensor& tensor) {
  return tensor.defined() && !tensor.is_meta() && tensor.layout() == at::kStrided && !tensor.is_quantized() &&
         !tensor.is_complex() && tensor.numel() > 0;
}

/// Counts in bins of one width; `limits` are where they end.
struct Bins {
  std::vector<double> limits, counts;
};

std::vector<double> to_vector(const at::Tensor& numbers) {
  return {numbers.const_data_ptr<double>(), numbers.const_data_ptr<double>() + numbers.numel()};
}

Bins bins_of(const at::Tensor& values, double least, double most) {
  if (least == most) {
    return {{most}, {static_cast<double>(values.numel())}};
  }
  // Close to the largest number the width would overflow.
  const double scale = most / 2 - least / 2 > 1e300 ? 0x1p-10 : 1;
  const auto counts =
      at::histc(scale == 1 ? values : values * scale, histogram_bins, least * scale, most * scale);
  const auto edges = at::linspace(least * scale, most * scale, histogram_bins + 1, at::kDouble) / scale;
  return {to_vector(edges.slice(0, 1)), to_vector(counts)};
}

/// HistogramProto.
Protobuf histogram_of(const at::Tensor& tensor) {
  auto values = tensor.detach().to(at::kCPU, at::kDouble).contiguous().view(-1);
  const auto range = [&] {
    const auto [least, most] = values.aminmax();
    return std::pair(least.item<double>(), most.item<double>());
  };
  auto [least, most] = range();
  if (!std::isfinite(least) || !std::isfinite(most)) {
    values = values.masked_select(values.isfinite());
    if (values.numel() == 0) {
      return {};
    }
    std::tie(least, most) = range();
  }
  const auto bins = bins_of(values, least, most);
  return Protobuf()
      .float64(1, least)
      .float64(2, most)
      .float64(3, static_cast<double>(values.numel()))
      .float64(4, values.sum().item<double>())
      .float64(5, values.dot(values).item<double>())
      .float64s(6, bins.limits)
      .float64s(7, bins.counts);
}

bool is_event_image(const at::Tensor& image) {
  return is_real_and_here(image) && (image.scalar_type() == at::kByte || image.is_floating_point()) &&
         (image.dim() == 2 || (image.dim() == 3 && (image.size(0) == 1 || image.size(0) == 3))) &&
         image.size(-1) <= most_event_pixels / image.size(-2);
}

/// Bytes [height, width, channels].
at::Tensor image_bytes_of(const at::Tensor& image) {
  auto pixels = (image.dim() == 2 ? image.unsqueeze(0) : image).detach().cpu();
  if (pixels.is_floating_point()) {
    pixels = pixels.to(at::kFloat);
    const auto least = pixels.min().item<float>(), most = pixels.max().item<float>();
    OPTOTORCH_CHECK(least >= 0 && most <= 1, .where = "add_image", .argument = "image",
                    .expected = "values from 0 to 1", .got = c10::str(least, " to ", most),
                    .remedy = "Scale it, or clamp it if it is only slightly outside");
    pixels = pixels.mul(255).round().to(at::kByte);
  }
  return pixels.permute({1, 2, 0}).contiguous();
}

/// google.protobuf.Value.
Protobuf hyperparameter_value(const Hyperparameter& hyperparameter) {
  Protobuf value;
  if (const auto* text = std::get_if<std::string>(&hyperparameter)) {
    value.bytes(3, *text);
  } else if (const auto* truth = std::get_if<bool>(&hyperparameter)) {
    value.integer(4, *truth ? 1 : 0);
  } else if (const auto* whole = std::get_if<int64_t>(&hyperparameter)) {
    value.float64(2, static_cast<double>(*whole));
  } else {
    value.float64(2, std::get<double>(hyperparameter));
  }
  return value;
}

/// Numbers of hparams' DataType.
int64_t hyperparameter_type(const Hyperparameter& hyperparameter) {
  return std::holds_alternative<std::string>(hyperparameter) ? 1
         : std::holds_alternative<bool>(hyperparameter)      ? 2
                                                             : 3;
}

/// What hyperparameters and metrics there are.
Protobuf experiment_of(const std::map<std::string, Hyperparameter>& hparams,
                       const std::map<std::string, double>& metrics) {
  Protobuf experiment;
  for (const auto& [name, value] : hparams) {
    experiment.message(4, Protobuf().bytes(1, name).integer(4, hyperparameter_type(value)));
  }
  for (const auto& [tag, value] : metrics) {
    experiment.message(5, Protobuf().message(1, Protobuf().bytes(2, tag)));
  }
  return experiment;
}

Protobuf session_start_of(const std::map<std::string, Hyperparameter>& hparams) {
  Protobuf start;
  for (const auto& [name, value] : hparams) {
    start.message(1, Protobuf().bytes(1, name).message(2, hyperparameter_value(value)));
  }
  return start;
}

}  // namespace

TensorBoardWriter::TensorBoardWriter(const std::string& folder, const TensorBoardWriterOptions& options)
    : file_(std::make_unique<EventFile>(folder)) {
  file_->append(event_at(0).bytes(3, "brain.Event:2").text());
  if (options.start_from()) {
    constexpr int64_t status_start = 1;
    const Protobuf session = Protobuf().integer(1, status_start);
    // Of a run's first start TensorBoard thinks nothing: only a second one drops what came before.
    for (int time = 0; time < 2; ++time) {
      file_->append(event_at(*options.start_from()).message(7, session).text());
    }
  }
}

TensorBoardWriter::~TensorBoardWriter() = default;

void TensorBoardWriter::check_tag(const std::string& where, const std::string& tag,
                                  const std::string& kind) const {
  OPTOTORCH_CHECK(!tag.empty(), .where = where, .argument = "tag", .expected = "a name", .got = "none");
  check_utf8(where, "tag", tag);
  const auto found = kinds_.find(tag);
  OPTOTORCH_CHECK(found == kinds_.end() || found->second == kind, .where = where, .argument = "tag",
                  .expected = "one of " + kind + "s", .got = "'" + tag + "' of " + found->second + "s",
                  .remedy = "TensorBoard shows one kind under a tag: choose another one");
}

void TensorBoardWriter::add_value(const std::string& tag, const std::string& kind, Protobuf value,
                                  int64_t step) {
  file_->append(event_at(step).message(5, Protobuf().message(1, value.bytes(1, tag))).text());
  kinds_[tag] = kind;
}

void TensorBoardWriter::add_scalar(const std::string& tag, double value, int64_t step) {
  check_tag("add_scalar", tag, "scalar");
  add_value(tag, "scalar", Protobuf().float32(2, static_cast<float>(value)), step);
}

void TensorBoardWriter::add_text(const std::string& tag, const std::string& text, int64_t step) {
  const std::string full = tag.empty() ? "" : tag + "/text_summary";
  check_tag("add_text", full, "text");
  OPTOTORCH_CHECK(text.size() <= most_event_text, .where = "add_text", .argument = "text",
                  .expected = c10::str("at most ", most_event_text, " bytes"),
                  .got = std::to_string(text.size()));
  check_utf8("add_text", "text", text);
  add_value(full, "text", Protobuf().message(9, plugin_metadata("text")).message(8, string_tensor(text)),
            step);
}

void TensorBoardWriter::add_histogram(const std::string& tag, const at::Tensor& values, int64_t step) {
  check_tag("add_histogram", tag, "histogram");
  OPTOTORCH_CHECK(is_real_and_here(values), .where = "add_histogram", .argument = "values",
                  .expected = "a real dense tensor with at least one element", .got = describe(values),
                  .remedy = "Of complex values take abs() or angle()");
  add_value(tag, "histogram", Protobuf().message(5, histogram_of(values)), step);
}

void TensorBoardWriter::add_image(const std::string& tag, const at::Tensor& image, int64_t step) {
  check_tag("add_image", tag, "image");
  OPTOTORCH_CHECK(is_event_image(image), .where = "add_image", .argument = "image",
                  .expected = c10::str("uint8 or floating-point [height, width], [1, height, width] or "
                                       "[3, height, width], not empty, at most ",
                                       most_event_pixels, " pixels"),
                  .got = describe(image));
  const auto pixels = image_bytes_of(image);
  add_value(tag, "image",
            Protobuf().message(4, Protobuf()
                                      .integer(1, pixels.size(0))
                                      .integer(2, pixels.size(1))
                                      .integer(3, pixels.size(2))
                                      .bytes(4, png_of(pixels))),
            step);
}

void TensorBoardWriter::add_hparams(const std::map<std::string, Hyperparameter>& hparams,
                                    const std::map<std::string, double>& metrics, int64_t step) {
  constexpr auto where = "add_hparams";
  OPTOTORCH_CHECK(!hparams.empty(), .where = where, .argument = "hparams",
                  .expected = "at least one hyperparameter", .got = "none");
  OPTOTORCH_CHECK(!kinds_.contains("_hparams_/experiment"), .where = where, .argument = "hparams",
                  .expected = "one call for a run", .got = "another one",
                  .remedy = "TensorBoard shows the first: use a folder for every run");
  for (const auto& [name, value] : hparams) {
    OPTOTORCH_CHECK(!name.empty(), .where = where, .argument = "hparams", .expected = "names",
                    .got = "an empty one");
    check_utf8(where, "hparams", name);
    if (const auto* text = std::get_if<std::string>(&value)) {
      check_utf8(where, name, *text);
    }
  }
  for (const auto& [tag, value] : metrics) {
    check_tag(where, tag, "scalar");
  }
  // One event: a run that is killed has a whole row or none.
  Protobuf summary;
  std::map<std::string, std::string> kinds;
  const auto put = [&](const std::string& tag, const std::string& kind, Protobuf value) {
    summary.message(1, value.bytes(1, tag));
    kinds[tag] = kind;
  };
  const auto put_part = [&](const std::string& name, uint32_t field, const Protobuf& part) {
    put("_hparams_/" + name, "hyperparameter",
        Protobuf().message(9, plugin_metadata("hparams", Protobuf().message(field, part))));
  };
  constexpr int64_t status_success = 1;
  put_part("experiment", 2, experiment_of(hparams, metrics));
  put_part("session_start_info", 3, session_start_of(hparams));
  put_part("session_end_info", 4, Protobuf().integer(1, status_success));
  for (const auto& [tag, value] : metrics) {
    put(tag, "scalar", Protobuf().float32(2, static_cast<float>(value)));
  }
  file_->append(event_at(step).message(5, summary).text());
  kinds_.merge(kinds);
}

void TensorBoardWriter::flush() {
  file_->flush();
}

}  // namespace optotorch
