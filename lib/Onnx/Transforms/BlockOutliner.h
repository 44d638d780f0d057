//===- BlockOutliner.h - moves equal runs of operators to functions -------===//
#ifndef DOUGONG_LIB_ONNX_TRANSFORMS_BLOCKOUTLINER_H
#define DOUGONG_LIB_ONNX_TRANSFORMS_BLOCKOUTLINER_H

#include "dougong/Onnx/RepeatFinder.h"

#include "Onnx/IR/Onnx.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"

#include <map>
#include <vector>

namespace dougong::onnx {

/// A block that was outlined.
struct OutlinedBlock {
  mlir::func::FuncOp function;
  size_t operators, repeats, arguments, results;
};

/// Outlines the repeats of functions, those in outlined blocks too.
class BlockOutliner {
public:
  BlockOutliner(mlir::ModuleOp module, size_t minOps)
      : symbols(module), minOps(std::max<size_t>(minOps, 2)) {}

  void run(mlir::func::FuncOp function);
  llvm::ArrayRef<OutlinedBlock> getBlocks() const { return blocks; }

private:
  unsigned getToken(mlir::Operation *op);
  void outlineRange(llvm::ArrayRef<mlir::Operation *> ops, llvm::ArrayRef<unsigned> tokens);
  void outline(llvm::ArrayRef<mlir::Operation *> ops, const Repeat &repeat);

  mlir::SymbolTable symbols;
  size_t minOps;
  std::map<std::vector<const void *>, unsigned> tokenIds;
  llvm::SmallVector<OutlinedBlock> blocks;
};

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_TRANSFORMS_BLOCKOUTLINER_H
