//===- Attention.cpp - scaled dot-product attention -----------------------===//
#include "Attention.h"

#include "Softmax.h"

using namespace mlir;
using namespace dougong::onnx;

Value dougong::onnx::splitHeads(Emitter &e, Value tensor, int64_t heads) {
  unsigned last = typeOf(tensor).getRank() - 1;
  OpFoldResult size = e.floorDivSizes(e.extentsOf(tensor)[last], e.attr(heads));
  return e.splitDim(tensor, last, {e.attr(heads), size});
}

OpFoldResult AttentionProblem::queryHeadExtent(Emitter &e) const {
  if (!ShapedType::isDynamic(queryHeads))
    return e.attr(queryHeads);
  return e.extentsOf(q)[queryHeadsFirst ? 1 : 2];
}

OpFoldResult AttentionProblem::keyHeadExtent(Emitter &e) const {
  if (!ShapedType::isDynamic(keyHeads))
    return e.attr(keyHeads);
  return e.extentsOf(k)[keyHeadsFirst ? 1 : 2];
}

OpFoldResult AttentionProblem::groupExtent(Emitter &e) const {
  if (!loops().grouped)
    return e.attr(1);
  // (a division by zero traps; the checks at entry refuse such dims)
  return e.floorDivSizes(queryHeadExtent(e), e.maxSizes(keyHeadExtent(e), e.attr(1)));
}

