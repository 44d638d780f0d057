//===- Extents.cpp - extent expressions as index values -------------------===//
#include "Extents.h"

#include "Onnx/IR/Onnx.h"
#include "dougong-c/program.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace dougong;

int64_t dougong::getElementBytes(Type elementType) {
  if (auto complex = dyn_cast<ComplexType>(elementType))
    return 2 * getElementBytes(complex.getElementType());
  if (isa<onnx::StringType>(elementType))
    return sizeof(dougong_string);
  if (isa<onnx::SequenceType, onnx::OptionalType>(elementType))
    return sizeof(dougong_sequence);
  return llvm::divideCeil(elementType.getIntOrFloatBitWidth(), 8);
}

FailureOr<SmallVector<DimExpr>> dougong::getExtentExprs(Location loc, RankedTensorType type) {
  auto dims = dyn_cast_or_null<onnx::DimsAttr>(type.getEncoding());
  SmallVector<DimExpr> extents;
  for (auto [index, extent] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(extent)) {
      extents.push_back(extent);
      continue;
    }
    if (!dims)
      return emitError(loc) << "dim " << index << " of " << type
                            << " has no expression: run shape inference first";
    Result<DimExpr> expr = DimExpr::parse(dims.getExprs()[index].getValue());
    if (!expr)
      return emitError(loc) << expr.message();
    extents.push_back(*expr);
  }
  return extents;
}

FailureOr<DimExpr> dougong::getAlignedBytes(Location loc, RankedTensorType type) {
  FailureOr<SmallVector<DimExpr>> extents = getExtentExprs(loc, type);
  if (failed(extents))
    return failure();
  DimExpr bytes = getElementBytes(type.getElementType());
  for (const DimExpr &extent : *extents)
    bytes = bytes * extent;
  return ceilDiv(bytes, 64) * 64;
}

bool ExtentEvaluator::isLate(const DimExpr &expr) const {
  return llvm::any_of(expr.symbols(),
                      [&](const std::string &symbol) { return lateSymbols.contains(symbol); });
}

bool ExtentEvaluator::isKnownAtEntry(const DimExpr &expr) const {
  return !isLate(expr) && isComputable(expr);
}

void ExtentEvaluator::bind(StringRef symbol, Value value) {
  if (Result<DimExpr> parsed = DimExpr::parse(symbol))
    known[parsed->print()] = value;
}

bool ExtentEvaluator::isComputable(const DimExpr &expr) const {
  // A cut dim may be known although its symbol is not ("batch ceildiv 2"): the answer
  // must not depend on what was computed before.
  return expr.constant() || known.contains(expr.print()) ||
         (!expr.operands().empty() && llvm::all_of(expr.operands(), [&](const DimExpr &operand) {
           return isComputable(operand);
         }));
}

void ExtentEvaluator::bindLate(StringRef symbol, Value value, OpBuilder *builder) {
  late = builder;
  Result<DimExpr> parsed = DimExpr::parse(symbol);
  if (!parsed)
    return;
  known[parsed->print()] = value;
  for (const std::string &name : parsed->symbols())
    lateSymbols.insert(name);
}

LogicalResult ExtentEvaluator::bindInputs(func::FuncOp main) {
  OpBuilder &builder = entry;
  struct InputDim {
    DimExpr expr;
    Value value;
    std::string name;
  };
  SmallVector<InputDim> pending;
  int64_t position = 0;
  Type i64 = builder.getI64Type();
  for (auto [index, argument] : llvm::enumerate(main.getArguments())) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      return main.emitError() << "input " << index << " has type " << argument.getType()
                              << ": programs take tensors of known rank only";
    FailureOr<SmallVector<DimExpr>> extents = getExtentExprs(main.getLoc(), type);
    if (failed(extents))
      return failure();
    auto name = main.getArgAttrOfType<StringAttr>(index, "onnx.name");
    for (auto [dim, extent] : llvm::enumerate(*extents)) {
      Location loc = main.getLoc();
      Value address =
          LLVM::GEPOp::create(builder, loc, dims.getType(), i64, dims, LLVM::GEPArg(position++));
      Value loaded = LLVM::LoadOp::create(builder, loc, i64, address);
      Value value = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), loaded);
      pending.push_back(
          {extent, value,
           llvm::formatv("dim {0} of input \"{1}\"", dim, name ? name.getValue() : "").str()});
    }
  }

  // Plain symbols first: they make the expressions solvable.
  SmallVector<InputDim> expressions;
  for (InputDim &input : pending)
    if (input.expr.kind() != DimExpr::Kind::Symbol ||
        !known.try_emplace(input.expr.print(), input.value).second)
      expressions.push_back(input);
  for (InputDim &input : expressions) {
    SmallVector<std::string> unknown;
    for (const std::string &symbol : input.expr.symbols())
      if (!known.contains(DimExpr::symbol(symbol).print()))
        unknown.push_back(symbol);
    if (unknown.size() == 1) {
      DimExpr symbol = DimExpr::symbol(unknown[0]);
      DimExpr rest = input.expr - symbol;
      if (!rest.symbols().count(unknown[0])) {
        Value restValue = get(main.getLoc(), rest);
        known[symbol.print()] =
            arith::SubIOp::create(builder, main.getLoc(), input.value, restValue);
        known[input.expr.print()] = input.value;
        continue;
      }
    }
    if (!unknown.empty()) {
      if (known.try_emplace(input.expr.print(), input.value).second)
        continue;
    }
    Value expected = get(main.getLoc(), input.expr);
    if (!expected)
      return failure();
    Value holds = arith::CmpIOp::create(builder, main.getLoc(), arith::CmpIPredicate::eq,
                                        input.value, expected);
    checks.push_back({holds, input.name + " must be " + input.expr.print()});
  }
  return success();
}

