# Shared by the scripts of this folder.

# run(COMMAND ... [RESULT variable] [OUTPUT variable]): runs a command; without RESULT it must succeed.
function(run)
  cmake_parse_arguments(RUN "" "RESULT;OUTPUT" "COMMAND" ${ARGN})
  execute_process(COMMAND ${RUN_COMMAND} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(RUN_RESULT)
    set(${RUN_RESULT} ${result} PARENT_SCOPE)
  elseif(NOT result EQUAL 0)
    list(JOIN RUN_COMMAND " " command)
    message(FATAL_ERROR "${command}\n${output}\nended with ${result}")
  endif()
  if(RUN_OUTPUT)
    set(${RUN_OUTPUT} "${output}" PARENT_SCOPE)
  endif()
endfunction()

# The environment's choice of LibTorch would hide what a test names.
unset(ENV{CMAKE_PREFIX_PATH})
unset(ENV{Torch_DIR})
unset(ENV{LD_LIBRARY_PATH})

set(configure ${CMAKE_COMMAND} -G ${GENERATOR} -DCMAKE_BUILD_TYPE=${BUILD_TYPE} -DCMAKE_CXX_COMPILER=${CXX}
              -DCMAKE_CXX_FLAGS=${CXX_FLAGS})

file(REMOVE_RECURSE ${WORK_DIR})
file(MAKE_DIRECTORY ${WORK_DIR})
