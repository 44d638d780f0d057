//===- Normalization.cpp - normalisations by moments and norms ------------===//
#include "Patterns.h"

using namespace mlir;
using namespace dougong::onnx;

namespace {

/// Moments of the dims `reductions` of a tensor: means (null if not centred),
/// variances and 1 / sqrt(variance + epsilon), without those dims.
struct Moments {
  Value means, variances, scales;
  AffineMap kept;
};

Moments computeMoments(Emitter &e, Value x, ArrayRef<OpFoldResult> shape,
                       ArrayRef<unsigned> reductions, double epsilon, bool centred, Type compute) {
  unsigned rank = shape.size();
  AffineMap all = e.identity(rank), kept = e.keptMap(rank, reductions);
  OpFoldResult size = e.attr(1);
  Extents keptShape;
  for (unsigned dim = 0; dim < rank; ++dim) {
    if (llvm::is_contained(reductions, dim))
      size = e.mulSizes(size, shape[dim]);
    else
      keptShape.push_back(shape[dim]);
  }
  AffineMap same = e.identity(keptShape.size());
  Value integer = arith::IndexCastOp::create(e, e.getI64Type(), e.index(size));
  Value count = e.convert(integer, compute, false, false);
  Moments moments;
  moments.kept = kept;
  SmallVector<Operand> inputs{{x, all}};
  if (centred) {
    Value sums =
        e.reduce(x, shape, reductions, e.constant(compute, 0), [&](Emitter &e, ValueRange args) {
          return e.addReassoc(args[1], e.toFloatType(args[0], compute));
        });
    moments.means = e.pointwise(keptShape, compute, {{sums, same}},
                                [&](Emitter &e, ValueRange args) { return e.div(args[0], count); });
    inputs.push_back({moments.means, kept});
  }
  Value init = e.filled(keptShape, e.constant(compute, 0));
  Value squares =
      e.generic(rank, inputs, Operand{init, kept}, reductions, [&](Emitter &e, ValueRange args) {
        Value d = e.toFloatType(args[0], compute);
        if (centred)
          d = e.sub(d, args[1]);
        return e.addReassoc(args.back(), e.mul(d, d));
      });
  moments.variances =
      e.pointwise(keptShape, compute, {{squares, same}},
                  [&](Emitter &e, ValueRange args) { return e.div(args[0], count); });
  moments.scales = e.pointwise(
      keptShape, compute, {{moments.variances, same}}, [&](Emitter &e, ValueRange args) {
        Value deviation = math::SqrtOp::create(e, e.add(args[0], e.constant(compute, epsilon)));
        return e.div(e.constant(compute, 1), deviation);
      });
  return moments;
}

/// (x - mean) * scale of the moments, then times `gamma` plus `beta` where they
/// are there, as elements of type `element`.
Value applyMoments(Emitter &e, Value x, ArrayRef<OpFoldResult> shape, const Moments &moments,
                   std::optional<Operand> gamma, std::optional<Operand> beta, Type compute,
                   Type element) {
  SmallVector<Operand> inputs{{x, e.identity(shape.size())}, {moments.scales, moments.kept}};
  if (moments.means)
    inputs.push_back({moments.means, moments.kept});
  if (gamma)
    inputs.push_back(*gamma);
  if (beta)
    inputs.push_back(*beta);
  return e.pointwise(shape, element, inputs, [&](Emitter &e, ValueRange args) {
    unsigned next = 2;
    Value y = e.toFloatType(args[0], compute);
    if (moments.means)
      y = e.sub(y, args[next++]);
    y = e.mul(y, args[1]);
    if (gamma)
      y = e.mul(y, e.toFloatType(args[next++], compute));
    if (beta)
      y = e.add(y, e.toFloatType(args[next++], compute));
    return e.toFloatType(y, element);
  });
}

SmallVector<unsigned> dimsFrom(unsigned first, unsigned rank) {
  return llvm::to_vector(llvm::seq<unsigned>(first, rank));
}

Lowered lowerLayerNormalization(LayerNormalizationOp op, LayerNormalizationOp::Adaptor in,
                                Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank();
  SmallVector<unsigned> reductions = dimsFrom(normalizeAxis(op.getAxis(), rank), rank);
  Type element = resultElement(op), compute = getComputeType(element);
  Extents shape = e.extents(type);
  Moments moments = computeMoments(e, in.getX(), shape, reductions,
                                   op.getEpsilon().convertToFloat(), true, compute);
  std::optional<Operand> beta;
  if (present(in.getB()))
    beta = e.broadcast(in.getB(), op.getB().getType(), type);
  Value y = applyMoments(e, in.getX(), shape, moments,
                         e.broadcast(in.getScale(), op.getScale().getType(), type), beta, compute,
                         element);
  Value mean, deviation;
  if (present(op.getMean()))
    mean = e.convertTensor(e.keepDims(moments.means, reductions), resultElement(op, 1));
  if (present(op.getInvStdDev()))
    deviation = e.convertTensor(e.keepDims(moments.scales, reductions), resultElement(op, 2));
  return {y, mean, deviation};
}

template <typename OpT>
Lowered lowerRMSNormalization(OpT op, typename OpT::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank();
  SmallVector<unsigned> reductions = dimsFrom(normalizeAxis(op.getAxis(), rank), rank);
  Type element = resultElement(op);
  Type compute = getComputeType(typeOf(in.getX()).getElementType());
  Extents shape = e.extents(type);
  Moments moments = computeMoments(e, in.getX(), shape, reductions,
                                   op.getEpsilon().convertToFloat(), false, compute);
  Value y = applyMoments(e, in.getX(), shape, moments,
                         e.broadcast(in.getScale(), op.getScale().getType(), type), std::nullopt,
                         compute, element);
  Value deviation;
  if (op->getNumResults() > 1 && present(op->getResult(1)))
    deviation = e.keepDims(moments.scales, reductions);
  return {y, deviation};
}

/// com.microsoft: normalisation of input + skip + bias over the last dim.
template <typename OpT, bool centred>
Lowered lowerSkipNormalization(OpT op, typename OpT::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank();
  Type element = resultElement(op), compute = getComputeType(element);
  Extents shape = e.extents(type);
  SmallVector<Operand> terms{e.broadcast(in.getInput(), op.getInput().getType(), type),
                             e.broadcast(in.getSkip(), op.getSkip().getType(), type)};
  if (present(in.getBias()))
    terms.push_back(e.broadcast(in.getBias(), op.getBias().getType(), type));
  Value sum = e.pointwise(shape, element, terms, [&](Emitter &e, ValueRange args) {
    Value s = e.add(e.widen(args[0]), e.widen(args[1]));
    if (args.size() > 2)
      s = e.add(s, e.widen(args[2]));
    return e.toFloatType(s, element);
  });
  SmallVector<unsigned> reductions{rank - 1};
  Moments moments =
      computeMoments(e, sum, shape, reductions, op.getEpsilon().convertToFloat(), centred, compute);
  std::optional<Operand> beta;
  if constexpr (centred)
    if (present(in.getBeta()))
      beta = e.broadcast(in.getBeta(), op.getBeta().getType(), type);
  Value y = applyMoments(e, sum, shape, moments,
                         e.broadcast(in.getGamma(), op.getGamma().getType(), type), beta, compute,
                         element);
  Value mean, deviation;
  if (present(op->getResult(1)) && moments.means)
    mean = e.keepDims(moments.means, reductions);
  if (present(op->getResult(2)))
    deviation = e.keepDims(moments.scales, reductions);
  return {y, mean, deviation, sum};
}

/// Per channel (dim 1), with moments of each instance's spatial dims.
Lowered lowerInstanceNormalization(InstanceNormalizationOp op, InstanceNormalizationOp::Adaptor in,
                                   Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank();
  Type element = resultElement(op), compute = getComputeType(element);
  Extents shape = e.extents(type);
  Moments moments = computeMoments(e, in.getInput(), shape, dimsFrom(2, rank),
                                   op.getEpsilon().convertToFloat(), true, compute);
  AffineMap channel = e.mapOf(rank, {1});
  return applyMoments(e, in.getInput(), shape, moments, Operand{in.getScale(), channel},
                      Operand{in.getB(), channel}, compute, element);
}

Lowered lowerGroupNormalization(GroupNormalizationOp op, GroupNormalizationOp::Adaptor in,
                                Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op), compute = getComputeType(element);
  OpFoldResult groups = e.attr(op.getNumGroups());
  OpFoldResult channels = e.floorDivSizes(e.extent(type, 1), groups);
  Value x = e.splitDim(in.getX(), 1, {groups, channels});
  Value gamma = e.splitDim(in.getScale(), 0, {groups, channels});
  Value beta = e.splitDim(in.getBias(), 0, {groups, channels});
  Extents shape = e.extents(type);
  shape[1] = channels;
  shape.insert(shape.begin() + 1, groups);
  unsigned rank = shape.size();
  Moments moments = computeMoments(e, x, shape, dimsFrom(2, rank), op.getEpsilon().convertToFloat(),
                                   true, compute);
  AffineMap channel = e.mapOf(rank, {1, 2});
  Value y = applyMoments(e, x, shape, moments, Operand{gamma, channel}, Operand{beta, channel},
                         compute, element);
  return e.joinDims(y, 1, 2);
}

