#pragma once

#include <string>

namespace optotorch {

class Layer;

/// Words for the layer between two stages of a physical system, which can be compared with a model: a
/// layer's description as in a network's file, {"type": "ElectroOpticActivation", "tap": 0.1, ...}; "nothing"
/// for nullptr; "" where nobody can say, of a layer whose type is not registered.
std::string between(const Layer* layer);

/// True if both are told and they differ: in type, or in an option, numbers by more than 1e-6 of them
/// (float32 rounds so). Options that are left out have their defaults.
bool contradict(const std::string& a, const std::string& b);

}  // namespace optotorch