AttentionResult dougong::onnx::computeAttention(Emitter &e, const AttentionProblem &p) {
  AttentionLoops at = p.loops();
  unsigned scoreLoops = at.count(), inner = scoreLoops; // inner: one more loop
  Type compute = getComputeType(typeOf(p.q).getElementType());

  // Query heads are seen as [key heads, group].
  Value q = p.q;
  OpFoldResult keyHeads = p.keyHeadExtent(e), group = p.groupExtent(e);
  unsigned headDim = p.queryHeadsFirst ? 1 : 2;
  if (at.grouped)
    q = e.splitDim(q, headDim, {keyHeads, group});
  auto queryMap = [&](unsigned loops, unsigned last) {
    SmallVector<unsigned> positions{at.batch};
    if (!p.queryHeadsFirst)
      positions.push_back(at.query());
    positions.push_back(at.head);
    if (at.grouped)
      positions.push_back(at.group);
    if (p.queryHeadsFirst)
      positions.push_back(at.query());
    positions.push_back(last);
    return e.mapOf(loops, positions);
  };
  auto keyMap = [&](bool headsFirst, unsigned key, unsigned last) {
    SmallVector<unsigned> positions{at.batch, at.head, key, last};
    if (!headsFirst)
      std::swap(positions[1], positions[2]);
    return e.mapOf(inner + 1, positions);
  };
  Extents scoreShape{p.batch, keyHeads};
  if (at.grouped)
    scoreShape.push_back(group);
  scoreShape.append({p.queries, p.keys});

  // Products of queries and keys.
  AttentionResult result;
  AffineMap scores = e.identity(scoreLoops);
  Value init = e.filled(scoreShape, e.constant(compute, 0));
  SmallVector<unsigned> scorePositions = llvm::to_vector(llvm::seq<unsigned>(0, scoreLoops));
  Value products = e.contract(inner + 1, {q, queryMap(inner + 1, inner)},
                              {p.k, keyMap(p.keyHeadsFirst, at.key(), inner)},
                              {init, e.mapOf(inner + 1, scorePositions)}, {inner});

  // Scale, cap, masks.
  Value scale;
  if (p.scale) {
    scale = e.constant(compute, *p.scale);
  } else {
    Value size = arith::IndexCastOp::create(e, e.getI64Type(), e.index(p.headSize));
    Value root = math::SqrtOp::create(e, e.convert(size, compute, false, false));
    scale = e.div(e.constant(compute, 1), root);
  }
  result.products = e.pointwise(scoreShape, compute, {{products, scores}},
                                [&](Emitter &e, ValueRange args) { return e.mul(args[0], scale); });
  result.capped = result.products;
  if (p.softcap != 0)
    result.capped = e.pointwise(scoreShape, compute, {{result.products, scores}},
                                [&](Emitter &e, ValueRange args) {
                                  Value cap = e.constant(compute, p.softcap);
                                  return e.mul(cap, math::TanhOp::create(e, e.div(args[0], cap)));
                                });
  result.masked = result.capped;
  if (p.mask || p.takesPart) {
    SmallVector<Operand> inputs{{result.capped, scores}};
    if (p.mask)
      inputs.push_back(*p.mask);
    result.masked = e.pointwise(scoreShape, compute, inputs, [&](Emitter &e, ValueRange args) {
      Value x = args[0], never = e.lowest(compute, false);
      if (p.mask && args[1].getType().isInteger(1))
        x = e.select(args[1], x, never);
      else if (p.mask)
        x = e.add(x, e.toFloatType(args[1], compute));
      if (!p.takesPart)
        return x;
      Value keep =
          p.takesPart(e, e.loopIndex(at.batch), e.loopIndex(at.query()), e.loopIndex(at.key()));
      return keep ? e.select(keep, x, never) : x;
    });
  }

  // The softmax is divided after the product with the values: fewer divisions.
  Value sink;
  if (p.sink) {
    Value heads = at.grouped ? e.splitDim(p.sink, 0, {keyHeads, group}) : p.sink;
    SmallVector<unsigned> positions{at.head};
    if (at.grouped)
      positions.push_back(at.group);
    Extents rows(scoreShape.begin(), scoreShape.end() - 1);
    sink =
        e.pointwise(rows, compute, {{heads, e.mapOf(scoreLoops - 1, positions)}},
                    [&](Emitter &e, ValueRange args) { return e.toFloatType(args[0], compute); });
  }
  SoftmaxParts softmax =
      computeSoftmaxParts(e, result.masked, scoreShape, at.key(), sink, p.maskedRowsAreZero);
  result.softmax = {softmax.exponentials, softmax.sums};

  // Loops b, h, (g), q, size of value; the reduction over keys is the last.
  unsigned valueLoop = at.key(), keyLoop = at.key() + 1;
  SmallVector<unsigned> probability = llvm::to_vector(llvm::seq<unsigned>(0, at.key()));
  probability.push_back(keyLoop);
  Extents outShape{p.batch};
  if (!p.queryHeadsFirst)
    outShape.push_back(p.queries);
  outShape.push_back(keyHeads);
  if (at.grouped)
    outShape.push_back(group);
  if (p.queryHeadsFirst)
    outShape.push_back(p.queries);
  outShape.push_back(p.valueSize);
  Value outInit = e.filled(outShape, e.constant(compute, 0));
  Value sums = e.contract(inner + 1, {softmax.exponentials, e.mapOf(inner + 1, probability)},
                          {p.v, keyMap(p.valueHeadsFirst, keyLoop, valueLoop)},
                          {outInit, queryMap(inner + 1, valueLoop)}, {keyLoop});
  // In the output's own order of dims the row's sum is read through a map.
  unsigned rank = outShape.size();
  SmallVector<unsigned> rowOf;
  for (unsigned loop = 0; loop + 1 < rank; ++loop) // b, h, (g), q by loop of the output
    rowOf.push_back(loop);
  if (!p.queryHeadsFirst) {
    // The output's dims are b, q, h, (g): find h, (g), q among them.
    rowOf = {0, 2};
    if (at.grouped)
      rowOf.push_back(3);
    rowOf.push_back(1);
  }
  Value output = e.pointwise(outShape, p.element,
                             {{sums, e.identity(rank)}, {softmax.sums, e.mapOf(rank, rowOf)}},
                             [&](Emitter &e, ValueRange args) {
                               return e.toFloatType(e.div(args[0], args[1]), p.element);
                             });
  if (at.grouped)
    output = e.joinDims(output, headDim, headDim + 1);
  result.output = output;
  return result;
}

Value dougong::onnx::shareRows(Emitter &e, const AttentionProblem &p,
                               const AttentionResult &result) {
  AttentionLoops at = p.loops();
  Value exponentials = result.softmax[0];
  return e.pointwise(e.extentsOf(exponentials), typeOf(exponentials).getElementType(),
                     {{exponentials, e.identity(at.count())},
                      {result.softmax[1], e.keptMap(at.count(), {at.key()})}},
                     [&](Emitter &e, ValueRange args) { return e.div(args[0], args[1]); });
}

Value dougong::onnx::finishScores(Emitter &e, const AttentionProblem &p, Value scores) {
  if (p.loops().grouped)
    scores = e.joinDims(scores, 1, 2);
  return e.convertTensor(scores, p.element);
}