/// Means and variances of the batch itself, and both averaged with those so far.
Lowered lowerBatchTraining(BatchNormalizationOp op, BatchNormalizationOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank(), axis = rank > 1 ? 1 : 0;
  Type element = resultElement(op), compute = getComputeType(element);
  double epsilon = op.getEpsilon().convertToFloat(), momentum = op.getMomentum().convertToFloat();
  SmallVector<unsigned> reductions;
  for (unsigned dim = 0; dim < rank; ++dim)
    if (dim != axis)
      reductions.push_back(dim);
  Extents shape = e.extents(type), channels = {shape[axis]};
  Moments moments = computeMoments(e, in.getX(), shape, reductions, epsilon, true, compute);
  AffineMap channel = e.mapOf(rank, {axis});
  AffineMap one = e.identity(1);
  Value y = applyMoments(e, in.getX(), shape, moments, Operand{in.getScale(), channel},
                         Operand{in.getB(), channel}, compute, element);
  auto average = [&](unsigned result, Value before, Value now) -> Value {
    if (isa<NoneType>(op->getResult(result).getType()))
      return {};
    Type kept = resultElement(op, result);
    return e.pointwise(
        channels, kept, {{before, one}, {now, one}}, [&](Emitter &e, ValueRange args) {
          Value old = e.mul(e.toFloatType(args[0], compute), e.constant(compute, momentum));
          Value part = e.mul(args[1], e.constant(compute, 1 - momentum));
          return e.toFloatType(e.add(old, part), kept);
        });
  };
  return {y, average(1, in.getInputMean(), moments.means),
          average(2, in.getInputVar(), moments.variances)};
}

