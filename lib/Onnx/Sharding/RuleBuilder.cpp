//===- RuleBuilder.cpp - writes sharding rules ----------------------------===//
#include "RuleBuilder.h"

#include "dougong/Onnx/Sharding.h"
#include "dougong/Support/DimExpr.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

std::optional<SmallVector<std::string>> onnx::getExtentTexts(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return std::nullopt;
  auto dims = dyn_cast_or_null<DimsAttr>(type.getEncoding());
  SmallVector<std::string> texts;
  for (auto [index, extent] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(extent))
      texts.push_back(std::to_string(extent));
    else if (dims && index < dims.getExprs().size() && dims.getExprs()[index])
      texts.push_back(dims.getExprs()[index].str());
    else
      return std::nullopt;
  }
  return texts;
}

int64_t onnx::getRank(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type ? type.getRank() : -1;
}

int64_t onnx::getStaticExtent(Value value, int64_t dim) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return -1;
  dim = normalizeAxis(dim, type.getRank());
  return dim < 0 || type.isDynamicDim(dim) ? -1 : type.getDimSize(dim);
}

bool onnx::hasOperand(Operation *op, unsigned index) {
  return index < op->getNumOperands() && !isa<NoneType>(op->getOperand(index).getType());
}

int64_t onnx::getInt(Operation *op, StringRef name, int64_t defaultValue) {
  auto attribute = op->getAttrOfType<IntegerAttr>(name);
  return attribute ? attribute.getValue().getSExtValue() : defaultValue;
}

std::optional<SmallVector<int64_t>> onnx::getConstantIntegers(Value value) {
  Operation *producer = value.getDefiningOp();
  if (!producer)
    return std::nullopt;
  SmallVector<int64_t> values;
  if (auto dims = dyn_cast<DimsTensorOp>(producer)) {
    for (StringRef text : dims.getExprs().getAsValueRange<StringAttr>()) {
      Result<DimExpr> parsed = DimExpr::parse(text);
      if (!parsed || !parsed->constant())
        return std::nullopt;
      values.push_back(*parsed->constant());
    }
    return values;
  }
  if (!isa<ConstantOp>(producer))
    return std::nullopt;
  if (auto dense = producer->getAttrOfType<DenseIntElementsAttr>("value")) {
    if (dense.getNumElements() > 4096)
      return std::nullopt;
    for (const APInt &element : dense.getValues<APInt>())
      values.push_back(element.getSExtValue());
    return values;
  }
  if (auto ints = producer->getAttrOfType<DenseI64ArrayAttr>("value_ints"))
    return SmallVector<int64_t>(ints.asArrayRef());
  if (auto integer = producer->getAttrOfType<IntegerAttr>("value_int"))
    return SmallVector<int64_t>{integer.getValue().getSExtValue()};
  return std::nullopt;
}

ShardingRule onnx::makeReplicated(StringRef reason) {
  ShardingRule rule;
  rule.replicated = reason.str();
  return rule;
}

RuleBuilder::RuleBuilder(Operation *op) : op(op) {
  for (Value operand : op->getOperands())
    rule.operands.emplace_back(std::max<int64_t>(getRank(operand), 0));
  for (Value result : op->getResults())
    rule.results.emplace_back(std::max<int64_t>(getRank(result), 0));
}

unsigned RuleBuilder::addFactor(StringRef size, FactorKind kind, StringRef combine) {
  rule.factors.push_back({size.str(), kind, combine.str()});
  return rule.factors.size() - 1;
}

/// Maps one dim of a list of values' dims.
static void mapDim(SmallVectorImpl<SmallVector<DimFactors>> &values, unsigned index, int64_t dim,
                   unsigned factor, int64_t unit) {
  if (index >= values.size())
    return;
  dim = normalizeAxis(dim, values[index].size());
  if (dim < 0)
    return;
  values[index][dim].factors = {factor};
  values[index][dim].unit = unit;
}

RuleBuilder &RuleBuilder::mapOperand(unsigned operand, int64_t dim, unsigned factor, int64_t unit) {
  if (hasOperand(op, operand))
    mapDim(rule.operands, operand, dim, factor, unit);
  return *this;
}

RuleBuilder &RuleBuilder::mapResult(unsigned result, int64_t dim, unsigned factor, int64_t unit) {
  mapDim(rule.results, result, dim, factor, unit);
  return *this;
}

RuleBuilder &RuleBuilder::mapOneOrAll(unsigned operand, int64_t dim, unsigned factor,
                                      int64_t unit) {
  int64_t rank = hasOperand(op, operand) ? getRank(op->getOperand(operand)) : 0;
  if (rank >= 0) {
    dim = normalizeAxis(dim, rank);
    if (dim < 0)
      return *this;
  }
  auto extents = getExtentTexts(op->getOperand(operand));
  Result<DimExpr> units = DimExpr::parse(rule.factors[factor].size);
  if (extents && (*extents)[dim] == "1")
    return *this;
  if (extents && units && (*extents)[dim] == (*units * DimExpr(unit)).print())
    return mapOperand(operand, dim, factor, unit);
  rule.factors[factor].kind = FactorKind::NeedsReplication;
  return *this;
}

void RuleBuilder::mapBroadcast(ArrayRef<unsigned> operands, ArrayRef<unsigned> results,
                               int64_t skip) {
  auto extents = getExtentTexts(op->getResult(results.front()));
  if (!extents)
    return;
  for (int64_t fromEnd = skip + 1, rank = extents->size(); fromEnd <= rank; ++fromEnd) {
    const std::string &extent = (*extents)[rank - fromEnd];
    if (extent == "1")
      continue;
    // An operand whose extent is neither the result's nor 1 is of a size that
    // only the run time knows to be broadcast or not.
    bool known = true;
    SmallVector<unsigned> cut;
    for (unsigned operand : operands) {
      if (!hasOperand(op, operand))
        continue;
      auto operandExtents = getExtentTexts(op->getOperand(operand));
      if (!operandExtents) {
        known = false;
        break;
      }
      if (fromEnd > static_cast<int64_t>(operandExtents->size()))
        continue;
      const std::string &operandExtent = (*operandExtents)[operandExtents->size() - fromEnd];
      if (operandExtent == extent)
        cut.push_back(operand);
      else if (operandExtent != "1")
        known = false;
    }
    if (!known)
      continue;
    unsigned factor = addFactor(extent);
    for (unsigned operand : cut)
      mapOperand(operand, -fromEnd, factor);
    for (unsigned result : results)
      mapResult(result, -fromEnd, factor);
  }
}

ShardingRule onnx::getShardingRule(Operation *op) {
  if (auto interface = dyn_cast<ShardingRuleOpInterface>(op))
    return interface.getShardingRule();
  return makeReplicated("operator " + op->getName().getStringRef().str() + " has no sharding rule");
}

void onnx::registerShardingModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, OnnxDialect *) {
    attachElementwiseRules(context);
    attachContractionRules(context);
    attachAttentionRules(context);
    attachNormalizationRules(context);
    attachShapeRules(context);
    attachIndexingRules(context);
    attachReductionRules(context);
    attachConvolutionRules(context);
    attachExpertRules(context);
    attachRecurrentRules(context);
    attachReplicatedRules(context);
  });
}
