//===- Passes.h - plan, shard and stage -------------------------*- C++ -*-===//
#ifndef DOUGONG_DIST_PASSES_H
#define DOUGONG_DIST_PASSES_H

#include "Dist/IR/Dist.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace dougong::dist {

#define GEN_PASS_DECL
#include "dougong/Dist/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "dougong/Dist/Passes.h.inc"

} // namespace dougong::dist

#endif // DOUGONG_DIST_PASSES_H
