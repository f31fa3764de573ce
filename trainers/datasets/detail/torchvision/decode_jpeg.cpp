#include <optotorch/trainers/datasets/detail/torchvision/decode.h>

#ifndef OPTOTORCH_HAVE_TORCHVISION

namespace optotorch::torchvision {

bool is_there() {
  return false;
}

at::Tensor decode_jpeg(std::string_view, Channels) {
  throw DecodeError("built without TorchVision");
}

}  // namespace optotorch::torchvision

#else

// All that TorchVision's file includes, so that it opens nothing inside of the namespace below.
#define JPEG_FOUND 1
#include <torch/types.h>

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
// Behind <cstdio>, which it needs.
#include <jpeglib.h>

namespace optotorch::torchvision {
namespace {

jpeg_error_mgr* without_printing(jpeg_error_mgr* errors) {
  errors->output_message = [](j_common_ptr) {};
  return errors;
}

/// Instead of longjmp. libjpeg has nothing left to do for an image once an error was reported.
[[noreturn]] void give_up(void* image, const char* message) {
  const DecodeError error(message);
  jpeg_destroy(static_cast<j_common_ptr>(image));
  throw error;
}

#define jpeg_std_error(errors) without_printing(jpeg_std_error(errors))
#define longjmp(buffer, value) give_up(cinfo, myerr->jpegLastErrorMsg)
// Sources, in a namespace without a name: a program may have TorchVision's library besides.
#include <torchvision/csrc/io/image/cpu/common_jpeg.cpp>  // NOLINT(bugprone-suspicious-include)
#include <torchvision/csrc/io/image/cpu/decode_jpeg.cpp>  // NOLINT(bugprone-suspicious-include)
#undef longjmp
#undef jpeg_std_error

}  // namespace

bool is_there() {
  return true;
}

at::Tensor decode_jpeg(std::string_view bytes, Channels channels) {
  const at::Tensor data = at::from_blob(const_cast<char*>(bytes.data()), {static_cast<int64_t>(bytes.size())},
                                        at::TensorOptions(at::kByte));
  const auto mode = channels == Channels::rgb    ? vision::image::IMAGE_READ_MODE_RGB
                    : channels == Channels::grey ? vision::image::IMAGE_READ_MODE_GRAY
                                                 : vision::image::IMAGE_READ_MODE_UNCHANGED;
  return vision::image::decode_jpeg(data, mode).permute({1, 2, 0});
}

}  // namespace optotorch::torchvision

#endif
