//===- Padding.cpp - what lies in the padding of local values -------------===//
//
// A conservative analysis of magnitudes, dim by dim. A magnitude is claimed only
// where it holds for all finite operands; what is not known is masked before a
// reduction reads it.
//
// Of values without padding nothing is known but constants. A product with zero
// is taken to be zero if it is one of a contraction: where the other factor is
// infinite or NaN, the valid elements of the same row are so, too.
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

#include <cmath>

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

Padding Partitioner::getPadding(Value value, unsigned dim) const {
  auto it = paddings.find(value);
  return it == paddings.end() || dim >= it->second.size() ? unknownPadding : it->second[dim];
}

void Partitioner::setPadding(Value value, Padding padding) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  paddings[value].assign(type ? type.getRank() : 0, padding);
}

Padding dist::limitPadding(Padding padding, Type element) {
  if (padding == zeroPadding)
    return padding;
  if (auto integer = dyn_cast<IntegerType>(element))
    return std::min(padding, std::ldexp(1.0, integer.getWidth() == 1 ? 0 : 64));
  auto floating = dyn_cast<FloatType>(element);
  if (!floating || std::isnan(padding))
    return unknownPadding;
  const llvm::fltSemantics &semantics = floating.getFloatSemantics();
  // Results are rounded; those of elementary functions are a few units off.
  padding *= 1 + std::ldexp(8.0, -static_cast<int>(APFloat::semanticsPrecision(semantics)));
  APFloat greatest = APFloat::getLargest(semantics);
  bool inexact;
  greatest.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
  return padding <= greatest.convertToDouble() ? padding : unknownPadding;
}

/// The least and the greatest number of a small constant.
std::optional<std::pair<double, double>> Partitioner::getConstantRange(Value value) {
  Operation *source = value.getDefiningOp();
  DenseElementsAttr elements;
  if (auto use = dyn_cast_if_present<onnx::UseOp>(source)) {
    if (auto weight = symbols.lookup<onnx::WeightOp>(use.getWeight()))
      elements = weight->getAttrOfType<DenseElementsAttr>("value");
  } else if (isa_and_present<onnx::ConstantOp>(source)) {
    elements = source->getAttrOfType<DenseElementsAttr>("value");
  }
  if (!elements || elements.empty() || (!elements.isSplat() && elements.getNumElements() > 4096))
    return std::nullopt;
  std::pair<double, double> range(std::numeric_limits<double>::infinity(),
                                  -std::numeric_limits<double>::infinity());
  auto widen = [&](double number) {
    range = {std::min(range.first, number), std::max(range.second, number)};
    return !std::isnan(number);
  };
  bool known = true;
  auto type = elements.getElementType();
  if (isa<FloatType>(type)) {
    for (APFloat number : elements.getValues<APFloat>()) {
      bool inexact;
      number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
      known &= widen(number.convertToDouble());
    }
  } else if (auto integer = dyn_cast<IntegerType>(type)) {
    bool isUnsigned = integer.isUnsigned() || integer.getWidth() == 1;
    for (const APInt &number : elements.getValues<APInt>())
      widen(isUnsigned ? static_cast<double>(number.getZExtValue())
                       : static_cast<double>(number.getSExtValue()));
  } else {
    return std::nullopt;
  }
  return known ? std::optional(range) : std::nullopt;
}

namespace {

/// What an operator reads where its result has padding.
struct Read {
  bool isPresent = false;
  bool isPadding = false;         ///< the operand has padding there, too
  Padding bound = unknownPadding; ///< of the magnitudes read
  double least = 0, greatest = 0; ///< of a constant

