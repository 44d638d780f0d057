# Thin functions over CMake and TableGen for the parts of Dougong.

# Settings that every target of ours shares.
add_library(dougong_options INTERFACE)
target_include_directories(dougong_options INTERFACE
  ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include)
target_compile_options(dougong_options INTERFACE
  -Wall -Wextra -Wno-unused-parameter -Werror=return-type -Werror=switch
  # The time stamps of headers must not be in a PCH, or ccache never hits.
  "SHELL:-Xclang -fno-pch-timestamp")

# ... and those of targets that see MLIR. Debian's LLVM has RTTI; exceptions
# stay on, for the ONNX library throws.
add_library(dougong_mlir_options INTERFACE)
target_link_libraries(dougong_mlir_options INTERFACE dougong_options)
target_include_directories(dougong_mlir_options SYSTEM INTERFACE
  ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_include_directories(dougong_mlir_options INTERFACE
  ${CMAKE_SOURCE_DIR}/dialects ${CMAKE_BINARY_DIR}/dialects)
separate_arguments(llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
target_compile_definitions(dougong_mlir_options INTERFACE ${llvm_definitions})

# All TableGen output of the project hangs on this target.
add_custom_target(dougong_generated)

# What the sanitizers of the preset asan are told.
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=address")
  set(is_executable $<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>)
  target_sources(dougong_options INTERFACE
    $<${is_executable}:${CMAKE_SOURCE_DIR}/cmake/modules/SanitizerOptions.cpp>)
endif()

# The one precompiled header of all MLIR sources.
add_library(dougong_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/modules/pch.cpp)
target_link_libraries(dougong_pch PRIVATE dougong_mlir_options)
target_precompile_headers(dougong_pch PRIVATE
  <mlir/IR/Builders.h> <mlir/IR/BuiltinOps.h> <mlir/IR/BuiltinTypes.h>
  <mlir/IR/Diagnostics.h> <mlir/IR/DialectImplementation.h> <mlir/IR/OpImplementation.h>
  <mlir/IR/PatternMatch.h> <mlir/IR/SymbolTable.h> <mlir/Dialect/Func/IR/FuncOps.h>
  <mlir/Dialect/Arith/IR/Arith.h> <mlir/Dialect/Linalg/IR/Linalg.h>
  <mlir/Dialect/Tensor/IR/Tensor.h> <mlir/Dialect/MemRef/IR/MemRef.h>
  <mlir/Dialect/SCF/IR/SCF.h> <mlir/Dialect/Vector/IR/VectorOps.h>
  <mlir/Dialect/LLVMIR/LLVMDialect.h> <mlir/Dialect/Bufferization/IR/Bufferization.h>
  <mlir/Pass/Pass.h> <mlir/Pass/PassManager.h> <mlir/Transforms/DialectConversion.h>
  <mlir/Transforms/GreedyPatternRewriteDriver.h>
  <llvm/ADT/StringMap.h> <llvm/ADT/TypeSwitch.h> <llvm/Support/FormatVariadic.h>
  <llvm/Support/JSON.h> <llvm/Support/raw_ostream.h>
  # 80,000 generated lines, which every part but the other dialects includes.
  <Onnx/IR/Onnx.h>)
# (their targets are named in dialects/Onnx/IR, which is added later)
add_dependencies(dougong_pch dougong_onnx_ops_inc dougong_onnx_dialect_inc
                 dougong_onnx_interfaces_inc)

# What the sources below MLIR share: parsing the standard library and the plan is
# most of the time that each takes.
add_library(dougong_plain_pch OBJECT ${CMAKE_SOURCE_DIR}/cmake/modules/pch.cpp)
target_link_libraries(dougong_plain_pch PRIVATE dougong_options protobuf::libprotobuf)
target_precompile_headers(dougong_plain_pch PRIVATE
  <algorithm> <array> <atomic> <charconv> <cmath> <condition_variable> <filesystem> <functional>
  <map> <memory> <mutex> <numeric> <optional> <set> <span> <string> <thread> <tuple> <variant>
  <vector> <dougong/Package/plan.pb.h>)
add_dependencies(dougong_plain_pch dougong_plan_proto)

# dougong_use_pch(NAME PCH): compiles a target with a precompiled header, and as
# that one is compiled (executables would be -fPIE).
function(dougong_use_pch name pch)
  target_compile_options(${name} PRIVATE -fPIC)
  target_precompile_headers(${name} REUSE_FROM ${pch})
endfunction()

# dougong_compiler_library(NAME SOURCES... [DEPENDS TARGET...] [LINK LIB...]):
# a part of libdougong.
function(dougong_compiler_library name)
  cmake_parse_arguments(ARG "NO_PCH" "" "DEPENDS;LINK" ${ARGN})
  add_library(${name} OBJECT ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC dougong_mlir_options ${ARG_LINK})
  if(NOT ARG_NO_PCH)
    dougong_use_pch(${name} dougong_pch)
  endif()
  # Headers that TableGen writes: those of the onnx dialect (every source has
  # them through the precompiled header) and those of the part's own name
  # (dougong_dist_* for dougong_dist_partition); others are listed in DEPENDS.
  string(REGEX MATCH "^dougong_[a-z]+" part ${name})
  get_property(generated GLOBAL PROPERTY DOUGONG_TABLEGEN_TARGETS)
  list(FILTER generated INCLUDE REGEX "^(dougong_onnx|${part})_")
  if(generated)
    add_dependencies(${name} ${generated})
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  set_property(GLOBAL APPEND PROPERTY DOUGONG_COMPILER_LIBRARIES ${name})
endfunction()

# dougong_tablegen(TARGET TD_FILE (OUTPUT ARGS...)...): runs mlir-tblgen once for
# each "OUTPUT;-gen-..." pair. Outputs land beside the mirrored source folder.
function(dougong_tablegen target td)
  set(LLVM_TARGET_DEFINITIONS ${td})
  set(TABLEGEN_OUTPUT)
  set(pairs ${ARGN})
  while(pairs)
    list(POP_FRONT pairs output action)
    separate_arguments(action)
    mlir_tablegen(${output} ${action}
      EXTRA_INCLUDES ${MLIR_INCLUDE_DIRS} ${CMAKE_SOURCE_DIR}/dialects ${CMAKE_BINARY_DIR}/dialects
                     ${CMAKE_SOURCE_DIR}/include)
  endwhile()
  set(TABLEGEN_OUTPUT ${TABLEGEN_OUTPUT})
  add_custom_target(${target} DEPENDS ${TABLEGEN_OUTPUT})
  add_dependencies(dougong_generated ${target})
  set_property(GLOBAL APPEND PROPERTY DOUGONG_TABLEGEN_TARGETS ${target})
endfunction()

# dougong_tool(NAME SOURCES...): a tool on libdougong.
function(dougong_tool name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE dougong_mlir_options dougong)
  dougong_use_pch(${name} dougong_pch)
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()

# dougong_unit_test(NAME SOURCES... [SEES_MLIR] [LINK LIB...]): a GoogleTest program, run
# by the lit suite test/Unit.
function(dougong_unit_test name)
  cmake_parse_arguments(ARG "SEES_MLIR" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest GTest::gtest_main)
  if(ARG_SEES_MLIR)
    target_link_libraries(${name} PRIVATE dougong_mlir_options)
    dougong_use_pch(${name} dougong_pch)
  else()
    target_link_libraries(${name} PRIVATE protobuf::libprotobuf)
    dougong_use_pch(${name} dougong_plain_pch)
  endif()
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test/Unit)
  set_property(GLOBAL APPEND PROPERTY DOUGONG_UNIT_TESTS ${name})
endfunction()

# add_parts(FOLDER...): add_subdirectory for each.
function(add_parts)
  foreach(part ${ARGN})
    add_subdirectory(${part})
  endforeach()
endfunction()
