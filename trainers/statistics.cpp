#include <ATen/ATen.h>
#include <optotorch/modules/electronics/standardise.h>
#include <optotorch/trainers/model_device.h>
#include <optotorch/trainers/statistics.h>

#include <memory>
#include <vector>

namespace optotorch {

namespace {

/// The network in eval mode, and as it was again.
class Evaluating {
 public:
  explicit Evaluating(HybridImpl& model) : model_(model), was_training_(model.is_training()) {
    model_.eval();
  }
  Evaluating(const Evaluating&) = delete;
  Evaluating& operator=(const Evaluating&) = delete;
  ~Evaluating() { model_.train(was_training_); }

 private:
  HybridImpl& model_;
  bool was_training_;
};

/// A module that watches, however this ends.
class Watch {
 public:
  explicit Watch(StandardiseImpl& module) : module_(module) { module_.watch(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { module_.watch(false); }

 private:
  StandardiseImpl& module_;
};

}  // namespace

int64_t fit_statistics(HybridImpl& model, const BatchSource& data, const std::function<bool()>& stopped) {
  std::vector<std::shared_ptr<StandardiseImpl>> found;
  for (const auto& module : model.modules()) {
    if (auto one = std::dynamic_pointer_cast<StandardiseImpl>(module); one != nullptr) {
      found.push_back(std::move(one));
    }
  }
  const Evaluating evaluating(model);
  const torch::NoGradGuard no_grad;
  for (const auto& one : found) {
    const Watch watch(*one);
    for (int64_t index = 0; index < data.size(); ++index) {
      if (stopped != nullptr && stopped()) {
        return static_cast<int64_t>(found.size());
      }
      model.propagate(on_device_of(model, data.batch(0, index)).data, 0, Keep::nothing);
    }
    one->finish();
  }
  return static_cast<int64_t>(found.size());
}

}  // namespace optotorch
