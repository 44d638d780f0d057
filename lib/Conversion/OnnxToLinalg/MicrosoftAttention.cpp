//===- MicrosoftAttention.cpp - attention of com.microsoft -----------------===//
#include "Attention.h"
#include "NarrowFloat.h"
#include "Quantize.h"
#include "Recurrent.h"
#include "Rotary.h"

using namespace mlir;
using namespace dougong::onnx;

using Compare = Emitter::Compare;

namespace {

/// `bias` ([batch or 1, heads or 1, queries, keys]) over the loops of attention.
/// `sameBatch`: its first dim is known to be the batch if it is not 1.
Operand placeBias(Emitter &e, const AttentionProblem &p, Value bias, bool sameBatch) {
  AttentionLoops at = p.loops();
  RankedTensorType type = typeOf(bias);
  if (type.isDynamicDim(0) && !sameBatch) {
    // May be 1 at run time.
    Extents shape = e.extentsOf(bias);
    shape[0] = p.batch;
    Value source = bias;
    Value last = e.sub(e.index(e.extentsOf(source)[0]), e.index(int64_t{1}));
    bias = e.pointwise(shape, type.getElementType(), {}, [&](Emitter &e, ValueRange) {
      Value where[] = {e.min(e.loopIndex(0), last), e.loopIndex(1), e.loopIndex(2), e.loopIndex(3)};
      return e.extract(source, where);
    });
  }
  SmallVector<AffineExpr> exprs{type.getDimSize(0) == 1 ? e.zero() : e.loop(at.batch)};
  if (type.getDimSize(1) == 1) {
    exprs.push_back(e.zero());
  } else {
    exprs.push_back(e.loop(at.head));
    if (at.grouped) {
      bias = e.splitDim(bias, 1, {e.attr(p.keyHeads), e.attr(p.queryHeads / p.keyHeads)});
      exprs.push_back(e.loop(at.group));
    }
  }
  exprs.push_back(type.getDimSize(2) == 1 ? e.zero() : e.loop(at.query()));
  exprs.push_back(e.loop(at.key()));
  return {bias, e.map(at.count(), exprs)};
}

/// Whether dim 0 of both types is one extent.
bool haveSameBatch(Value a, Value b) {
  auto name = [](Value value) -> Attribute {
    auto type = cast<RankedTensorType>(value.getType());
    if (!type.isDynamicDim(0))
      return IntegerAttr::get(IndexType::get(type.getContext()), type.getDimSize(0));
    auto dims = dyn_cast_if_present<DimsAttr>(type.getEncoding());
    return dims ? Attribute(dims.getExprs()[0]) : Attribute();
  };
  return name(a) && name(a) == name(b);
}

/// x / sqrt(mean(x^2) + epsilon) * weight along the last dim of [b, s, h, d].
Value normalizeHeads(Emitter &e, Value x, ArrayRef<OpFoldResult> shape, Value weight,
                     double epsilon) {
  Type element = typeOf(x).getElementType(), f32 = e.getF32Type();
  AffineMap all = e.identity(4), kept = e.mapOf(4, {0, 1, 2});
  Value squares = e.reduce(x, shape, {3}, e.constant(f32, 0), [&](Emitter &e, ValueRange args) {
    Value value = e.toFloatType(args[0], f32);
    return e.addReassoc(args[1], e.mul(value, value));
  });
  Value size = e.convert(arith::IndexCastOp::create(e, e.getI64Type(), e.index(shape[3])), f32,
                         false, false);
  return e.pointwise(shape, element, {{x, all}, {squares, kept}, {weight, e.mapOf(4, {3})}},
                     [&](Emitter &e, ValueRange args) {
                       Value mean = e.add(e.div(args[1], size), e.constant(f32, epsilon));
                       Value root = math::SqrtOp::create(e, mean);
                       Value y = e.div(e.toFloatType(args[0], f32), root);
                       return e.toFloatType(e.mul(y, e.toFloatType(args[2], f32)), element);
                     });
}

/// `x` [batch, length, heads, size] with its heads first; `shape` is the result's.
/// The extents are given: those of a reshaped tensor are hard to trace back.
Value putHeadsFirst(Emitter &e, Value x, ArrayRef<OpFoldResult> shape) {
  return e.pointwise(shape, typeOf(x).getElementType(), {{x, e.mapOf(4, {0, 2, 1, 3})}},
                     [](Emitter &, ValueRange args) { return args[0]; });
}

/// How a key-value cache [batch, heads, places, size] is stored: as it is, or quantised with one
/// scale or with one for each channel.
struct CacheForm {
  Value scale;           ///< broadcast to the cache; null if it is stored as it is
  Type element;          ///< of the cache in the onnx dialect
  bool isPacked = false; ///< two numbers of 4 bits in a byte, plus 8, the even one low
  OpFoldResult stored;   ///< extent of the last dim

