//===- Slice.cpp - parts of tensors: Slice, Split, Concat, Pad ------------===//
#include "Patterns.h"
#include "Quantize.h"
#include "RuntimeAxes.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

using Compare = Emitter::Compare;

/// ONNX's rule for the start of a slice: negative ones count from the end, what
/// is out of range is clamped to [0, size] (to [0, size - 1] for a step < 0).
OpFoldResult clampStart(Emitter &e, OpFoldResult start, OpFoldResult step, OpFoldResult size) {
  auto startNumber = getConstantIntValue(start), stepNumber = getConstantIntValue(step);
  auto sizeNumber = getConstantIntValue(size);
  if (startNumber == 0 && stepNumber && *stepNumber > 0)
    return start;
  if (startNumber && stepNumber && sizeNumber) {
    int64_t at = *startNumber < 0 ? *startNumber + *sizeNumber : *startNumber;
    int64_t last = *stepNumber > 0 ? *sizeNumber : *sizeNumber - 1;
    return e.attr(std::max<int64_t>(std::min(at, last), 0));
  }
  Value at = e.index(start), extent = e.index(size), none = e.index(int64_t{0});
  if (!startNumber || *startNumber < 0) {
    Value negative = e.compare(Compare::Less, at, none);
    at = e.select(negative, e.add(at, extent), at);
  }
  Value last = extent;
  if (!stepNumber) {
    Value backward = e.compare(Compare::Less, e.index(step), none);
    last = e.select(backward, e.sub(extent, e.index(int64_t{1})), extent);
  } else if (*stepNumber < 0) {
    last = e.sub(extent, e.index(int64_t{1}));
  }
  return e.max(e.min(at, last), none);
}

Lowered lowerSlice(SliceOp op, SliceOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Type source = op.getData().getType();
  int64_t rank = type.getRank();
  Integers starts(op.getStarts(), in.getStarts()), steps(op.getSteps(), in.getSteps());
  SmallVector<int64_t> axes;
  Extents offsets(rank, e.attr(0)), strides(rank, e.attr(1)), sizes = e.extents(type);
  bool forward = true;
  auto given = present(op.getAxes()) ? getConstantInts(op.getAxes()) : std::nullopt;
  if (given) {
    axes = *given;
  } else if (present(op.getAxes())) {
    RuntimeAxes list(e, in.getAxes(), rank);
    for (int64_t dim = 0; dim < rank; ++dim)
      for (int64_t i = 0; i < list.getMaxEntries(); ++i) {
        Value matches = list.matches(e, i, dim);
        OpFoldResult step =
            present(op.getSteps()) ? e.integerAt(steps, i) : OpFoldResult(e.attr(1));
        OpFoldResult start = clampStart(e, e.integerAt(starts, i), step, e.extent(source, dim));
        offsets[dim] = e.select(matches, e.index(start), e.index(offsets[dim]));
        strides[dim] = e.select(matches, e.index(step), e.index(strides[dim]));
      }
    forward = false;
  } else {
    int64_t count = typeOf(in.getStarts()).getDimSize(0);
    if (ShapedType::isDynamic(count))
      return Lowered::refuse("starts of unknown number are not supported");
    axes = llvm::to_vector(llvm::seq<int64_t>(count));
  }
  for (auto [i, given] : llvm::enumerate(axes)) {
    int64_t axis = normalizeAxis(given, rank);
    strides[axis] = present(op.getSteps()) ? e.integerAt(steps, i) : OpFoldResult(e.attr(1));
    offsets[axis] = clampStart(e, e.integerAt(starts, i), strides[axis], e.extent(source, axis));
    auto step = getConstantIntValue(strides[axis]);
    // A slice of nothing may begin behind the last element.
    forward &= step && *step > 0 && type.getDimSize(axis) != 0;
  }
  if (forward)
    return tensor::ExtractSliceOp::create(e, in.getData(), offsets, sizes, strides).getResult();
  return e.pointwise(sizes, resultElement(op), {}, [&](Emitter &e, ValueRange) {
    SmallVector<Value> at;
    for (int64_t dim = 0; dim < rank; ++dim) {
      Value here = e.mul(e.loopIndex(dim), e.index(strides[dim]));
      at.push_back(e.add(e.index(offsets[dim]), here));
    }
    return e.extract(in.getData(), at);
  });
}

Lowered lowerSplit(SplitOp op, SplitOp::Adaptor in, Emitter &e) {
  int64_t axis = normalizeAxis(op.getAxis(), typeOf(in.getInput()).getRank());
  OpFoldResult offset = e.attr(0);
  SmallVector<Value> parts;
  for (Value result : op->getResults()) {
    OpFoldResult size = e.extent(result.getType(), axis);
    parts.push_back(e.slice(in.getInput(), axis, offset, size));
    offset = e.addSizes(offset, size);
  }
  return parts;
}

