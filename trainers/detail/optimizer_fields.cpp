#include <optotorch/trainers/detail/optimizer_fields.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

namespace optotorch {

std::optional<std::vector<OptimizerField>> optimizer_fields(const torch::optim::OptimizerOptions& options) {
  using namespace torch::optim;
  using Kind = OptimizerField::Kind;
  using Fields = std::vector<OptimizerField>;
  if (dynamic_cast<const AdamOptions*>(&options) != nullptr ||
      dynamic_cast<const AdamWOptions*>(&options) != nullptr) {
    return Fields{{"step", Kind::count},
                  {"exp_avg", Kind::moment},
                  {"exp_avg_sq", Kind::square},
                  {"max_exp_avg_sq", Kind::square, "amsgrad"}};
  }
  if (dynamic_cast<const SGDOptions*>(&options) != nullptr) {
    return Fields{{"momentum_buffer", Kind::moment}};
  }
  if (dynamic_cast<const RMSpropOptions*>(&options) != nullptr) {
    return Fields{{"step", Kind::count},
                  {"square_avg", Kind::square},
                  {"momentum_buffer", Kind::moment, "momentum"},
                  {"grad_avg", Kind::moment, "centered"}};
  }
  if (dynamic_cast<const AdagradOptions*>(&options) != nullptr) {
    return Fields{{"step", Kind::count}, {"sum", Kind::square}};
  }
  if (dynamic_cast<const LBFGSOptions*>(&options) != nullptr) {
    return Fields{{"func_evals", Kind::count},
                  {"n_iter", Kind::count},
                  {"t", Kind::number},
                  {"prev_loss", Kind::number},
                  {"d", Kind::flat, ""},
                  {"H_diag", Kind::scalar, ""},
                  {"prev_flat_grad", Kind::flat, ""},
                  {"old_dirs", Kind::flats},
                  {"old_stps", Kind::flats},
                  {"ro", Kind::scalars},
                  {"al", Kind::anything, ""}};
  }
  return std::nullopt;
}

}  // namespace optotorch