  /// `x` ([..., size]) as it is stored.
  Value encode(Emitter &e, Value x, ArrayRef<OpFoldResult> shape) const {
    if (!scale)
      return x;
    Type f32 = e.getF32Type(), i8 = e.getI8Type();
    Value numbers =
        e.pointwise(shape, i8, {{x, e.identity(4)}, placeParameter(e, scale, shape, std::nullopt)},
                    [&](Emitter &e, ValueRange args) {
                      Value ratio = e.div(e.toFloatType(args[0], f32), e.toFloatType(args[1], f32));
                      if (isNarrowFloat(element))
                        return encodeNarrow(e, ratio, element);
                      if (isPacked)
                        ratio = e.max(e.min(ratio, e.constant(f32, 7)), e.constant(f32, -8));
                      return e.quantize(ratio, Value(), i8, /*toUnsigned=*/false);
                    });
    if (!isPacked)
      return numbers;
    Extents bytes(shape);
    bytes[3] = stored;
    return e.pointwise(bytes, i8, {}, [&](Emitter &e, ValueRange) {
      auto half = [&](int64_t place) {
        Value column = e.add(e.mul(e.loopIndex(3), e.index(int64_t{2})), e.index(place));
        Value at[] = {e.loopIndex(0), e.loopIndex(1), e.loopIndex(2), column};
        return e.add(e.extract(numbers, at), e.constantInt(e.getI8Type(), 8));
      };
      Value high = arith::ShLIOp::create(e, half(1), e.constantInt(i8, 4));
      return arith::OrIOp::create(e, high, half(0)).getResult();
    });
  }