Lowered lowerBatchNormalization(BatchNormalizationOp op, BatchNormalizationOp::Adaptor in,
                                Emitter &e) {
  if (op.getTrainingMode())
    return lowerBatchTraining(op, in, e);
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank();
  Type element = resultElement(op), compute = getComputeType(element);
  double epsilon = op.getEpsilon().convertToFloat();
  AffineMap channel = e.mapOf(rank, {rank > 1 ? 1u : 0u});
  SmallVector<Operand> inputs{{in.getX(), e.identity(rank)},
                              {in.getScale(), channel},
                              {in.getB(), channel},
                              {in.getInputMean(), channel},
                              {in.getInputVar(), channel}};
  return e.pointwise(e.extents(type), element, inputs, [&](Emitter &e, ValueRange args) {
    auto wide = [&](unsigned i) { return e.toFloatType(args[i], compute); };
    Value variance = e.add(wide(4), e.constant(compute, epsilon));
    Value factor = e.div(wide(1), math::SqrtOp::create(e, variance));
    Value y = e.add(e.mul(e.sub(wide(0), wide(3)), factor), wide(2));
    return e.toFloatType(y, element);
  });
}

/// x / norm, and 0 where the norm is 0.
Lowered lowerLpNormalization(LpNormalizationOp op, LpNormalizationOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank(), axis = normalizeAxis(op.getAxis(), rank);
  Type element = resultElement(op), compute = getComputeType(element);
  bool euclidean = op.getP() == 2;
  Extents shape = e.extents(type);
  Value sums = e.reduce(
      in.getInput(), shape, {axis}, e.constant(compute, 0), [&](Emitter &e, ValueRange args) {
        Value x = e.widen(args[0]);
        Value term = euclidean ? e.mul(x, x) : math::AbsFOp::create(e, x).getResult();
        return e.addReassoc(args[1], term);
      });
  return e.pointwise(
      shape, element, {{in.getInput(), e.identity(rank)}, {sums, e.keptMap(rank, {axis})}},
      [&](Emitter &e, ValueRange args) {
        Value norm = euclidean ? math::SqrtOp::create(e, args[1]).getResult() : args[1];
        Value none = e.constant(compute, 0);
        Value isZero = e.compare(Emitter::Compare::Equal, norm, none);
        Value y = e.div(e.widen(args[0]), norm);
        return e.toFloatType(e.select(isZero, none, y), element);
      });
}

