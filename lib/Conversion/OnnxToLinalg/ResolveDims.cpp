//===- ResolveDims.cpp - extents of a kernel from its arguments -----------===//
#include "ResolveDims.h"

#include "Onnx/IR/Onnx.h"
#include "dougong/Support/DimExpr.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// Values of extents at the head of a kernel, one for each expression.
class DimResolver {
public:
  explicit DimResolver(func::FuncOp function)
      : builder(function.getLoc(), OpBuilder::atBlockBegin(&function.getBody().front())) {
    for (auto [index, argument] : llvm::enumerate(function.getArguments())) {
      if (auto expr = function.getArgAttrOfType<StringAttr>(index, "onnx.dim"))
        if (argument.getType().isIndex())
          sources.try_emplace(expr.getValue(), Source{argument, -1});
      auto dims = function.getArgAttrOfType<DimsAttr>(index, "onnx.dims");
      if (!dims || !isa<RankedTensorType>(argument.getType()))
        continue;
      for (auto [dim, expr] : llvm::enumerate(dims.getExprs()))
        if (expr)
          sources.try_emplace(expr.getValue(), Source{argument, static_cast<int64_t>(dim)});
    }
  }

  /// The value of `text`, or null.
  Value resolve(StringRef text) {
    auto [found, isNew] = values.try_emplace(text, Value());
    if (!isNew)
      return found->second;
    Value value = make(text);
    values[text] = value;
    return value;
  }

private:
  struct Source {
    Value argument;
    int64_t dim; ///< -1: the argument is the extent itself
  };

  Value make(StringRef text) {
    if (auto source = sources.find(text); source != sources.end()) {
      if (source->second.dim < 0)
        return source->second.argument;
      return tensor::DimOp::create(builder, source->second.argument, source->second.dim);
    }
    auto parsed = DimExpr::parse(std::string_view(text));
    return parsed ? compute(*parsed) : Value();
  }

  /// Extents are not negative, so unsigned division serves; differences may
  /// be, so minimum and maximum are signed.
  Value compute(const DimExpr &expr) {
    if (auto constant = expr.constant())
      return arith::ConstantIndexOp::create(builder, *constant);
    if (expr.kind() == DimExpr::Kind::Symbol) // already looked up by make
      return Value();
    Value result;
    for (const DimExpr &part : expr.operands()) {
      Value value = part.constant() ? compute(part) : resolve(part.print());
      if (!value)
        return Value();
      result = result ? combine(expr.kind(), result, value) : value;
    }
    return result;
  }

  Value combine(DimExpr::Kind kind, Value a, Value b) {
    switch (kind) {
    case DimExpr::Kind::Add:
      return arith::AddIOp::create(builder, a, b);
    case DimExpr::Kind::Mul:
      return arith::MulIOp::create(builder, a, b);
    case DimExpr::Kind::FloorDiv:
      return arith::FloorDivSIOp::create(builder, a, b);
    case DimExpr::Kind::CeilDiv:
      return arith::CeilDivSIOp::create(builder, a, b);
    case DimExpr::Kind::Mod: {
      Value quotient = arith::FloorDivSIOp::create(builder, a, b);
      Value multiple = arith::MulIOp::create(builder, quotient, b);
      return arith::SubIOp::create(builder, a, multiple);
    }
    case DimExpr::Kind::Min:
      return arith::MinSIOp::create(builder, a, b);
    case DimExpr::Kind::Max:
      return arith::MaxSIOp::create(builder, a, b);
    case DimExpr::Kind::Constant:
    case DimExpr::Kind::Symbol:
      break;
    }
    return Value();
  }

  ImplicitLocOpBuilder builder;
  llvm::StringMap<Source> sources;
  llvm::StringMap<Value> values;
};

} // namespace

LogicalResult dougong::onnx::resolveDims(func::FuncOp function) {
  DimResolver resolver(function);
  SmallVector<DimOp> ops;
  function.walk([&](DimOp op) { ops.push_back(op); });
  for (DimOp op : ops) {
    if (op->use_empty())
      continue;
    Value value = resolver.resolve(op.getExpr());
    if (!value)
      return emitError(op.getLoc())
             << "extent \"" << op.getExpr() << "\" is neither an argument of kernel @"
             << function.getSymName() << " nor a dim of one of its tensors";
    op.getResult().replaceAllUsesWith(value);
  }
  // Erased last: the resolver inserts before the first of them.
  for (DimOp op : ops)
    op.erase();
  return success();
}
