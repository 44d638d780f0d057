//===- PackWeights.cpp - constant matrices in panels of columns -----------===//
#include "Internal.h"

#include "Onnx/IR/Recipes.h"
#include "dougong/Target/Cpu/Passes.h"

#include "Onnx/IR/Onnx.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::cpu;

namespace dougong::cpu {
#define GEN_PASS_DEF_CPUPACKWEIGHTSPASS
#include "dougong/Target/Cpu/Passes.h.inc"
} // namespace dougong::cpu

namespace {

/// How a matrix is read by the contractions of a kernel.
enum class Reading { Other, Straight, Transposed };

/// How `use` reads its matrix: as B[k, n] or B[n, k] of a contraction whose
/// result's innermost dim is n, which no other operand has.
Reading getReading(OpOperand &use) {
  auto op = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!op || !op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 ||
      op.getNumDpsInputs() != 2 || op.isDpsInit(&use))
    return Reading::Other;
  AffineMap map = op.getMatchingIndexingMap(&use);
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!map.isProjectedPermutation() || map.getNumResults() != 2 ||
      !result.isProjectedPermutation() || result.getNumResults() == 0)
    return Reading::Other;
  unsigned n = result.getDimPosition(result.getNumResults() - 1);
  unsigned first = map.getDimPosition(0), second = map.getDimPosition(1);
  if (n != first && n != second)
    return Reading::Other;
  unsigned k = n == first ? second : first;
  if (op.getIteratorTypesArray()[k] != utils::IteratorType::reduction)
    return Reading::Other;
  OpOperand &other = op->getOpOperand(1 - use.getOperandNumber());
  if (op.getMatchingIndexingMap(&other).isFunctionOfDim(n))
    return Reading::Other;
  return n == second ? Reading::Straight : Reading::Transposed;
}

Reading getReading(Value matrix) {
  Reading reading = Reading::Other;
  for (OpOperand &use : matrix.getUses()) {
    Reading one = getReading(use);
    if (one == Reading::Other || (reading != Reading::Other && reading != one))
      return Reading::Other;
    reading = one;
  }
  return reading;
}

struct CpuPackWeightsPass : public dougong::cpu::impl::CpuPackWeightsPassBase<CpuPackWeightsPass> {
  using CpuPackWeightsPassBase::CpuPackWeightsPassBase;

  /// The weight that holds `weight` in panels; made when first asked for.
  onnx::WeightOp getPacked(onnx::WeightOp weight, RankedTensorType type, bool isTransposed,
                           SmallVectorImpl<Attribute> &added) {
    MLIRContext *context = &getContext();
    std::string suffix = llvm::formatv(".{0}pack{1}", isTransposed ? "t." : "", columns);
    std::string name = (weight.getSymName() + suffix).str();
    if (auto known = getOperation().lookupSymbol<onnx::WeightOp>(name))
      return known;
    SmallVector<Attribute> steps;
    if (isTransposed)
      steps.push_back(onnx::TransposeStepAttr::get(context, {1, 0}));
    steps.push_back(onnx::PackStepAttr::get(context, columns));
    OpBuilder builder(context);
    builder.setInsertionPointAfter(weight);
    auto packed = onnx::WeightOp::create(builder, weight.getLoc(), builder.getStringAttr(name),
                                         TypeAttr::get(type), onnx::continueRecipe(weight, steps));
    added.push_back(builder.getArrayAttr({FlatSymbolRefAttr::get(weight.getSymNameAttr()),
                                          builder.getStringAttr(suffix), packed.getTypeAttr(),
                                          builder.getArrayAttr(steps)}));
    return packed;
  }

  /// Gives argument `number` of `kernel` the packed type.
  void packArgument(func::FuncOp kernel, unsigned number, RankedTensorType type,
                    bool isTransposed) {
    BlockArgument argument = kernel.getArgument(number);
    argument.setType(type);
    AffineExpr c = getAffineConstantExpr(columns, &getContext());
    for (OpOperand &use : argument.getUses()) {
      auto op = cast<linalg::GenericOp>(use.getOwner());
      SmallVector<AffineMap> maps = op.getIndexingMapsArray();
      AffineMap &map = maps[use.getOperandNumber()];
      AffineExpr n = map.getResult(isTransposed ? 0 : 1), k = map.getResult(isTransposed ? 1 : 0);
      map = AffineMap::get(map.getNumDims(), 0, {n.floorDiv(c), k, n % c}, &getContext());
      op.setIndexingMapsAttr(OpBuilder(op).getAffineMapArrayAttr(maps));
    }
    kernel.setType(FunctionType::get(&getContext(), kernel.front().getArgumentTypes(),
                                     kernel.getFunctionType().getResults()));
    // It names the dims of the type that was.
    kernel.removeArgAttr(number, "onnx.dims");
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::MapVector<StringAttr, SmallVector<onnx::LaunchOp>> launches;
    module.walk([&](onnx::LaunchOp launch) {
      launches[launch.getKernelAttr().getAttr()].push_back(launch);
    });
    SmallVector<Attribute> added;
    if (auto known = module->getAttrOfType<ArrayAttr>("dougong.added_weights"))
      llvm::append_range(added, known);
    for (auto &[name, callers] : launches) {
      auto kernel = module.lookupSymbol<func::FuncOp>(name);
      if (!kernel || kernel.isExternal() || !isKernel(kernel))
        continue;
      for (unsigned number = 1; number < kernel.getNumArguments(); ++number) {
        auto type = dyn_cast<RankedTensorType>(kernel.getArgument(number).getType());
        if (!type || !type.hasStaticShape() || type.getRank() != 2 ||
            !(isa<FloatType>(type.getElementType()) || type.getElementType().isInteger(8)))
          continue;
        bool isConstant = llvm::all_of(callers, [&](onnx::LaunchOp launch) {
          return number - 1 < launch.getInputs().size() &&
                 launch.getInputs()[number - 1].getDefiningOp<onnx::UseOp>();
        });
        Reading reading = getReading(kernel.getArgument(number));
        if (!isConstant || reading == Reading::Other)
          continue;
        bool isTransposed = reading == Reading::Transposed;
        int64_t n = type.getDimSize(isTransposed ? 0 : 1),
                k = type.getDimSize(isTransposed ? 1 : 0);
        // Narrow matrices would be mostly padding.
        if (n * 2 < columns)
          continue;
        auto packedType = RankedTensorType::get({int64_t(llvm::divideCeil(n, columns)), k, columns},
                                                type.getElementType());
        packArgument(kernel, number, packedType, isTransposed);
        for (onnx::LaunchOp launch : callers) {
          auto use = launch.getInputs()[number - 1].getDefiningOp<onnx::UseOp>();
          auto weight = module.lookupSymbol<onnx::WeightOp>(use.getWeightAttr());
          // (the weight may be unsigned, kernels know no signs)
          auto weightType = RankedTensorType::get(
              packedType.getShape(),
              cast<RankedTensorType>(use.getType()).getElementType());
          onnx::WeightOp packed = getPacked(weight, weightType, isTransposed, added);
          OpBuilder builder(use);
          Value value = onnx::UseOp::create(builder, use.getLoc(), weightType,
                                            FlatSymbolRefAttr::get(packed.getSymNameAttr()));
          launch->setOperand(number - 1, value);
          if (use->use_empty())
            use->erase();
        }
      }
    }
    if (!added.empty())
      module->setAttr("dougong.added_weights", ArrayAttr::get(&getContext(), added));
  }
};

} // namespace
