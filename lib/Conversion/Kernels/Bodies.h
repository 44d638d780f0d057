//===- Bodies.h - loops and branches that the library runs ------*- C++ -*-===//
//
// A Loop or If that is no loop nest over numbers (its body calls the library, its
// carried values change their shapes, ...) is a call of the library that runs
// its regions, each moved to a function: a schedule of its own.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_CONVERSION_KERNELS_BODIES_H
#define DOUGONG_LIB_CONVERSION_KERNELS_BODIES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"

namespace dougong {

/// Attribute of a function that is the body of a loop or branch.
constexpr llvm::StringLiteral bodyAttrName = "dougong.body";
/// Attribute of an argument of such a function: the argument is a list of extents,
/// and these are the symbols that they are.
constexpr llvm::StringLiteral bodyExtentsAttrName = "dougong.body_extents";

/// The symbols in the extents of `type`.
void addSymbols(mlir::Type type, llvm::StringSet<> &symbols);

/// Whether the library runs the regions of `op`: something in them or of their
/// results is no tensor of numbers, is made by the library, or has an extent
/// beyond the symbols in `known`.
bool needsBodies(mlir::Operation *op, const llvm::StringSet<> &known);

/// A region as a function, and the values from outside that it takes after the
/// region's own arguments.
struct Body {
  mlir::FlatSymbolRefAttr function;
  llvm::SmallVector<mlir::Value> captured;
};

/// Moves a region of `op` to a function of the module. The region is empty then.
Body outlineBody(mlir::Operation *op, mlir::Region &region, const llvm::StringSet<> &known);

} // namespace dougong

#endif // DOUGONG_LIB_CONVERSION_KERNELS_BODIES_H
