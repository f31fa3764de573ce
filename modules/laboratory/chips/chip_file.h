#pragma once

#include <optotorch/core/input_file.h>
#include <optotorch/modules/laboratory/chips/chip.h>

#include <string>
#include <vector>

namespace optotorch {

/// Writes a row of chips into one safetensors file, atomically: layouts, imperfections, seeds and times as
/// text that gives back the same bits, and the static errors as tensors `chip0/theta_offset`, ... Throws
/// c10::ValueError for no chips, and if writing fails.
void save_chips(const std::string& path, const std::vector<Chip>& chips);

/// Reads them: what they realise and read out is bit for bit what the saved ones do. Throws c10::ValueError,
/// naming the file, for anything missing, unknown, of another shape or type, out of range or not finite.
std::vector<Chip> load_chips(const std::string& path);

/// The same of a file that is open, or of bytes in memory.
std::vector<Chip> read_chips(InputFile file);

}  // namespace optotorch
