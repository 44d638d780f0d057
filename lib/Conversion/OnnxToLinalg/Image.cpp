//===- Image.cpp - regions, unpooling, column images ----------------------===//
#include "Patterns.h"
#include "RuntimeAxes.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

using Compare = Emitter::Compare;

Value real(Emitter &e, double value) { return e.constant(e.getF32Type(), value); }
Value toReal(Emitter &e, Value index) {
  Value wide = arith::IndexCastOp::create(e, e.getI64Type(), index);
  return arith::SIToFPOp::create(e, e.getF32Type(), wide);
}
Value toIndex(Emitter &e, Value x) {
  return e.toIndex(arith::FPToSIOp::create(e, e.getI64Type(), x));
}
Value both(Emitter &e, Value a, Value b) { return arith::AndIOp::create(e, a, b); }

/// result[t, b, ...] = data[len[b] - 1 - t, b, ...] for t < len[b].
Lowered lowerReverseSequence(ReverseSequenceOp op, ReverseSequenceOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank(), time = op.getTimeAxis(), batch = op.getBatchAxis();
  return e.pointwise(
      e.extents(type), resultElement(op), {{in.getSequenceLens(), e.mapOf(rank, {batch})}},
      [&](Emitter &e, ValueRange args) {
        SmallVector<Value> at;
        for (unsigned dim = 0; dim < rank; ++dim)
          at.push_back(e.loopIndex(dim));
        Value length = e.toIndex(args[0]), here = at[time];
        Value inside = e.compare(Compare::Less, here, length);
        Value mirrored = e.sub(e.sub(length, e.index(int64_t{1})), here);
        at[time] = e.wrapIndex(e.select(inside, mirrored, here), e.extent(type, time));
        return e.extract(in.getInput(), at);
      });
}

/// Elements go to the places that MaxPool took them from: numbers in the tensor
/// of the extents that the kernel, strides and pads give.
Lowered lowerMaxUnpool(MaxUnpoolOp op, MaxUnpoolOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank(), spatial = rank - 2;
  Type element = resultElement(op);
  Extents shape = e.extents(type), source = e.extents(op.getX().getType()), pooled = source;
  auto entry = [](std::optional<ArrayRef<int64_t>> list, size_t i, int64_t otherwise) {
    return list && i < list->size() ? (*list)[i] : otherwise;
  };
  for (unsigned i = 0; i < spatial; ++i) {
    int64_t pads = entry(op.getPads(), i, 0) + entry(op.getPads(), i + spatial, 0);
    OpFoldResult steps =
        e.mulSizes(e.subSizes(source[2 + i], e.attr(1)), e.attr(entry(op.getStrides(), i, 1)));
    pooled[2 + i] = e.addSizes(steps, e.attr(op.getKernelShape()[i] - pads));
  }
  Value init = e.filled(shape, e.constant(element, 0));
  return e.repeatNest(source, init, [&](Emitter &e, ValueRange at, Value carried) -> Value {
    Value rest = e.toIndex(e.extract(in.getI(), at));
    SmallVector<Value> place(rank);
    for (unsigned dim = rank; dim-- > 0;) {
      Value size = e.index(pooled[dim]);
      place[dim] = e.wrapIndex(arith::RemUIOp::create(e, rest, size).getResult(), shape[dim]);
      rest = arith::DivUIOp::create(e, rest, size);
    }
    return tensor::InsertOp::create(e, e.extract(in.getX(), at), carried, place);
  });
}

/// Sums blocks, which are the columns of the input, into the image they lie in.
Lowered lowerCol2Im(Col2ImOp op, Col2ImOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank(), spatial = rank - 2;
  Type element = resultElement(op);
  Extents shape = e.extents(type);
  auto entry = [](std::optional<ArrayRef<int64_t>> list, size_t i, int64_t otherwise) {
    return list && i < list->size() ? (*list)[i] : otherwise;
  };
  Integers blocks(op.getBlockShape(), in.getBlockShape());
  SmallVector<Value> block, count;
  for (unsigned i = 0; i < spatial; ++i) {
    block.push_back(e.index(e.integerAt(blocks, i)));
    int64_t dilation = entry(op.getDilations(), i, 1), stride = entry(op.getStrides(), i, 1);
    int64_t pads = entry(op.getPads(), i, 0) + entry(op.getPads(), i + spatial, 0);
    Value span = e.mul(e.sub(block[i], e.index(int64_t{1})), e.index(dilation));
    Value room = e.sub(e.add(e.index(shape[2 + i]), e.index(pads - 1)), span);
    Value steps = arith::FloorDivSIOp::create(e, room, e.index(stride));
    count.push_back(e.add(steps, e.index(int64_t{1})));
  }
  Value init = e.filled(shape, e.constant(element, 0));
  Extents nest = e.extents(op.getInput().getType());
  return e.repeatNest(nest, init, [&](Emitter &e, ValueRange at, Value carried) -> Value {
    SmallVector<Value> place(rank);
    place[0] = at[0];
    Value row = at[1], column = at[2], inside = e.constantInt(e.getI1Type(), 1);
    for (unsigned i = spatial; i-- > 0;) {
      Value within = arith::RemUIOp::create(e, row, block[i]);
      Value step = arith::RemUIOp::create(e, column, count[i]);
      row = arith::DivUIOp::create(e, row, block[i]);
      column = arith::DivUIOp::create(e, column, count[i]);
      Value here = e.add(e.mul(step, e.index(entry(op.getStrides(), i, 1))),
                         e.mul(within, e.index(entry(op.getDilations(), i, 1))));
      here = e.sub(here, e.index(entry(op.getPads(), i, 0)));
      Value fits = e.compare(Compare::Less, here, e.index(shape[2 + i]), /*isUnsigned=*/true);
      inside = both(e, inside, fits);
      place[2 + i] = e.select(fits, here, e.index(int64_t{0}));
    }
    place[1] = row;
    Value old = e.extract(carried, place), x = e.extract(in.getInput(), at);
    Value sum = e.toFloatType(e.add(e.widen(old), e.widen(x)), element);
    return tensor::InsertOp::create(e, e.select(inside, sum, old), carried, place);
  });
}

