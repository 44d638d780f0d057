//===- PackWeights.cpp - weights in the order that tiles read them --------===//
#include "Internal.h"

#include "Onnx/IR/Recipes.h"
#include "dougong/Target/Cpu/Passes.h"

#include "Onnx/IR/Onnx.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
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
  unsigned numReductions = 0; ///< dims that are summed over; the others are read at one place
  bool isContraction;         ///< no other operand has n; else each n has its own sum
  bool operator==(const Reading &) const = default;
};

/// Whether each result of `map` is a dim of its own or a constant.
bool readsPlainly(AffineMap map) {
  llvm::SmallDenseSet<unsigned> seen;
  return llvm::all_of(map.getResults(), [&](AffineExpr expr) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    return dim ? seen.insert(dim.getPosition()).second : isa<AffineConstantExpr>(expr);
  });
}

/// How `use` reads its weight: in a sum of products over all dims but n, the
/// innermost dim of the result.
std::optional<Reading> getReading(OpOperand &use) {
  auto op = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!op || !op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 ||
      op.getNumDpsInputs() != 2 || op.isDpsInit(&use))
    return std::nullopt;
  AffineMap map = op.getMatchingIndexingMap(&use);
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!readsPlainly(map) || map.getNumResults() < 2 || !result.isProjectedPermutation() ||
      result.getNumResults() == 0)
    return std::nullopt;
  unsigned n = result.getDimPosition(result.getNumResults() - 1);
  // Dims that are read at one index come first.
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
    else {
      reading.order.push_back(dim);
      reading.numReductions += loop >= 0;
    }
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

/// The layout that a tile reads: dims in `order`, then the last one in panels of
/// `width` unless that is 0.
struct Layout {
  SmallVector<int64_t> order;
  int64_t width = 0;
  RankedTensorType type = {};
};

/// The layout for a weight that is read so; none if it has it already.
std::optional<Layout> getLayout(RankedTensorType type, const Reading &reading, int64_t lanes,
                                int64_t columns) {
  Layout layout{reading.order};
  bool isByte = type.getElementType().isInteger(8);
  SmallVector<int64_t> shape;
  for (int64_t dim : reading.order)
    shape.push_back(type.getDimSize(dim));
  // (one column is a dot product: a run along k)
  if (reading.isContraction && shape.back() != 1) {
    // A narrow panel where most of a wide one would be padding.
    int64_t n = shape.pop_back_val(), k = shape.pop_back_val();
    layout.width = n <= lanes && !isByte ? lanes : columns;
    if (isByte && n * 2 < columns && reading.numReductions == 1)
      return std::nullopt;
    shape.append({int64_t(llvm::divideCeil(n, layout.width)), k, layout.width});
  } else if (llvm::is_sorted(reading.order)) {
    return std::nullopt;
  }
  layout.type = RankedTensorType::get(shape, type.getElementType());
  return layout;
}

/// The maps of all uses of `weight` as they read it in `layout`.
void readLayout(Value weight, const Layout &layout) {
  MLIRContext *context = weight.getContext();
  for (OpOperand &use : weight.getUses()) {
    auto op = cast<linalg::GenericOp>(use.getOwner());
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    AffineMap &map = maps[use.getOperandNumber()];
    SmallVector<AffineExpr> exprs;
    for (int64_t dim : layout.order)
      exprs.push_back(map.getResult(dim));
    if (layout.width) {
      AffineExpr width = getAffineConstantExpr(layout.width, context);
      AffineExpr n = exprs.pop_back_val(), k = exprs.pop_back_val();
      exprs.append({n.floorDiv(width), k, n % width});
    }
    map = AffineMap::get(map.getNumDims(), 0, exprs, context);
    op.setIndexingMapsAttr(OpBuilder(op).getAffineMapArrayAttr(maps));
  }
}

/// The elements of a constant in `layout`; what fills panels up is 0.
DenseElementsAttr layOut(DenseElementsAttr elements, const Layout &layout) {
  ArrayRef<int64_t> source = elements.getType().getShape(), shape = layout.type.getShape();
  ArrayRef<char> bytes = elements.getRawData();
  int64_t width = layout.type.getElementTypeBitWidth() / 8;
  SmallVector<char> values(layout.type.getNumElements() * width, 0);
  SmallVector<int64_t> index(source.size(), 0);
  for (int64_t number = 0; number < elements.getNumElements(); ++number) {
    SmallVector<int64_t> place;
    for (int64_t dim : layout.order)
      place.push_back(index[dim]);
    if (layout.width) {
      int64_t n = place.pop_back_val(), k = place.pop_back_val();
      place.append({n / layout.width, k, n % layout.width});
    }
    int64_t linear = 0;
    for (auto [at, extent] : llvm::zip_equal(place, shape))
      linear = linear * extent + at;
    const char *from = bytes.data() + (elements.isSplat() ? 0 : number * width);
    std::copy_n(from, width, values.data() + linear * width);
    // The next index of the source, row-major.
    for (int64_t dim = source.size(); dim-- > 0;) {
      if (++index[dim] < source[dim])
        break;
      index[dim] = 0;
    }
  }
  return DenseElementsAttr::getFromRawBuffer(layout.type, values);
}

