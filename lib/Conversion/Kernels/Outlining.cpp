//===- Outlining.cpp - moves a group of operators to a kernel -------------===//
#include "Outlining.h"

#include "dougong/Conversion/KernelPasses.h"
#include "dougong/Support/DimExpr.h"

#include "Onnx/IR/Onnx.h"

#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace dougong;

namespace {

/// Gives the extents of a kernel formal names, in order of first sight, so that
/// kernels that differ in the model's symbols only are equal.
class Formalizer {
public:
  explicit Formalizer(MLIRContext *context) : context(context) {
    replacer.addReplacement([this](onnx::DimsAttr dims) -> Attribute {
      SmallVector<StringAttr> formal;
      for (StringAttr expr : dims.getExprs())
        formal.push_back(expr ? rename(expr) : StringAttr());
      return onnx::DimsAttr::get(this->context, formal);
    });
  }

  Type rename(Type type) { return replacer.replace(type); }

  /// The formal name of an extent; constants stay what they are.
  StringAttr rename(StringAttr expr) {
    if (Result<DimExpr> parsed = DimExpr::parse(expr.getValue()); parsed && parsed->constant())
      return expr;
    auto [it, inserted] = names.try_emplace(expr, StringAttr());
    if (inserted) {
      it->second = StringAttr::get(context, "s" + Twine(names.size() - 1));
      actual.push_back(expr);
    }
    return it->second;
  }

  /// Renames all types in an op, nested ones too, and what `onnx.dims_tensor`
  /// and `onnx.dim` say.
  void rename(Operation *op) {
    op->walk([&](Operation *nested) {
      replacer.replaceElementsIn(nested, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                 /*replaceTypes=*/true);
      if (auto dim = dyn_cast<onnx::DimOp>(nested))
        dim.setExprAttr(rename(dim.getExprAttr()));
      if (nested->getName().getStringRef() != "onnx.dims_tensor")
        return;
      for (NamedAttribute attribute : nested->getAttrs())
        if (auto exprs = dyn_cast<ArrayAttr>(attribute.getValue())) {
          SmallVector<Attribute> renamed;
          for (Attribute expr : exprs)
            renamed.push_back(rename(cast<StringAttr>(expr)));
          nested->setAttr(attribute.getName(), ArrayAttr::get(context, renamed));
        }
    });
  }

  /// The model's expression for each formal name, by number.
  ArrayRef<StringAttr> getActual() const { return actual; }

private:
  MLIRContext *context;
  AttrTypeReplacer replacer;
  llvm::MapVector<StringAttr, StringAttr> names;
  SmallVector<StringAttr> actual;
};

/// Values that the group reads but does not make, without inline constants;
/// those are listed apart, to be made again inside.
void findInputs(ArrayRef<Operation *> group, llvm::SetVector<Value> &inputs,
                llvm::SetVector<Operation *> &constants) {
  llvm::SmallPtrSet<Operation *, 8> members(group.begin(), group.end());
  auto add = [&](Value value) {
    Operation *producer = value.getDefiningOp();
    if (producer && members.contains(producer))
      return;
    if (producer && isInlineConstant(producer))
      constants.insert(producer);
    else
      inputs.insert(value);
  };
  for (Operation *op : group) {
    llvm::for_each(op->getOperands(), add);
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    llvm::for_each(captured, add);
  }
}

/// Values that the group makes and others read.
SmallVector<Value> findOutputs(ArrayRef<Operation *> group) {
  llvm::SmallPtrSet<Operation *, 8> members(group.begin(), group.end());
  auto isMember = [&](Operation *user) {
    for (Operation *op = user; op; op = op->getParentOp())
      if (members.contains(op))
        return true;
    return false;
  };
  SmallVector<Value> outputs;
  for (Operation *op : group)
    for (Value result : op->getResults())
      if (!llvm::all_of(result.getUsers(), isMember))
        outputs.push_back(result);
  return outputs;
}

} // namespace

