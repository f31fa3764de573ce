# Installs the build into a fresh prefix, moves the prefix, and builds and runs a consumer against it.
include(${CMAKE_CURRENT_LIST_DIR}/support.cmake)

run(COMMAND ${CMAKE_COMMAND} --install ${BINARY_DIR} --prefix ${WORK_DIR}/installed)
file(RENAME ${WORK_DIR}/installed ${WORK_DIR}/moved)
set(prefix ${WORK_DIR}/moved)

# The package file must not know the build folder or the source folder: they may be gone.
file(GLOB_RECURSE package_files ${prefix}/*.cmake)
if(NOT package_files)
  message(FATAL_ERROR "no package file was installed")
endif()
foreach(file IN LISTS package_files)
  file(READ ${file} text)
  foreach(folder ${BINARY_DIR}/lib ${BINARY_DIR}/include ${SOURCE_DIR}/csrc ${SOURCE_DIR}/modules ${WORK_DIR}/installed)
    string(FIND "${text}" "${folder}" position)
    if(NOT position EQUAL -1)
      message(SEND_ERROR "${file} mentions ${folder}")
    endif()
  endforeach()
endforeach()

# All installed headers together need the prefix, LibTorch and the standard library, and no kernel is among them.
file(GLOB_RECURSE headers RELATIVE ${prefix}/include ${prefix}/include/*.h)
if(NOT headers)
  message(FATAL_ERROR "no header was installed")
endif()
list(TRANSFORM headers REPLACE "(.+)" "#include <\\1>\n" OUTPUT_VARIABLE includes)
string(CONCAT includes ${includes})
file(WRITE ${WORK_DIR}/all_headers.cpp "${includes}")
run(COMMAND ${CXX} -std=c++20 -I${prefix}/include -I${LIBTORCH_DIR}/include
            -I${LIBTORCH_DIR}/include/torch/csrc/api/include -M -MF ${WORK_DIR}/all_headers.d ${WORK_DIR}/all_headers.cpp)
file(READ ${WORK_DIR}/all_headers.d dependencies)
if(dependencies MATCHES "[^ ]*/(nlohmann|CLI|hwy|gtest)/[^ ]*|[^ ]*/zlib\\.h")
  message(SEND_ERROR "an installed header includes ${CMAKE_MATCH_0}: users would need that library")
endif()
list(FILTER headers INCLUDE REGEX "/(cpu|cuda|meta|autograd|reference)/")
if(headers)
  message(SEND_ERROR "kernels are installed: ${headers}")
endif()

# The library by itself finds LibTorch: nothing is left to LD_LIBRARY_PATH.
file(GLOB library ${prefix}/lib*/liboptotorch.so)
file(GET_RUNTIME_DEPENDENCIES LIBRARIES ${library} UNRESOLVED_DEPENDENCIES_VAR unresolved
     RESOLVED_DEPENDENCIES_VAR resolved)
if(unresolved)
  message(SEND_ERROR "${library} does not find ${unresolved}")
endif()
if(NOT "${resolved}" MATCHES "libtorch_cpu")
  message(SEND_ERROR "${library} depends on ${resolved}: no LibTorch")
endif()

# With LibTorch named, and without: then it is the one of the build.
foreach(prefixes "${prefix}\\;${LIBTORCH_DIR}" ${prefix})
  file(REMOVE_RECURSE ${WORK_DIR}/consumer)
  run(COMMAND ${configure} -S ${SOURCE_DIR}/examples/06_find_package -B ${WORK_DIR}/consumer
              "-DCMAKE_PREFIX_PATH=${prefixes}")
  file(STRINGS ${WORK_DIR}/consumer/CMakeCache.txt found REGEX "^LibTorch_ROOT_DIR:PATH=${LIBTORCH_DIR}$")
  if(NOT found)
    message(SEND_ERROR "CMAKE_PREFIX_PATH=${prefixes}: another LibTorch was found")
  endif()
endforeach()

# Another minor version of LibTorch is refused with a sentence that says what to do.
set(other ${WORK_DIR}/other_libtorch)
file(MAKE_DIRECTORY ${other}/include/torch/csrc/api/include/torch ${other}/include/torch/headeronly)
file(CREATE_LINK ${LIBTORCH_DIR}/lib ${other}/lib SYMBOLIC)
file(TOUCH ${other}/include/torch/csrc/api/include/torch/torch.h)
file(WRITE ${other}/include/torch/headeronly/version.h
     "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 6\n#define TORCH_VERSION_PATCH 1\n")
run(COMMAND ${configure} -S ${SOURCE_DIR}/examples/06_find_package -B ${WORK_DIR}/refused
            "-DCMAKE_PREFIX_PATH=${prefix}\\;${other}" RESULT result OUTPUT output)
if(result EQUAL 0 OR NOT output MATCHES "LibTorch[ \n]+2\\.6\\.1")
  message(SEND_ERROR "an OptoTorch for another LibTorch was accepted: ended with ${result}\n${output}")
endif()

run(COMMAND ${CMAKE_COMMAND} --build ${WORK_DIR}/consumer)
run(COMMAND ${WORK_DIR}/consumer/hybrid_step OUTPUT output)
if(NOT output MATCHES "loss: ")
  message(SEND_ERROR "the consumer said: ${output}")
endif()
