#pragma once

// The network of a run: before training, after it, and with the phases of another.

#include <optotorch/modules/hybrid.h>
#include <optotorch/trainers/distributed.h>

#include <cstdint>
#include <string>

#include "runs/run_config.h"

namespace optotorch::tools {

/// The run as a rank trains it, each with hardware of its own: `{rank}` in the instrument's address becomes its
/// number, and drawn chips get the chips' seed plus it. Throws c10::ValueError if several ranks would share one
/// instrument. Null: one process, rank 0.
Run of_rank(Run run, const Distributed* ranks);

/// The network of a run, whose data are known (`classes`, `input`), as it is before training: in a laboratory
/// with its corrections, with its read-out aligned to its rule's feedback if it says so.
Hybrid make_network(const Run& run);

/// The rule of a run, for its network. Throws c10::ValueError for a rule that needs what the network does not
/// let one read.
std::shared_ptr<Rule> make_rule(const Run& run, HybridImpl& model, int64_t steps_per_epoch);

/// The network of a run, with the weights of its last step (or of its best epoch on the validation set).
Hybrid load_model(const Run& run, const std::string& folder, bool best = false);

/// Likewise, where nothing is measured: neither an instrument nor files of errors need be there. A network in
/// a laboratory then measures perfect chips.
Hybrid load_model_on_paper(Run run, const std::string& folder, bool best = false);

/// Writes the phases of every mesh in a model as .npy into a folder that is new or empty: what `start_from`
/// and import_phases (mesh_import.h) read. The meshes of a stack follow one another. Returns how many there
/// are. Throws c10::ValueError, with nothing written, if there are none and if the folder holds something.
int64_t export_phases_of(HybridImpl& model, const std::string& folder);

/// True if the checkpoint in a run's folder, if there is one yet, holds what the run's corrections learnt.
/// Physics-aware training has none.
bool keeps_corrections(const std::string& folder);

/// Every mesh in a model takes the phases of the meshes in `start`: the folder of a run, or one of .npy
/// (mesh0_theta.npy ...); of a run also all other stages and the electronic layers take what theirs are. Throws
/// c10::ValueError if they are others in number, layout or shape.
void start_from(HybridImpl& model, const std::string& start);

/// Where a run of a text keeps the characters that its network knows, in order.
std::string vocabulary_path(const std::string& folder);

/// Throws c10::ValueError if the run's network counts other characters than `vocabulary`.
void require_vocabulary(const std::string& folder, const std::string& vocabulary);

/// A few samples of the right shape and type, the same every time.
torch::Tensor example_input(const Run& run, int64_t batch);

}  // namespace optotorch::tools
