# The floors of the house, one OBJECT library each, and the one shared library that is shipped.

# -Wno-restrict: g++ 12 sees overlaps in std::string concatenation that are not there (its bug 105651).
set(OPTOTORCH_WARNINGS -Wall -Wextra -Wpedantic -Werror -Wno-unused-parameter -Wno-restrict)
set(OPTOTORCH_INCLUDE_ROOT ${PROJECT_BINARY_DIR}/include)
# Folders of headers that are the library's own affair: no public header includes them, and users need none of their
# dependencies. Kernels are reached by the dispatcher.
set(OPTOTORCH_PRIVATE_FOLDERS "/(detail|cpu|cuda|meta|autograd|reference)/")

option(OPTOTORCH_PRECOMPILED_HEADERS "Parse LibTorch's headers once a target: builds in a third of the time" ON)
option(OPTOTORCH_UNITY_BUILD "Compile files 24 at a time: builds everything in a third of the time" ON)

# optotorch_precompile(TARGET HEADER... | SHARED_WITH other): files still include what they use; this only spares parsing
# it again. Targets of the same flags share what the first of them has parsed.
function(optotorch_precompile target)
  cmake_parse_arguments(PRECOMPILE "" "SHARED_WITH" "" ${ARGN})
  if(NOT OPTOTORCH_PRECOMPILED_HEADERS)
    return()
  endif()
  if(PRECOMPILE_SHARED_WITH)
    target_precompile_headers(${target} REUSE_FROM ${PRECOMPILE_SHARED_WITH})
  else()
    target_precompile_headers(${target} PRIVATE <ATen/ATen.h> <torch/types.h> ${PRECOMPILE_UNPARSED_ARGUMENTS})
  endif()
endfunction()

# optotorch_unity(TARGET): compiles its files in batches. GCC takes six seconds a compilation, however short the file, for
# templates that LibTorch's headers leave pending. Files still include what they use, and compile by themselves if
# OPTOTORCH_UNITY_BUILD is OFF; names in unnamed namespaces differ within a target. Highway's kernels, which include
# themselves once for each instruction set, stay alone, as does (by CMake) what has compile options of its own.
function(optotorch_unity target)
  if(NOT OPTOTORCH_UNITY_BUILD)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 24)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    file(STRINGS ${source} includes_itself REGEX "define HWY_TARGET_INCLUDE" LIMIT_COUNT 1)
    if(includes_itself)
      set_source_files_properties(${source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()
endfunction()

# optotorch_layer(NAME SOURCE folder [USES lower-layer] [OPTIMISE flag] [PRIVATE_LIBRARIES ...] [PRECOMPILE header ...])
#
# Compiles every .cpp below `folder` into the OBJECT library optotorch_NAME. Its headers are seen as
# <optotorch/NAME/...> through an include root of its own, and only layers named by USES (and what those use) are on
# the include path: an include that points upward does not compile.
function(optotorch_layer name)
  cmake_parse_arguments(LAYER "" "SOURCE;OPTIMISE" "USES;PRIVATE_LIBRARIES;PRECOMPILE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${LAYER_SOURCE}/*.cpp)
  set(root ${OPTOTORCH_INCLUDE_ROOT}/${name})
  file(MAKE_DIRECTORY ${root}/optotorch)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${LAYER_SOURCE} ${root}/optotorch/${name} SYMBOLIC)

  add_library(optotorch_${name}_headers INTERFACE)
  target_include_directories(optotorch_${name}_headers INTERFACE ${root})
  target_link_libraries(optotorch_${name}_headers INTERFACE LibTorch::LibTorch)
  foreach(lower IN LISTS LAYER_USES)
    target_link_libraries(optotorch_${name}_headers INTERFACE optotorch_${lower}_headers)
  endforeach()

  add_library(optotorch_${name} OBJECT ${sources})
  optotorch_unity(optotorch_${name})
  set_target_properties(optotorch_${name} PROPERTIES OPTOTORCH_SOURCE ${PROJECT_SOURCE_DIR}/${LAYER_SOURCE})
  target_compile_options(optotorch_${name} PRIVATE ${OPTOTORCH_WARNINGS})
  if(LAYER_OPTIMISE)
    target_compile_options(optotorch_${name} PRIVATE $<$<NOT:$<CONFIG:Debug>>:${LAYER_OPTIMISE}>)
  endif()
  separate_arguments(openmp_flags NATIVE_COMMAND "${OpenMP_CXX_FLAGS}")
  target_compile_options(optotorch_${name} PRIVATE ${openmp_flags})
  target_link_libraries(optotorch_${name} PUBLIC optotorch_${name}_headers
                        PRIVATE nlohmann_json::nlohmann_json ${LAYER_PRIVATE_LIBRARIES})
  if(LAYER_PRECOMPILE)
    optotorch_precompile(optotorch_${name} ${LAYER_PRECOMPILE})
  endif()
  set_property(GLOBAL APPEND PROPERTY OPTOTORCH_PRIVATE_LIBRARIES ${LAYER_PRIVATE_LIBRARIES})
endfunction()

# optotorch_install_rpath(TARGET DESTINATION): where what is installed in DESTINATION looks for the libraries. Their
# folder is named relative to its own, so that the prefix can be moved. LibTorch belongs to someone else and is looked
# for where it was when this was built, then beside the prefix, as in a site-packages that holds both.
function(optotorch_install_rpath target destination)
  cmake_path(ABSOLUTE_PATH destination BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} NORMALIZE OUTPUT_VARIABLE here)
  cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} NORMALIZE OUTPUT_VARIABLE libraries)
  set(beside_prefix ${CMAKE_INSTALL_PREFIX}/../torch/lib)
  foreach(folder libraries beside_prefix)
    cmake_path(RELATIVE_PATH ${folder} BASE_DIRECTORY ${here})
  endforeach()
  set(rpath "$ORIGIN/${libraries}")
  if(libraries STREQUAL ".")
    set(rpath "$ORIGIN")
  endif()
  # A wheel goes to other machines, beside another torch.
  set(rpath ${rpath} ${LibTorch_ROOT_DIR}/lib "$ORIGIN/${beside_prefix}")
  if(SKBUILD)
    list(REMOVE_ITEM rpath ${LibTorch_ROOT_DIR}/lib)
  endif()
  # The same in the build folder, whose bin and lib lie as an installation's do. Otherwise CMake makes room for the
  # change by an empty entry, which is the current folder: libraries that lie there would be loaded.
  set_target_properties(${target} PROPERTIES
                        INSTALL_RPATH "${rpath}"
                        BUILD_WITH_INSTALL_RPATH ON)
