//===- ExpandExtents.cpp - extents as operators on Shape ------------------===//
#include "dougong/Target/Onnx/Passes.h"

#include "Onnx/IR/Onnx.h"
#include "dougong/Dist/Propagation.h"
#include "dougong/Import/ElementTypes.h"
#include "dougong/Support/DimExpr.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace dougong;

namespace dougong {
#define GEN_PASS_DEF_EXPANDEXTENTSPASS
#include "dougong/Target/Onnx/Passes.h.inc"
} // namespace dougong

namespace {

/// Makes values of extents, each a tensor<1xi64>, at the builder's place. Places only
/// go forward in one block: what was made before is used again.
class ExtentValues {
public:
  explicit ExtentValues(OpBuilder &builder)
      : builder(builder), type(RankedTensorType::get({1}, builder.getI64Type())) {}

  /// From here on, extents can be read off `value`.
  void addSource(Value value) {
    auto tensor = dyn_cast<RankedTensorType>(value.getType());
    auto dims = tensor ? dyn_cast_or_null<onnx::DimsAttr>(tensor.getEncoding()) : onnx::DimsAttr();
    if (!dims)
      return;
    for (auto [dim, text] : llvm::enumerate(dims.getExprs()))
      if (text)
        sources.insert({text.getValue(), {value, static_cast<int64_t>(dim)}});
  }

  /// Null if the extent follows from no source.
  Value get(const DimExpr &expr, Location loc) {
    auto known = values.find(expr.print());
    if (known != values.end())
      return known->second;
    Value value = make(expr, loc);
    if (value)
      values[expr.print()] = value;
    return value;
  }

  Value create(StringRef name, ValueRange operands, Type type, Location loc,
               ArrayRef<NamedAttribute> attributes = {}) {
    OperationState state(loc, name, operands, type, attributes);
    return builder.create(state)->getResult(0);
  }

  Value constant(ArrayRef<int64_t> elements, Location loc) {
    auto type =
        RankedTensorType::get({static_cast<int64_t>(elements.size())}, builder.getI64Type());
    return create("onnx.Constant", {}, type, loc,
                  builder.getNamedAttr("value", DenseIntElementsAttr::get(type, elements)));
  }

private:
  struct Source {
    Value value;
    int64_t dim;
  };

  Value make(const DimExpr &expr, Location loc) {
    if (std::optional<int64_t> number = expr.constant())
      return constant(*number, loc);
    if (auto source = sources.find(expr.print()); source != sources.end())
      return read(source->second, loc);
    if (expr.kind() == DimExpr::Kind::Symbol)
      return solve(expr, loc);
    Value result;
    for (const DimExpr &operand : expr.operands()) {
      Value value = get(operand, loc);
      if (!value)
        return {};
      result = result ? combine(expr.kind(), result, value, loc) : value;
    }
    return result;
  }

  Value read(Source source, Location loc) {
    return create("onnx.Shape", source.value, type, loc,
                  {builder.getNamedAttr("end", builder.getI64IntegerAttr(source.dim + 1)),
                   builder.getNamedAttr("start", builder.getI64IntegerAttr(source.dim))});
  }

  /// A symbol that no tensor has alone, from a sum that it is in.
  Value solve(const DimExpr &symbol, Location loc) {
    if (!pending.insert(symbol.name()).second)
      return {};
    Value result;
    for (const auto &[text, source] : sources) {
      Result<DimExpr> whole = DimExpr::parse(std::string_view(text));
      if (!whole || !whole->symbols().count(symbol.name()))
        continue;
      DimExpr rest = *whole - symbol;
      if (rest.symbols().count(symbol.name()))
        continue;
      if (Value value = get(rest, loc)) {
        result = create("onnx.Sub", {get(*whole, loc), value}, type, loc);
        break;
      }
    }
    pending.erase(symbol.name());
    return result;
  }

