#pragma once

// Numeric arrays in MATLAB's files of level 5 (MathWorks, MAT-File Format).

#include <ATen/core/Tensor.h>
#include <optotorch/core/input_file.h>

#include <map>
#include <string>
#include <vector>

namespace optotorch {

/// The variables `names` of a MAT file of version 5 to 7.2, little-endian, each plain or packed by zlib; all
/// numeric ones if `names` is empty. Others (cells, structures, texts, sparse arrays) are passed over.
///
/// A tensor has MATLAB's sizes, [1020, 1] for a column, in MATLAB's order in memory: its first dimension
/// varies fastest. Its type is that of the stored values, which MATLAB chooses as narrow as they allow,
/// whatever the variable's class; uint16 becomes int32, uint32 and uint64 int64.
///
/// The file is not trusted: sizes are held against its length before memory is taken (zlib cannot unpack to
/// more than 1032 times the length), and memory grows with what comes. Throws c10::ValueError, which names the
/// file and the variable, if it is no such file (big-endian, version 4 or 7.3 among others), is truncated or
/// corrupt, has a variable twice, or lacks one of `names` as a real numeric array.
std::map<std::string, at::Tensor> read_mat(InputFile file, const std::vector<std::string>& names = {});

}  // namespace optotorch