  /// The cache `x` ([..., stored]) as floats of type `to`.
  Value decode(Emitter &e, Value x, ArrayRef<OpFoldResult> shape, Type to) const {
    if (!scale)
      return x;
    Type f32 = e.getF32Type(), i32 = e.getI32Type();
    return e.pointwise(
        shape, to, {placeParameter(e, scale, shape, std::nullopt)},
        [&](Emitter &e, ValueRange args) {
          Value column = e.loopIndex(3), two = e.index(int64_t{2});
          Value place = isPacked ? arith::DivUIOp::create(e, column, two).getResult() : column;
          Value at[] = {e.loopIndex(0), e.loopIndex(1), e.loopIndex(2), place};
          Value number = e.extract(x, at), real;
          if (isNarrowFloat(element)) {
            real = decodeNarrow(e, number, element);
          } else {
            number = e.convert(number, i32, /*fromUnsigned=*/isPacked, false);
            if (isPacked) {
              Value odd =
                  arith::IndexCastOp::create(e, i32, arith::RemUIOp::create(e, column, two));
              number = arith::ShRUIOp::create(e, number, e.mul(odd, e.constantInt(i32, 4)));
              number = arith::AndIOp::create(e, number, e.constantInt(i32, 15));
              number = e.sub(number, e.constantInt(i32, 8));
            }
            real = e.convert(number, f32, false, false);
          }
          return e.toFloatType(e.mul(real, e.toFloatType(args[0], f32)), to);
        });
  }
};

/// The form of a cache by its type and the attributes about it. Returns a refusal or "".
std::string readCacheForm(Emitter &e, StringRef kind, int64_t bits, Value cache, Value scale,
                          int64_t heads, OpFoldResult size, CacheForm &form) {
  form.element = getElementTypeOrSelf(cache.getType());
  bool isInteger = form.element.isInteger(8);
  if (kind == "NONE")
    return isInteger || isNarrowFloat(form.element) ? "a quantised cache of quant_type NONE" : "";
  form.isPacked = form.element.isUnsignedInteger(8);
  if ((kind != "PER_TENSOR" && kind != "PER_CHANNEL") || !present(scale) ||
      !(isInteger || isNarrowFloat(form.element)) || (bits != 0 && bits != (form.isPacked ? 4 : 8)))
    return ("a cache of " + Twine(bits) + " bits of quant_type " + kind +
            " and this type is not supported: expected int8 or float8e4m3fn of 8 bits, or uint8 "
            "of 4, with scales")
        .str();
  // A number for each channel comes as a vector, too.
  bool isVector = kind == "PER_CHANNEL" && typeOf(scale).getRank() == 1;
  form.scale = isVector ? e.splitDim(scale, 0, {e.attr(1), e.attr(heads), e.attr(1), size}) : scale;
  return "";
}

/// The cache after a step, [batch, heads, total, size]: the valid part of `past`
/// (of `lengths[b]` places), then `added(b)` places of `fresh` [batch, heads, new, size], then
/// zeros.
Value extendCache(Emitter &e, Value past, Value fresh, Value lengths,
                  function_ref<Value(Emitter &e, Value batch)> added,
                  ArrayRef<OpFoldResult> shape) {
  Type element = typeOf(fresh).getElementType();
  Value cache = e.empty(shape, element), none = e.index(int64_t{0});
  Value total = e.index(shape[2]);
  Extents strides(4, e.attr(1)), sizes{e.attr(1), shape[1], e.attr(1), shape[3]};
  auto place = [&](Value batch, Value at) {
    return Extents{OpFoldResult(batch), e.attr(0), OpFoldResult(at), e.attr(0)};
  };
  // Place by place: no slice's extent depends on data.
  return e
      .repeat(shape[0], cache,
              [&](Emitter &e, Value batch, ValueRange carried) {
                Value length = e.toIndex(e.extract(lengths, batch)), count = added(e, batch);
                auto copy = [&](Value source, Value to, OpFoldResult times, Value from) {
                  return e
                      .repeat(times, to,
                              [&](Emitter &e, Value i, ValueRange carried) -> SmallVector<Value> {
                                Value part = tensor::ExtractSliceOp::create(
                                    e, source, place(batch, i), sizes, strides);
                                Value at = e.add(from, i);
                                return {tensor::InsertSliceOp::create(
                                    e, part, carried[0], place(batch, at), sizes, strides)};
                              })
                      .front();
                };
                Value result = copy(past, carried[0], length, none);
                result = copy(fresh, result, count, length);
                Value used = e.add(length, count);
                Value zeros = e.filled(sizes, isa<FloatType>(element) ? e.constant(element, 0)
                                                                      : e.constantInt(element, 0));
                return e.repeat(
                    OpFoldResult(e.sub(total, used)), result,
                    [&](Emitter &e, Value i, ValueRange carried) -> SmallVector<Value> {
                      return {tensor::InsertSliceOp::create(
                          e, zeros, carried[0], place(batch, e.add(used, i)), sizes, strides)};
                    });
              })
      .front();
}

/// `scores` plus the problem's mask; 0 where a key takes no part.
Value maskScores(Emitter &e, const AttentionProblem &p, Value scores) {
  AttentionLoops at = p.loops();
  Type compute = typeOf(scores).getElementType();
  SmallVector<Operand> inputs{{scores, e.identity(at.count())}};
  if (p.mask)
    inputs.push_back(*p.mask);
  return e.pointwise(e.extentsOf(scores), compute, inputs, [&](Emitter &e, ValueRange args) {
    Value sum = p.mask ? e.add(args[0], e.toFloatType(args[1], compute)) : args[0];
    Value keep =
        p.takesPart(e, e.loopIndex(at.batch), e.loopIndex(at.query()), e.loopIndex(at.key()));
    return e.select(keep, sum, e.constant(compute, 0));
  });
}

Lowered lowerGroupQueryAttention(MsGroupQueryAttentionOp op, MsGroupQueryAttentionOp::Adaptor in,
                                 Emitter &e) {
  if (op.getSlidingWindowCache())
    return Lowered::refuse("a cache that holds the window alone (sliding_window_cache) is not "
                           "supported: expected one of the whole sequence");
  if (op.getCausal() != 1 && static_cast<int64_t>(op.getLocalWindowSize()) > 0)
    return Lowered::refuse("a local window without causal is not supported");
  auto queryType = cast<RankedTensorType>(op.getQuery().getType());
  AttentionProblem p;
  p.element = resultElement(op);
  p.queryHeads = op.getNumHeads();
  p.keyHeads = op.getKvNumHeads();
  if (queryType.getRank() != 3 || p.keyHeads < 1 || p.queryHeads % p.keyHeads)
    return Lowered::refuse("expected a query of rank 3 and num_heads a multiple of kv_num_heads, "
                           "got " +
                           Twine(p.queryHeads) + " and " + Twine(p.keyHeads));
  p.batch = e.extent(queryType, 0);
  p.queries = e.extent(queryType, 1);
  OpFoldResult size = e.floorDivSizes(e.extent(resultType(op), 2), e.attr(p.queryHeads));
  p.headSize = p.valueSize = size;
  Value q = in.getQuery(), k = in.getKey(), v = in.getValue();
  if (!present(k)) {
    OpFoldResult width = e.mulSizes(size, e.attr(p.keyHeads));
    OpFoldResult hidden = e.mulSizes(size, e.attr(p.queryHeads));
    Value packed = q;
    q = e.slice(packed, 2, e.attr(0), hidden);
    k = e.slice(packed, 2, hidden, width);
    v = e.slice(packed, 2, e.addSizes(hidden, width), width);
  }
  q = e.splitDim(q, 2, {e.attr(p.queryHeads), size});
  k = e.splitDim(k, 2, {e.attr(p.keyHeads), size});
  v = e.splitDim(v, 2, {e.attr(p.keyHeads), size});
  Extents qShape{p.batch, p.queries, e.attr(p.queryHeads), size};
  Extents kShape{p.batch, p.queries, e.attr(p.keyHeads), size};
  auto epsilon = [&](std::optional<APFloat> own) {
    return own.value_or(op.getQkNormEpsilon()).convertToFloat();
  };
  if (present(in.getQNormWeight()))
    q = normalizeHeads(e, q, qShape, in.getQNormWeight(), epsilon(op.getQNormEpsilon()));
  if (present(in.getKNormWeight()))
    k = normalizeHeads(e, k, kShape, in.getKNormWeight(), epsilon(op.getKNormEpsilon()));

  // Places of the cache in use before this step: none for a prompt, which is
  // told by as many new places as there are in all.
  bool known = present(op.getPresentKey());
  bool hasPast = present(in.getPastKey()) && typeOf(in.getPastKey()).getDimSize(2) != 0;
  if (hasPast && !known)
    return Lowered::refuse("a past without a present is not supported");
  CacheForm keyForm, valueForm;
  if (known) {
    int64_t bits = op.getKvCacheBitWidth();
    std::string refusal = readCacheForm(e, op.getKQuantType(), bits, op.getPresentKey(),
                                        in.getKScale(), p.keyHeads, size, keyForm);
    if (refusal.empty())
      refusal = readCacheForm(e, op.getVQuantType(), bits, op.getPresentValue(), in.getVScale(),
                              p.keyHeads, size, valueForm);
    if (!refusal.empty())
      return Lowered::refuse(refusal);
    keyForm.stored = e.extent(op.getPresentKey().getType(), 3);
    valueForm.stored = e.extent(op.getPresentValue().getType(), 3);
  }
  // Of a padded chunk only the first queries, of their number in each row, are valid.
  Value valid = in.getQuerySeqlens();
  if (present(valid) && !hasPast)
    return Lowered::refuse("query_seqlens without a past is not supported");
  p.keys = known ? e.extent(op.getPresentKey().getType(), 2) : p.queries;
  Value queries = e.index(p.queries), none = e.index(int64_t{0});
  auto countNew = [&](Emitter &e, Value batch) {
    if (!present(valid))
      return queries;
    return e.max(e.min(e.toIndex(e.extract(valid, batch)), queries), none);
  };
  Value before; // i64 [batch]
  if (hasPast) {
    Value total = in.getTotalSequenceLength();
    SmallVector<Value> first(typeOf(total).getRank(), none);
    Value isPrompt = e.compare(Compare::Equal, e.toIndex(e.extract(total, first)), queries);
    Value room =
        e.min(e.index(e.extent(op.getPastKey().getType(), 2)), e.sub(e.index(p.keys), queries));
    Value lengths = in.getSeqlensK();
    if (typeOf(lengths).getRank() == 2)
      lengths = e.joinDims(lengths, 0, 1);
    before = e.pointwise({p.batch}, e.getI64Type(), {{lengths, e.identity(1)}},
                         [&](Emitter &e, ValueRange args) {
                           Value last = e.add(e.toIndex(args[0]), e.index(int64_t{1}));
                           Value count = countNew(e, e.loopIndex(0));
                           Value used = e.max(e.min(e.sub(last, count), room), none);
                           if (!present(valid))
                             used = e.select(isPrompt, none, used);
                           return arith::IndexCastOp::create(e, e.getI64Type(), used).getResult();
                         });
  } else {
    before = e.filled({p.batch}, e.constantInt(e.getI64Type(), 0));
  }

  if (op.getDoRotary()) {
    Extents grid{p.batch, p.queries};
    Value positions = in.getPositionIds();
    if (!present(positions))
      positions = e.pointwise(
          grid, e.getI64Type(), {{before, e.mapOf(2, {0})}}, [](Emitter &e, ValueRange args) {
            Value here = arith::IndexCastOp::create(e, e.getI64Type(), e.loopIndex(1));
            return e.add(args[0], here);
          });
    Extents angles{p.batch, p.queries, e.extentsOf(in.getCosCache())[1]};
    Value cosines = gatherPositions(e, in.getCosCache(), positions, angles);
    Value sines = gatherPositions(e, in.getSinCache(), positions, angles);
    bool interleaved = op.getRotaryInterleaved() != 0;
    q = rotate(e, q, qShape, 1, cosines, sines, interleaved);
    k = rotate(e, k, kShape, 1, cosines, sines, interleaved);
  }
  Extents freshShape{p.batch, e.attr(p.keyHeads), p.queries, size};
  Value freshKey = putHeadsFirst(e, k, freshShape), freshValue = putHeadsFirst(e, v, freshShape);
  Extents cacheShape{p.batch, e.attr(p.keyHeads), p.keys, size};
  p.q = q;
  p.queryHeadsFirst = false;
  // What is new is stored, and read as it is stored.
  auto store = [&](const CacheForm &form, Value past, Value fresh) {
    Value stored = form.encode(e, fresh, freshShape);
    if (!hasPast)
      return stored;
    Extents shape(cacheShape);
    if (form.scale)
      shape[3] = form.stored;
    return extendCache(e, past, stored, before, countNew, shape);
  };
  Value presentKey = store(keyForm, in.getPastKey(), freshKey);
  Value presentValue = store(valueForm, in.getPastValue(), freshValue);
  p.k = keyForm.decode(e, presentKey, cacheShape, p.element);
  p.v = valueForm.decode(e, presentValue, cacheShape, p.element);
  if (auto scale = op.getScale(); scale && scale->convertToFloat() != 0)
    p.scale = scale->convertToFloat();
  p.softcap = op.getSoftcap().has_value() ? op.getSoftcap()->convertToFloat() : 0;
  if (present(in.getHeadSink()))
    p.sink = in.getHeadSink();
  else if (op.getSmoothSoftmax() == 1)
    p.sink = e.filled({e.attr(p.queryHeads)}, e.constant(p.element, 0));
  if (present(in.getAttentionBias()))
    p.mask =
        placeBias(e, p, in.getAttentionBias(), haveSameBatch(op.getAttentionBias(), op.getQuery()));
  int64_t window = op.getLocalWindowSize();
  p.takesPart = [&](Emitter &e, Value batch, Value query, Value key) -> Value {
    Value start = e.toIndex(e.extract(before, batch));
    if (op.getCausal() != 1)
      return e.compare(Compare::Less, key, e.add(start, countNew(e, batch)));
    Value position = e.add(start, query);
    Value keep = e.compare(Compare::LessEqual, key, position);
    if (window <= 0)
      return keep;
    Value near = e.compare(Compare::Greater, e.add(key, e.index(window)), position);
    return arith::AndIOp::create(e, keep, near);
  };
  AttentionResult result = computeAttention(e, p);
  Value scores;
  if (present(op->getResult(3))) {
    if (op.getQkOutput() != 1 && op.getQkOutput() != 2)
      return Lowered::refuse("output_qk with qk_output " + Twine(op.getQkOutput()) +
                             " is not supported");
    scores = op.getQkOutput() == 1 ? maskScores(e, p, result.capped) : shareRows(e, p, result);
    scores = finishScores(e, p, scores);
  }
  return {e.joinDims(result.output, 2, 3), presentKey, presentValue, scores};
}

/// Whether each key may be seen, as a float to add: 0 or `filter`. Masks are
/// lengths [batch], ends and starts [2 batch], or numbers that are 0 at padding [batch, keys] or
/// [batch, queries, keys]. With `bias`, their sum in four dims. Nothing and a refusal for other
/// forms.
struct PaddingMask {
  std::optional<Operand> operand;
  std::string refusal;
};

PaddingMask placePadding(Emitter &e, const AttentionProblem &p, Value mask, bool oneEach,
                         Value bias, bool sameBatch, double filter) {
  AttentionLoops at = p.loops();
  PaddingMask result;
  if (!present(mask)) {
    if (present(bias))
      result.operand = placeBias(e, p, bias, sameBatch);
    return result;
  }
  RankedTensorType type = typeOf(mask);
  Type f32 = e.getF32Type();
  auto batchSize = getConstantIntValue(p.batch);
  bool isKnown = batchSize && !type.isDynamicDim(0);
  // Ends of the rows, then their starts.
  bool hasStarts = type.getRank() == 1 && isKnown && type.getDimSize(0) == 2 * *batchSize;
  bool isOther = type.getRank() == 1 ? !oneEach : isKnown && type.getDimSize(0) != *batchSize;
  if (type.getRank() > 3 || (isOther && !hasStarts)) {
    result.refusal = "a mask of this form is not supported";
    return result;
  }
  bool threeDims = type.getRank() == 3;
  Extents shape{p.batch, threeDims ? p.queries : OpFoldResult(e.attr(1)), p.keys};
  SmallVector<AffineExpr> from{e.loop(0)};
  if (threeDims)
    from.push_back(e.loop(1));
  if (type.getRank() > 1)
    from.push_back(e.loop(2));
  Value starts;
  if (hasStarts) {
    starts = e.slice(mask, 0, p.batch, p.batch);
    mask = e.slice(mask, 0, e.attr(0), p.batch);
  }
  SmallVector<Operand> masks{{mask, e.map(3, from)}};
  if (starts)
    masks.push_back({starts, e.map(3, from)});
  Value added = e.pointwise(shape, f32, masks, [&](Emitter &e, ValueRange args) {
    Value seen = type.getRank() == 1
                     ? e.compare(Compare::Less, e.loopIndex(2), e.toIndex(args[0]))
                     : e.compare(Compare::NotEqual, args[0], e.constantInt(args[0].getType(), 0));
    if (starts)
      seen = arith::AndIOp::create(
          e, seen, e.compare(Compare::GreaterEqual, e.loopIndex(2), e.toIndex(args[1])));
    return e.select(seen, e.constant(f32, 0), e.constant(f32, filter));
  });
  AffineExpr row = threeDims ? e.loop(at.query()) : e.zero();
  if (!present(bias)) {
    result.operand = Operand{added, e.map(at.count(), {e.loop(at.batch), row, e.loop(at.key())})};
    return result;
  }
  Operand other = placeBias(e, p, bias, sameBatch);
  Extents full{p.batch, e.attr(p.queryHeads), p.queries, p.keys};
  AffineExpr fullRow = threeDims ? e.loop(2) : e.zero();
  Value sum = e.pointwise(
      full, f32, {{added, e.map(4, {e.loop(0), fullRow, e.loop(3)})}, other},
      [&](Emitter &e, ValueRange args) { return e.add(args[0], e.toFloatType(args[1], f32)); });
  result.operand = Operand{sum, e.identity(4)};
  return result;
}

/// Key or value with the past before it: heads first.
Value appendPast(Emitter &e, Value past, Value fresh, ArrayRef<OpFoldResult> shape) {
  return present(past) ? e.concat({past, fresh}, 2, shape) : fresh;
}

void useCausality(AttentionProblem &p, bool causal, OpFoldResult past) {
  if (!causal)
    return;
  p.takesPart = [past](Emitter &e, Value, Value query, Value key) -> Value {
    return e.compare(Compare::LessEqual, key, e.add(query, e.index(past)));
  };
}

/// x plus part [offset, offset + size of its last dim) of `bias`.
Value addBiasPart(Emitter &e, Value x, Value bias, OpFoldResult offset) {
  if (!present(bias))
    return x;
  unsigned rank = typeOf(x).getRank();
  Type element = typeOf(x).getElementType();
  Extents shape = e.extentsOf(x);
  Value part = e.slice(bias, 0, offset, shape.back());
  return e.pointwise(shape, element, {{x, e.identity(rank)}, {part, e.mapOf(rank, {rank - 1})}},
                     [&](Emitter &e, ValueRange args) {
                       return e.toFloatType(e.add(e.widen(args[0]), e.widen(args[1])), element);
                     });
}

Lowered lowerMultiHeadAttention(MsMultiHeadAttentionOp op, MsMultiHeadAttentionOp::Adaptor in,
                                Emitter &e) {
  auto queryType = cast<RankedTensorType>(op.getQuery().getType());
  if (queryType.getRank() != 3 || !present(in.getKey()) || !present(in.getValue()))
    return Lowered::refuse("packed query, key and value are not supported");
  if (present(in.getPastSequenceLength()) || present(in.getCacheIndirection()))
    return Lowered::refuse("past_sequence_length and cache_indirection are not supported");
  auto keyType = cast<RankedTensorType>(op.getKey().getType());
  auto valueType = cast<RankedTensorType>(op.getValue().getType());
  AttentionProblem p;
  p.element = resultElement(op);
  p.queryHeads = p.keyHeads = op.getNumHeads();
  OpFoldResult heads = e.attr(p.queryHeads);
  p.batch = e.extent(queryType, 0);
  p.queries = e.extent(queryType, 1);
  p.headSize = e.floorDivSizes(e.extent(queryType, 2), heads);
  Value q = addBiasPart(e, in.getQuery(), in.getBias(), e.attr(0));
  p.q = splitHeads(e, q, p.queryHeads);
  p.queryHeadsFirst = false;
  Value k = in.getKey(), v = in.getValue();
  OpFoldResult length;
  if (keyType.getRank() == 3) {
    OpFoldResult hidden = e.extent(queryType, 2);
    k = splitHeads(e, addBiasPart(e, k, in.getBias(), hidden), p.queryHeads);
    v = splitHeads(e, addBiasPart(e, v, in.getBias(), e.mulSizes(hidden, e.attr(2))), p.queryHeads);
    length = e.extent(keyType, 1);
    p.valueSize = e.floorDivSizes(e.extent(valueType, 2), heads);
    k = putHeadsFirst(e, k, {p.batch, heads, length, p.headSize});
    v = putHeadsFirst(e, v, {p.batch, heads, length, p.valueSize});
  } else {
    length = e.extent(keyType, 2);
    p.valueSize = e.extent(valueType, 3);
  }
  OpFoldResult past = e.attr(0);
  if (present(in.getPastKey()))
    past = e.extent(op.getPastKey().getType(), 2);
  p.keys = present(op.getPresentKey()) ? e.extent(op.getPresentKey().getType(), 2)
                                       : e.addSizes(past, length);
  p.k = appendPast(e, in.getPastKey(), k, {p.batch, heads, p.keys, p.headSize});
  p.v = appendPast(e, in.getPastValue(), v, {p.batch, heads, p.keys, p.valueSize});
  if (auto scale = op.getScale(); scale && scale->convertToFloat() != 0)
    p.scale = scale->convertToFloat();
  useCausality(p, op.getUnidirectional() != 0, past);
  bool sameBatch =
      present(op.getAttentionBias()) && haveSameBatch(op.getAttentionBias(), op.getQuery());
  PaddingMask mask = placePadding(
      e, p, in.getKeyPaddingMask(),
      present(op.getKeyPaddingMask()) && haveSameBatch(op.getKeyPaddingMask(), op.getQuery()),
      in.getAttentionBias(), sameBatch, op.getMaskFilterValue().convertToFloat());
  if (!mask.refusal.empty())
    return Lowered::refuse(mask.refusal);
  p.mask = mask.operand;
  AttentionResult result = computeAttention(e, p);
  Value scores;
  if (present(op->getResult(3)))
    scores = finishScores(e, p, result.masked);
  return {e.joinDims(result.output, 2, 3), p.k, p.v, scores};
}

Lowered lowerPackedAttention(MsAttentionOp op, MsAttentionOp::Adaptor in, Emitter &e) {
  if (present(in.getPastSequenceLength()) || op.getPastPresentShareBuffer() || op.getDoRotary())
    return Lowered::refuse("a shared buffer of past and present, and do_rotary, are not supported");
  auto inputType = cast<RankedTensorType>(op.getInput().getType());
  RankedTensorType weights = typeOf(in.getWeights());
  if (inputType.getRank() != 3 || weights.getRank() != 2 || weights.isDynamicDim(1))
    return Lowered::refuse("expected an input of rank 3 and weights of static width");
  int64_t width = weights.getDimSize(1), heads = op.getNumHeads();
  SmallVector<int64_t> sizes(3, width / 3);
  if (auto given = op.getQkvHiddenSizes(); given && given->size() == 3)
    sizes.assign(given->begin(), given->end());
  if (heads < 1 || sizes[0] != sizes[1] || sizes[0] + sizes[1] + sizes[2] != width ||
      sizes[0] % heads || sizes[2] % heads)
    return Lowered::refuse("weights of width " + Twine(width) + " do not fit " + Twine(heads) +
                           " heads");
  AttentionProblem p;
  p.element = resultElement(op);
  p.queryHeads = p.keyHeads = heads;
  p.batch = e.extent(inputType, 0);
  p.queries = e.extent(inputType, 1);
  p.headSize = e.attr(sizes[0] / heads);
  p.valueSize = e.attr(sizes[2] / heads);
  Type compute = getComputeType(p.element);
  Extents shape{p.batch, p.queries, e.attr(width)};
  Value init = e.filled(shape, e.constant(compute, 0));
  Value all = e.contract(4, {in.getInput(), e.mapOf(4, {0, 1, 3})},
                         {in.getWeights(), e.mapOf(4, {3, 2})}, {init, e.mapOf(4, {0, 1, 2})}, {3});
  all = addBiasPart(e, all, in.getBias(), e.attr(0));
  all = e.convertTensor(all, p.element);
  int64_t offset = 0;
  SmallVector<Value> parts;
  for (int64_t size : sizes) {
    parts.push_back(splitHeads(e, e.slice(all, 2, e.attr(offset), e.attr(size)), heads));
    offset += size;
  }
  p.q = parts[0];
  p.queryHeadsFirst = false;
  Value k = putHeadsFirst(e, parts[1], {p.batch, e.attr(heads), p.queries, p.headSize});
  Value v = putHeadsFirst(e, parts[2], {p.batch, e.attr(heads), p.queries, p.valueSize});
  OpFoldResult past = e.attr(0);
  Value pastKey, pastValue;
  if (present(in.getPast())) {
    past = e.extent(op.getPast().getType(), 3);
    pastKey = takePart(e, in.getPast(), 0, e.attr(0));
    pastValue = takePart(e, in.getPast(), 0, e.attr(1));
  }
  bool wantsPresent = present(op->getResult(1));
  p.keys = wantsPresent ? e.extent(op->getResult(1).getType(), 3) : e.addSizes(past, p.queries);
  Extents cache{p.batch, e.attr(heads), p.keys, p.headSize};
  p.k = pastKey ? appendPast(e, pastKey, k, cache) : k;
  cache[3] = p.valueSize;
  p.v = pastValue ? appendPast(e, pastValue, v, cache) : v;
  if (auto scale = op.getScale(); scale && scale->convertToFloat() != 0)
    p.scale = scale->convertToFloat();
  useCausality(p, op.getUnidirectional() != 0, past);
  bool sameBatch =
      present(op.getAttentionBias()) && haveSameBatch(op.getAttentionBias(), op.getInput());
  PaddingMask mask =
      placePadding(e, p, in.getMaskIndex(),
                   present(op.getMaskIndex()) && haveSameBatch(op.getMaskIndex(), op.getInput()),
                   in.getAttentionBias(), sameBatch, op.getMaskFilterValue().convertToFloat());
  if (!mask.refusal.empty())
    return Lowered::refuse(mask.refusal);
  p.mask = mask.operand;
  AttentionResult result = computeAttention(e, p);
  Value presentCache;
  if (wantsPresent) {
    SmallVector<Value> both{e.keepDims(p.k, {0}), e.keepDims(p.v, {0})};
    Extents whole{e.attr(2), p.batch, e.attr(heads), p.keys, p.headSize};
    presentCache = e.concat(both, 0, whole);
  }
  return {e.joinDims(result.output, 2, 3), presentCache};
}

} // namespace

void dougong::onnx::populateMicrosoftAttentionPatterns(PatternSet &set) {
  set.add<MsGroupQueryAttentionOp>(lowerGroupQueryAttention);
  set.add<MsMultiHeadAttentionOp>(lowerMultiHeadAttention);
  set.add<MsAttentionOp>(lowerPackedAttention);
}