LogicalResult KernelOutliner::outline(KernelGroup &group) {
  MLIRContext *context = module.getContext();
  llvm::SetVector<Value> inputs;
  llvm::SetVector<Operation *> constants;
  findInputs(group, inputs, constants);
  SmallVector<Value> outputs = findOutputs(group);
  Operation *last = group.back();
  for (Value value : llvm::concat<const Value>(inputs, outputs))
    if (!isa<RankedTensorType>(value.getType()))
      return last->emitError() << "'" << last->getName() << "' handles a value of type "
                               << value.getType() << ": the code generator takes tensors of known "
                               << "rank only";

  // The function, with a place-holder name until its text is known.
  Formalizer formalizer(context);
  SmallVector<Type> argumentTypes = {LLVM::LLVMPointerType::get(context)};
  for (Value input : inputs)
    argumentTypes.push_back(formalizer.rename(input.getType()));
  OpBuilder builder(context);
  auto kernel = func::FuncOp::create(builder, last->getLoc(), "kernel",
                                     builder.getFunctionType(argumentTypes, {}));
  kernel.setPrivate();
  kernel->setAttr(kernelAttrName, builder.getUnitAttr());
  Block *entry = kernel.addEntryBlock();
  builder.setInsertionPointToStart(entry);
  IRMapping mapping;
  for (auto [input, argument] : llvm::zip_equal(inputs, entry->getArguments().drop_front()))
    mapping.map(input, argument);
  for (Operation *op : llvm::concat<Operation *const>(constants, group))
    formalizer.rename(builder.clone(*op, mapping));
  SmallVector<Value> results;
  for (Value output : outputs)
    results.push_back(mapping.lookup(output));
  func::ReturnOp::create(builder, last->getLoc(), results);

  // Extents that no tensor argument shows come as index arguments.
  llvm::SmallPtrSet<Attribute, 8> shown;
  for (Type type : argumentTypes)
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (auto dims = dyn_cast_or_null<onnx::DimsAttr>(tensor.getEncoding()))
        shown.insert(dims.getExprs().begin(), dims.getExprs().end());
  SmallVector<StringAttr> indexFormals, indexActuals;
  for (StringAttr actual : formalizer.getActual())
    if (StringAttr formal = formalizer.rename(actual); !shown.contains(formal)) {
      indexFormals.push_back(formal);
      indexActuals.push_back(actual);
      argumentTypes.push_back(builder.getIndexType());
      entry->addArgument(builder.getIndexType(), last->getLoc());
    }
  kernel.setType(builder.getFunctionType(argumentTypes, ValueRange(results).getTypes()));
  for (auto [index, type] : llvm::enumerate(argumentTypes))
    if (auto tensor = dyn_cast<RankedTensorType>(type); tensor && tensor.getEncoding())
      kernel.setArgAttr(index, "onnx.dims", tensor.getEncoding());
  for (auto [index, formal] : llvm::enumerate(indexFormals))
    kernel.setArgAttr(1 + inputs.size() + index, "onnx.dim", formal);

  std::string text;
  llvm::raw_string_ostream stream(text);
  kernel->print(stream, OpPrintingFlags().useLocalScope().assumeVerified());
  auto [it, inserted] = kernels.try_emplace(text, StringAttr());
  if (inserted) {
    it->second = StringAttr::get(context, "kernel_" + Twine(kernels.size() - 1));
    kernel.setSymNameAttr(it->second);
    module.push_back(kernel);
  } else {
    kernel->erase();
  }

  OpBuilder launchBuilder(last);
  SmallVector<Value> operands(inputs.begin(), inputs.end());
  for (StringAttr actual : indexActuals)
    operands.push_back(
        onnx::DimOp::create(launchBuilder, last->getLoc(), launchBuilder.getIndexType(), actual));
  auto launch =
      onnx::LaunchOp::create(launchBuilder, last->getLoc(), ValueRange(outputs).getTypes(),
                             FlatSymbolRefAttr::get(it->second), operands);
  for (auto [output, result] : llvm::zip_equal(outputs, launch.getOutputs()))
    output.replaceAllUsesWith(result);
  for (Operation *op : llvm::reverse(group))
    op->erase();
  return success();
}
