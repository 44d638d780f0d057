//===- Elementwise.cpp - shapes of element-wise operators -----------------===//
//
// Integer contents follow the arithmetic, for shape computations.
//
//===----------------------------------------------------------------------===//
#include "Families.h"

#include "llvm/ADT/STLFunctionalExtras.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

using Content = std::optional<DimExpr>;
using Combine = llvm::function_ref<Content(ArrayRef<DimExpr>)>;

/// Contents of an element-wise op, where those of all operands are known and
/// `combine` decides for every element.
void combineContents(Operation *op, ShapeScope &scope, Combine combine) {
  Value result = op->getResult(0);
  if (!scope.isKnown(result))
    return;
  auto extents = getStatic(scope.getDims(result));
  if (!extents)
    return;
  int64_t count = 1;
  for (int64_t extent : *extents)
    count *= extent;
  if (count > ShapeScope::maxContents)
    return;
  SmallVector<Dims> columns; // [operand][element]
  for (Value operand : op->getOperands()) {
    auto contents = scope.getContents(operand);
    if (!contents)
      return;
    auto own = getStatic(scope.getDims(operand));
    if (!own)
      return;
    SmallVector<int64_t> strides = getStrides(*own);
    size_t lead = extents->size() - own->size();
    columns.push_back(permuteContents(*contents, *extents, [&](ArrayRef<int64_t> coordinate) {
      int64_t position = 0;
      for (size_t d = 0; d < own->size(); ++d)
        position += (*own)[d] == 1 ? 0 : coordinate[lead + d] * strides[d];
      return position;
    }));
  }
  Dims contents;
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<DimExpr> arguments;
    for (const Dims &column : columns)
      arguments.push_back(column[i]);
    Content value = combine(arguments);
    if (!value)
      return;
    contents.push_back(*value);
  }
  scope.setContents(result, contents);
}

template <typename OpTy>
Content combineBinary(ShapeScope &scope, const DimExpr &a, const DimExpr &b) {
  DimSolver &solver = scope.getSolver();
  auto isExtent = [&](const DimExpr &e) {
    auto low = solver.lowerBound(e);
    return low && *low >= 0;
  };
  auto decide = [](bool yes, bool no) -> Content {
    if (yes || no)
      return DimExpr(yes);
    return std::nullopt;
  };
  auto strictlyLess = [&](const DimExpr &x, const DimExpr &y) {
    return solver.isLessOrEqual(x + DimExpr(1), y);
  };
  if constexpr (std::is_same_v<OpTy, AddOp> || std::is_same_v<OpTy, SumOp>)
    return a + b;
  else if constexpr (std::is_same_v<OpTy, SubOp>)
    return a - b;
  else if constexpr (std::is_same_v<OpTy, MulOp>)
    return a * b;
  else if constexpr (std::is_same_v<OpTy, MinOp>)
    return solver.smaller(a, b);
  else if constexpr (std::is_same_v<OpTy, MaxOp>)
    return solver.greater(a, b);
  else if constexpr (std::is_same_v<OpTy, DivOp>) {
    if (b.constant() == 0)
      return std::nullopt;
    if (a.constant() && b.constant())
      return DimExpr(*b.constant() == -1 ? -*a.constant() : *a.constant() / *b.constant());
    // Integer division truncates, which is floordiv where nothing is negative.
    if (isExtent(a) && isExtent(b))
      return floorDiv(a, b);
    return std::nullopt;
  } else if constexpr (std::is_same_v<OpTy, EqualOp>)
    return decide(a == b, strictlyLess(a, b) || strictlyLess(b, a));
  else if constexpr (std::is_same_v<OpTy, LessOp>)
    return decide(strictlyLess(a, b), solver.isLessOrEqual(b, a));
  else if constexpr (std::is_same_v<OpTy, GreaterOp>)
    return decide(strictlyLess(b, a), solver.isLessOrEqual(a, b));
  else if constexpr (std::is_same_v<OpTy, LessOrEqualOp>)
    return decide(solver.isLessOrEqual(a, b), strictlyLess(b, a));
  else if constexpr (std::is_same_v<OpTy, GreaterOrEqualOp>)
    return decide(solver.isLessOrEqual(b, a), strictlyLess(a, b));
  else if constexpr (std::is_same_v<OpTy, AndOp>)
    return decide(a.constant() == 1 && b.constant() == 1, a.constant() == 0 || b.constant() == 0);
  else if constexpr (std::is_same_v<OpTy, OrOp>)
    return decide(a.constant() == 1 || b.constant() == 1, a.constant() == 0 && b.constant() == 0);
  else
    return std::nullopt;
}

template <typename OpTy> LogicalResult inferArithmetic(OpTy op, ShapeScope &scope) {
  if (failed(inferBroadcast(op, scope)))
    return failure();
  combineContents(op, scope, [&](ArrayRef<DimExpr> arguments) -> Content {
    DimExpr value = arguments.front();
    for (const DimExpr &argument : arguments.drop_front()) {
      Content next = combineBinary<OpTy>(scope, value, argument);
      if (!next)
        return std::nullopt;
      value = *next;
    }
    return value;
  });
  return success();
}

LogicalResult inferMod(ModOp op, ShapeScope &scope) {
  if (failed(inferBroadcast(op, scope)))
    return failure();
  if (op.getFmod() != 0)
    return success();
  combineContents(op, scope, [&](ArrayRef<DimExpr> arguments) -> Content {
    if (arguments[1].constant().value_or(0) == 0)
      return std::nullopt;
    return mod(arguments[0], arguments[1]);
  });
  return success();
}

