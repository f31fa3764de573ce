#include <ATen/ATen.h>
#include <optotorch/trainers/detail/moment.h>
#include <optotorch/trainers/detail/random_state.h>
#include <optotorch/trainers/model_device.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <typeinfo>

namespace optotorch {
namespace {

std::vector<torch::Tensor> copies(const std::vector<torch::Tensor>& tensors) {
  std::vector<torch::Tensor> result;
  for (const auto& tensor : tensors) {
    result.push_back(tensor.detach().clone());
  }
  return result;
}

void put_back(const std::vector<torch::Tensor>& tensors, const std::vector<torch::Tensor>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    torch::Tensor(tensors[i]).copy_(values[i]);
  }
}

}  // namespace

bool evaluates_once(const torch::optim::Optimizer& optimizer) {
  using namespace torch::optim;
  const auto& type = typeid(optimizer);
  return type == typeid(Adam) || type == typeid(AdamW) || type == typeid(SGD) || type == typeid(RMSprop) ||
         type == typeid(Adagrad);
}

Moment::Moment(const HybridImpl& model, const torch::optim::Optimizer& optimizer, const Rule& rule)
    : buffers_(copies(model.buffers())), generator_(random_state(device_of(model))), rule_(rule.state()) {
  for (const auto& group : optimizer.param_groups()) {
    rates_.push_back(group.options().get_lr());
  }
  if (!evaluates_once(optimizer)) {
    weights_ = copies(model.parameters());
    optimizer_ = optimizer_state(optimizer);
  }
}

void Moment::rewind(HybridImpl& model, Rule& rule) const {
  const torch::NoGradGuard no_grad;
  put_back(model.buffers(), buffers_);
  set_random_state(generator_, device_of(model));
  rule.load_state(rule_);
}

void Moment::restore(HybridImpl& model, torch::optim::Optimizer& optimizer, Rule& rule) const {
  const torch::NoGradGuard no_grad;
  rewind(model, rule);
  put_back(model.parameters(), weights_);
  if (optimizer_) {
    load_optimizer_state(optimizer, *optimizer_);
  }
  for (size_t i = 0; i < rates_.size(); ++i) {
    optimizer.param_groups()[i].options().set_lr(rates_[i]);
  }
}

}  // namespace optotorch
