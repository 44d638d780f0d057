//===- Conv.cpp - convolutions --------------------------------------------===//
#include "Conv.h"
#include "Quantize.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Loops are n, [g], oc, out..., [ic], window..., or with channels last n, out...,
/// [g], oc, window..., [ic]; g where there are several groups of several
/// channels, ic where a group has more than one.
Value convolveGroups(Emitter &e, Window &window, const Convolution &c, RankedTensorType output,
                     Value input) {
  unsigned spatial = window.rank();
  RankedTensorType weight = typeOf(c.w);
  bool depthwise = c.group > 1 && weight.getDimSize(1) == 1 && weight.getDimSize(0) == c.group;
  bool grouped = c.group > 1 && !depthwise, last = window.channelsLast;
  OpFoldResult group = e.attr(c.group);
  Value w = c.w;
  Extents shape = e.extents(output);
  unsigned channelDim = window.channelDim();
  if (grouped) {
    OpFoldResult outChannels = e.floorDivSizes(shape[channelDim], group);
    OpFoldResult inChannels = e.extentsOf(w)[1];
    w = e.splitDim(w, 0, {group, outChannels});
    input = e.splitDim(input, channelDim, {group, inChannels});
    shape[channelDim] = outChannels;
    shape.insert(shape.begin() + channelDim, group);
  }
  unsigned channels = channelDim + grouped; // loop of the output channel
  unsigned firstOut = last ? 1 : channels + 1;
  unsigned parallel = 2 + grouped + spatial;
  unsigned ic = last ? parallel + spatial : parallel;
  unsigned firstWindow = last ? parallel : parallel + !depthwise;
  unsigned loops = parallel + spatial + !depthwise;

  SmallVector<AffineExpr> xMap{e.loop(0)}, wMap, yMap, xChannels;
  for (unsigned i = 0; i < parallel; ++i)
    yMap.push_back(e.loop(i));
  if (grouped) {
    xChannels.push_back(e.loop(channelDim));
    wMap.push_back(e.loop(channelDim));
  }
  xChannels.push_back(e.loop(depthwise ? channels : ic));
  wMap.push_back(e.loop(channels));
  wMap.push_back(depthwise ? e.zero() : e.loop(ic));
  SmallVector<unsigned> reductions;
  if (!depthwise)
    reductions.push_back(ic);
  if (!last)
    xMap.append(xChannels);
  for (unsigned dim = 0; dim < spatial; ++dim) {
    xMap.push_back(window.access(dim, firstOut + dim, firstWindow + dim));
    wMap.push_back(e.loop(firstWindow + dim));
    reductions.push_back(firstWindow + dim);
  }
  if (last)
    xMap.append(xChannels);
  SmallVector<Operand> inputs{{input, e.map(loops, xMap)}, {w, e.map(loops, wMap)}};
  bool wZero = present(c.wZero);
  if (wZero) {
    Operand place = placeParameter(e, c.wZero, e.extents(output), window.channelDim());
    bool perChannel = typeOf(c.wZero).getRank() == 1 && typeOf(c.wZero).getDimSize(0) != 1;
    Value zero = place.tensor;
    SmallVector<AffineExpr> zeroMap;
    if (perChannel && grouped) {
      zero = e.splitDim(zero, 0, {group, shape[channels]});
      zeroMap = {e.loop(channelDim), e.loop(channels)};
    } else if (typeOf(zero).getRank() == 1) {
      zeroMap = {perChannel ? e.loop(channels) : e.zero()};
    }
    inputs.push_back({zero, e.map(loops, zeroMap)});
  }
  Value init = e.filled(shape, e.constant(c.accumulator, 0));
  Value result = e.generic(loops, inputs, {init, e.map(loops, yMap)}, reductions,
                           [&](Emitter &e, ValueRange args) {
                             Value x = e.convert(args[0], c.accumulator, c.xUnsigned, false);
                             Value y = e.convert(args[1], c.accumulator, c.wUnsigned, false);
                             if (wZero)
                               y = e.sub(y, e.convert(args[2], c.accumulator, c.wUnsigned, false));
                             return e.add(args.back(), e.mul(x, y));
                           });
  return grouped ? e.joinDims(result, channelDim, channels) : result;
}

} // namespace

