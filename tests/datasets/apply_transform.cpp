// Applies transforms to images, for transforms_test.py: apply_transform IMAGES JOBS RESULTS
//
// IMAGES: safetensors, images [C, H, W] by name. JOBS: a file with a line for each job,
//
//     SEED <tab> NAMES, separated by blanks <tab> TRANSFORM IN JSON
//
// RESULTS: safetensors, "LINE/NAME", what torch::manual_seed(SEED) and the images in that order give. A line
// that begins with "time <tab>" instead prints microseconds for an image, over 500 of them.

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <optotorch/core/safetensors.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

namespace {

using optotorch::SafeTensors;
using optotorch::transforms::build_transform;

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) {
    parts.push_back(part);
  }
  return parts;
}

double microseconds(const optotorch::transforms::Transform& transform, const at::Tensor& image) {
  constexpr int repetitions = 500;
  const auto run = [&] {
    for (int i = 0; i < repetitions; ++i) {
      transform.apply(image);
    }
  };
  run();
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() /
         repetitions;
}

void work(const std::string& images_path, const std::string& jobs_path, const std::string& results_path) {
  const auto images = optotorch::load_safetensors(images_path);
  std::ifstream jobs(jobs_path);
  SafeTensors results;
  size_t number = 0;
  for (std::string line; std::getline(jobs, line); ++number) {
    const auto job = split(line, '\t');
    const auto names = split(job.at(1), ' ');
    const auto transform = build_transform(job.at(2));
    // What comes back from its own description must be the same transform.
    const auto again = build_transform(optotorch::transforms::describe_transform(*transform));
    if (job.at(0) == "time") {
      std::printf("%.3f\n", microseconds(*again, images.tensors.at(names.at(0))));
      continue;
    }
    at::manual_seed(std::stoull(job.at(0)));
    for (const auto& name : names) {
      const auto& image = images.tensors.at(name);
      const at::Tensor before = image.clone();
      const at::Tensor result = again->apply(image);
      TORCH_CHECK(image.equal(before), "the input has changed");
      results.tensors[std::to_string(number) + "/" + name] = result.clone(at::MemoryFormat::Contiguous);
    }
  }
  optotorch::save_safetensors(results_path, results);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    std::cerr << "usage: apply_transform IMAGES JOBS RESULTS\n";
    return 2;
  }
  try {
    work(arguments[1], arguments[2], arguments[3]);
  } catch (const c10::Error& error) {
    std::cerr << error.what_without_backtrace() << "\n";
    return 1;
  }
  return 0;
}