struct CpuPackWeightsPass : public dougong::cpu::impl::CpuPackWeightsPassBase<CpuPackWeightsPass> {
  using CpuPackWeightsPassBase::CpuPackWeightsPassBase;

  /// The weight in `layout`, of type `type`; made when first asked for.
  onnx::WeightOp getPacked(onnx::WeightOp weight, RankedTensorType type, const Layout &layout,
                           SmallVectorImpl<Attribute> &added) {
    MLIRContext *context = &getContext();
    bool isOrdered = llvm::is_sorted(layout.order);
    std::string suffix;
    if (!isOrdered) {
      // (a matrix has one other order)
      suffix += ".t";
      if (layout.order.size() > 2)
        for (int64_t dim : layout.order)
          suffix += std::to_string(dim);
    }
    if (layout.width)
      suffix += ".pack" + std::to_string(layout.width);
    std::string name = (weight.getSymName() + suffix).str();
    if (auto known = getOperation().lookupSymbol<onnx::WeightOp>(name))
      return known;
    SmallVector<Attribute> steps;
    if (!isOrdered)
      steps.push_back(onnx::TransposeStepAttr::get(context, layout.order));
    if (layout.width)
      steps.push_back(onnx::PackStepAttr::get(context, layout.width));
    OpBuilder builder(context);
    builder.setInsertionPointAfter(weight);
    auto packed = onnx::WeightOp::create(builder, weight.getLoc(), builder.getStringAttr(name),
                                         TypeAttr::get(type), onnx::continueRecipe(weight, steps));
    added.push_back(builder.getArrayAttr({FlatSymbolRefAttr::get(weight.getSymNameAttr()),
                                          builder.getStringAttr(suffix), packed.getTypeAttr(),
                                          builder.getArrayAttr(steps)}));
    return packed;
  }

  /// Gives argument `number` of `kernel` the layout.
  void packArgument(func::FuncOp kernel, unsigned number, const Layout &layout) {
    BlockArgument argument = kernel.getArgument(number);
    argument.setType(layout.type);
    readLayout(argument, layout);
    kernel.setType(FunctionType::get(&getContext(), kernel.front().getArgumentTypes(),
                                     kernel.getFunctionType().getResults()));
    // It names the dims of the type that was.
    kernel.removeArgAttr(number, "onnx.dims");
  }

  /// Small weights are constants of the kernel itself.
  void packConstants(func::FuncOp kernel) {
    kernel.walk([&](arith::ConstantOp constant) {
      auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
      auto type = dyn_cast<RankedTensorType>(constant.getType());
      if (!elements || !type || type.getRank() < 2 ||
          (!isa<FloatType>(type.getElementType()) && !type.getElementType().isInteger(8)))
        return;
      std::optional<Reading> reading = getReading(constant.getResult());
      std::optional<Layout> layout;
      if (reading)
        layout = getLayout(type, *reading, lanes, columns);
      if (!layout)
        return;
      readLayout(constant.getResult(), *layout);
      OpBuilder builder(constant);
      constant.replaceAllUsesWith(
          arith::ConstantOp::create(builder, constant.getLoc(), layOut(elements, *layout))
              .getResult());
      constant.erase();
    });
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto kernel : module.getOps<func::FuncOp>())
      if (!kernel.isExternal() && isKernel(kernel))
        packConstants(kernel);
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
        if (!isa<FloatType>(type.getElementType()) && !type.getElementType().isInteger(8))
          continue;
        bool isConstant = llvm::all_of(callers, [&](onnx::LaunchOp launch) {
          return number - 1 < launch.getInputs().size() &&
                 launch.getInputs()[number - 1].getDefiningOp<onnx::UseOp>();
        });
        std::optional<Reading> reading = getReading(kernel.getArgument(number));
        if (!isConstant || !reading)
          continue;
        std::optional<Layout> layout = getLayout(type, *reading, lanes, columns);
        if (!layout)
          continue;
        packArgument(kernel, number, *layout);
        for (onnx::LaunchOp launch : callers) {
          auto use = launch.getInputs()[number - 1].getDefiningOp<onnx::UseOp>();
          auto weight = module.lookupSymbol<onnx::WeightOp>(use.getWeightAttr());
          // (the weight may be unsigned, kernels know no signs)
          auto weightType = RankedTensorType::get(
              layout->type.getShape(), cast<RankedTensorType>(use.getType()).getElementType());
          onnx::WeightOp packed = getPacked(weight, weightType, *layout, added);
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
