#pragma once

#include <optotorch/core/input_file.h>
#include <optotorch/modules/laboratory/chips/built_stage.h>

#include <memory>
#include <string>
#include <vector>

namespace optotorch {

/// Writes a row of built stages of any kinds into one safetensors file, atomically: meshes as save_chips does,
/// of others the description, imperfections, seed and time as text that gives back the same bits, and the errors as
/// tensors `stage0/errors/offset`, ... Commands are not kept. Throws c10::ValueError for no stages, for one whose
/// type is not registered (describe.h), and if writing fails.
void save_stages(const std::string& path, const std::vector<std::shared_ptr<BuiltStage>>& stages);

/// Reads them: what they respond and read out is bit for bit what the saved ones do. Throws c10::ValueError,
/// naming the file, for anything missing, unknown, of another shape or type, out of range or not finite.
std::vector<std::shared_ptr<BuiltStage>> load_stages(const std::string& path);

/// The same of a file that is open, or of bytes in memory.
std::vector<std::shared_ptr<BuiltStage>> read_stages(InputFile file);

}  // namespace optotorch
