#include <optotorch/trainers/datasets/detail/torchvision/decode.h>

#ifndef OPTOTORCH_HAVE_TORCHVISION

namespace optotorch::torchvision {

at::Tensor decode_png(std::string_view, Channels) {
  throw DecodeError("built without TorchVision");
}

}  // namespace optotorch::torchvision

#else

// All that TorchVision's file includes, so that it opens nothing inside of the namespace below.
#define PNG_FOUND 1
#include <png.h>
#include <torch/types.h>

#include <algorithm>
#include <csetjmp>
#include <cstdint>

namespace optotorch::torchvision {
namespace {

/// What has to go with the reader when an error is reported.
thread_local png_infop info_of_reader = nullptr;

/// Instead of longjmp. libpng has nothing left to do for a reader once an error was reported.
[[noreturn]] void give_up(png_structp reader, png_const_charp message) {
  const DecodeError error(message);
  png_destroy_read_struct(&reader, &info_of_reader, nullptr);
  throw error;
}

png_structp create_reader() {
  info_of_reader = nullptr;
  return png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, give_up, [](png_structp, png_const_charp) {});
}

#define png_create_read_struct(version, error, fail, warn) create_reader()
#define png_create_info_struct(reader) (info_of_reader = png_create_info_struct(reader))
// Sources, in a namespace without a name: a program may have TorchVision's library besides.
#include <torchvision/csrc/io/image/cpu/decode_png.cpp>  // NOLINT(bugprone-suspicious-include)
#undef png_create_info_struct
#undef png_create_read_struct

}  // namespace

at::Tensor decode_png(std::string_view bytes, Channels channels) {
  const at::Tensor data = at::from_blob(const_cast<char*>(bytes.data()), {static_cast<int64_t>(bytes.size())},
                                        at::TensorOptions(at::kByte));
  const auto mode = channels == Channels::rgb    ? vision::image::IMAGE_READ_MODE_RGB
                    : channels == Channels::grey ? vision::image::IMAGE_READ_MODE_GRAY
                                                 : vision::image::IMAGE_READ_MODE_UNCHANGED;
  return vision::image::decode_png(data, mode, /*allow_16_bits=*/true).permute({1, 2, 0});
}

}  // namespace optotorch::torchvision

#endif