Value ExtentEvaluator::get(Location loc, StringRef text) {
  Result<DimExpr> expr = DimExpr::parse(text);
  if (!expr) {
    emitError(loc) << expr.message();
    return {};
  }
  return get(loc, *expr);
}

Value ExtentEvaluator::get(Location loc, const DimExpr &expr) {
  if (Value value = known.lookup(expr.print()))
    return value;
  Value value = emit(loc, expr);
  if (value)
    known[expr.print()] = value;
  return value;
}

Value ExtentEvaluator::emit(Location loc, const DimExpr &expr) {
  OpBuilder &builder = late && isLate(expr) ? *late : entry;
  if (std::optional<int64_t> constant = expr.constant())
    return arith::ConstantIndexOp::create(builder, loc, *constant);
  if (expr.kind() == DimExpr::Kind::Symbol) {
    emitError(loc) << "extent '" << expr.name()
                   << "' cannot be computed from the dims of the inputs";
    return {};
  }
  SmallVector<Value> operands;
  for (const DimExpr &operand : expr.operands()) {
    operands.push_back(get(loc, operand));
    if (!operands.back())
      return {};
  }
  // A program must not trap: where an extent divides that is 0 the checks refuse the
  // dims, whatever comes out here.
  if (expr.kind() == DimExpr::Kind::FloorDiv || expr.kind() == DimExpr::Kind::CeilDiv ||
      expr.kind() == DimExpr::Kind::Mod)
    for (size_t i = 1; i < operands.size(); ++i)
      if (!expr.operands()[i].constant())
        operands[i] = arith::MaxSIOp::create(builder, loc, operands[i],
                                             arith::ConstantIndexOp::create(builder, loc, 1));
  auto fold = [&](auto make) {
    Value result = operands[0];
    for (Value operand : llvm::drop_begin(operands))
      result = make(result, operand);
    return result;
  };
  switch (expr.kind()) {
  case DimExpr::Kind::Add:
    return fold([&](Value a, Value b) { return arith::AddIOp::create(builder, loc, a, b); });
  case DimExpr::Kind::Mul:
    return fold([&](Value a, Value b) { return arith::MulIOp::create(builder, loc, a, b); });
  case DimExpr::Kind::FloorDiv:
    return fold([&](Value a, Value b) { return arith::FloorDivSIOp::create(builder, loc, a, b); });
  case DimExpr::Kind::CeilDiv:
    return fold([&](Value a, Value b) { return arith::CeilDivSIOp::create(builder, loc, a, b); });
  case DimExpr::Kind::Mod:
    return fold([&](Value a, Value b) -> Value {
      Value quotient = arith::FloorDivSIOp::create(builder, loc, a, b);
      Value whole = arith::MulIOp::create(builder, loc, quotient, b);
      return arith::SubIOp::create(builder, loc, a, whole);
    });
  case DimExpr::Kind::Min:
    return fold([&](Value a, Value b) { return arith::MinSIOp::create(builder, loc, a, b); });
  case DimExpr::Kind::Max:
    return fold([&](Value a, Value b) { return arith::MaxSIOp::create(builder, loc, a, b); });
  case DimExpr::Kind::Constant:
  case DimExpr::Kind::Symbol:
    break;
  }
  return {};
}

FailureOr<SmallVector<Value>> ExtentEvaluator::getExtents(Location loc, RankedTensorType type) {
  FailureOr<SmallVector<DimExpr>> exprs = getExtentExprs(loc, type);
  if (failed(exprs))
    return failure();
  SmallVector<Value> values;
  for (const DimExpr &expr : *exprs) {
    values.push_back(get(loc, expr));
    if (!values.back())
      return failure();
  }
  return values;
}
