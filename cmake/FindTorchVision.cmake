# Finds TorchVision's sources and defines the target TorchVision::TorchVision: what its readers of JPEG and PNG need to
# be compiled in (trainers/datasets/detail/torchvision).
#
# Looked for in this order: TorchVision_DIR (a variable of CMake or of the environment) or CMAKE_PREFIX_PATH, a folder
# that holds torchvision/csrc; the sources that tools/setup.sh fetches. Versions 0.14 to 0.19: later ones read 16 bits
# another way.
#
# Its library is not used if it is installed: TorchVisionConfig.cmake calls find_package(Torch), which insists on the CUDA
# toolkit when LibTorch was built for CUDA (FindLibTorch.cmake).

find_path(TorchVision_ROOT_DIR NAMES torchvision/csrc/io/image/cpu/decode_jpeg.cpp
          HINTS ${TorchVision_DIR} $ENV{TorchVision_DIR}
          PATHS ${PROJECT_BINARY_DIR}/torchvision ${PROJECT_SOURCE_DIR}/build/torchvision
          PATH_SUFFIXES vision NO_CMAKE_SYSTEM_PATH)
find_package(JPEG QUIET)
find_package(PNG QUIET)

if(TorchVision_ROOT_DIR)
  file(STRINGS "${TorchVision_ROOT_DIR}/torchvision/csrc/io/image/cpu/decode_png.h" TorchVision_READS_16_BITS
       REGEX "allow_16_bits")
  if(EXISTS "${TorchVision_ROOT_DIR}/version.txt")
    file(STRINGS "${TorchVision_ROOT_DIR}/version.txt" TorchVision_VERSION LIMIT_COUNT 1)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  TorchVision
  REQUIRED_VARS TorchVision_ROOT_DIR TorchVision_READS_16_BITS JPEG_LIBRARIES PNG_LIBRARIES
  VERSION_VAR TorchVision_VERSION
  REASON_FAILURE_MESSAGE "without it JPEG and PNG files can't be read. tools/setup.sh fetches it, libjpeg-dev and libpng-dev")

if(TorchVision_FOUND AND NOT TARGET TorchVision::TorchVision)
  add_library(TorchVision::TorchVision INTERFACE IMPORTED)
  set_target_properties(TorchVision::TorchVision PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${TorchVision_ROOT_DIR}"
                                                            INTERFACE_LINK_LIBRARIES "JPEG::JPEG;PNG::PNG")
endif()
mark_as_advanced(TorchVision_ROOT_DIR)