Lowered lowerConcat(ConcatOp op, ConcatOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  int64_t axis = normalizeAxis(op.getAxis(), type.getRank());
  SmallVector<Value> parts;
  Extents shape = e.extents(type);
  for (auto [original, part] : llvm::zip_equal(op->getOperands(), in.getOperands())) {
    // What other operands know of the common extents, every part knows.
    Extents known = shape;
    known[axis] = e.extent(original.getType(), axis);
    parts.push_back(e.refine(part, known));
  }
  return e.concat(parts, axis, shape);
}

/// Floor remainder of x by a positive n.
Value floorMod(Emitter &e, Value x, Value n) {
  Value remainder = arith::RemSIOp::create(e, x, n);
  Value negative = e.compare(Compare::Less, remainder, e.index(int64_t{0}));
  return e.select(negative, e.add(remainder, n), remainder);
}

/// The source index for place `at` (may lie outside [0, size)) under `mode`.
Value foldPadIndex(Emitter &e, StringRef mode, Value at, OpFoldResult size) {
  Value n = e.index(size), one = e.index(int64_t{1}), none = e.index(int64_t{0});
  Value last = e.sub(n, one);
  if (mode == "wrap")
    return floorMod(e, at, e.max(n, one));
  if (mode == "reflect") {
    // A mirror at each end, without repeating the border: period 2 (n - 1).
    Value period = e.max(e.add(last, last), one);
    Value folded = floorMod(e, at, period);
    Value back = e.compare(Compare::Greater, folded, last);
    return e.max(e.select(back, e.sub(period, folded), folded), none);
  }
  return e.max(e.min(at, last), none); // edge, and the clamp of constant mode
}

Lowered lowerPad(PadOp op, PadOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op), source = op.getData().getType();
  int64_t rank = type.getRank();
  StringRef mode = op.getMode();
  SmallVector<int64_t> axes;
  Integers pads(op.getPads(), in.getPads());
  Extents low(rank, e.attr(0)), high(rank, e.attr(0));
  bool grows = true;
  auto given = present(op.getAxes()) ? getConstantInts(op.getAxes()) : std::nullopt;
  if (given) {
    for (int64_t axis : *given)
      axes.push_back(normalizeAxis(axis, rank));
  } else if (present(op.getAxes())) {
    RuntimeAxes list(e, in.getAxes(), rank);
    if (!isa<Attribute>(list.getCount()))
      return Lowered::refuse("axes of unknown number are not supported");
    for (int64_t dim = 0; dim < rank; ++dim)
      for (int64_t i = 0, count = list.getMaxEntries(); i < count; ++i) {
        Value matches = list.matches(e, i, dim);
        low[dim] = e.select(matches, e.index(e.integerAt(pads, i)), e.index(low[dim]));
        high[dim] = e.select(matches, e.index(e.integerAt(pads, i + count)), e.index(high[dim]));
      }
    grows = false;
  } else {
    axes = llvm::to_vector(llvm::seq<int64_t>(rank));
  }
  for (auto [i, axis] : llvm::enumerate(axes)) {
    low[axis] = e.integerAt(pads, i);
    high[axis] = e.integerAt(pads, i + axes.size());
    auto lowNumber = getConstantIntValue(low[axis]), highNumber = getConstantIntValue(high[axis]);
    grows &= lowNumber && *lowNumber >= 0 && highNumber && *highNumber >= 0;
  }
  Value filler;
  if (mode == "constant")
    filler = present(in.getConstantValue()) ? onlyElement(e, in.getConstantValue())
                                            : e.constant(element, 0);
  if (filler && grows)
    return e.pad(in.getData(), low, high, filler);
  return e.pointwise(e.extents(type), element, {}, [&](Emitter &e, ValueRange) {
    SmallVector<Value> at;
    Value inside;
    for (int64_t dim = 0; dim < rank; ++dim) {
      Value here = e.loopIndex(dim);
      if (isConstantIntValue(low[dim], 0) && isConstantIntValue(high[dim], 0)) {
        at.push_back(here);
        continue;
      }
      OpFoldResult size = e.extent(source, dim);
      here = e.sub(here, e.index(low[dim]));
      if (filler) {
        // One unsigned comparison is both borders.
        Value within = e.compare(Compare::Less, here, e.index(size), /*isUnsigned=*/true);
        inside = inside ? arith::AndIOp::create(e, inside, within).getResult() : within;
      }
      at.push_back(foldPadIndex(e, mode, here, size));
    }
    Value value = e.extract(in.getData(), at);
    return inside ? e.select(inside, value, filler) : value;
  });
}

} // namespace

void dougong::onnx::populateSlicePatterns(PatternSet &set) {
  set.add<SliceOp>(lowerSlice);
  set.add<SplitOp>(lowerSplit);
  set.add<ConcatOp>(lowerConcat);
  set.add<PadOp>(lowerPad);
}
