#include <optotorch/trainers/rules/back_propagation.h>

namespace optotorch {

void BackPropagation::teach(HybridImpl& model, const Lesson& lesson) {
  teach_backwards(model, lesson.passes, lesson.dL_dy());
}

}  // namespace optotorch