  bool isZero() const { return isPresent && isPadding && bound == zeroPadding; }
  bool isZeroOrAbsent() const { return !isPresent || isZero(); }
};

/// The operands that an operator reads there; absent ones at the end are left out.
using Reads = ArrayRef<Read>;

Read get(Reads reads, unsigned index) { return index < reads.size() ? reads[index] : Read(); }

bool isAbsent(Reads reads, unsigned begin, unsigned end = ~0u) {
  for (unsigned index = begin; index < reads.size() && index < end; ++index)
    if (reads[index].isPresent)
      return false;
  return true;
}

bool isZeroOrAbsent(Reads reads, unsigned begin, unsigned end) {
  for (unsigned index = begin; index < end; ++index)
    if (!get(reads, index).isZeroOrAbsent())
      return false;
  return true;
}

Padding addUp(Reads reads) {
  Padding sum = zeroPadding;
  for (const Read &read : reads)
    sum += read.isPresent ? read.bound : zeroPadding;
  return sum;
}

Padding getGreatest(Reads reads) {
  Padding greatest = zeroPadding;
  for (const Read &read : reads)
    greatest = std::max(greatest, read.isPresent ? read.bound : zeroPadding);
  return greatest;
}

/// 0 * infinity is NaN, which limitPadding takes for unknown.
Padding multiply(Reads reads) {
  Padding product = 1;
  for (const Read &read : reads)
    product *= read.bound;
  return product;
}

double getFloat(Operation *op, StringRef name, double defaultValue) {
  auto attribute = op->getAttrOfType<FloatAttr>(name);
  return attribute ? attribute.getValueAsDouble() : defaultValue;
}

/// Zero where one of the factors is, and the others are finite.
Padding contract(Reads reads, ArrayRef<unsigned> factors, unsigned addend) {
  bool anyZero = false;
  for (unsigned factor : factors) {
    Read read = get(reads, factor);
    anyZero |= read.isZero();
    if (read.isPadding && read.bound == unknownPadding)
      return unknownPadding;
  }
  return anyZero && get(reads, addend).isZeroOrAbsent() ? zeroPadding : unknownPadding;
}

/// Attention of zeros is zero, unless a mask leaves no key to attend to.
std::optional<Padding> attend(Operation *op, unsigned result, Reads reads) {
  bool isZero;
  if (isa<onnx::AttentionOp>(op))
    isZero = isZeroOrAbsent(reads, 0, 3) && isAbsent(reads, 3, 4) && isZeroOrAbsent(reads, 4, 6) &&
             isAbsent(reads, 6);
  else if (isa<onnx::MsGroupQueryAttentionOp>(op))
    isZero = isZeroOrAbsent(reads, 0, 5) && !get(reads, 5).isPadding && isAbsent(reads, 10);
  else if (isa<onnx::MsMultiHeadAttentionOp>(op))
    isZero = isZeroOrAbsent(reads, 0, 4) && isAbsent(reads, 4, 6) && isZeroOrAbsent(reads, 6, 8) &&
             isAbsent(reads, 8);
  else
    return std::nullopt;
  return isZero && result < 3 ? zeroPadding : unknownPadding;
}

/// A bound of the magnitudes of result `result`, before the limits of its type.
Padding getBound(Operation *op, unsigned result, Reads reads, bool isFloat) {
  using namespace onnx;
  Padding bound = get(reads, 0).bound;
  bool isFinite = bound != unknownPadding;
  // |f(x)| <= |x|, and moves of elements.
  if (isAnyOf<IdentityOp, CastOp, NegOp, AbsOp, ReluOp, GeluOp, SwishOp, HardSwishOp, MsGeluOp,
              MsQuickGeluOp, TransposeOp, ReshapeOp, FlattenOp, SqueezeOp, UnsqueezeOp,
              onnx::SliceOp, SplitOp, ExpandOp, TileOp, GatherOp, ReduceMaxOp, ReduceMinOp,
              GlobalMaxPoolOp>(op) ||
      (isa<MaxPoolOp>(op) && result == 0))
    return bound;
  if (isAnyOf<TanhOp, ErfOp, SinOp, SignOp>(op))
    return isFinite ? std::min(bound, 1.0) : unknownPadding;
  if (isAnyOf<FloorOp, CeilOp, RoundOp>(op))
    return bound == zeroPadding ? bound : bound + 1;
  if (isAnyOf<SigmoidOp, HardSigmoidOp, CosOp, SoftmaxOp>(op))
    return isFinite ? 1 : unknownPadding;
  if (isAnyOf<ExpOp>(op))
    return std::exp(bound);
  if (isAnyOf<SoftplusOp>(op)) // log(exp(x) + 1)
    return std::exp(bound) + 1;
  if (isAnyOf<LeakyReluOp>(op))
    return bound * std::max(1.0, std::abs(getFloat(op, "alpha", 0.01)));
  if (isAnyOf<EluOp>(op))
    return bound == zeroPadding ? bound : bound + std::abs(getFloat(op, "alpha", 1));
  // Linear, with factors that are not bounded; f(0) = 0 only.
  if (isAnyOf<SqrtOp, CumSumOp, ReduceSumOp, ReduceMeanOp, ReduceSumSquareOp, ReduceL1Op,
              ReduceL2Op, AveragePoolOp, GlobalAveragePoolOp, RotaryEmbeddingOp,
              MsRotaryEmbeddingOp>(op) ||
      (isAnyOf<RMSNormalizationOp, MsSimplifiedLayerNormalizationOp>(op) &&
       getFloat(op, "epsilon", 1e-5) > 0))
    return bound == zeroPadding ? bound : unknownPadding;
  if (isAnyOf<AddOp, SubOp, SumOp, MeanOp, MsBiasGeluOp, MsFastGeluOp>(op))
    return addUp(reads);
  if (isAnyOf<MaxOp, MinOp, ConcatOp, ClipOp>(op))
    return getGreatest(reads);
  if (isAnyOf<WhereOp>(op))
    return getGreatest(reads.drop_front());
  if (isAnyOf<MulOp, AndOp>(op))
    return multiply(reads);
  if (isAnyOf<DivOp>(op)) {
    const Read &divisor = reads[1];
    double least = divisor.least > 0 ? divisor.least : -divisor.greatest;
    if (isFloat)
      return least > 0 ? bound / least : unknownPadding;
    return divisor.isPadding ? unknownPadding : bound;
  }
  if (isAnyOf<PowOp>(op)) {
    double exponent = reads[1].least;
    if (exponent != reads[1].greatest || exponent <= 0)
      return unknownPadding;
    bool isWhole = exponent == std::floor(exponent); // else NaN for negative numbers
    return bound == zeroPadding ? bound : isWhole ? std::pow(bound, exponent) : unknownPadding;
  }
  if (isAnyOf<MatMulOp, MsFusedMatMulOp, GemmOp, ConvOp>(op))
    return contract(reads, {0, 1}, 2);
  if (isAnyOf<MsMatMulNBitsOp>(op)) // scales are factors of the quantised weight
    return contract(reads, {0, 2}, 5);
  return attend(op, result, reads).value_or(unknownPadding);
}

} // namespace

