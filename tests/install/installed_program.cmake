# Installs the build into a fresh prefix, moves the prefix, and uses what is there as someone who knows nothing of the
# build: with an empty environment.
include(${CMAKE_CURRENT_LIST_DIR}/support.cmake)

run(COMMAND ${CMAKE_COMMAND} --install ${BINARY_DIR} --prefix ${WORK_DIR}/installed)
file(MAKE_DIRECTORY ${WORK_DIR}/site)
set(prefix ${WORK_DIR}/site/optotorch)
file(RENAME ${WORK_DIR}/installed ${prefix})
set(program ${prefix}/bin/optotorch)

# starts(HOW COMMAND...): the program says its version.
function(starts how)
  run(COMMAND env -i ${ARGN} --version RESULT result OUTPUT output)
  if(NOT result EQUAL 0 OR NOT output STREQUAL "${VERSION}\n")
    message(SEND_ERROR "${how}: ended with ${result}\n${output}")
  endif()
endfunction()

starts("installed, then moved" ${program})
file(CREATE_LINK ${program} ${WORK_DIR}/link SYMBOLIC)
starts("through a link" ${WORK_DIR}/link)

# It does its work, too: the kernels are found, and a recipe finds the program that it starts.
run(COMMAND env -i ${program} info OUTPUT output)
if(NOT output MATCHES "libtorch +[^\n]*2\\.")
  message(SEND_ERROR "info said:\n${output}")
endif()
run(COMMAND env -i ${program} train --data-root ${SOURCE_DIR}/data --network mnist-hybrid --rule shallow --epochs 1
            --quiet --out ${WORK_DIR}/run)
run(COMMAND env -i ${program} export ${WORK_DIR}/run --out ${WORK_DIR}/model.pt)

# Neither file knows the build folder, and each finds a LibTorch that lies beside the prefix when that of the build is
# gone.
file(GLOB library ${prefix}/lib*/liboptotorch.so.${VERSION})
foreach(file ${program} ${library})
  file(READ_ELF ${file} RUNPATH runpath RPATH rpath)
  if("${runpath}${rpath}" MATCHES "${BINARY_DIR}/(lib|bin)")
    message(SEND_ERROR "${file} looks for libraries in the build folder: ${runpath}${rpath}")
  endif()
  if(NOT "${LIBTORCH_DIR}/lib" IN_LIST runpath)
    message(SEND_ERROR "${file} does not look in ${LIBTORCH_DIR}/lib: ${runpath}")
  endif()
  list(REMOVE_ITEM runpath ${LIBTORCH_DIR}/lib)
  list(JOIN runpath ":" runpath)
  file(RPATH_SET FILE ${file} NEW_RPATH "${runpath}")
endforeach()
run(COMMAND env -i ${program} --version RESULT result)
if(result EQUAL 0)
  message(SEND_ERROR "a LibTorch was found where none is: this test tests nothing")
endif()
file(CREATE_LINK ${LIBTORCH_DIR} ${WORK_DIR}/site/torch SYMBOLIC)
starts("beside a LibTorch" ${program})

# What else is installed.
set(doc ${prefix}/share/doc/optotorch)
file(GLOB examples RELATIVE ${SOURCE_DIR} ${SOURCE_DIR}/examples/0*.cpp ${SOURCE_DIR}/examples/*.py
     ${SOURCE_DIR}/examples/06_find_package/*)
foreach(file LICENSE docs/mesh.svg ${examples})
  if(NOT EXISTS ${doc}/${file})
    message(SEND_ERROR "${file} is not installed")
  endif()
endforeach()
file(READ ${doc}/README.md readme)
string(REPLACE "](" "@(" readme "${readme}")
string(REGEX REPLACE "[][;]" "" readme "${readme}")
string(REGEX MATCHALL "@\\([^):]+\\)" links "${readme}")
list(TRANSFORM links REPLACE "^..(.*).$" "\\1")
list(TRANSFORM links REPLACE "#.*" "")
if(NOT "docs/conventions.md" IN_LIST links)
  message(SEND_ERROR "the README's links are not understood: ${links}")
endif()
foreach(link IN LISTS links)
  if(NOT EXISTS ${doc}/${link})
    message(SEND_ERROR "the README points to ${link}, which is not installed")
  endif()
endforeach()

# The completion works with this very program.
function(completes line expected)
  string(REPLACE " " ";" words "${line}")
  list(LENGTH words last)
  math(EXPR last "${last} - 1")
  run(COMMAND env -i PATH=/usr/bin:/bin bash -c
              "source '${prefix}/share/bash-completion/completions/optotorch' && complete -p optotorch >/dev/null && \
               COMP_WORDS=('${program}' ${line}) COMP_CWORD=$((${last} + 1)) && _optotorch && echo \"\${COMPREPLY[@]}\""
      OUTPUT output)
  if(NOT output STREQUAL "${expected}\n")
    message(SEND_ERROR "'optotorch ${line}' is completed to '${output}', expected '${expected}'")
  endif()
endfunction()
completes("tra" "train")
completes("train --batch" "--batch-size")
