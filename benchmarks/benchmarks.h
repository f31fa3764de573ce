#pragma once

#include <string>

namespace optotorch::bench {

/// The subcommands. Each prints its table and writes its rows to `json` unless that is empty.
void run_mesh(const std::string& json);
void run_step(const std::string& json);
void run_eval(const std::string& json);
void run_sepn(const std::string& json);
/// `python`: one with torchoptics, which becomes a peer; empty: without it.
void run_free_space(const std::string& json, const std::string& python);
/// Two processes; call it before anything else has started threads.
void run_all_reduce(const std::string& json);
void run_filter_bank(const std::string& json);
void run_projection(const std::string& json);
void run_data(const std::string& json, const std::string& python);
/// `python`: one with optotorch, and with neurophox if that is to be a peer.
void run_python(const std::string& json, const std::string& python, bool neurophox);

}  // namespace optotorch::bench