Value dougong::onnx::convolve(Emitter &e, Window &window, const Convolution &c,
                              RankedTensorType output) {
  Value zero = e.constant(typeOf(c.x).getElementType(), 0);
  return convolveGroups(e, window, c, output, window.pad(c.x, zero));
}

namespace {

/// `sums` plus one number per channel, as elements of type `element`.
Value addBias(Emitter &e, Value sums, Value bias, unsigned channelDim, RankedTensorType output,
              Type element) {
  if (!present(bias))
    return e.convertTensor(sums, element);
  unsigned rank = output.getRank();
  return e.pointwise(e.extents(output), element,
                     {{sums, e.identity(rank)}, {bias, e.mapOf(rank, {channelDim})}},
                     [&](Emitter &e, ValueRange args) {
                       return e.toFloatType(e.add(args[0], e.widen(args[1])), element);
                     });
}

Lowered lowerConv(ConvOp op, ConvOp::Adaptor in, Emitter &e) {
  RankedTensorType output = resultType(op);
  Window window(e, cast<RankedTensorType>(op.getX().getType()), output, getConvAttributes(op, e));
  Type element = resultElement(op);
  Convolution convolution{in.getX(), in.getW()};
  convolution.accumulator = getComputeType(element);
  convolution.group = op.getGroup();
  Value sums = convolve(e, window, convolution, output);
  return addBias(e, sums, in.getB(), window.channelDim(), output, element);
}

/// `x` in a tensor of zeros of extents `shape`, where element i lies at place
/// offset + i * stride of each dim. What lies outside is dropped.
Value spreadOut(Emitter &e, Value x, ArrayRef<OpFoldResult> shape, ArrayRef<OpFoldResult> offsets,
                ArrayRef<OpFoldResult> strides) {
  Value zero = e.constant(typeOf(x).getElementType(), 0);
  Extents sizes = e.extentsOf(x);
  if (llvm::all_of(offsets,
                   [](OpFoldResult o) { return getConstantIntValue(o).value_or(-1) >= 0; }))
    return tensor::InsertSliceOp::create(e, x, e.filled(shape, zero), offsets, sizes, strides);
  // An offset may be negative: pads that are larger than the window.
  return e.pointwise(shape, typeOf(x).getElementType(), {}, [&](Emitter &e, ValueRange) {
    Value none = e.index(int64_t{0}), inside;
    SmallVector<Value> at;
    for (auto [dim, offset] : llvm::enumerate(offsets)) {
      Value place = e.loopIndex(dim), stride = e.index(strides[dim]);
      if (isConstantIntValue(offset, 0) && isConstantIntValue(strides[dim], 1)) {
        at.push_back(place);
        continue;
      }
      Value distance = e.sub(place, e.index(offset));
      Value number = arith::DivSIOp::create(e, distance, stride);
      Value whole = e.compare(Emitter::Compare::Equal, e.mul(number, stride), distance);
      Value begun = e.compare(Emitter::Compare::GreaterEqual, distance, none);
      Value open = e.compare(Emitter::Compare::Less, number, e.index(sizes[dim]));
      Value within =
          arith::AndIOp::create(e, whole, arith::AndIOp::create(e, begun, open).getResult());
      at.push_back(e.select(within, number, none));
      inside = inside ? arith::AndIOp::create(e, inside, within).getResult() : within;
    }
    Value element = e.extract(x, at);
    return inside ? e.select(inside, element, zero) : element;
  });
}

/// The input spread out by the strides in a tensor of zeros, then convolved
/// with the mirrored weights.
Lowered lowerConvTranspose(ConvTransposeOp op, ConvTransposeOp::Adaptor in, Emitter &e) {
  RankedTensorType output = resultType(op), weight = typeOf(in.getW());
  auto input = cast<RankedTensorType>(op.getX().getType());
  unsigned spatial = output.getRank() - 2;
  int64_t group = op.getGroup();
  WindowAttributes attributes = getConvAttributes(op, e);
  Extents kernel = attributes.kernel;
  SmallVector<int64_t> strides(spatial, 1), dilations(spatial, 1);
  if (auto given = op.getStrides())
    strides.assign(given->begin(), given->end());
  if (auto given = op.getDilations())
    dilations.assign(given->begin(), given->end());

  Type element = resultElement(op), compute = getComputeType(element);
  Extents spread = e.extents(input), offsets(2, e.attr(0)), steps(2, e.attr(1));
  for (unsigned dim = 0; dim < spatial; ++dim) {
    // Output o takes input i at window place k where o + low = i stride + k dilation.
    OpFoldResult size = e.extent(input, dim + 2), out = e.extent(output, dim + 2);
    OpFoldResult reach = e.mulSizes(e.subSizes(kernel[dim], e.attr(1)), e.attr(dilations[dim]));
    OpFoldResult last = e.mulSizes(e.subSizes(size, e.attr(1)), e.attr(strides[dim]));
    OpFoldResult full = e.addSizes(last, e.addSizes(reach, e.attr(1)));
    OpFoldResult low = e.attr(0);
    if (op.getAutoPad().starts_with("SAME")) {
      OpFoldResult total = e.maxSizes(e.subSizes(full, out), e.attr(0));
      OpFoldResult half = e.floorDivSizes(total, e.attr(2));
      low = op.getAutoPad() == "SAME_UPPER" ? half : e.subSizes(total, half);
    } else if (op.getOutputShape()) {
      int64_t extra = op.getOutputPadding() ? (*op.getOutputPadding())[dim] : 0;
      OpFoldResult total = e.maxSizes(e.subSizes(e.addSizes(full, e.attr(extra)), out), e.attr(0));
      // Without SAME_UPPER the larger half of the pads comes first.
      low = e.subSizes(total, e.floorDivSizes(total, e.attr(2)));
    } else if (auto pads = op.getPads()) {
      low = e.attr((*pads)[dim]);
    }
    OpFoldResult offset = e.subSizes(reach, low);
    offsets.push_back(offset);
    steps.push_back(e.attr(strides[dim]));
    OpFoldResult span = e.addSizes(last, e.addSizes(offset, e.attr(1)));
    spread[dim + 2] = e.maxSizes(span, e.addSizes(out, reach));
  }
  Value x = spreadOut(e, in.getX(), spread, offsets, steps);

  // Weights [ic, oc / group, window...] -> [oc, ic / group, mirrored window...].
  Extents wShape = e.extentsOf(in.getW());
  OpFoldResult inChannels = e.floorDivSizes(wShape[0], e.attr(group));
  Extents mirroredShape{e.mulSizes(wShape[1], e.attr(group)), inChannels};
  mirroredShape.append(wShape.begin() + 2, wShape.end());
  Value mirrored =
      e.pointwise(mirroredShape, weight.getElementType(), {}, [&](Emitter &e, ValueRange) {
        Value perGroup = e.index(wShape[1]), oc = e.loopIndex(0);
        Value g = arith::DivUIOp::create(e, oc, perGroup);
        SmallVector<Value> at{e.add(e.mul(g, e.index(inChannels)), e.loopIndex(1)),
                              arith::RemUIOp::create(e, oc, perGroup)};
        for (unsigned dim = 0; dim < spatial; ++dim)
          at.push_back(e.sub(e.index(e.subSizes(kernel[dim], e.attr(1))), e.loopIndex(dim + 2)));
        return e.extract(in.getW(), at);
      });

  attributes.strides = attributes.pads = std::nullopt; // in `x` by now
  attributes.autoPad = "VALID";
  Window window(e, spread, e.extents(output), attributes);
  Convolution convolution{x, mirrored};
  convolution.accumulator = compute;
  convolution.group = group;
  return addBias(e, convolve(e, window, convolution, output), in.getB(), window.channelDim(),
                 output, element);
}

} // namespace

void dougong::onnx::populateConvPatterns(PatternSet &set) {
  set.add<ConvOp>(lowerConv);
  set.add<ConvTransposeOp>(lowerConvTranspose);
}
