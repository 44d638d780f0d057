//===- LinearAttention.cpp - linear attention, causal convolution ----------===//
#include "Recurrent.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// The recurrence of LinearAttention over time, state [batch, heads, k, v]:
///   S = exp(decay) S;  u = beta (v - S' k) or v;  S = S + k u';  o = scale q S
template <typename OpT> Lowered lowerLinearAttention(OpT op, typename OpT::Adaptor in, Emitter &e) {
  if (!present(in.getKey()) || !present(in.getValue()))
    return Lowered::refuse("query, key and value in one tensor are not supported");
  auto type = cast<RankedTensorType>(op.getQuery().getType());
  int64_t queryHeads = op.getQNumHeads(), heads = op.getKvNumHeads();
  if (type.getRank() != 3 || heads < 1 || queryHeads < 1 ||
      (queryHeads % heads && heads % queryHeads))
    return Lowered::refuse("expected a query of rank 3 and one of q_num_heads and kv_num_heads a "
                           "multiple of the other, got " +
                           Twine(queryHeads) + " and " + Twine(heads));
  StringRef rule = op.getUpdateRule();
  bool gated = rule == "gated" || rule == "gated_delta";
  bool delta = rule == "delta" || rule == "gated_delta";
  if (!gated && !delta && rule != "linear")
    return Lowered::refuse("update_rule " + rule + " is not supported");
  if (gated != present(in.getDecay()) || delta != present(in.getBeta()))
    return Lowered::refuse("update_rule " + rule + " does not go with the operands given");

  Type f32 = e.getF32Type(), element = resultElement(op);
  OpFoldResult batch = e.extent(type, 0), steps = e.extent(type, 1);
  // With more heads of values than of queries, each query head (and key head, if
  // there are as few) serves several of the states.
  int64_t groupSize = std::max<int64_t>(queryHeads / heads, 1);
  OpFoldResult count = e.attr(heads), group = e.attr(groupSize);
  OpFoldResult keySize = e.floorDivSizes(e.extent(type, 2), e.attr(queryHeads));
  OpFoldResult valueSize = e.floorDivSizes(e.extent(op.getValue().getType(), 2), count);
  Value q, k;
  // Whether the last dim of `operand` has `expected` numbers, if that is known.
  auto isOfWidth = [&](Value operand, OpFoldResult expected) -> std::optional<bool> {
    auto width = getConstantIntValue(e.extent(operand.getType(), 2));
    auto wanted = getConstantIntValue(expected);
    return width && wanted ? std::optional<bool>(*width == *wanted) : std::nullopt;
  };
  // `x` [batch, steps, numbers] in a tensor of `shape`, whose places are found in one of
  // two ways: the first one if there are `width` numbers.
  auto spread = [&](Value original, Value x, ArrayRef<OpFoldResult> shape, OpFoldResult width,
                    llvm::function_ref<Value(Emitter &, bool)> place) {
    return e.pointwise(shape, typeOf(x).getElementType(), {}, [&](Emitter &e, ValueRange) {
      Value isFirst = e.compare(Emitter::Compare::Equal, e.index(e.extent(original.getType(), 2)),
                                e.index(width));
      Value at = e.select(isFirst, place(e, true), place(e, false));
      return e.extract(x, {e.loopIndex(0), e.loopIndex(1), at});
    });
  };
  auto repeated = [&](Value x) { // [batch, steps, queryHeads * size], each head in turn
    OpFoldResult times = e.attr(heads / queryHeads);
    Value parts = e.splitDim(x, 2, {e.attr(queryHeads), keySize});
    Value all = e.pointwise({batch, steps, e.attr(queryHeads), times, keySize},
                            typeOf(x).getElementType(), {{parts, e.mapOf(5, {0, 1, 2, 4})}},
                            [](Emitter &, ValueRange args) { return args[0]; });
    return e.joinDims(all, 2, 3);
  };
  if (queryHeads < heads) {
    q = e.splitDim(repeated(in.getQuery()), 2, {count, group});
    // A key for each head of queries, or of values.
    auto ofQueries = isOfWidth(op.getKey(), e.extent(type, 2));
    if (ofQueries)
      k = *ofQueries ? repeated(in.getKey()) : e.splitDim(in.getKey(), 2, {count, keySize});
    else
      k = spread(op.getKey(), in.getKey(), {batch, steps, count, keySize}, e.extent(type, 2),
                 [&](Emitter &e, bool isOfQueries) {
                   Value head = e.loopIndex(2);
                   if (isOfQueries)
                     head = arith::DivUIOp::create(e, head, e.index(heads / queryHeads));
                   return e.add(e.mul(head, e.index(keySize)), e.loopIndex(3));
                 });
  } else {
    q = e.splitDim(in.getQuery(), 2, {count, group, keySize});
    k = e.splitDim(in.getKey(), 2, {count, keySize});
  }
  Value v = e.splitDim(in.getValue(), 2, {count, valueSize});
  Value decay, beta;
  bool decayOfKeys = false, oneBeta = false;
  if (gated) {
    auto ofHeads = isOfWidth(op.getDecay(), count);
    decayOfKeys = !ofHeads || !*ofHeads;
    if (!ofHeads)
      decay =
          spread(op.getDecay(), in.getDecay(), {batch, steps, count, keySize}, count,
                 [&](Emitter &e, bool isOfHeads) {
                   Value head = e.loopIndex(2);
                   return isOfHeads ? head : e.add(e.mul(head, e.index(keySize)), e.loopIndex(3));
                 });
    else
      decay = decayOfKeys ? e.splitDim(in.getDecay(), 2, {count, keySize}) : in.getDecay();
  }
  if (delta) {
    beta = in.getBeta();
    auto ofAll = isOfWidth(op.getBeta(), e.attr(1));
    oneBeta = ofAll && *ofAll && heads != 1;
    if (!ofAll)
      beta = spread(
          op.getBeta(), beta, {batch, steps, count}, e.attr(1),
          [](Emitter &e, bool isOfAll) { return isOfAll ? e.index(int64_t{0}) : e.loopIndex(2); });
  }
  Extents stateShape{batch, count, keySize, valueSize};
  Value state = present(in.getPastState())
                    ? e.refine(e.convertTensor(in.getPastState(), f32), stateShape)
                    : e.filled(stateShape, e.constant(f32, 0));
  double scale = op.getScale().convertToFloat();
  Value factor;
  if (scale != 0) {
    factor = e.constant(f32, scale);
  } else {
    Value size = arith::IndexCastOp::create(e, e.getI64Type(), e.index(keySize));
    factor = e.div(e.constant(f32, 1), math::SqrtOp::create(e, e.convert(size, f32, false, false)));
  }
  Extents outShape{batch, steps, count, group, valueSize};
  Value outputs = e.empty(outShape, element);
  auto results = e.repeat(steps, {state, outputs}, [&](Emitter &e, Value t, ValueRange carried) {
    Value s = carried[0];
    AffineMap all = e.identity(4); // batch, head, key, value
    Value kt = takePart(e, k, 1, t), vt = takePart(e, v, 1, t), qt = takePart(e, q, 1, t);
    if (gated) {
      Value g = takePart(e, decay, 1, t);
      s = e.generic(4, {{g, decayOfKeys ? e.mapOf(4, {0, 1, 2}) : e.mapOf(4, {0, 1})}},
                    Operand{s, all}, {}, [&](Emitter &e, ValueRange args) {
                      return e.mul(args[1], math::ExpOp::create(e, e.toFloatType(args[0], f32)));
                    });
    }
    Extents rowShape{batch, count, valueSize};
    AffineMap row = e.identity(3);
    if (delta) {
      Value zero = e.filled(rowShape, e.constant(f32, 0));
      Value seen = e.contract(4, {s, e.mapOf(4, {0, 1, 3, 2})}, {kt, e.mapOf(4, {0, 1, 3})},
                              {zero, e.mapOf(4, {0, 1, 2})}, {3});
      Value b = takePart(e, beta, 1, t);
      AffineMap betaMap = oneBeta ? e.map(3, {e.loop(0), e.zero()}) : e.mapOf(3, {0, 1});
      vt = e.pointwise(rowShape, f32, {{vt, row}, {seen, row}, {b, betaMap}},
                       [&](Emitter &e, ValueRange args) {
                         Value error = e.sub(e.toFloatType(args[0], f32), args[1]);
                         return e.mul(e.toFloatType(args[2], f32), error);
                       });
    }
    s = e.generic(4, {{kt, e.mapOf(4, {0, 1, 2})}, {vt, e.mapOf(4, {0, 1, 3})}}, Operand{s, all},
                  {}, [&](Emitter &e, ValueRange args) {
                    Value product = e.mul(e.toFloatType(args[0], f32), e.toFloatType(args[1], f32));
                    return e.add(args[2], product);
                  });
    // Loops batch, head, group, value, key.
    Extents stepShape{batch, count, group, valueSize};
    Value zero = e.filled(stepShape, e.constant(f32, 0));
    Value read = e.contract(5, {qt, e.mapOf(5, {0, 1, 2, 4})}, {s, e.mapOf(5, {0, 1, 4, 3})},
                            {zero, e.mapOf(5, {0, 1, 2, 3})}, {4});
    Value output = e.pointwise(stepShape, element, {{read, all}}, [&](Emitter &e, ValueRange args) {
      return e.toFloatType(e.mul(args[0], factor), element);
    });
    Extents offsets(5, e.attr(0)), strides(5, e.attr(1)), sizes(outShape);
    offsets[1] = t;
    sizes[1] = e.attr(1);
    Value whole = tensor::InsertSliceOp::create(e, output, carried[1], offsets, sizes, strides);
    return SmallVector<Value>{e.castTo(s, carried[0].getType()), whole};
  });
  Value last = e.convertTensor(results[0], resultElement(op, 1));
  return {e.joinDims(results[1], 2, 4), last};
}

