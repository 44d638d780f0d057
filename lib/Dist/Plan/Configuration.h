//===- Configuration.h - device configurations of ONNX ----------*- C++ -*-===//
#ifndef DOUGONG_LIB_DIST_PLAN_CONFIGURATION_H
#define DOUGONG_LIB_DIST_PLAN_CONFIGURATION_H

#include "dougong/Dist/Strategy.h"

namespace dougong::dist {

/// Adds to `strategy` the stages, meshes and shardings of the model's device configuration
/// `strategy.configuration`: behind the user's own entries, which come first. Emits an error if
/// there is none of that name, or if its shardings are no cuts of one grid of devices.
llvm::LogicalResult readConfiguration(mlir::ModuleOp module, mlir::func::FuncOp main,
                                      Strategy &strategy);

} // namespace dougong::dist

#endif // DOUGONG_LIB_DIST_PLAN_CONFIGURATION_H
