#pragma once

// The files of STL-10.

#include <ATen/core/Tensor.h>
#include <optotorch/core/input_file.h>

#include <cstdint>

namespace optotorch {

/// X.bin: uint8 [N, 3, 96, 96], upright. These throw c10::ValueError, which names the file, for anything else.
at::Tensor read_stl10_images(InputFile file);

/// y.bin: int64 [N] from 0 on; the file's labels are bytes from 1 to `classes`.
at::Tensor read_stl10_labels(InputFile file, int64_t classes);

/// fold_indices.txt: line `fold` of it, int64 [M] of 0 to `count` - 1.
at::Tensor read_stl10_fold(InputFile file, int64_t fold, int64_t count);

}  // namespace optotorch