/// A depthwise convolution of [state, input]; the state is its last k - 1 places.
template <typename OpT> Lowered lowerCausalConv(OpT op, typename OpT::Adaptor in, Emitter &e) {
  auto type = cast<RankedTensorType>(op.getInput().getType());
  if (type.getRank() != 3 || typeOf(in.getWeight()).getRank() != 3)
    return Lowered::refuse("expected an input and a weight of rank 3");
  StringRef activation = op.getActivation();
  if (activation != "none" && activation != "silu" && activation != "swish")
    return Lowered::refuse("activation " + activation + " is not supported");
  Type element = resultElement(op), f32 = e.getF32Type();
  Extents shape = e.extents(type), padded = shape;
  OpFoldResult state = e.subSizes(e.extent(op.getWeight().getType(), 2), e.attr(1));
  Extents stateShape{shape[0], shape[1], state};
  padded[2] = e.addSizes(shape[2], state);
  Value all = in.getInput();
  if (!isConstantIntValue(state, 0)) {
    Value past = present(in.getPastState())
                     ? e.refine(in.getPastState(), stateShape)
                     : e.filled(stateShape, e.constant(typeOf(all).getElementType(), 0));
    all = e.concat({past, all}, 2, padded);
  }
  // Loops batch, channel, place, window.
  AffineMap xMap = e.map(4, {e.loop(0), e.loop(1), e.loop(2) + e.loop(3)});
  AffineMap wMap = e.map(4, {e.loop(1), e.zero(), e.loop(3)});
  Value sums = e.contract(4, {all, xMap}, {in.getWeight(), wMap},
                          {e.filled(shape, e.constant(f32, 0)), e.mapOf(4, {0, 1, 2})}, {3});
  SmallVector<Operand> inputs{{sums, e.identity(3)}};
  if (present(in.getBias()))
    inputs.push_back({in.getBias(), e.mapOf(3, {1})});
  Value output = e.pointwise(shape, element, inputs, [&](Emitter &e, ValueRange args) {
    Value y = args[0];
    if (args.size() > 1)
      y = e.add(y, e.toFloatType(args[1], f32));
    if (activation != "none")
      y = e.mul(y, e.sigmoid(y));
    return e.toFloatType(y, element);
  });
  if (isConstantIntValue(state, 0))
    return {output, e.empty(stateShape, resultElement(op, 1))};
  return {output, e.slice(all, 2, shape[2], state)};
}

} // namespace

void dougong::onnx::populateLinearAttentionPatterns(PatternSet &set) {
  set.add<LinearAttentionOp>(lowerLinearAttention<LinearAttentionOp>);
  set.add<MsLinearAttentionOp>(lowerLinearAttention<MsLinearAttentionOp>);
  set.add<CausalConvWithStateOp>(lowerCausalConv<CausalConvWithStateOp>);
  set.add<MsCausalConvWithStateOp>(
      [](MsCausalConvWithStateOp op, MsCausalConvWithStateOp::Adaptor in, Emitter &e) {
        if (op.getNdim() != 1)
          return Lowered::refuse("ndim " + Twine(op.getNdim()) + " is not supported");
        if (op.getDilation() != 1 || op.getChannelsLast() || op.getStateWindow())
          return Lowered::refuse("dilation, channels_last and state_window are supported with a "
                                 "weight of static shape [channels, 1, 2 or more] alone");
        return lowerCausalConv(op, in, e);
      });
}
