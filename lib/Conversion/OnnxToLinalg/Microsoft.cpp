//===- Microsoft.cpp - smaller operators of com.microsoft ------------------===//
#include "Conv.h"
#include "NarrowFloat.h"
#include "Patterns.h"

using namespace mlir;
using namespace dougong::onnx;

using Compare = Emitter::Compare;

namespace {

/// The sum of embeddings of words, positions and segments, layer-normalised.
Lowered lowerEmbedNorm(MsEmbedLayerNormalizationOp op, MsEmbedLayerNormalizationOp::Adaptor in,
                       Emitter &e) {
  RankedTensorType type = resultType(op);
  Type element = resultElement(op), f32 = e.getF32Type(), i32 = e.getI32Type();
  Extents shape = e.extents(type), rows(shape.begin(), shape.begin() + 2);
  bool hasSegments = present(in.getSegmentIds()) && present(in.getSegmentEmbedding());
  bool hasPositions = present(in.getPositionIds());
  bool onePosition = false;
  SmallVector<Operand> inputs{{in.getInputIds(), e.mapOf(3, {0, 1})}};
  if (hasSegments)
    inputs.push_back({in.getSegmentIds(), e.mapOf(3, {0, 1})});
  if (hasPositions) {
    onePosition = typeOf(in.getPositionIds()).getDimSize(0) == 1;
    AffineMap map = onePosition ? e.map(3, {e.zero(), e.loop(1)}) : e.mapOf(3, {0, 1});
    inputs.push_back({in.getPositionIds(), map});
  }
  auto row = [&](Emitter &e, Value table, Value id) {
    Value at[] = {e.wrapIndex(id, e.extentsOf(table)[0]), e.loopIndex(2)};
    return e.toFloatType(e.extract(table, at), f32);
  };
  Value sum = e.pointwise(shape, f32, inputs, [&](Emitter &e, ValueRange args) {
    Value s = row(e, in.getWordEmbedding(), args[0]);
    s = e.add(s, row(e, in.getPositionEmbedding(), hasPositions ? args.back() : e.loopIndex(1)));
    if (hasSegments)
      s = e.add(s, row(e, in.getSegmentEmbedding(), args[1]));
    return s;
  });
  auto addUp = [](Emitter &e, ValueRange args) { return e.addReassoc(args[1], args[0]); };
  Value size = e.convert(arith::IndexCastOp::create(e, e.getI64Type(), e.index(shape[2])), f32,
                         false, false);
  Value zero = e.constant(f32, 0);
  AffineMap all = e.identity(3), kept = e.mapOf(3, {0, 1});
  Value totals = e.reduce(sum, shape, {2}, zero, addUp);
  Value centred =
      e.pointwise(shape, f32, {{sum, all}, {totals, kept}}, [&](Emitter &e, ValueRange args) {
        return e.sub(args[0], e.div(args[1], size));
      });
  Value squares = e.reduce(centred, shape, {2}, zero, [](Emitter &e, ValueRange args) {
    return e.addReassoc(args[1], e.mul(args[0], args[0]));
  });
  double epsilon = op.getEpsilon().convertToFloat();
  Value scales =
      e.pointwise(rows, f32, {{squares, e.identity(2)}}, [&](Emitter &e, ValueRange args) {
        Value variance = e.add(e.div(args[0], size), e.constant(f32, epsilon));
        return e.div(e.constant(f32, 1), math::SqrtOp::create(e, variance));
      });
  Value y = e.pointwise(shape, element,
                        {{centred, all},
                         {scales, kept},
                         {in.getGamma(), e.mapOf(3, {2})},
                         {in.getBeta(), e.mapOf(3, {2})}},
                        [&](Emitter &e, ValueRange args) {
                          Value scaled =
                              e.mul(e.mul(args[0], args[1]), e.toFloatType(args[2], f32));
                          return e.toFloatType(e.add(scaled, e.toFloatType(args[3], f32)), element);
                        });
  Value maskIndex, embeddingSum;
  if (present(op->getResult(1))) {
    if (present(in.getMask()))
      maskIndex = e.reduce(in.getMask(), rows, {1}, e.constantInt(i32, 0),
                           [&](Emitter &e, ValueRange args) {
                             Value one = e.compare(Compare::Equal, args[0], e.constantInt(i32, 1));
                             return e.add(args[1], arith::ExtUIOp::create(e, i32, one));
                           });
    else
      maskIndex = e.filled({shape[0]}, e.constantInt(i32, 0));
  }
  if (present(op->getResult(2)))
    embeddingSum = e.convertTensor(sum, element);
  return {y, maskIndex, embeddingSum};
}

/// act(Conv(X, W) + B + Z)
Lowered lowerFusedConv(MsFusedConvOp op, MsFusedConvOp::Adaptor in, Emitter &e) {
  RankedTensorType type = resultType(op);
  StringRef activation = op.getActivation().value_or("");
  static constexpr StringRef known[] = {"",          "Relu", "Tanh",       "Sigmoid",
                                        "LeakyRelu", "Clip", "HardSigmoid"};
  if (!llvm::is_contained(known, activation))
    return Lowered::refuse("activation " + activation + " is not supported");
  SmallVector<float> parameters;
  if (auto given = op.getActivationParams())
    parameters.assign(given->begin(), given->end());
  parameters.resize(2, 0);
  Type element = resultElement(op), compute = getComputeType(element);
  Window window(e, cast<RankedTensorType>(op.getX().getType()), type, getConvAttributes(op, e));
  Convolution convolution{in.getX(), in.getW()};
  convolution.accumulator = compute;
  convolution.group = op.getGroup();
  unsigned rank = type.getRank();
  SmallVector<Operand> inputs{{convolve(e, window, convolution, type), e.identity(rank)}};
  if (present(in.getB()))
    inputs.push_back({in.getB(), e.mapOf(rank, {1})});
  if (present(in.getZ()))
    inputs.push_back(e.broadcast(in.getZ(), op.getZ().getType(), type));
  return e.pointwise(e.extents(type), element, inputs, [&](Emitter &e, ValueRange args) {
    Value y = args[0];
    for (Value term : args.drop_front())
      y = e.add(y, e.toFloatType(term, compute));
    Value a = e.constant(compute, parameters[0]), b = e.constant(compute, parameters[1]);
    Value zero = e.constant(compute, 0), one = e.constant(compute, 1);
    if (activation == "Relu")
      y = e.max(y, zero);
    else if (activation == "Tanh")
      y = math::TanhOp::create(e, y);
    else if (activation == "Sigmoid")
      y = e.sigmoid(y);
    else if (activation == "LeakyRelu")
      y = e.select(e.compare(Compare::GreaterEqual, y, zero), y, e.mul(y, a));
    else if (activation == "Clip")
      y = e.min(e.max(y, a), b);
    else if (activation == "HardSigmoid")
      y = e.min(e.max(e.add(e.mul(y, a), b), zero), one);
    return e.toFloatType(y, element);
  });
}

/// Rows of a table quantised in blocks. Bytes hold 8 / bits numbers along the
/// last dim, the lowest bits first.
Lowered lowerGatherBlockQuantized(MsGatherBlockQuantizedOp op, MsGatherBlockQuantizedOp::Adaptor in,
                                  Emitter &e) {
  auto table = cast<RankedTensorType>(op.getData().getType());
  RankedTensorType type = resultType(op);
  int64_t rank = table.getRank(), indexRank = typeOf(in.getIndices()).getRank();
  int64_t gatherAxis = normalizeAxis(op.getGatherAxis(), rank);
  int64_t blockAxis = normalizeAxis(op.getQuantizeAxis(), rank), block = op.getBlockSize();
  Type stored = table.getElementType();
  bool isFloat = isNarrowFloat(stored);
  unsigned width = table.getElementTypeBitWidth();
  unsigned bits = width == 8 && !isFloat ? op.getBits() : width;
  if (isFloat && block == 0)
    block = std::max<int64_t>(table.getDimSize(blockAxis), 1);
  if (block < 1 || (bits != 2 && bits != 4 && bits != 8))
    return Lowered::refuse("numbers of " + Twine(bits) + " bits are not supported");
  if (isFloat && (present(in.getZeroPoints()) || table.isDynamicDim(blockAxis)))
    return Lowered::refuse("floats with zero points or blocks of a dynamic extent are not "
                           "supported");
  bool inBytes = width == 8 && bits < 8, fromUnsigned = isUnsigned(op.getData());
  if (inBytes && blockAxis != rank - 1)
    return Lowered::refuse("packed numbers with blocks along another dim than the last are not "
                           "supported");
  Type f32 = e.getF32Type(), i32 = e.getI32Type(), element = resultElement(op);
  OpFoldResult size = e.extent(table, gatherAxis);
  int64_t perByte = 8 / bits;
  auto numberAt = [&](Emitter &e, Value tensor, SmallVector<Value> at) {
    if (!inBytes)
      return e.convert(e.extract(tensor, at), i32, fromUnsigned, false);
    Value place = arith::RemUIOp::create(e, at.back(), e.index(perByte));
    at.back() = arith::DivUIOp::create(e, at.back(), e.index(perByte));
    Value word = e.convert(e.extract(tensor, at), i32, true, false);
    Value shift =
        arith::IndexCastOp::create(e, i32, e.mul(place, e.index(static_cast<int64_t>(bits))));
    word = arith::ShRUIOp::create(e, word, shift);
    return arith::AndIOp::create(e, word, e.constantInt(i32, (1 << bits) - 1)).getResult();
  };
  return e.pointwise(e.extents(type), element, {}, [&](Emitter &e, ValueRange) {
    SmallVector<Value> where, at;
    for (int64_t dim = 0; dim < indexRank; ++dim)
      where.push_back(e.loopIndex(gatherAxis + dim));
    for (int64_t dim = 0; dim < gatherAxis; ++dim)
      at.push_back(e.loopIndex(dim));
    at.push_back(e.wrapIndex(e.extract(in.getIndices(), where), size));
    for (int64_t dim = gatherAxis + 1; dim < rank; ++dim)
      at.push_back(e.loopIndex(dim - 1 + indexRank));
    SmallVector<Value> place(at);
    place[blockAxis] = arith::DivUIOp::create(e, at[blockAxis], e.index(block));
    if (isFloat) {
      for (auto [dim, index] : llvm::enumerate(place))
        if (typeOf(in.getScales()).getDimSize(dim) == 1)
          index = e.index(int64_t{0});
      Value real = decodeNarrow(e, e.extract(in.getData(), at), stored);
      Value scale = e.toFloatType(e.extract(in.getScales(), place), f32);
      return e.toFloatType(e.mul(real, scale), element);
    }
    Value number = numberAt(e, in.getData(), at);
    if (present(in.getZeroPoints()))
      number = e.sub(number, numberAt(e, in.getZeroPoints(), place));
    else if (width == 8)
      number = e.sub(number, e.constantInt(i32, 1 << (bits - 1)));
    Value scale = e.toFloatType(e.extract(in.getScales(), place), f32);
    return e.toFloatType(e.mul(e.convert(number, f32, false, false), scale), element);
  });
}

} // namespace

void dougong::onnx::populateMicrosoftPatterns(PatternSet &set) {
  set.add<MsEmbedLayerNormalizationOp>(lowerEmbedNorm);
  set.add<MsFusedConvOp>(lowerFusedConv);
  set.add<MsGatherBlockQuantizedOp>(lowerGatherBlockQuantized);
}
