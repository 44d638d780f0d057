//===- Body.cpp - the body of a linalg op on scalars or vectors -----------===//
#include "Body.h"

#include "IndexMath.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace dougong::cpu;

Value BodyEmitter::toVector(Lane lane, unsigned lanes) {
  if (lane.isVector)
    return lane.value;
  return vector::BroadcastOp::create(b, loc, VectorType::get({lanes}, lane.value.getType()),
                                     lane.value);
}

Value BodyEmitter::allLanes(unsigned lanes) {
  auto type = VectorType::get({lanes}, b.getI1Type());
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, true));
}

/// Bytes of a buffer of i1 as i1.
Lane BodyEmitter::fromBytes(Lane bytes, Type elementType) {
  if (!elementType.isInteger(1))
    return bytes;
  Type type = bytes.value.getType();
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  bytes.value = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, bytes.value, zero);
  return bytes;
}

Lane BodyEmitter::loadStrided(Value flat, Type elementType, Value index, Value offsets,
                              const Place &place) {
  Type stored = cast<MemRefType>(flat.getType()).getElementType();
  auto type = VectorType::get({place.lanes}, stored);
  Value mask = place.mask ? place.mask : allLanes(place.lanes);
  TypedAttr fill = isa<FloatType>(stored) ? TypedAttr(b.getFloatAttr(stored, 0.0))
                                          : TypedAttr(b.getIntegerAttr(stored, 1));
  Value passThrough =
      arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, Attribute(fill)));
  if (offsets)
    return fromBytes({vector::GatherOp::create(b, loc, type, flat, ValueRange(index), offsets, mask,
                                               passThrough),
                      true, nullptr},
                     elementType);
  if (!place.mask)
    return fromBytes({vector::LoadOp::create(b, loc, type, flat, ValueRange(index)), true, nullptr},
                     elementType);
  return fromBytes(
      {vector::MaskedLoadOp::create(b, loc, type, flat, ValueRange(index), mask, passThrough), true,
       nullptr},
      elementType);
}

/// 0, stride, 2 * stride, ...
static Value createSteps(OpBuilder &b, Location loc, unsigned lanes, Value stride) {
  auto type = VectorType::get({lanes}, b.getIndexType());
  Value steps = vector::StepOp::create(b, loc, type);
  if (!stride)
    return steps;
  Value splat = vector::BroadcastOp::create(b, loc, type, stride);
  return arith::MulIOp::create(b, loc, steps, splat);
}

/// Stride 2, as in convolutions that halve an image: two vectors, of which the
/// even elements are taken. Never reads behind the last element it needs.
Lane BodyEmitter::loadEverySecond(const Access &access, Value index, const Place &place) {
  IndexMath math(b, loc);
  int64_t lanes = place.lanes;
  auto maskType = VectorType::get({lanes}, b.getI1Type());
  Place low = place, high = place;
  Value upper = math.value(math.add(index, math.constant(lanes)));
  if (!place.mask) {
    SmallVector<bool> most(lanes, true);
    most.back() = false;
    high.mask = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(maskType, most));
  } else {
    // Lane i of the result is element 2 i: spread the mask over both halves.
    SmallVector<int64_t> first, second;
    for (int64_t i = 0; i < lanes; ++i) {
      first.push_back(i / 2);
      second.push_back(lanes / 2 + i / 2);
    }
    SmallVector<bool> even;
    for (int64_t i = 0; i < lanes; ++i)
      even.push_back(i % 2 == 0);
    Value evenLanes = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(maskType, even));
    auto spread = [&](ArrayRef<int64_t> pattern) -> Value {
      Value wide = vector::ShuffleOp::create(b, loc, place.mask, place.mask, pattern);
      return arith::AndIOp::create(b, loc, wide, evenLanes);
    };
    low.mask = spread(first);
    high.mask = spread(second);
  }
  Lane a = loadStrided(access.flat, access.elementType, index, nullptr, low);
  Lane c = loadStrided(access.flat, access.elementType, upper, nullptr, high);
  SmallVector<int64_t> pattern;
  for (int64_t i = 0; i < lanes; ++i)
    pattern.push_back(2 * i);
  return {vector::ShuffleOp::create(b, loc, a.value, c.value, pattern), true, nullptr};
}