/// x / (bias + alpha / size * sum of squares of near channels)^beta
Lowered lowerLRN(LRNOp op, LRNOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  unsigned rank = type.getRank();
  Type element = resultElement(op), compute = getComputeType(element);
  int64_t size = op.getSize(), before = (size - 1) / 2;
  Extents shape = e.extents(type), low(rank, e.attr(0)), high(rank, e.attr(0));
  low[1] = e.attr(before);
  high[1] = e.attr(size - 1 - before);
  Value padded = e.pad(in.getX(), low, high, e.constant(element, 0));
  SmallVector<AffineExpr> exprs;
  for (unsigned dim = 0; dim < rank; ++dim)
    exprs.push_back(dim == 1 ? e.loop(1) + e.loop(rank) : e.loop(dim));
  Value window = e.empty({e.attr(size)}, element);
  Value init = e.filled(shape, e.constant(compute, 0));
  Value sums = e.generic(
      rank + 1, {{padded, e.map(rank + 1, exprs)}, {window, e.mapOf(rank + 1, {rank})}},
      Operand{init, e.keptMap(rank + 1, {rank})}, {rank}, [](Emitter &e, ValueRange args) {
        Value x = e.widen(args[0]);
        return e.addReassoc(args[2], e.mul(x, x));
      });
  double alpha = op.getAlpha().convertToFloat() / size, beta = op.getBeta().convertToFloat();
  double bias = op.getBias().convertToFloat();
  AffineMap all = e.identity(rank);
  return e.pointwise(
      shape, element, {{in.getX(), all}, {sums, all}}, [&](Emitter &e, ValueRange args) {
        Value base = e.add(e.constant(compute, bias), e.mul(e.constant(compute, alpha), args[1]));
        Value power = math::PowFOp::create(e, base, e.constant(compute, beta));
        return e.toFloatType(e.div(e.widen(args[0]), power), element);
      });
}

Lowered lowerMeanVariance(MeanVarianceNormalizationOp op, MeanVarianceNormalizationOp::Adaptor in,
                          Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op), compute = getComputeType(element);
  SmallVector<unsigned> reductions;
  for (int64_t axis : op.getAxes())
    reductions.push_back(normalizeAxis(axis, type.getRank()));
  llvm::sort(reductions);
  Extents shape = e.extents(type);
  // The operator's function body adds 1e-9 to the deviation.
  Moments moments = computeMoments(e, in.getX(), shape, reductions, 1e-18, true, compute);
  return applyMoments(e, in.getX(), shape, moments, std::nullopt, std::nullopt, compute, element);
}

} // namespace

void dougong::onnx::populateNormalizationPatterns(PatternSet &set) {
  set.add<LayerNormalizationOp>(lowerLayerNormalization);
  set.add<RMSNormalizationOp>(lowerRMSNormalization<RMSNormalizationOp>);
  set.add<MsSimplifiedLayerNormalizationOp>(
      lowerRMSNormalization<MsSimplifiedLayerNormalizationOp>);
  set.add<MsSkipLayerNormalizationOp>(lowerSkipNormalization<MsSkipLayerNormalizationOp, true>);
  set.add<MsSkipSimplifiedLayerNormalizationOp>(
      lowerSkipNormalization<MsSkipSimplifiedLayerNormalizationOp, false>);
  set.add<InstanceNormalizationOp>(lowerInstanceNormalization);
  set.add<GroupNormalizationOp>(lowerGroupNormalization);
  set.add<BatchNormalizationOp>(lowerBatchNormalization);
  set.add<LpNormalizationOp>(lowerLpNormalization);
  set.add<LRNOp>(lowerLRN);
  set.add<MeanVarianceNormalizationOp>(lowerMeanVariance);
}