LogicalResult inferNeg(NegOp op, ShapeScope &scope) {
  if (failed(inferSameShape(op, scope)))
    return failure();
  combineContents(op, scope, [](ArrayRef<DimExpr> a) -> Content { return -a[0]; });
  return success();
}

LogicalResult inferNot(NotOp op, ShapeScope &scope) {
  if (failed(inferSameShape(op, scope)))
    return failure();
  combineContents(op, scope, [](ArrayRef<DimExpr> a) -> Content {
    if (auto value = a[0].constant())
      return DimExpr(!*value);
    return std::nullopt;
  });
  return success();
}

LogicalResult inferWhere(WhereOp op, ShapeScope &scope) {
  if (failed(inferBroadcast(op, scope)))
    return failure();
  combineContents(op, scope, [&](ArrayRef<DimExpr> a) -> Content {
    if (auto condition = a[0].constant())
      return *condition ? a[1] : a[2];
    if (a[1] == a[2])
      return a[1];
    return std::nullopt;
  });
  return success();
}

LogicalResult inferCast(Operation *op, ShapeScope &scope) {
  if (failed(inferSameShape(op, scope)) || !scope.isKnown(op->getResult(0)))
    return failure();
  auto contents = scope.getContents(op->getOperand(0));
  if (!contents)
    return success();
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  if (element.isInteger(1)) {
    // To bool: whether it is not zero.
    for (DimExpr &content : *contents) {
      auto value = content.constant();
      if (!value)
        return success();
      content = DimExpr(*value != 0);
    }
  } else if (element.getIntOrFloatBitWidth() < 32) {
    return success(); // may wrap
  }
  scope.setContents(op->getResult(0), *contents);
  return success();
}

LogicalResult inferIdentity(IdentityOp op, ShapeScope &scope) {
  if (scope.isKnown(op->getOperand(0)))
    scope.copy(op->getOperand(0), op->getResult(0));
  else if (isa<ShapedType>(op->getOperand(0).getType()))
    return failure(failed(scope.getOperandDims(op, 0)));
  return success();
}

/// Result 0 and, where there is one, the mask.
LogicalResult inferDropout(DropoutOp op, ShapeScope &scope) {
  FailureOr<Dims> dims = scope.getOperandDims(op, 0);
  if (failed(dims) || failed(scope.setResult(op, 0, *dims)))
    return failure();
  return scope.setResult(op, 1, *dims);
}

LogicalResult inferPRelu(PReluOp op, ShapeScope &scope) { return inferSameShape(op, scope); }

} // namespace

void dougong::onnx::attachElementwiseShapes(MLIRContext &context) {
  attach<inferSameShape, AbsOp, AcosOp, AcoshOp, AsinOp, AsinhOp, AtanOp, AtanhOp, BernoulliOp,
         BitwiseNotOp, CeilOp, CeluOp, CosOp, CoshOp, EluOp, ErfOp, ExpOp, FloorOp, GeluOp,
         HardSigmoidOp, HardSwishOp, IsInfOp, IsNaNOp, LeakyReluOp, LogOp, MishOp, ReciprocalOp,
         ReluOp, RoundOp, SeluOp, ShrinkOp, SigmoidOp, SignOp, SinOp, SinhOp, SoftplusOp,
         SoftsignOp, SqrtOp, SwishOp, TanOp, TanhOp, ThresholdedReluOp>(context);
  // Min and max of Clip are scalars.
  attach<inferSameShape, ClipOp>(context);
  attach<inferSameShape, MsGeluOp, MsQuickGeluOp, MsFastGeluOp>(context);
  attach<inferBroadcast, BitShiftOp, BitwiseAndOp, BitwiseOrOp, BitwiseXorOp, MeanOp, PowOp, XorOp,
         StringConcatOp, MsBiasGeluOp>(context);
  attach<inferArithmetic<AddOp>, AddOp>(context);
  attach<inferArithmetic<SumOp>, SumOp>(context);
  attach<inferArithmetic<SubOp>, SubOp>(context);
  attach<inferArithmetic<MulOp>, MulOp>(context);
  attach<inferArithmetic<DivOp>, DivOp>(context);
  attach<inferArithmetic<MinOp>, MinOp>(context);
  attach<inferArithmetic<MaxOp>, MaxOp>(context);
  attach<inferArithmetic<EqualOp>, EqualOp>(context);
  attach<inferArithmetic<LessOp>, LessOp>(context);
  attach<inferArithmetic<GreaterOp>, GreaterOp>(context);
  attach<inferArithmetic<LessOrEqualOp>, LessOrEqualOp>(context);
  attach<inferArithmetic<GreaterOrEqualOp>, GreaterOrEqualOp>(context);
  attach<inferArithmetic<AndOp>, AndOp>(context);
  attach<inferArithmetic<OrOp>, OrOp>(context);
  attach<inferMod, ModOp>(context);
  attach<inferNeg, NegOp>(context);
  attach<inferNot, NotOp>(context);
  attach<inferWhere, WhereOp>(context);
  attach<inferCast, CastOp, CastLikeOp, BitCastOp>(context);
  attach<inferIdentity, IdentityOp>(context);
  attach<inferDropout, DropoutOp>(context);
  attach<inferPRelu, PReluOp>(context);
}