Lane BodyEmitter::load(const Access &access, Value index, const Place &place) {
  if (access.scalar)
    return {access.scalar, false, nullptr};
  if (place.lanes == 0 || !access.dependsOn(place.vectorDim)) {
    Value value = memref::LoadOp::create(b, loc, access.flat, ValueRange(index));
    return fromBytes({value, false, nullptr}, access.elementType);
  }
  Value offsets;
  if (access.getStride(place.vectorDim) == 2 && !access.panel)
    return loadEverySecond(access, index, place);
  // A panel is filled up to its size: no lane is outside.
  Place whole = place;
  if (access.panel && int(access.panel->dim) == place.vectorDim)
    whole.mask = nullptr;
  if (access.getStride(place.vectorDim) != 1) {
    IndexMath math(b, loc);
    offsets = createSteps(b, loc, place.lanes, math.value(access.strides[place.vectorDim]));
  }
  return loadStrided(access.flat, access.elementType, index, offsets, whole);
}

void BodyEmitter::store(const Access &access, Value index, Lane lane, const Place &place) {
  Type stored = cast<MemRefType>(access.flat.getType()).getElementType();
  if (place.lanes == 0) {
    Value value = lane.value;
    if (access.elementType.isInteger(1))
      value = arith::ExtUIOp::create(b, loc, stored, value);
    memref::StoreOp::create(b, loc, value, access.flat, ValueRange(index));
    return;
  }
  Value value = toVector(lane, place.lanes);
  if (access.elementType.isInteger(1))
    value = arith::ExtUIOp::create(b, loc, VectorType::get({place.lanes}, stored), value);
  if (place.mask)
    vector::MaskedStoreOp::create(b, loc, access.flat, ValueRange(index), place.mask, value);
  else
    vector::StoreOp::create(b, loc, value, access.flat, ValueRange(index));
}

/// A `memref.load` inside a body: its indices are computed, as in Gather.
Lane BodyEmitter::emitLoad(Value buffer, ArrayRef<Lane> indices, const Place &place) {
  auto type = cast<MemRefType>(buffer.getType());
  Type stored = type.getElementType().isInteger(1) ? Type(b.getI8Type()) : type.getElementType();
  IndexMath math(b, loc);
  SmallVector<int64_t> strides;
  int64_t offset;
  (void)type.getStridesAndOffset(strides, offset);
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, buffer);
  auto flatType = MemRefType::get({ShapedType::kDynamic}, type.getElementType());
  Value size = arith::ConstantIndexOp::create(b, loc, int64_t(1) << 48);
  Value flat = memref::ReinterpretCastOp::create(
      b, loc, flatType, metadata.getBaseBuffer(), math.constant(0),
      ArrayRef<OpFoldResult>{OpFoldResult(size)}, ArrayRef<OpFoldResult>{math.constant(1)});
  if (stored != type.getElementType())
    flat = UnrealizedConversionCastOp::create(b, loc,
                                              MemRefType::get({ShapedType::kDynamic}, stored), flat)
               .getResult(0);

  // The scalar part of the address, and the part that differs by lane.
  OpFoldResult base =
      ShapedType::isDynamic(offset) ? OpFoldResult(metadata.getOffset()) : math.constant(offset);
  Value offsets;
  bool isConsecutive = true;
  for (auto [number, lane] : llvm::enumerate(indices)) {
    OpFoldResult stride = ShapedType::isDynamic(strides[number])
                              ? OpFoldResult(metadata.getStrides()[number])
                              : math.constant(strides[number]);
    if (!lane.isVector) {
      base = math.add(base, math.mul(lane.value, stride));
      continue;
    }
    if (lane.first && getConstantIntValue(stride) == 1 && !offsets) {
      base = math.add(base, lane.first);
      offsets = createSteps(b, loc, place.lanes, nullptr);
      continue;
    }
    isConsecutive = false;
    auto vectorType = VectorType::get({place.lanes}, b.getIndexType());
    Value splat = vector::BroadcastOp::create(b, loc, vectorType, math.value(stride));
    Value part = arith::MulIOp::create(b, loc, lane.value, splat);
    offsets = offsets ? Value(arith::AddIOp::create(b, loc, offsets, part)) : part;
  }
  Value index = math.value(base);
  if (!offsets) {
    Value value = memref::LoadOp::create(b, loc, flat, ValueRange(index));
    return fromBytes({value, false, nullptr}, type.getElementType());
  }
  return loadStrided(flat, type.getElementType(), index, isConsecutive ? Value() : offsets, place);
}

