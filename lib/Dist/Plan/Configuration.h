//===- Configuration.h - device configurations of ONNX ----------*- C++ -*-===//
#ifndef DOUGONG_LIB_DIST_PLAN_CONFIGURATION_H
#define DOUGONG_LIB_DIST_PLAN_CONFIGURATION_H

#include "dougong/Dist/Strategy.h"

namespace dougong::dist {

/// Whether names of the devices of a configuration tell that their mesh has several along `axis`
/// (DeviceNames.h).
bool configurationCuts(mlir::ModuleOp module, llvm::StringRef configuration, llvm::StringRef axis);

/// Adds to `strategy` the stages, meshes and shardings of the model's device configuration
/// `strategy.configuration`: behind the user's own entries, which come first. Emits an error if
/// there is none of that name, or if its shardings are no cuts of one grid of devices.
llvm::LogicalResult readConfiguration(mlir::ModuleOp module, mlir::func::FuncOp main,
                                      Strategy &strategy);

} // namespace dougong::dist

#endif // DOUGONG_LIB_DIST_PLAN_CONFIGURATION_H
