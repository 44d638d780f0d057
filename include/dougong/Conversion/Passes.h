//===- Passes.h - conversions between dialects ------------------*- C++ -*-===//
#ifndef DOUGONG_CONVERSION_PASSES_H
#define DOUGONG_CONVERSION_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

#include <memory>

namespace dougong {

#define GEN_PASS_DECL
#include "dougong/Conversion/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "dougong/Conversion/Passes.h.inc"

} // namespace dougong

#endif // DOUGONG_CONVERSION_PASSES_H
