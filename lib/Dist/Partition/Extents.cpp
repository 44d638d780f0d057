//===- Extents.cpp - every extent must follow from the inputs -------------===//
//
// A program knows the extents of its inputs and nothing else. Where a cut hides
// a symbol that some op needs whole ("batch", when all inputs are cut along it),
// the program gets one more input that shows it: a whole copy of a model input.
//
//===----------------------------------------------------------------------===//
#include "Partitioner.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::dist;

namespace {

/// What follows from the extents of some inputs.
class KnownExtents {
public:
  void add(const DimExpr &extent) { given.push_back(extent); }

  /// Plain symbols, expressions as a whole, then sums with one unknown symbol.
  void solve() {
    for (const DimExpr &extent : given)
      known.insert(extent.print());
    for (bool changed = true; changed;) {
      changed = false;
      for (const DimExpr &extent : given) {
        SmallVector<std::string> unknown;
        for (const std::string &symbol : extent.symbols())
          if (!known.contains(DimExpr::symbol(symbol).print()))
            unknown.push_back(symbol);
        if (unknown.size() != 1)
          continue;
        DimExpr symbol = DimExpr::symbol(unknown.front());
        if ((extent - symbol).symbols().count(unknown.front()))
          continue;
        changed |= known.insert(symbol.print()).second;
      }
    }
  }

  bool contains(const DimExpr &extent) const {
    if (extent.constant() || known.contains(extent.print()))
      return true;
    return !extent.operands().empty() &&
           llvm::all_of(extent.operands(),
                        [&](const DimExpr &operand) { return contains(operand); });
  }

private:
  SmallVector<DimExpr> given;
  llvm::StringSet<> known;
};

void collect(Type type, SmallVectorImpl<DimExpr> &extents) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    if (FailureOr<SmallVector<DimExpr>> found = getExtents(tensor); succeeded(found))
      extents.append(found->begin(), found->end());
}

} // namespace

/// The extents that the ops of a stage name, each with an op that does.
static SmallVector<std::pair<DimExpr, Operation *>> getNeeded(Block &block, int64_t stage) {
  SmallVector<std::pair<DimExpr, Operation *>> needed;
  llvm::StringSet<> seen;
  for (Operation &op : block) {
    if (op.hasTrait<OpTrait::IsTerminator>() || getStage(&op) != stage)
      continue;
    SmallVector<DimExpr> extents;
    op.walk([&](Operation *nested) {
      if (isa<TransferOp>(nested))
        return; // is an input of the stage
      for (Type type : nested->getResultTypes())
        collect(type, extents);
      if (auto dims = dyn_cast<onnx::DimsTensorOp>(nested))
        for (StringRef text : dims.getExprs().getAsValueRange<StringAttr>())
          if (Result<DimExpr> expr = DimExpr::parse(text))
            extents.push_back(*expr);
    });
    for (const DimExpr &extent : extents)
      if (seen.insert(extent.print()).second)
        needed.push_back({extent, &op});
  }
  return needed;
}

LogicalResult Partitioner::bindExtents() {
  for (int64_t stage = 0; stage < static_cast<int64_t>(meshes.size()); ++stage) {
    auto solve = [&] {
      KnownExtents known;
      auto add = [&](Type type) {
        SmallVector<DimExpr> extents;
        collect(type, extents);
        for (const DimExpr &extent : extents)
          known.add(extent);
      };
      for (BlockArgument argument : local.getArguments()) {
        auto number = local.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), stageAttrName);
        if (number && number.getInt() == stage)
          add(argument.getType());
      }
      for (auto transfer : local.front().getOps<TransferOp>())
        if (getStage(transfer) == stage)
          add(transfer.getType());
      known.solve();
      return known;
    };
    KnownExtents known = solve();
    for (auto [extent, op] : getNeeded(local.front(), stage)) {
      if (known.contains(extent))
        continue;
      // Each missing symbol is shown by the first model input that has it. A
      // symbol that only the run time knows (data-dependent) is no input's.
      for (const std::string &name : extent.symbols()) {
        DimExpr symbol = DimExpr::symbol(name);
        if (known.contains(symbol))
          continue;
        for (BlockArgument argument : main.getArguments()) {
          SmallVector<DimExpr> extents;
          collect(argument.getType(), extents);
          if (!llvm::is_contained(extents, symbol))
            continue;
          if (!addArgument(argument, stage, makeWhole(meshes[stage], argument.getType())))
            return failure();
          known = solve();
          break;
        }
      }
    }
  }
  return success();
}