endfunction()

# optotorch_umbrella(LAYERS ...): build/include/all/optotorch/optotorch.h, which includes every public header.
function(optotorch_umbrella)
  set(text "#pragma once\n\n// Every public header of OptoTorch.\n\n")
  foreach(layer IN LISTS ARGN)
    get_target_property(source optotorch_${layer} OPTOTORCH_SOURCE)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${source}/.. ${source}/*.h)
    list(FILTER headers EXCLUDE REGEX ${OPTOTORCH_PRIVATE_FOLDERS})
    list(TRANSFORM headers REPLACE "(.+)" "#include <optotorch/\\1>\n")
    string(CONCAT text "${text}" ${headers})
  endforeach()
  file(CONFIGURE OUTPUT ${OPTOTORCH_INCLUDE_ROOT}/all/optotorch/optotorch.h CONTENT "${text}" @ONLY)
endfunction()

# optotorch_library(NAME LAYERS ...): links the layers into the shared library NAME and makes it installable.
function(optotorch_library target)
  cmake_parse_arguments(LIBRARY "" "" "LAYERS" ${ARGN})
  get_property(private_libraries GLOBAL PROPERTY OPTOTORCH_PRIVATE_LIBRARIES)
  add_library(${target} SHARED)
  add_library(OptoTorch::${target} ALIAS ${target})
  # Until 1.0 a minor version may break the binary interface.
  # A wheel has no symbolic links: the library would be in it three times.
  if(NOT SKBUILD)
    set_target_properties(${target} PROPERTIES VERSION ${PROJECT_VERSION}
                                               SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  endif()
  optotorch_install_rpath(${target} ${CMAKE_INSTALL_LIBDIR})
  if(LibTorch_OpenMP_LIBRARY)
    set(openmp_library ${LibTorch_OpenMP_LIBRARY})
  else()
    set(openmp_library OpenMP::OpenMP_CXX)
  endif()
  target_link_libraries(${target} PUBLIC LibTorch::LibTorch PRIVATE ${openmp_library} ${private_libraries})
  foreach(layer IN LISTS LIBRARY_LAYERS)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:optotorch_${layer}>)
    target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${OPTOTORCH_INCLUDE_ROOT}/${layer}>)
  endforeach()
  optotorch_umbrella(${LIBRARY_LAYERS})
  target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${OPTOTORCH_INCLUDE_ROOT}/all>
                                                 $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

  # Installed side: headers, the library, and a package file that finds LibTorch the way this build did.
  include(CMakePackageConfigHelpers)
  set(built_with_libtorch ${LibTorch_ROOT_DIR})
  if(SKBUILD)
    set(built_with_libtorch "")
  endif()
  set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/OptoTorch)
  foreach(layer IN LISTS LIBRARY_LAYERS)
    get_target_property(source optotorch_${layer} OPTOTORCH_SOURCE)
    install(DIRECTORY ${source}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/optotorch/${layer}
            FILES_MATCHING PATTERN "*.h" REGEX ${OPTOTORCH_PRIVATE_FOLDERS} EXCLUDE)
  endforeach()
  install(FILES ${OPTOTORCH_INCLUDE_ROOT}/all/optotorch/optotorch.h
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/optotorch)
  install(TARGETS ${target} EXPORT OptoTorchTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT OptoTorchTargets NAMESPACE OptoTorch:: DESTINATION ${package_dir})
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/OptoTorchConfig.cmake.in
                                ${PROJECT_BINARY_DIR}/OptoTorchConfig.cmake INSTALL_DESTINATION ${package_dir})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/OptoTorchConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/OptoTorchConfig.cmake ${PROJECT_BINARY_DIR}/OptoTorchConfigVersion.cmake
                ${PROJECT_SOURCE_DIR}/cmake/FindLibTorch.cmake DESTINATION ${package_dir})
endfunction()
