//===- EmitNest.h - the loops around register tiles -------------*- C++ -*-===//
#ifndef DOUGONG_LIB_TARGET_CPU_LOOPS_EMITNEST_H
#define DOUGONG_LIB_TARGET_CPU_LOOPS_EMITNEST_H

#include "Plan.h"

namespace dougong::cpu {

/// Emits `nest` at the builder's place. With `parallel`, independent blocks
/// become iterations of one `scf.parallel` whose step is the grain. Returns whether
/// its points are computed in vectors, not one by one.
bool emitNest(mlir::OpBuilder &builder, const Nest &nest, const TileLimits &limits, bool parallel);

} // namespace dougong::cpu

#endif // DOUGONG_LIB_TARGET_CPU_LOOPS_EMITNEST_H
