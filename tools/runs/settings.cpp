#include "runs/settings.h"

namespace optotorch::tools {

std::vector<std::string> matmul_words() {
  return {"highest", "high", "medium"};
}

}  // namespace optotorch::tools
