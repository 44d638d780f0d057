//===- PackWeights.cpp - weights in the order that tiles read them --------===//
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

/// How a kernel reads a weight: with `order`, its dims in the order of the loops
/// that run over them, the result's innermost dim n last.
struct Reading {
  SmallVector<int64_t> order;
  bool isContraction; ///< no other operand has n; else each n has its own sum
  bool operator==(const Reading &) const = default;
};

/// How `use` reads its weight: in a sum of products over all dims but n, the
/// innermost dim of the result.
std::optional<Reading> getReading(OpOperand &use) {
  auto op = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!op || !op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 ||
      op.getNumDpsInputs() != 2 || op.isDpsInit(&use))
    return std::nullopt;
  AffineMap map = op.getMatchingIndexingMap(&use);
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!map.isProjectedPermutation(/*allowZeroInResults=*/true) || map.getNumResults() < 2 ||
      !result.isProjectedPermutation() || result.getNumResults() == 0)
    return std::nullopt;
  unsigned n = result.getDimPosition(result.getNumResults() - 1);
  // Dims of extent 1 (index 0) come first.
  auto getLoop = [&](int64_t dim) {
    auto loop = dyn_cast<AffineDimExpr>(map.getResult(dim));
    return loop ? int64_t(loop.getPosition()) : int64_t(-1);
  };
  Reading reading;
  std::optional<int64_t> last;
  for (int64_t dim = 0; dim < map.getNumResults(); ++dim) {
    int64_t loop = getLoop(dim);
    if (loop == n)
      last = dim;
    else if (loop >= 0 && op.getIteratorTypesArray()[loop] != utils::IteratorType::reduction)
      return std::nullopt;
    else
      reading.order.push_back(dim);
  }
  if (!last)
    return std::nullopt;
  llvm::sort(reading.order, [&](int64_t x, int64_t y) {
    return std::pair(getLoop(x), x) < std::pair(getLoop(y), y);
  });
  reading.order.push_back(*last);
  OpOperand &other = op->getOpOperand(1 - use.getOperandNumber());
  reading.isContraction = !op.getMatchingIndexingMap(&other).isFunctionOfDim(n);
  return reading;
}

/// How all uses of `weight` read it, if they agree.
std::optional<Reading> getReading(Value weight) {
  std::optional<Reading> reading;
  for (OpOperand &use : weight.getUses()) {
    std::optional<Reading> one = getReading(use);
    if (!one || (reading && *reading != *one))
      return std::nullopt;
    reading = one;
  }
  return reading;
}

struct CpuPackWeightsPass : public dougong::cpu::impl::CpuPackWeightsPassBase<CpuPackWeightsPass> {
  using CpuPackWeightsPassBase::CpuPackWeightsPassBase;

  /// The weight with dims in `order`, then in panels of `columns` unless 0; made
  /// when first asked for.
  onnx::WeightOp getPacked(onnx::WeightOp weight, RankedTensorType type, const Reading &reading,
                           int64_t width, SmallVectorImpl<Attribute> &added) {
    MLIRContext *context = &getContext();
    bool isOrdered = llvm::is_sorted(reading.order);
    std::string suffix;
    if (!isOrdered) {
      // (a matrix has one other order)
      suffix += ".t";
      if (reading.order.size() > 2)
        for (int64_t dim : reading.order)
          suffix += std::to_string(dim);
    }
    if (width)
      suffix += ".pack" + std::to_string(width);
    std::string name = (weight.getSymName() + suffix).str();
    if (auto known = getOperation().lookupSymbol<onnx::WeightOp>(name))
      return known;
    SmallVector<Attribute> steps;
    if (!isOrdered)
      steps.push_back(onnx::TransposeStepAttr::get(context, reading.order));
    if (width)
      steps.push_back(onnx::PackStepAttr::get(context, width));
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
                    const Reading &reading, int64_t width) {
    BlockArgument argument = kernel.getArgument(number);
    argument.setType(type);
    for (OpOperand &use : argument.getUses()) {
      auto op = cast<linalg::GenericOp>(use.getOwner());
      SmallVector<AffineMap> maps = op.getIndexingMapsArray();
      AffineMap &map = maps[use.getOperandNumber()];
      SmallVector<AffineExpr> exprs;
      for (int64_t dim : reading.order)
        exprs.push_back(map.getResult(dim));
      if (width) {
        AffineExpr c = getAffineConstantExpr(width, &getContext());
        AffineExpr n = exprs.pop_back_val(), k = exprs.pop_back_val();
        exprs.append({n.floorDiv(c), k, n % c});
      }
      map = AffineMap::get(map.getNumDims(), 0, exprs, &getContext());
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
        if (!type || !type.hasStaticShape() || type.getRank() < 2)
          continue;
        bool isByte = type.getElementType().isInteger(8);
        if (!isa<FloatType>(type.getElementType()) && !(isByte && type.getRank() == 2))
          continue;
        bool isConstant = llvm::all_of(callers, [&](onnx::LaunchOp launch) {
          return number - 1 < launch.getInputs().size() &&
                 launch.getInputs()[number - 1].getDefiningOp<onnx::UseOp>();
        });
        std::optional<Reading> reading = getReading(kernel.getArgument(number));
        if (!isConstant || !reading)
          continue;
        SmallVector<int64_t> shape;
        for (int64_t dim : reading->order)
          shape.push_back(type.getDimSize(dim));
        int64_t width = 0;
        if (reading->isContraction) {
          // A narrow panel where most of a wide one would be padding.
          int64_t n = shape.pop_back_val(), k = shape.pop_back_val();
          width = n <= lanes && !isByte ? lanes : columns;
          if (isByte && n * 2 < width)
            continue;
          shape.append({int64_t(llvm::divideCeil(n, width)), k, width});
        } else if (isByte || llvm::is_sorted(reading->order)) {
          continue;
        }
        auto packedType = RankedTensorType::get(shape, type.getElementType());
        packArgument(kernel, number, packedType, *reading, width);
        for (onnx::LaunchOp launch : callers) {
          auto use = launch.getInputs()[number - 1].getDefiningOp<onnx::UseOp>();
          auto weight = module.lookupSymbol<onnx::WeightOp>(use.getWeightAttr());
          // (the weight may be unsigned, kernels know no signs)
          auto weightType = RankedTensorType::get(
              packedType.getShape(), cast<RankedTensorType>(use.getType()).getElementType());
          onnx::WeightOp packed = getPacked(weight, weightType, *reading, width, added);
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
