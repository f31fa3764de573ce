#pragma once

// Code that every benchmark shares: paired timing, rows, the table and the JSON file.

#include <functional>
#include <string>
#include <vector>

namespace optotorch::bench {

/// One comparison. Times are medians, in milliseconds.
struct Row {
  std::string name;
  double ours_ms = 0;
  std::string peer;  ///< its role: "columns", "best", ...
  double peer_ms = 0;
  double max_difference = 0;  ///< largest relative difference of outputs and gradients, found before timing

  std::string how = {};  ///< how the peer is written

  double ratio() const { return peer_ms / ours_ms; }
};

/// Times `ours` and `peer` in turn, so that both meet the same machine, for about `seconds` in all (up to
/// four times that for three pairs), after one call that warms up, and fills the medians. A fast one runs
/// several times a pair.
Row time_pair(const std::string& name, const std::string& peer_name, const std::function<void()>& ours,
              const std::function<void()>& peer, double seconds);

/// Median time of one call in milliseconds.
double time_one(const std::function<void()>& run, double seconds);

void print_header();
void print_row(const Row& row);

/// Writes the rows as a JSON list, under a temporary name first. Nothing if `path` is empty.
void write_json(const std::vector<Row>& rows, const std::string& path);

}  // namespace optotorch::bench
