//===- LibraryCalls.h - operators that are library functions ----*- C++ -*-===//
//
// An `onnx.launch` with the attribute `dougong.library` calls a function of the
// operator library (dougong/Runtime/Library.h) in the place of a kernel.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_CONVERSION_KERNELS_LIBRARYCALLS_H
#define DOUGONG_LIB_CONVERSION_KERNELS_LIBRARYCALLS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace dougong {

/// Attributes of a launch that calls the library: the function's name, its
/// integers, for each of its tensors the number of the launch's result or (after
/// those) operand, -1 for one that is absent, and, where the function computes
/// extents, the symbols ("" for none) that the elements of its result are.
constexpr llvm::StringLiteral libraryAttrName = "dougong.library",
                              libraryAttributesAttrName = "dougong.attributes",
                              libraryTensorsAttrName = "dougong.tensors",
                              libraryExtentsAttrName = "dougong.extents";
/// ... and the functions that it runs (see Bodies.h), which follow the tensors.
constexpr llvm::StringLiteral libraryBodiesAttrName = "dougong.bodies";

/// Whether an operator is a function of the library.
bool isLibraryOperator(mlir::Operation *op);

/// Replaces the operators of a program's `@main`, or of a body, that are library
/// functions by launches, and puts before each other operator whose result has an
/// extent that depends on data a launch that computes it. May add bodies to the
/// module.
void formLibraryCalls(mlir::func::FuncOp function);

} // namespace dougong

#endif // DOUGONG_LIB_CONVERSION_KERNELS_LIBRARYCALLS_H
