// A layer in eval mode, from the second call on, against itself in training mode.

#include <ATen/Parallel.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <optotorch/modules/optics/weight_bank.h>

#include <cstdio>
#include <stdexcept>
#include <vector>

#include "benchmarks.h"
#include "rows.h"

namespace optotorch::bench {
namespace {

Row verify_and_time(const std::string& name, Layer& evaluated, Layer& trained, const torch::Tensor& x) {
  const auto a = evaluated.forward(x), b = trained.forward(x);
  const double difference = ((a - b).abs().max() / b.abs().max()).item<double>();
  if (!(difference < 1e-4)) {
    throw std::runtime_error(name + " differs by " + std::to_string(difference));
  }
  Row row = time_pair(
      name, "training", [&] { evaluated.forward(x); }, [&] { trained.forward(x); }, 2);
  row.how = "the same layer in training mode";
  row.max_difference = difference;
  print_row(row);
  return row;
}

template <typename Holder>
void add_rows(std::vector<Row>& rows, const std::string& name, const Holder& trained,
              const torch::Tensor& x) {
  const auto evaluated = std::dynamic_pointer_cast<Layer>(trained->clone());
  evaluated->eval();
  for (const int64_t batch : {1, 32}) {
    rows.push_back(verify_and_time(name + ", batch " + std::to_string(batch), *evaluated, *trained.ptr(),
                                   x.narrow(0, 0, batch)));
  }
}

}  // namespace

void run_eval(const std::string& json) {
  constexpr int64_t ports = 784, most = 32;
  at::set_num_threads(1);
  torch::manual_seed(1);
  std::vector<Row> rows;
  print_header();
  add_rows(rows, "mesh, 784 ports", MziMesh(ports), torch::randn({most, ports}, torch::kComplexFloat));
  add_rows(rows, "weight bank, 784-1024", WeightBank(ports, 1024), torch::rand({most, ports}));
  write_json(rows, json);
}

}  // namespace optotorch::bench
