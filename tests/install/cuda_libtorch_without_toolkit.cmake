# A LibTorch that was built for CUDA, on a machine without the CUDA toolkit: its own package file refuses, ours must
# not. The stand-in has the real headers and libraries, and package files that fail as Caffe2's do.
include(${CMAKE_CURRENT_LIST_DIR}/support.cmake)

set(fake ${WORK_DIR}/libtorch)
file(MAKE_DIRECTORY ${fake}/lib ${fake}/share/cmake/Torch ${fake}/share/cmake/Caffe2)
file(CREATE_LINK ${LIBTORCH_DIR}/include ${fake}/include SYMBOLIC)
file(GLOB libraries ${LIBTORCH_DIR}/lib/*.so*)
foreach(library IN LISTS libraries)
  cmake_path(GET library FILENAME name)
  file(CREATE_LINK ${library} ${fake}/lib/${name} SYMBOLIC)
endforeach()
foreach(name libtorch_cuda.so libc10_cuda.so)
  if(NOT EXISTS ${fake}/lib/${name})
    file(CREATE_LINK ${LIBTORCH_DIR}/lib/libtorch.so ${fake}/lib/${name} SYMBOLIC)
  endif()
endforeach()
set(refusal "Your installed Caffe2 version uses CUDA but I cannot find the CUDA libraries")
file(WRITE ${fake}/share/cmake/Torch/TorchConfig.cmake
     "include(CMakeFindDependencyMacro)\nfind_dependency(Caffe2 REQUIRED CONFIG PATHS \${CMAKE_CURRENT_LIST_DIR}/..)\n")
file(WRITE ${fake}/share/cmake/Caffe2/Caffe2Config.cmake "message(FATAL_ERROR \"${refusal}\")\n")

# The stand-in is worth something only if it stops whoever asks LibTorch's own package file.
file(WRITE ${WORK_DIR}/naive/CMakeLists.txt
     "cmake_minimum_required(VERSION 3.25)\nproject(Naive LANGUAGES NONE)\nfind_package(Torch REQUIRED)\n")
run(COMMAND ${configure} -S ${WORK_DIR}/naive -B ${WORK_DIR}/naive/build -DCMAKE_PREFIX_PATH=${fake}
    RESULT result OUTPUT output)
if(result EQUAL 0 OR NOT output MATCHES "uses CUDA but I cannot")
  message(FATAL_ERROR "the stand-in does not refuse: ended with ${result}\n${output}")
endif()

foreach(choice CMAKE_PREFIX_PATH=${fake} Torch_DIR=${fake}/share/cmake/Torch)
  string(REGEX REPLACE "=.*" "" name ${choice})
  set(build ${WORK_DIR}/${name})
  run(COMMAND ${configure} -S ${SOURCE_DIR} -B ${build} -D${choice} -DOPTOTORCH_BUILD_TESTS=OFF
              -DOPTOTORCH_BUILD_EXAMPLES=OFF -DOPTOTORCH_BUILD_BENCHMARKS=OFF -DOPTOTORCH_BUILD_PROGRAM=OFF)
  file(STRINGS ${build}/CMakeCache.txt found REGEX "^LibTorch_(ROOT_DIR|torch_cpu_LIBRARY|c10_LIBRARY):")
  list(LENGTH found count)
  list(FILTER found EXCLUDE REGEX "=${fake}(/lib/.*)?$")
  if(NOT count EQUAL 3 OR found)
    message(FATAL_ERROR "${name}: another LibTorch was found: ${found}")
  endif()
endforeach()