/// The mean or the greatest of samples, bilinear, in each bin of each region.
Lowered lowerRoiAlign(RoiAlignOp op, RoiAlignOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op);
  auto source = cast<RankedTensorType>(op.getX().getType());
  bool halfPixel = op.getCoordinateTransformationMode() == "half_pixel";
  bool isMax = op.getMode() == "max";
  double spatialScale = op.getSpatialScale().convertToDouble();
  int64_t sampling = op.getSamplingRatio();
  Extents shape = e.extents(type);
  Value height = e.index(e.extent(source, 2)), width = e.index(e.extent(source, 3));
  Value one = e.index(int64_t{1}), none = e.index(int64_t{0});
  Value init = e.empty(shape, element);
  return e.repeatNest(shape, init, [&](Emitter &e, ValueRange at, Value carried) -> Value {
    auto corner = [&](int64_t i) {
      Value x = e.toFloatType(e.extract(in.getRois(), {at[0], e.index(i)}), e.getF32Type());
      return e.sub(e.mul(x, real(e, spatialScale)), real(e, halfPixel ? 0.5 : 0));
    };
    // y then x.
    Value start[2] = {corner(1), corner(0)}, end[2] = {corner(3), corner(2)};
    Value bin[2], samples[2], size[2] = {height, width};
    for (int i = 0; i < 2; ++i) {
      Value extent = e.sub(end[i], start[i]);
      if (!halfPixel)
        extent = arith::MaximumFOp::create(e, extent, real(e, 1));
      bin[i] = e.div(extent, toReal(e, e.index(shape[2 + i])));
      samples[i] = sampling > 0 ? e.index(sampling)
                                : e.max(toIndex(e, math::CeilOp::create(e, bin[i])), none);
    }
    Value batch = e.wrapIndex(e.extract(in.getBatchIndices(), at[0]), e.extent(source, 0));
    Value first = isMax ? e.lowest(e.getF32Type(), false) : real(e, 0);
    Value total = e.repeatNest(
        {samples[0], samples[1]}, first, [&](Emitter &e, ValueRange sample, Value sum) -> Value {
          Value inside = e.constantInt(e.getI1Type(), 1), low[2], high[2], part[2];
          for (int i = 0; i < 2; ++i) {
            Value within = e.div(e.add(toReal(e, sample[i]), real(e, 0.5)), toReal(e, samples[i]));
            Value p = e.add(start[i], e.mul(e.add(toReal(e, at[2 + i]), within), bin[i]));
            Value length = toReal(e, size[i]);
            inside = both(e, inside, e.compare(Compare::GreaterEqual, p, real(e, -1)));
            inside = both(e, inside, e.compare(Compare::LessEqual, p, length));
            p = arith::MinimumFOp::create(e,
                                          arith::MaximumFOp::create(e, p, real(e, 0)).getResult(),
                                          e.sub(length, real(e, 1)));
            low[i] = toIndex(e, p);
            high[i] = e.min(e.add(low[i], one), e.sub(size[i], one));
            part[i] = e.sub(p, toReal(e, low[i]));
          }
          Value result;
          for (int corner = 0; corner < 4; ++corner) {
            bool down = corner / 2, right = corner % 2;
            Value wy = down ? part[0] : e.sub(real(e, 1), part[0]);
            Value wx = right ? part[1] : e.sub(real(e, 1), part[1]);
            Value x = e.extract(in.getX(),
                                {batch, at[1], down ? high[0] : low[0], right ? high[1] : low[1]});
            Value term = e.mul(e.mul(wy, wx), e.toFloatType(x, e.getF32Type()));
            term = e.select(inside, term, real(e, 0));
            result = !result ? term : isMax ? e.max(result, term) : e.add(result, term);
          }
          return isMax ? e.max(sum, result) : e.add(sum, result);
        });
    Value count = e.mul(samples[0], samples[1]);
    if (isMax)
      total = e.select(e.compare(Compare::Equal, count, none), real(e, 0), total);
    else
      total = e.div(total, toReal(e, e.max(count, one)));
    return tensor::InsertOp::create(e, e.toFloatType(total, element), carried, at);
  });
}