Lane BodyEmitter::emitElementwise(Operation &op, ArrayRef<Lane> operands, const Place &place,
                                  bool contract) {
  bool isVector = llvm::any_of(operands, [](const Lane &lane) { return lane.isVector; });
  SmallVector<Value> values;
  for (const Lane &lane : operands)
    values.push_back(isVector ? toVector(lane, place.lanes) : lane.value);
  Type type = op.getResult(0).getType();
  if (isVector)
    type = VectorType::get({place.lanes}, type);
  OperationState state(loc, op.getName(), values, TypeRange(type), op.getAttrs());
  Operation *copy = b.create(state);
  if (contract)
    if (auto fast = dyn_cast<arith::ArithFastMathInterface>(copy))
      copy->setAttr(fast.getFastMathAttrName(),
                    arith::FastMathFlagsAttr::get(b.getContext(),
                                                  fast.getFastMathFlagsAttr()
                                                      ? fast.getFastMathFlagsAttr().getValue() |
                                                            arith::FastMathFlags::contract
                                                      : arith::FastMathFlags::contract));
  Lane result{copy->getResult(0), isVector, nullptr};
  // Consecutive indices stay consecutive when a scalar is added.
  if (isVector && isa<arith::AddIOp>(op) && isa<IndexType>(op.getResult(0).getType())) {
    const Lane &left = operands[0], &right = operands[1];
    if (left.first && !right.isVector)
      result.first = arith::AddIOp::create(b, loc, left.first, right.value);
    else if (right.first && !left.isVector)
      result.first = arith::AddIOp::create(b, loc, left.value, right.first);
  }
  return result;
}

SmallVector<Lane> BodyEmitter::emit(const Stage &stage, ArrayRef<Lane> inputs,
                                    ArrayRef<Lane> outputs, const Place &place, bool contract) {
  Block &block = stage.getBlock();
  llvm::DenseMap<Value, Lane> lanes;
  for (auto [argument, lane] : llvm::zip(block.getArguments(), inputs))
    lanes[argument] = lane;
  for (auto [argument, lane] : llvm::zip(block.getArguments().drop_front(inputs.size()), outputs))
    lanes[argument] = lane;
  auto get = [&](Value value) {
    auto it = lanes.find(value);
    // Values from outside the body are the same at every point.
    return it == lanes.end() ? Lane{value, false, nullptr} : it->second;
  };
  for (Operation &op : block.without_terminator()) {
    SmallVector<Lane> operands;
    for (Value operand : op.getOperands())
      operands.push_back(get(operand));
    Lane result;
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      int dim = stage.indexDims[index.getDim()];
      Value first = dim < 0 ? Value(arith::ConstantIndexOp::create(b, loc, 0)) : place.indices[dim];
      result = {first, false, nullptr};
      if (place.lanes && dim == place.vectorDim) {
        Value steps = createSteps(b, loc, place.lanes, nullptr);
        Value splat = vector::BroadcastOp::create(b, loc, steps.getType(), first);
        result = {arith::AddIOp::create(b, loc, splat, steps), true, first};
      }
    } else if (isa<arith::ConstantOp>(op)) {
      result = {b.clone(op)->getResult(0), false, nullptr};
    } else if (auto load = dyn_cast<memref::LoadOp>(op)) {
      result = emitLoad(load.getMemRef(), ArrayRef(operands).drop_front(), place);
    } else {
      result = emitElementwise(op, operands, place, contract);
    }
    lanes[op.getResult(0)] = result;
  }
  SmallVector<Lane> results;
  for (Value value : block.getTerminator()->getOperands())
    results.push_back(get(value));
  return results;
}
