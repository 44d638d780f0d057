//===- Host.cpp - pointers, memrefs and host functions in a schedule ------===//
#include "Host.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace dougong;

Value dougong::offsetPointer(OpBuilder &builder, Location loc, Value pointer, OpFoldResult bytes) {
  LLVM::GEPArg offset(0);
  if (std::optional<int64_t> constant = getConstantIntValue(bytes))
    offset = LLVM::GEPArg(static_cast<int32_t>(*constant));
  else {
    Value value = cast<Value>(bytes);
    if (isa<IndexType>(value.getType()))
      value = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), value);
    offset = LLVM::GEPArg(value);
  }
  return LLVM::GEPOp::create(builder, loc, pointer.getType(), builder.getI8Type(), pointer, offset);
}

Value dougong::loadPointer(OpBuilder &builder, Location loc, Value pointer, int64_t bytes) {
  Value address = offsetPointer(builder, loc, pointer, builder.getI64IntegerAttr(bytes));
  return LLVM::LoadOp::create(builder, loc, pointer.getType(), address);
}

Value dougong::makeMemRef(OpBuilder &builder, Location loc, Value pointer, MemRefType type,
                          ValueRange extents) {
  // The descriptor that memref lowers to. The cast is resolved when the rest of
  // the function is lowered.
  Type i64 = builder.getI64Type();
  SmallVector<Type> fields = {pointer.getType(), pointer.getType(), i64};
  int64_t rank = type.getRank();
  if (rank > 0)
    fields.append(2, LLVM::LLVMArrayType::get(i64, rank));
  auto structType = LLVM::LLVMStructType::getLiteral(builder.getContext(), fields);
  Value descriptor = LLVM::UndefOp::create(builder, loc, structType);
  auto insert = [&](Value value, ArrayRef<int64_t> position) {
    descriptor = LLVM::InsertValueOp::create(builder, loc, descriptor, value, position);
  };
  insert(pointer, 0);
  insert(pointer, 1);
  insert(LLVM::ConstantOp::create(builder, loc, i64, 0), 2);
  Value stride = rank > 0 ? Value(LLVM::ConstantOp::create(builder, loc, i64, 1)) : Value();
  for (int64_t dim = rank - 1; dim >= 0; --dim) {
    Value extent = ShapedType::isDynamic(type.getDimSize(dim))
                       ? Value(arith::IndexCastOp::create(builder, loc, i64, extents[dim]))
                       : Value(LLVM::ConstantOp::create(builder, loc, i64, type.getDimSize(dim)));
    insert(extent, {3, dim});
    insert(stride, {4, dim});
    stride = LLVM::MulOp::create(builder, loc, stride, extent);
  }
  return UnrealizedConversionCastOp::create(builder, loc, type, descriptor).getResult(0);
}

/// Calls `function`; its result, where `result` is not void.
static Value callFunction(OpBuilder &builder, Location loc, Value context, HostFunction function,
                          Type result, ValueRange arguments) {
  Value host = loadPointer(builder, loc, context, contextHost);
  Value target = loadPointer(builder, loc, host, function);
  SmallVector<Type> types = {context.getType()};
  llvm::append_range(types, arguments.getTypes());
  auto type = LLVM::LLVMFunctionType::get(result, types);
  SmallVector<Value> operands = {target, context};
  llvm::append_range(operands, arguments);
  auto call = LLVM::CallOp::create(builder, loc, type, operands);
  return call->getNumResults() ? call.getResult() : Value();
}

void dougong::callHost(OpBuilder &builder, Location loc, Value context, HostFunction function,
                       ValueRange arguments) {
  callFunction(builder, loc, context, function, LLVM::LLVMVoidType::get(builder.getContext()),
               arguments);
}

Value dougong::callAllocate(OpBuilder &builder, Location loc, Value context, Value bytes) {
  Value wide = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), bytes);
  return callFunction(builder, loc, context, hostAllocate, context.getType(), wide);
}