void Partitioner::derivePadding(Operation *op, Operation *local, const onnx::ShardingRule &rule,
                                ArrayRef<Cut> factors, MeshOp mesh) {
  for (auto [index, result] : llvm::enumerate(local->getResults())) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type)
      continue;
    SmallVector<Padding> padding(type.getRank(), zeroPadding);
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      std::optional<unsigned> factor = getFactor(rule.results, index, dim);
      if (!factor || factors[*factor].axes.empty())
        continue;
      Result<DimExpr> size = DimExpr::parse(rule.factors[*factor].size);
      const Cut &cut = factors[*factor];
      if (size && isEvenlyCut(*size, cut.unit, getCount(mesh, cut.axes)))
        continue;
      SmallVector<Read> reads(local->getNumOperands());
      for (auto [operand, read] : llvm::enumerate(reads)) {
        read.isPresent = isa<RankedTensorType>(local->getOperand(operand).getType());
        if (!read.isPresent)
          continue;
        for (auto [operandDim, dimFactors] : llvm::enumerate(rule.operands[operand])) {
          if (dimFactors.factors.empty() || dimFactors.factors.front() != *factor)
            continue;
          read.isPadding = true;
          read.bound = getPadding(local->getOperand(operand), operandDim);
        }
        if (read.isPadding)
          continue;
        if (auto range = getConstantRange(op->getOperand(operand))) {
          std::tie(read.least, read.greatest) = *range;
          read.bound = std::max(std::abs(read.least), std::abs(read.greatest));
        } else if (auto integers =
                       dyn_cast<RankedTensorType>(local->getOperand(operand).getType())) {
          read.bound = limitPadding(unknownPadding, integers.getElementType());
        }
      }
      padding[dim] = limitPadding(getBound(op, index, reads, isa<FloatType>(type.getElementType())),
                                  type.getElementType());
    }
    paddings[result] = padding;
  }
}
