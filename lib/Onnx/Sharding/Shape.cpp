//===- Shape.cpp - sharding rules of operators that move elements ---------===//
#include "RuleBuilder.h"

#include "dougong/Support/DimExpr.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

std::optional<SmallVector<DimExpr>> getExprs(Value value) {
  auto texts = getExtentTexts(value);
  if (!texts)
    return std::nullopt;
  SmallVector<DimExpr> exprs;
  for (const std::string &text : *texts) {
    Result<DimExpr> expr = DimExpr::parse(text);
    if (!expr)
      return std::nullopt;
    exprs.push_back(*expr);
  }
  return exprs;
}

/// Product of extents [begin, end).
DimExpr getProduct(ArrayRef<DimExpr> extents) {
  DimExpr product(1);
  for (const DimExpr &extent : extents)
    product = product * extent;
  return product;
}

/// The elements per unit of the first dim of a group, if they are static.
std::optional<int64_t> getUnit(ArrayRef<DimExpr> group, size_t first) {
  return getProduct(group.drop_front(first + 1)).constant();
}

/// Reshape and kin. Both shapes are cut into the smallest groups of equal
/// products. In a group, the first dims that are not 1 are the major parts of
/// the same run of elements. With one dim on one side (split or merge), its
/// blocks are the other's first extent; with several on both, the greatest
/// common extent of the two first dims is the factor.
ShardingRule getReshapeRule(Operation *op) {
  auto from = getExprs(op->getOperand(0)), to = getExprs(op->getResult(0));
  if (!from || !to)
    return makeReplicated("a shape is not known");
  RuleBuilder builder(op);
  size_t i = 0, j = 0;
  while (i < from->size() && j < to->size()) {
    bool leftOne = (*from)[i] == DimExpr(1), rightOne = (*to)[j] == DimExpr(1);
    if (leftOne != rightOne) { // a dim of 1 that comes or goes
      leftOne ? ++i : ++j;
      continue;
    }
    size_t iEnd = i + 1, jEnd = j + 1;
    DimExpr left = (*from)[i], right = (*to)[j];
    // Grow the side whose product divides into the other's; with symbols, grow
    // the side that has fewer dims in the group until the texts agree.
    while (!(left == right)) {
      std::optional<int64_t> a = left.constant(), b = right.constant();
      bool growLeft = a && b ? *a < *b : iEnd - i <= jEnd - j;
      if (growLeft && iEnd == from->size())
        growLeft = false;
      if (!growLeft && jEnd == to->size()) {
        if (iEnd == from->size())
          return builder.take(); // the rest cannot be told apart: stays whole
        growLeft = true;
      }
      if (growLeft)
        left = left * (*from)[iEnd++];
      else
        right = right * (*to)[jEnd++];
    }
    // First dims of the group that are not 1.
    size_t p = i, q = j;
    while (p + 1 < iEnd && (*from)[p] == DimExpr(1))
      ++p;
    while (q + 1 < jEnd && (*to)[q] == DimExpr(1))
      ++q;
    ArrayRef<DimExpr> fromGroup(from->begin() + i, from->begin() + iEnd);
    ArrayRef<DimExpr> toGroup(to->begin() + j, to->begin() + jEnd);
    std::optional<int64_t> fromRest = getUnit(fromGroup, p - i), toRest = getUnit(toGroup, q - j);
    // Of an empty tensor nothing can be cut.
    if (fromRest && toRest && *fromRest > 0 && *toRest > 0 && !((*from)[p] == DimExpr(1))) {
      // A block of the factor is as many elements as both sides keep together.
      int64_t rest = std::max(*fromRest, *toRest);
      if (rest % *fromRest == 0 && rest % *toRest == 0) {
        const DimExpr &size = *fromRest == rest ? (*from)[p] : (*to)[q];
        unsigned factor = builder.addFactor(size.print());
        builder.mapOperand(0, p, factor, rest / *fromRest);
        builder.mapResult(0, q, factor, rest / *toRest);
      }
    }
    i = iEnd;
    j = jEnd;
  }
  return builder.take();
}

ShardingRule getTransposeRule(Operation *op) {
  auto extents = getExtentTexts(op->getOperand(0));
  if (!extents)
    return makeReplicated("the shape of the input is not known");
  int64_t rank = extents->size();
  auto perm = op->getAttrOfType<DenseI64ArrayAttr>("perm");
  if (perm && static_cast<int64_t>(perm.size()) != rank)
    return makeReplicated("perm does not fit the input");
  RuleBuilder builder(op);
  for (int64_t dim = 0; dim < rank; ++dim) {
    int64_t source = perm ? perm[dim] : rank - 1 - dim;
    if (source < 0 || source >= rank || (*extents)[source] == "1")
      continue;
    unsigned factor = builder.addFactor((*extents)[source]);
    builder.mapOperand(0, source, factor).mapResult(0, dim, factor);
  }
  return builder.take();
}

/// Expand(input, shape): dims that grow are factors of the result alone.
ShardingRule getExpandRule(Operation *op) {
  RuleBuilder builder(op);
  builder.mapBroadcast({0}, {0});
  return builder.take();
}

