// Pixels of picture files, for image_files_test.py. Usage: dump_image_file MODE FILE ...
//
// For each file a line on the standard output: "C H W" and behind it the pixels' bytes, or "error TEXT".

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <optotorch/trainers/datasets/image_file.h>

#include <algorithm>
#include <cstdio>
#include <string>

int main(int count, char** arguments) {
  const std::string mode = count > 1 ? arguments[1] : "";
  if (mode != "rgb" && mode != "grey") {
    std::fputs("usage: dump_image_file rgb|grey FILE ...\n", stderr);
    return 2;
  }
  for (int i = 2; i < count; ++i) {
    try {
      const at::Tensor image = optotorch::read_image_file(
          arguments[i], mode == "rgb" ? optotorch::ImageFileMode::rgb : optotorch::ImageFileMode::grey);
      std::printf("%d %d %d\n", static_cast<int>(image.size(0)), static_cast<int>(image.size(1)),
                  static_cast<int>(image.size(2)));
      std::fwrite(image.const_data_ptr<uint8_t>(), 1, static_cast<size_t>(image.numel()), stdout);
    } catch (const c10::ValueError& error) {
      std::string text = error.msg();
      std::replace(text.begin(), text.end(), '\n', ' ');
      std::printf("error %s\n", text.c_str());
    }
  }
  return 0;
}