namespace {

/// Extents as the attention's types give them, for telling equal ones.
Attribute extentName(RankedTensorType type, unsigned dim) {
  if (!type.isDynamicDim(dim))
    return IntegerAttr::get(IndexType::get(type.getContext()), type.getDimSize(dim));
  auto dims = dyn_cast_if_present<DimsAttr>(type.getEncoding());
  return dims ? Attribute(dims.getExprs()[dim]) : Attribute();
}

/// `mask`, broadcastable to [batch, heads, queries, keys] (but for keys, where
/// a shorter one is filled up with "masked"), as an operand over the loops.
/// `names` are the extents' names in that order.
Operand placeMask(Emitter &e, const AttentionProblem &p, Value mask, RankedTensorType type,
                  ArrayRef<Attribute> names) {
  AttentionLoops at = p.loops();
  unsigned rank = type.getRank();
  bool isBool = type.getElementType().isInteger(1);
  Extents full{p.batch, p.queryHeadExtent(e), p.queries, p.keys};
  if (rank > 0 && extentName(type, rank - 1) != names[3] && type.getDimSize(rank - 1) != 1) {
    Extents low(rank, e.attr(0)), high(rank, e.attr(0));
    high[rank - 1] = e.maxSizes(e.subSizes(p.keys, e.extent(type, rank - 1)), e.attr(0));
    Type element = typeOf(mask).getElementType();
    Value filler = isBool ? e.constantInt(element, 0) : e.lowest(element, false);
    mask = e.pad(mask, low, high, filler);
  }
  // Dims whose extents may be 1 at run time are read by index.
  bool simple = true;
  for (unsigned dim = 0; dim + 1 < rank; ++dim)
    simple &= type.getDimSize(dim) == 1 || extentName(type, dim) == names[4 - rank + dim];
  if (!simple) {
    Extents shape = full;
    Value source = mask;
    mask = e.pointwise(full, typeOf(mask).getElementType(), {}, [&](Emitter &e, ValueRange) {
      SmallVector<Value> where;
      for (unsigned dim = 0; dim < rank; ++dim) {
        Value last = e.sub(e.index(e.extentsOf(source)[dim]), e.index(int64_t{1}));
        where.push_back(e.min(e.loopIndex(4 - rank + dim), last));
      }
      return e.extract(source, where);
    });
    rank = 4;
  }
  SmallVector<AffineExpr> exprs;
  RankedTensorType placed = typeOf(mask);
  for (unsigned dim = 0; dim < rank; ++dim) {
    unsigned target = 4 - rank + dim;
    bool single = simple && type.getDimSize(dim) == 1 && !(target == 1 && p.queryHeads == 1);
    if (target == 0)
      exprs.push_back(single ? e.zero() : e.loop(at.batch));
    else if (target == 2)
      exprs.push_back(single ? e.zero() : e.loop(at.query()));
    else if (target == 3)
      exprs.push_back(single && placed.getDimSize(dim) == 1 ? e.zero() : e.loop(at.key()));
    else if (single)
      exprs.push_back(e.zero());
    else
      exprs.push_back(e.loop(at.head));
  }
  // Per-head masks of grouped heads: the dim is split as the query's is.
  if (at.grouped && rank >= 3 && placed.getDimSize(rank - 3) != 1) {
    mask = e.splitDim(mask, rank - 3, {p.keyHeadExtent(e), p.groupExtent(e)});
    exprs.insert(exprs.begin() + rank - 2, e.loop(at.group));
  }
  return {mask, e.map(at.count(), exprs)};
}

Lowered lowerAttention(AttentionOp op, AttentionOp::Adaptor in, Emitter &e) {
  auto qType = cast<RankedTensorType>(op.getQ().getType());
  auto kType = cast<RankedTensorType>(op.getK().getType());
  AttentionProblem p;
  p.element = resultElement(op);
  bool flat = qType.getRank() == 3;
  p.q = in.getQ();
  p.k = in.getK();
  p.v = in.getV();
  p.batch = e.extent(qType, 0);
  if (flat) {
    p.queryHeads = op.getQNumHeads().value_or(0);
    p.keyHeads = op.getKvNumHeads().value_or(0);
    if (p.queryHeads <= 0 || p.keyHeads <= 0)
      return Lowered::refuse("inputs of three dims need q_num_heads and kv_num_heads");
    p.q = splitHeads(e, p.q, p.queryHeads);
    p.k = splitHeads(e, p.k, p.keyHeads);
    p.v = splitHeads(e, p.v, p.keyHeads);
    p.queryHeadsFirst = p.keyHeadsFirst = p.valueHeadsFirst = false;
  } else {
    p.queryHeads = qType.getDimSize(1);
    p.keyHeads = kType.getDimSize(1);
  }
  if (ShapedType::isDynamic(p.queryHeads) || ShapedType::isDynamic(p.keyHeads))
    p.maySplit = extentName(qType, 1) != extentName(kType, 1);
  else if (p.queryHeads < 1 || p.keyHeads < 1 || p.queryHeads % p.keyHeads)
    return Lowered::refuse("a number of query heads that is not a multiple of the number of key "
                           "heads is not supported");
  unsigned sequenceDim = flat ? 1 : 2;
  p.queries = e.extent(qType, sequenceDim);
  p.keys = e.extent(kType, sequenceDim);
  p.headSize = e.extentsOf(p.q)[3];
  p.valueSize = e.extentsOf(p.v)[3];
  Attribute keysName = extentName(kType, sequenceDim);

  // The cache: present = past, then the new keys, heads first.
  OpFoldResult past = e.attr(0);
  auto headsFirst = [&](Value tensor) { return flat ? e.transpose(tensor, {0, 2, 1, 3}) : tensor; };
  Value presentKey, presentValue;
  bool wantsPresent = present(op.getPresentKey()) || present(op.getPresentValue());
  if (present(in.getPastKey()) || wantsPresent) {
    Extents keyShape{p.batch, p.keyHeadExtent(e), p.keys, p.headSize};
    Extents valueShape{p.batch, p.keyHeadExtent(e), p.keys, p.valueSize};
    if (present(in.getPastKey())) {
      auto pastType = cast<RankedTensorType>(op.getPastKey().getType());
      past = e.extent(pastType, 2);
      if (present(op.getPresentKey())) {
        auto presentType = cast<RankedTensorType>(op.getPresentKey().getType());
        p.keys = e.extent(presentType, 2);
        keysName = extentName(presentType, 2);
      } else {
        p.keys = e.addSizes(past, p.keys);
        keysName = {};
      }
      keyShape[2] = valueShape[2] = p.keys;
      presentKey = e.concat({in.getPastKey(), headsFirst(p.k)}, 2, keyShape);
      presentValue = e.concat({in.getPastValue(), headsFirst(p.v)}, 2, valueShape);
    } else {
      presentKey = headsFirst(p.k);
      presentValue = headsFirst(p.v);
    }
    p.k = presentKey;
    p.v = presentValue;
    p.keyHeadsFirst = p.valueHeadsFirst = true;
  }
  if (auto scale = op.getScale())
    p.scale = scale->convertToFloat();
  p.softcap = op.getSoftcap().convertToFloat();

  if (present(in.getAttnMask())) {
    Builder builder(e.getContext());
    Attribute names[] = {extentName(qType, 0),
                         flat ? builder.getIndexAttr(p.queryHeads) : extentName(qType, 1),
                         extentName(qType, sequenceDim), keysName};
    p.mask = placeMask(e, p, in.getAttnMask(), cast<RankedTensorType>(op.getAttnMask().getType()),
                       names);
  }
  bool causal = op.getIsCausal() != 0;
  Value lengths = present(in.getNonpadKvSeqlen()) ? in.getNonpadKvSeqlen() : Value();
  if (causal || lengths)
    p.takesPart = [&](Emitter &e, Value batch, Value query, Value key) {
      Value keep, length;
      if (lengths)
        length = e.toIndex(e.extract(lengths, batch));
      if (causal) {
        // With a cache that is filled outside, the queries are the last of the
        // valid places: query 0 stands at length - queries.
        Value first = lengths ? e.sub(length, e.index(p.queries)) : e.index(past);
        keep = e.compare(Emitter::Compare::LessEqual, key, e.add(query, first));
      }
      if (lengths) {
        Value valid = e.compare(Emitter::Compare::Less, key, length);
        keep = keep ? arith::AndIOp::create(e, keep, valid).getResult() : valid;
      }
      return keep;
    };

  AttentionResult result = computeAttention(e, p);
  Value output = flat ? e.joinDims(result.output, 2, 3) : result.output;
  Value products;
  if (op->getNumResults() > 3 && present(op->getResult(3))) {
    switch (op.getQkMatmulOutputMode()) {
    case 0:
      products = result.products;
      break;
    case 1:
      products = result.capped;
      break;
    case 3:
      products = shareRows(e, p, result);
      break;
    default:
      products = result.masked;
    }
    products = finishScores(e, p, products);
  }
  return {output, presentKey, presentValue, products};
}

} // namespace

void dougong::onnx::populateAttentionPatterns(PatternSet &set) {
  set.add<AttentionOp>(lowerAttention);
}
