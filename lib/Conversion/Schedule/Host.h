//===- Host.h - pointers, memrefs and host functions in a schedule -*- C++ -*-===//
#ifndef DOUGONG_LIB_CONVERSION_SCHEDULE_HOST_H
#define DOUGONG_LIB_CONVERSION_SCHEDULE_HOST_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Builders.h"

namespace dougong {

/// Byte offsets in `dougong_context` (dougong-c/program.h).
enum ContextField : int64_t {
  contextHost = 0,
  contextArena = 8,
  contextWeights = 16,
  contextCoordinates = 24
};

/// Byte offsets of the functions in `dougong_host` (dougong-c/program.h).
enum HostFunction : int64_t {
  hostParallelFor = 8,
  hostAllReduce = 16,
  hostAllGather = 24,
  hostReduceScatter = 32,
  hostAllToAll = 40,
  hostLibrary = 48,
  hostFail = 56,
  hostAllocate = 64,
  hostGiveOutput = 72,
  hostRaggedAllToAll = 80,
  hostPermute = 88
};

/// `pointer` + `bytes` (a constant, or an i64 or index value).
mlir::Value offsetPointer(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value pointer,
                          mlir::OpFoldResult bytes);

/// The pointer stored at `pointer` + `bytes`.
mlir::Value loadPointer(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value pointer,
                        int64_t bytes);

/// A contiguous memref of identity layout at `pointer`. `extents` (index) gives
/// every dim.
mlir::Value makeMemRef(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value pointer,
                       mlir::MemRefType type, mlir::ValueRange extents);

/// Calls a function of the host's table; the context is the first argument.
void callHost(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value context,
              HostFunction function, mlir::ValueRange arguments);

/// A pointer to `bytes` (index) bytes that live until the next step.
mlir::Value callAllocate(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value context,
                         mlir::Value bytes);

} // namespace dougong

#endif // DOUGONG_LIB_CONVERSION_SCHEDULE_HOST_H
