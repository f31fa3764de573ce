# Finds LibTorch and defines the target LibTorch::LibTorch.
#
# Looked for in this order: Torch_DIR or CMAKE_PREFIX_PATH (variables of CMake or of the environment); for an installed
# OptoTorch the LibTorch that it was built with, then one beside its prefix; the `torch` of the active python3; the
# virtual environment of tools/setup.sh.
# The CPU libraries are linked by name instead of through find_package(Torch), which insists on the CUDA toolkit when
# LibTorch was built for CUDA.

set(_optotorch_torch_hints "")
foreach(_optotorch_torch_dir IN ITEMS "${Torch_DIR}" "$ENV{Torch_DIR}")
  if(_optotorch_torch_dir)
    cmake_path(SET _optotorch_torch_dir NORMALIZE "${_optotorch_torch_dir}/../../..")
    list(APPEND _optotorch_torch_hints "${_optotorch_torch_dir}")
  endif()
endforeach()

find_path(LibTorch_ROOT_DIR NAMES include/torch/csrc/api/include/torch/torch.h
          HINTS ${_optotorch_torch_hints}
          PATH_SUFFIXES libtorch torch NO_CMAKE_SYSTEM_PATH)
find_path(LibTorch_ROOT_DIR NAMES include/torch/csrc/api/include/torch/torch.h
          PATHS ${OptoTorch_LIBTORCH_GUESSES} NO_DEFAULT_PATH)
if(NOT LibTorch_ROOT_DIR)
  find_program(LibTorch_PYTHON NAMES python3)
  if(LibTorch_PYTHON)
    execute_process(
      COMMAND ${LibTorch_PYTHON} -c
              "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
      OUTPUT_VARIABLE _optotorch_python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  file(GLOB _optotorch_venv_torch ${PROJECT_SOURCE_DIR}/build/venv/lib/python3*/site-packages/torch)
  find_path(LibTorch_ROOT_DIR NAMES include/torch/csrc/api/include/torch/torch.h
            PATHS ${_optotorch_python_torch} ${_optotorch_venv_torch} NO_DEFAULT_PATH)
endif()

mark_as_advanced(LibTorch_PYTHON)

find_library(LibTorch_torch_LIBRARY torch PATHS "${LibTorch_ROOT_DIR}/lib" NO_DEFAULT_PATH)
find_library(LibTorch_torch_cpu_LIBRARY torch_cpu PATHS "${LibTorch_ROOT_DIR}/lib" NO_DEFAULT_PATH)
find_library(LibTorch_c10_LIBRARY c10 PATHS "${LibTorch_ROOT_DIR}/lib" NO_DEFAULT_PATH)

if(LibTorch_ROOT_DIR)
  file(STRINGS "${LibTorch_ROOT_DIR}/include/torch/headeronly/version.h" _optotorch_torch_version
       REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH)")
  if(NOT _optotorch_torch_version)
    file(STRINGS "${LibTorch_ROOT_DIR}/include/torch/csrc/api/include/torch/version.h" _optotorch_torch_version
         REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH)")
  endif()
  string(REGEX REPLACE "[^0-9;]" "" _optotorch_torch_version "${_optotorch_torch_version}")
  list(JOIN _optotorch_torch_version "." LibTorch_VERSION)
endif()

# LibTorch's own OpenMP runtime: two of them in one process would each start their own threads.
find_library(LibTorch_OpenMP_LIBRARY NAMES libgomp.so.1 gomp PATHS "${LibTorch_ROOT_DIR}/lib" NO_DEFAULT_PATH)
mark_as_advanced(LibTorch_OpenMP_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  LibTorch
  REQUIRED_VARS LibTorch_ROOT_DIR LibTorch_torch_LIBRARY LibTorch_torch_cpu_LIBRARY LibTorch_c10_LIBRARY
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "name one with -DCMAKE_PREFIX_PATH=/path/to/libtorch, or install it: pip install torch==2.13.0")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  set_target_properties(
    LibTorch::LibTorch
    PROPERTIES INTERFACE_INCLUDE_DIRECTORIES
               "${LibTorch_ROOT_DIR}/include;${LibTorch_ROOT_DIR}/include/torch/csrc/api/include"
               INTERFACE_LINK_LIBRARIES
               "${LibTorch_torch_LIBRARY};${LibTorch_torch_cpu_LIBRARY};${LibTorch_c10_LIBRARY}"
               INTERFACE_COMPILE_FEATURES cxx_std_20)
endif()
