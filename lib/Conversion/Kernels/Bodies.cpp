//===- Bodies.cpp - loops and branches that the library runs --------------===//
#include "Bodies.h"

#include "Grouping.h"
#include "LibraryCalls.h"

#include "Onnx/IR/Onnx.h"
#include "dougong/Support/DimExpr.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

#include <set>

using namespace mlir;
using namespace dougong;

namespace {

void addSymbols(StringRef expr, std::set<std::string> &symbols) {
  if (Result<DimExpr> parsed = DimExpr::parse(expr.str()))
    symbols.merge(parsed->symbols());
}

std::set<std::string> getSymbols(Type type) {
  std::set<std::string> symbols;
  auto tensor = dyn_cast<RankedTensorType>(type);
  auto dims = tensor ? dyn_cast_if_present<onnx::DimsAttr>(tensor.getEncoding()) : nullptr;
  if (dims)
    for (StringAttr expr : dims.getExprs())
      if (expr)
        addSymbols(expr.getValue(), symbols);
  return symbols;
}

/// The symbols that an op writes out: extents as values.
std::set<std::string> getSymbols(Operation *op) {
  std::set<std::string> symbols;
  if (auto dim = dyn_cast<onnx::DimOp>(op))
    addSymbols(dim.getExpr(), symbols);
  if (auto dims = dyn_cast<onnx::DimsTensorOp>(op))
    for (StringRef expr : dims.getExprs().getAsValueRange<StringAttr>())
      addSymbols(expr, symbols);
  return symbols;
}

bool isPlain(Type type, const llvm::StringSet<> &known) {
  if (isa<NoneType>(type))
    return true;
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor ||
      isa<onnx::StringType, onnx::SequenceType, onnx::OptionalType>(tensor.getElementType()))
    return false;
  return llvm::all_of(getSymbols(type),
                      [&](const std::string &symbol) { return known.contains(symbol); });
}

/// What a function needs beside its region's arguments.
struct Needs {
  llvm::SetVector<Value> values;          ///< made outside
  llvm::SetVector<Operation *> constants; ///< small ones outside, made again inside
  SmallVector<Attribute> extents;         ///< symbols that no argument shows
};

Needs findNeeds(Region &region, const llvm::StringSet<> &known) {
  Needs needs;
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(region, captured);
  for (Value value : captured) {
    Operation *producer = value.getDefiningOp();
    if (producer && isInlineConstant(producer))
      needs.constants.insert(producer);
    else
      needs.values.insert(value);
  }
  std::set<std::string> used, shown;
  region.walk([&](Operation *op) {
    used.merge(getSymbols(op));
    for (Type type : op->getResultTypes())
      used.merge(getSymbols(type));
    for (Region &inner : op->getRegions())
      for (Block &block : inner)
        for (Type type : block.getArgumentTypes())
          used.merge(getSymbols(type));
  });
  for (Operation *constant : needs.constants)
    used.merge(getSymbols(constant));
  auto show = [&](Type type) {
    used.merge(getSymbols(type));
    auto tensor = dyn_cast<RankedTensorType>(type);
    auto dims = tensor ? dyn_cast_if_present<onnx::DimsAttr>(tensor.getEncoding()) : nullptr;
    for (StringAttr expr : dims ? dims.getExprs() : ArrayRef<StringAttr>())
      if (Result<DimExpr> parsed = expr ? DimExpr::parse(expr.str()) : DimExpr(0);
          expr && parsed && parsed->kind() == DimExpr::Kind::Symbol)
        shown.insert(parsed->name());
  };
  for (Type type : region.front().getArgumentTypes())
    show(type);
  for (Value value : needs.values)
    show(value.getType());
  Builder builder(region.getContext());
  for (const std::string &symbol : used)
    if (known.contains(symbol) && !shown.count(symbol))
      needs.extents.push_back(builder.getStringAttr(DimExpr::symbol(symbol).print()));
  return needs;
}

} // namespace

void dougong::addSymbols(Type type, llvm::StringSet<> &symbols) {
  for (const std::string &symbol : getSymbols(type))
    symbols.insert(symbol);
}

bool dougong::needsBodies(Operation *op, const llvm::StringSet<> &known) {
  if (!isa<onnx::LoopOp, onnx::IfOp>(op))
    return false;
  auto isKnown = [&](Type type) { return isPlain(type, known); };
  if (!llvm::all_of(op->getResultTypes(), isKnown))
    return true;
  WalkResult result = op->walk([&](Operation *nested) {
    for (Region &region : nested->getRegions())
      for (Block &block : region)
        if (!llvm::all_of(block.getArgumentTypes(), isKnown))
          return WalkResult::interrupt();
    bool good = nested == op ||
                (llvm::all_of(nested->getResultTypes(), isKnown) &&
                 llvm::all_of(nested->getOperandTypes(), isKnown) && !isLibraryOperator(nested));
    return good ? WalkResult::advance() : WalkResult::interrupt();
  });
  return result.wasInterrupted();
}

Body dougong::outlineBody(Operation *op, Region &region, const llvm::StringSet<> &known) {
  Location loc = op->getLoc();
  Needs needs = findNeeds(region, known);
  auto module = op->getParentOfType<ModuleOp>();
  OpBuilder before(op);
  Body body;
  body.captured.assign(needs.values.begin(), needs.values.end());
  if (!needs.extents.empty()) {
    auto type =
        RankedTensorType::get({static_cast<int64_t>(needs.extents.size())}, before.getI64Type());
    body.captured.push_back(
        onnx::DimsTensorOp::create(before, loc, type, before.getArrayAttr(needs.extents)));
  }

  SmallVector<Type> arguments(region.front().getArgumentTypes());
  llvm::append_range(arguments, ValueRange(body.captured).getTypes());
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  unsigned number = llvm::count_if(module.getOps<func::FuncOp>(), [](func::FuncOp function) {
    return function->hasAttr(bodyAttrName);
  });
  Operation *yield = region.front().getTerminator();
  auto function =
      func::FuncOp::create(builder, loc, ("body_" + Twine(number)).str(),
                           builder.getFunctionType(arguments, yield->getOperandTypes()));
  function.setPrivate();
  function->setAttr(bodyAttrName, builder.getUnitAttr());
  body.function = FlatSymbolRefAttr::get(function.getSymNameAttr());
  if (!needs.extents.empty())
    function.setArgAttr(arguments.size() - 1, bodyExtentsAttrName,
                        builder.getArrayAttr(needs.extents));

  Block &block = region.front();
  unsigned own = block.getNumArguments();
  for (Value value : body.captured)
    block.addArgument(value.getType(), loc);
  function.getBody().takeBody(region);
  for (auto [value, argument] :
       llvm::zip_equal(body.captured, block.getArguments().drop_front(own)))
    value.replaceUsesWithIf(
        argument, [&](OpOperand &use) { return function->isProperAncestor(use.getOwner()); });
  builder.setInsertionPointToStart(&block);
  for (Operation *constant : needs.constants) {
    Operation *copy = builder.clone(*constant);
    constant->getResult(0).replaceUsesWithIf(copy->getResult(0), [&](OpOperand &use) {
      return function->isProperAncestor(use.getOwner());
    });
  }
  builder.setInsertionPoint(yield);
  func::ReturnOp::create(builder, yield->getLoc(), yield->getOperands());
  yield->erase();
  return body;
}