/// A convolution whose taps are moved by offsets and weighed by a mask; places
/// between elements are interpolated, outside all is 0.
Lowered lowerDeformConv(DeformConvOp op, DeformConvOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op);
  auto source = cast<RankedTensorType>(op.getX().getType());
  if (type.getRank() != 4)
    return Lowered::refuse("other than two spatial dims are not supported");
  auto entry = [](std::optional<ArrayRef<int64_t>> list, size_t i, int64_t otherwise) {
    return list && i < list->size() ? (*list)[i] : otherwise;
  };
  Extents shape = e.extents(type), weights = e.extentsOf(in.getW());
  OpFoldResult channels = e.extent(source, 1);
  Value perGroup = e.index(weights[1]), kh = e.index(weights[2]), kw = e.index(weights[3]);
  Value outPerGroup = e.index(e.floorDivSizes(shape[1], e.attr(op.getGroup())));
  Value perOffset = e.index(e.floorDivSizes(channels, e.attr(op.getOffsetGroup())));
  Value zero = e.index(int64_t{0}), one = e.index(int64_t{1}), two = e.index(int64_t{2});
  Value init = e.empty(shape, element);
  return e.repeatNest(shape, init, [&](Emitter &e, ValueRange at, Value carried) -> Value {
    Value group = arith::DivUIOp::create(e, at[1], outPerGroup);
    Value bias = present(op.getB()) ? e.toFloatType(e.extract(in.getB(), at[1]), e.getF32Type())
                                    : real(e, 0);
    Value total =
        e.repeatNest({perGroup, kh, kw}, bias, [&](Emitter &e, ValueRange tap, Value sum) -> Value {
          Value channel = e.add(e.mul(group, perGroup), tap[0]);
          Value offsetGroup = arith::DivUIOp::create(e, channel, perOffset);
          Value number = e.add(e.mul(e.add(e.mul(offsetGroup, kh), tap[1]), kw), tap[2]);
          Value base[2], part[2], size[2];
          for (int i = 0; i < 2; ++i) {
            Value moved = e.extract(
                in.getOffset(), {at[0], e.add(e.mul(number, two), i ? one : zero), at[2], at[3]});
            Value place = e.mul(at[2 + i], e.index(entry(op.getStrides(), i, 1)));
            place = e.add(place, e.mul(tap[1 + i], e.index(entry(op.getDilations(), i, 1))));
            place = e.sub(place, e.index(entry(op.getPads(), i, 0)));
            Value p = e.add(toReal(e, place), e.toFloatType(moved, e.getF32Type()));
            Value low = math::FloorOp::create(e, p);
            part[i] = e.sub(p, low);
            size[i] = e.index(e.extent(source, 2 + i));
            // Far outside all weights meet zeros: no integer is needed there.
            Value limited = arith::MinNumFOp::create(
                e, arith::MaxNumFOp::create(e, low, real(e, -2)).getResult(),
                e.add(toReal(e, size[i]), real(e, 1)));
            base[i] = toIndex(e, limited);
          }
          Value value = real(e, 0);
          for (int corner = 0; corner < 4; ++corner) {
            Value y = e.add(base[0], e.index(int64_t(corner / 2)));
            Value x = e.add(base[1], e.index(int64_t(corner % 2)));
            Value inside = both(e, e.compare(Compare::Less, y, size[0], /*isUnsigned=*/true),
                                e.compare(Compare::Less, x, size[1], /*isUnsigned=*/true));
            Value read = e.extract(
                in.getX(), {at[0], channel, e.select(inside, y, zero), e.select(inside, x, zero)});
            Value wy = corner / 2 ? part[0] : e.sub(real(e, 1), part[0]);
            Value wx = corner % 2 ? part[1] : e.sub(real(e, 1), part[1]);
            Value term = e.mul(e.mul(wy, wx), e.toFloatType(read, e.getF32Type()));
            value = e.add(value, e.select(inside, term, real(e, 0)));
          }
          Value weight = e.extract(in.getW(), {at[1], tap[0], tap[1], tap[2]});
          value = e.mul(value, e.toFloatType(weight, e.getF32Type()));
          if (present(op.getMask())) {
            Value mask = e.extract(in.getMask(), {at[0], number, at[2], at[3]});
            value = e.mul(value, e.toFloatType(mask, e.getF32Type()));
          }
          return e.add(sum, value);
        });
    return tensor::InsertOp::create(e, e.toFloatType(total, element), carried, at);
  });
}

} // namespace

void dougong::onnx::populateImagePatterns(PatternSet &set) {
  set.add<ReverseSequenceOp>(lowerReverseSequence);
  set.add<MaxUnpoolOp>(lowerMaxUnpool);
  set.add<Col2ImOp>(lowerCol2Im);
  set.add<RoiAlignOp>(lowerRoiAlign);
  set.add<DeformConvOp>(lowerDeformConv);
}
