#include "recipes/recipes.h"

namespace optotorch::tools {

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = {
      {"four-rules",
       "the default hybrid network on MNIST by BP, TPFP, DFA and with only its read-out trained", four_rules},
      {"signals", "what differences teach a mesh, right and wrong ones: the default hybrid network on MNIST",
       signals},
      {"slice-network", "28-port meshes on slices of Fashion-MNIST: the published shape and a better one",
       slice_network},
      {"optical-cnn", "a convolutional network of microring banks, Fashion-MNIST: BP, DFA, TPFP, electronic",
       optical_cnn, 2},
      {"cifar10", "the same on CIFAR-10, for who has it", cifar10, 2},
      {"free-space", "a hop's error against its distance, by the ways to sample its kernel", free_space},
      {"d2nn", "diffractive networks of 5 x 200 x 200 phases, digits and clothes: BP, DFA, TPFP", d2nn, 1,
       d2nn_options()},
      {"alignment", "how exactly a diffractive network's planes must stand, by the way its training begins",
       alignment},
      {"dpnn", "a diffractive network whose errors nobody knows, trained in a laboratory", dpnn, 1,
       dpnn_options()},
      {"dpnn-drift", "a diffractive network all of whose errors drift, with and without calibration",
       dpnn_drift, 1, dpnn_drift_options()},
      {"tpfp-mnist", "784-1024-10 on weight banks, MNIST: BP, DFA, TPFP, multi-point, the authors' code",
       tpfp_mnist},
      {"mesh784", "one mesh of 306,936 MZIs as first layer, MNIST", mesh784},
      {"tpfp-in-situ", "TPFP on a chip with errors that nobody knows, against BP in silico then transferred",
       tpfp_in_situ},
      {"dat", "training a chip whose errors nobody knows: physics-aware, adaptive and dual adaptive training",
       dat, 1, dat_options()},
      {"dat-errors", "accuracy against the size of a chip's errors, the published table and beyond it",
       dat_errors},
      {"dat-mismatch", "a chip with loss, crosstalk, phase levels or noise, which no correction knows",
       dat_mismatch},
      {"dat-choices", "dual adaptive training with one choice changed at a time", dat_choices},
      {"dat-drift", "a chip that drifts for ten hours, with and without training again", dat_drift},
      {"dat-goldens",
       "published weights on published errors, to the digit",
       dat_goldens,
       1,
       {{"goldens", "Folder with weights/NAME and errors/NAME, .npy files", ""},
        {"cases", "JSON list of weights, errors, dataset and accuracy (default: the published ones)", ""}}},
      {"odfa-mnist", "784-1024-1024-10 taught through an optical processing unit, MNIST", odfa_mnist, 3},
      {"odfa-vit", "a vision transformer taught through an optical processing unit, MNIST and Fashion-MNIST",
       odfa_vit, 2},
      {"odfa-charlm", "a character model taught through an optical processing unit, Shakespeare", odfa_charlm,
       2},
      {"opu", "an optical processing unit: signal against photons, speckle against theory", opu},
      {"projection-scale", "random projections that no memory holds: seconds and entries a second",
       projection_scale},
      {"xor", "an XOR gate of six interferometers learns from what its detectors read", xor_gate, 100},
      {"tpfp-memory", "the memory of one training step against the depth: BP, DFA and TPFP", tpfp_memory},
  };
  return all;
}

}  // namespace optotorch::tools
