#pragma once

#include <optotorch/core/input_file.h>
#include <optotorch/trainers/datasets/image_set.h>

#include <string>
#include <string_view>

namespace optotorch {

/// Handwritten digits of envelopes: 7,291 + 2,007 images of 16 x 16 in 10 classes (Hull, IEEE PAMI 16, 550,
/// 1994), in the form of LIBSVM.
class USPS : public ImageSet {
 public:
  /// Reads usps.bz2 or usps.t.bz2, a text packed by bzip2, from `root`, where torchvision leaves them. A value
  /// v of -1 to 1 becomes pixel (v + 1) / 2 * 255, computed in float32 and cut to a whole number, as in
  /// torchvision; labels are from 1 in the file, targets from 0, "0" to "9" their names.
  ///
  /// Throws c10::ValueError if the file is not there (naming where to get it), or does not hold what it
  /// should.
  explicit USPS(const std::string& root, Mode mode = Mode::train);

  /// Compares the MD5 of the file with the one that is published, as torchvision does when it downloads it.
  /// Throws c10::ValueError if it is missing or another, naming the file and both sums.
  static void verify(const std::string& root, Mode mode);
};

/// A file of the set that is open, or its bytes in memory. Unpacks to 256 MiB at most.
ImageSet read_usps(InputFile file);

/// What it unpacks to: lines of a label and 256 times index:value. Errors call it `path`.
ImageSet parse_usps(std::string_view text, const std::string& path);

}  // namespace optotorch
