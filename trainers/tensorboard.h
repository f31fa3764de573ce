#pragma once

#include <ATen/core/Tensor.h>
#include <torch/arg.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace optotorch {

/// Options for TensorBoardWriter: TensorBoardWriterOptions().start_from(1200).
struct TensorBoardWriterOptions {
  /// First step that a resumed run writes: what files in the folder say of it and of later steps is of the run that
  /// was cut off, and TensorBoard drops it (SummaryWriter's purge_step).
  TORCH_ARG(std::optional<int64_t>, start_from) = std::nullopt;
};

/// A hyperparameter's value. TensorBoard keeps numbers as float64, and shows none that are not finite.
using Hyperparameter = std::variant<std::string, double, int64_t, bool>;

class EventFile;
class Protobuf;

/// Writes what TensorBoard shows of a run; names and meaning are those of Python's
/// torch.utils.tensorboard.SummaryWriter:
///
///     TensorBoardWriter writer("runs/first");
///     writer.add_scalar("loss/train", loss.item<double>(), step);
///
/// A folder is a run. What is added is in its event file when the call returns, also if the process is killed then.
/// Tags are UTF-8 and not empty, and a slash groups them; a tag is of one kind. Steps are any numbers.
///
/// Every call throws c10::ValueError for wrong input, and then has written nothing, and for a disk that is full. One
/// thread at a time. Source of the format: event.proto and summary.proto of TensorBoard 2.
class TensorBoardWriter {
 public:
  /// Makes the folder, if absent, and in it a file of its own.
  explicit TensorBoardWriter(const std::string& folder, const TensorBoardWriterOptions& options = {});
  ~TensorBoardWriter();
  TensorBoardWriter(const TensorBoardWriter&) = delete;
  TensorBoardWriter& operator=(const TensorBoardWriter&) = delete;
  TensorBoardWriter(TensorBoardWriter&&) = delete;
  TensorBoardWriter& operator=(TensorBoardWriter&&) = delete;

  /// A point of a curve, kept as float32. NaN and infinity are shown as such.
  void add_scalar(const std::string& tag, double value, int64_t step);

  /// Markdown, UTF-8, at most 2^24 bytes. Its tag in TensorBoard is TAG/text_summary, as SummaryWriter's.
  void add_text(const std::string& tag, const std::string& text, int64_t step);

  /// How the values of a real tensor, of any shape but an empty one, are distributed: smallest and largest, number,
  /// sum, sum of squares, in float64, and how many lie in each of 64 intervals of one width between the smallest and
  /// the largest. Values that are not finite are left out; if none is finite, the histogram is empty.
  void add_histogram(const std::string& tag, const at::Tensor& values, int64_t step);

  /// An image, grey [height, width] or [1, height, width] or RGB [3, height, width], uint8 or floating-point from 0 to
  /// 1, rounded to 255ths; at most 2^26 pixels.
  void add_image(const std::string& tag, const at::Tensor& image, int64_t step);

  /// The run's row under HPARAMS: hyperparameters, at least one, and what came of them. Once for a writer; of a run
  /// with several files TensorBoard shows the first. The metrics are also scalars of these tags at `step`: use other
  /// tags than those of curves.
  void add_hparams(const std::map<std::string, Hyperparameter>& hparams,
                   const std::map<std::string, double>& metrics, int64_t step = 0);

  /// Waits until the disk has everything: what was added then outlives a failure of the machine, too.
  void flush();

 private:
  void check_tag(const std::string& where, const std::string& tag, const std::string& kind) const;
  void add_value(const std::string& tag, const std::string& kind, Protobuf value, int64_t step);

  std::unique_ptr<EventFile> file_;
  std::map<std::string, std::string> kinds_;  // of tags
};

}  // namespace optotorch