  Value combine(DimExpr::Kind kind, Value a, Value b, Location loc) {
    auto binary = [&](StringRef name, Value left, Value right) {
      return create(name, {left, right}, type, loc);
    };
    // Mod has the sign of its divisor, Div cuts off towards zero: it only gets
    // multiples.
    auto mod = [&](Value left) {
      return create("onnx.Mod", {left, b}, type, loc,
                    builder.getNamedAttr("fmod", builder.getI64IntegerAttr(0)));
    };
    switch (kind) {
    case DimExpr::Kind::Add:
      return binary("onnx.Add", a, b);
    case DimExpr::Kind::Mul:
      return binary("onnx.Mul", a, b);
    case DimExpr::Kind::FloorDiv:
      return binary("onnx.Div", binary("onnx.Sub", a, mod(a)), b);
    case DimExpr::Kind::CeilDiv: {
      Value rest = mod(create("onnx.Neg", a, type, loc));
      return binary("onnx.Div", binary("onnx.Add", a, rest), b);
    }
    case DimExpr::Kind::Mod:
      return mod(a);
    case DimExpr::Kind::Min:
      return binary("onnx.Min", a, b);
    case DimExpr::Kind::Max:
      return binary("onnx.Max", a, b);
    case DimExpr::Kind::Constant:
    case DimExpr::Kind::Symbol:
      break;
    }
    return {};
  }

  OpBuilder &builder;
  Type type;
  llvm::MapVector<StringRef, Source> sources; ///< by text; the first tensor that has it
  llvm::StringMap<Value> values;              ///< made already
  llvm::StringSet<> pending;                  ///< symbols that are being solved
};

/// The op's value, before the op of the main graph that it is in.
LogicalResult expand(onnx::DimsTensorOp op, ExtentValues &extents) {
  Location loc = op.getLoc();
  SmallVector<Value> elements;
  for (StringRef text : op.getExprs().getAsValueRange<StringAttr>()) {
    Result<DimExpr> expr = DimExpr::parse(std::string_view(text));
    if (!expr)
      return op.emitError(expr.message());
    elements.push_back(extents.get(*expr, loc));
    if (!elements.back())
      return op.emitError() << "extent \"" << text
                            << "\" follows from no input of the stage and from no value before: "
                               "ONNX has no other way to say it";
  }
  auto type = cast<RankedTensorType>(op.getType());
  auto wide = [&](ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, IntegerType::get(op.getContext(), 64));
  };
  Builder builder(op.getContext());
  int64_t count = elements.size();
  Value value = elements.empty() ? extents.constant({}, loc) : elements.front();
  if (count > 1)
    value = extents.create("onnx.Concat", elements, wide(count), loc,
                           builder.getNamedAttr("axis", builder.getI64IntegerAttr(0)));
  if (type.getRank() != 1)
    value = extents.create("onnx.Reshape", {value, extents.constant(type.getShape(), loc)},
                           wide(type.getShape()), loc);
  if (!type.getElementType().isInteger(64))
    value = extents.create(
        "onnx.Cast", value, type, loc,
        builder.getNamedAttr(
            "to", builder.getI64IntegerAttr(importer::getDataType(type.getElementType()))));
  op.getResult().replaceAllUsesWith(value);
  return success();
}

struct ExpandExtents : dougong::impl::ExpandExtentsPassBase<ExpandExtents> {
  void runOnOperation() override {
    FailureOr<func::FuncOp> main = dist::getMainFunction(getOperation());
    if (failed(main))
      return signalPassFailure();
    OpBuilder builder(&getContext());
    ExtentValues extents(builder);
    for (BlockArgument argument : main->getArguments())
      extents.addSource(argument);
    SmallVector<Operation *> expanded;
    for (Operation &op : llvm::make_early_inc_range(main->front())) {
      builder.setInsertionPoint(&op);
      WalkResult walked = op.walk([&](onnx::DimsTensorOp dims) {
        expanded.push_back(dims);
        return succeeded(expand(dims, extents)) ? WalkResult::advance() : WalkResult::interrupt();
      });
      if (walked.wasInterrupted())
        return signalPassFailure();
      for (Value result : op.getResults())
        extents.addSource(result);
    }
    for (Operation *op : expanded)
      op->erase();
  }
};

} // namespace
