//===- States.h - state that is kept between steps --------------*- C++ -*-===//
#ifndef DOUGONG_DIST_STATES_H
#define DOUGONG_DIST_STATES_H

#include "dougong/Dist/Propagation.h"

namespace dougong::dist {

/// An input of the model that the next step gets from an output of this one.
struct StatePair {
  unsigned argument, result; ///< of the model's function
};

/// The states that the module lists in `dist.states`, by argument and result
/// number. Emits an error for a name that the function does not have.
llvm::FailureOr<llvm::SmallVector<StatePair>> getStates(mlir::ModuleOp module,
                                                        mlir::func::FuncOp main);

/// Lets both ends of every state have one sharding.
llvm::LogicalResult tieStates(mlir::ModuleOp module, mlir::func::FuncOp main,
                              Propagation &propagation);

/// The name of an argument or result (`onnx.name`), or "".
llvm::StringRef getArgumentName(mlir::func::FuncOp main, unsigned argument);
llvm::StringRef getResultName(mlir::func::FuncOp main, unsigned result);

} // namespace dougong::dist

#endif // DOUGONG_DIST_STATES_H
