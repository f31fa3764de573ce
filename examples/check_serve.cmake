# Runs 05_serve.py on the model in OUT with PYTHON, if that has torch, and compares what it prints with what the C++
# program read. The Python that 05_export_and_serve.cpp prints must be that of the file.

file(READ ${CMAKE_CURRENT_LIST_DIR}/05_serve.py script)
file(READ ${CMAKE_CURRENT_LIST_DIR}/05_export_and_serve.cpp program)
string(FIND "${program}" "R\"(${script})\"" position)
if(position EQUAL -1)
  message(FATAL_ERROR "05_export_and_serve.cpp prints other Python than 05_serve.py holds")
endif()

execute_process(COMMAND "${PYTHON}" -c "import torch" RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
if(NOT "${failed}" STREQUAL "0")
  message("skipped: no Python with torch ('${PYTHON}')")
  return()
endif()
execute_process(COMMAND "${PYTHON}" ${CMAKE_CURRENT_LIST_DIR}/05_serve.py ${OUT}/model.pt
                        ${DATA}/MNIST/raw/t10k-images-idx3-ubyte.gz
                RESULT_VARIABLE failed OUTPUT_VARIABLE served)
file(READ ${OUT}/digits.txt expected)
if(failed OR NOT "${served}" STREQUAL "${expected}")
  message(FATAL_ERROR "05_serve.py printed '${served}', expected '${expected}'")
endif()