/// Tile(input, repeats): dims that keep their extent.
ShardingRule getTileRule(Operation *op) {
  auto from = getExtentTexts(op->getOperand(0)), to = getExtentTexts(op->getResult(0));
  if (!from || !to || from->size() != to->size())
    return makeReplicated("a shape is not known");
  RuleBuilder builder(op);
  auto repeats = getConstantIntegers(op->getOperand(1));
  for (size_t dim = 0; dim < from->size(); ++dim)
    if ((*from)[dim] == (*to)[dim] && (*from)[dim] != "1" && repeats && dim < repeats->size() &&
        (*repeats)[dim] == 1) {
      unsigned factor = builder.addFactor((*from)[dim]);
      builder.mapOperand(0, dim, factor).mapResult(0, dim, factor);
    }
  return builder.take();
}

/// Concat: all dims but `axis`.
ShardingRule getConcatRule(Operation *op) {
  auto extents = getExtentTexts(op->getResult(0));
  if (!extents)
    return makeReplicated("the shape of the result is not known");
  int64_t axis = normalizeAxis(getInt(op, "axis", 0), extents->size());
  RuleBuilder builder(op);
  for (auto [dim, extent] : llvm::enumerate(*extents)) {
    if (static_cast<int64_t>(dim) == axis || extent == "1")
      continue;
    unsigned factor = builder.addFactor(extent);
    for (unsigned operand = 0; operand < op->getNumOperands(); ++operand)
      builder.mapOperand(operand, dim, factor);
    builder.mapResult(0, dim, factor);
  }
  return builder.take();
}

ShardingRule getSplitRule(Operation *op) {
  auto extents = getExtentTexts(op->getOperand(0));
  if (!extents)
    return makeReplicated("the shape of the input is not known");
  int64_t axis = normalizeAxis(getInt(op, "axis", 0), extents->size());
  RuleBuilder builder(op);
  for (auto [dim, extent] : llvm::enumerate(*extents)) {
    if (static_cast<int64_t>(dim) == axis || extent == "1")
      continue;
    unsigned factor = builder.addFactor(extent);
    builder.mapOperand(0, dim, factor);
    for (unsigned result = 0; result < op->getNumResults(); ++result)
      builder.mapResult(result, dim, factor);
  }
  return builder.take();
}

/// Slice and Pad: dims that provably keep all their elements. Without constant
/// axes any dim may be touched.
ShardingRule getKeptDimsRule(Operation *op, std::optional<SmallVector<int64_t>> axes,
                             bool allAxes) {
  auto from = getExtentTexts(op->getOperand(0)), to = getExtentTexts(op->getResult(0));
  if (!from || !to || from->size() != to->size())
    return makeReplicated("a shape is not known");
  if (!axes && !allAxes)
    return makeReplicated("the axes are not known");
  RuleBuilder builder(op);
  for (auto [dim, extent] : llvm::enumerate(*from)) {
    bool touched = allAxes || llvm::any_of(*axes, [&, dim = dim](int64_t axis) {
                     return normalizeAxis(axis, from->size()) == static_cast<int64_t>(dim);
                   });
    if (touched || extent == "1")
      continue;
    unsigned factor = builder.addFactor(extent);
    builder.mapOperand(0, dim, factor).mapResult(0, dim, factor);
  }
  return builder.take();
}

/// Slice(data, starts, ends, axes?, steps?).
ShardingRule getSliceRule(Operation *op) {
  if (hasOperand(op, 3))
    return getKeptDimsRule(op, getConstantIntegers(op->getOperand(3)), false);
  int64_t count = getStaticExtent(op->getOperand(1), 0);
  if (count < 0)
    return makeReplicated("the axes are not known");
  return getKeptDimsRule(op, llvm::to_vector(llvm::seq<int64_t>(0, count)), false);
}

/// Pad(data, pads, constant_value?, axes?): dims with no pads.
ShardingRule getPadRule(Operation *op) {
  auto pads = getConstantIntegers(op->getOperand(1));
  if (!pads)
    return makeReplicated("the pads are not known");
  int64_t rank = getRank(op->getOperand(0));
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, std::max<int64_t>(rank, 0)));
  if (hasOperand(op, 3)) {
    auto given = getConstantIntegers(op->getOperand(3));
    if (!given)
      return makeReplicated("the axes are not known");
    axes = *given;
  }
  if (pads->size() != 2 * axes.size())
    return makeReplicated("the pads do not fit the axes");
  SmallVector<int64_t> touched;
  for (size_t index = 0; index < axes.size(); ++index)
    if ((*pads)[index] != 0 || (*pads)[index + axes.size()] != 0)
      touched.push_back(axes[index]);
  return getKeptDimsRule(op, touched, false);
}

} // namespace

void dougong::onnx::attachShapeRules(MLIRContext *context) {
  attachRule<getReshapeRule, ReshapeOp, FlattenOp, SqueezeOp, UnsqueezeOp>(context);
  attachRule<getTransposeRule, TransposeOp>(context);
  attachRule<getExpandRule, ExpandOp>(context);
  attachRule<getTileRule, TileOp>(context);
  attachRule<getConcatRule, ConcatOp>(context);
  attachRule<getSplitRule, SplitOp>(context);
  attachRule<getSliceRule, SliceOp>(context);
  attachRule<getPadRule, PadOp>(context);
}
