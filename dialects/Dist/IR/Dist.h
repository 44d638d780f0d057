//===- Dist.h - the dist dialect --------------------------------*- C++ -*-===//
#ifndef DOUGONG_DIALECTS_DIST_IR_DIST_H
#define DOUGONG_DIALECTS_DIST_IR_DIST_H

#include "Onnx/IR/Onnx.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <optional>

#include "Dist/IR/DistDialect.h.inc"
#include "Dist/IR/DistEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "Dist/IR/DistAttrs.h.inc"

#define GET_OP_CLASSES
#include "Dist/IR/DistOps.h.inc"

namespace dougong::dist {

/// Attribute names. On operators: the number of the stage (i64), and the
/// shardings of operands and results (arrays; `unit` where nothing is asked).
inline constexpr llvm::StringLiteral stageAttrName = "dist.stage";
inline constexpr llvm::StringLiteral inAttrName = "dist.in";
inline constexpr llvm::StringLiteral outAttrName = "dist.out";
/// On operators: unit; the cuts of the results end here, users hold them as they
/// like.
inline constexpr llvm::StringLiteral closedAttrName = "dist.closed";
/// On function arguments and results: the sharding, and the type of the whole
/// value.
inline constexpr llvm::StringLiteral shardingAttrName = "dist.sharding";
inline constexpr llvm::StringLiteral globalAttrName = "dist.global";
/// On the module: pairs of names [input, output] of state kept between steps.
inline constexpr llvm::StringLiteral statesAttrName = "dist.states";
/// On the module, from the partition on: the model's inputs and outputs in graph
/// order, as pairs [name, whole type].
inline constexpr llvm::StringLiteral inputsAttrName = "dist.inputs";
inline constexpr llvm::StringLiteral outputsAttrName = "dist.outputs";
/// On the module: {batch, count}, the symbol of the batch and the number of parts of
/// it that go through the stages one behind the other.
inline constexpr llvm::StringLiteral microBatchesAttrName = "dist.micro_batches";
/// On operators: why the op is not cut although its mesh has several ranks.
inline constexpr llvm::StringLiteral replicatedAttrName = "dist.replicated";

/// Whether collectives reduce such elements: f16, bf16, f32, f64, bool, and integers
/// of 8 to 64 bits. The counterpart of `dougong::isReducible`.
bool isReducible(mlir::Type elementType);

} // namespace dougong::dist

#endif // DOUGONG_DIALECTS_DIST_IR_DIST_H
