//===- OnnxToLinalg.cpp - the pass convert-onnx-to-linalg -----------------===//
#include "dougong/Conversion/OnnxToLinalg.h"

#include "Patterns.h"
#include "ResolveDims.h"

#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/Pass.h"

namespace dougong {
#define GEN_PASS_DEF_CONVERTONNXTOLINALGPASS
#include "dougong/Conversion/Passes.h.inc"
} // namespace dougong

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

void dougong::populateOnnxTypeConversions(TypeConverter &converter) {
  converter.addConversion([](Type type) { return type; });
  converter.addConversion([](RankedTensorType type) -> Type {
    // Tensors lose their encoding.
    return RankedTensorType::get(type.getShape(), getStorageType(type.getElementType()));
  });
  auto cast = [](OpBuilder &builder, Type type, ValueRange inputs, Location loc) -> Value {
    return UnrealizedConversionCastOp::create(builder, loc, type, inputs).getResult(0);
  };
  converter.addSourceMaterialization(cast);
  converter.addTargetMaterialization(cast);
}

void dougong::populateOnnxToLinalgPatterns(RewritePatternSet &patterns,
                                           const TypeConverter &converter) {
  PatternSet set{patterns, converter};
  populateUnaryPatterns(set);
  populateBinaryPatterns(set);
  populateCastPatterns(set);
  populateConstantPatterns(set);
  populateShapePatterns(set);
  populateSlicePatterns(set);
  populateGatherPatterns(set);
  populateMatMulPatterns(set);
  populateConvPatterns(set);
  populatePoolPatterns(set);
  populateReducePatterns(set);
  populateSoftmaxPatterns(set);
  populateNormalizationPatterns(set);
  populateRotaryPatterns(set);
  populateAttentionPatterns(set);
  populateQuantizePatterns(set);
  populateQuantizedMatMulPatterns(set);
  populateQuantizedConvPatterns(set);
  populateQuantizedElementwisePatterns(set);
  populateRecurrentPatterns(set);
  populateTopKPatterns(set);
  populateMixturePatterns(set);
  populateScatterPatterns(set);
  populateLinearAttentionPatterns(set);
  populateMicrosoftPatterns(set);
  populateMicrosoftAttentionPatterns(set);
  populateControlFlowPatterns(set);
  populateResizePatterns(set);
  populateAffineGridPatterns(set);
  populateGridSamplePatterns(set);
  populateCumulativePatterns(set);
  populateEinsumPatterns(set);
  populateSpectralPatterns(set);
  populateImagePatterns(set);
  populateOptimizerPatterns(set);
}

Type dougong::onnx::resultElement(Operation *op, unsigned index) {
  return getStorageType(resultType(op, index).getElementType());
}

/// The log of the conversion that runs in this thread.
static thread_local RefusalLog *currentLog = nullptr;

RefusalLog::RefusalLog() : outer(currentLog) { currentLog = this; }
RefusalLog::~RefusalLog() { currentLog = outer; }

void RefusalLog::note(Location location, StringRef reason) {
  if (currentLog)
    currentLog->reasons[location] = reason.str();
}

LogicalResult dougong::onnx::replaceWith(Operation *op, Lowered lowered,
                                         const TypeConverter &converter,
                                         ConversionPatternRewriter &rewriter) {
  if (!lowered.refusal.empty()) {
    RefusalLog::note(op->getLoc(), lowered.refusal);
    return rewriter.notifyMatchFailure(op, lowered.refusal);
  }
  Emitter e(op->getLoc(), rewriter);
  SmallVector<Value> replacements;
  for (auto [index, result] : llvm::enumerate(op->getResults())) {
    Value value = index < lowered.values.size() ? lowered.values[index] : Value();
    if (isa<NoneType>(result.getType())) {
      replacements.push_back(NoneOp::create(e, result.getType()));
      continue;
    }
    // What nobody reads needs no value: types of unused outputs may be inferred.
    if (!value && result.use_empty() && isa<RankedTensorType>(result.getType()))
      value = e.empty(e.extents(result.getType()), resultElement(op, index));
    if (!value)
      return rewriter.notifyMatchFailure(op, "result " + Twine(index) + " is not supported");
    Type type = converter.convertType(result.getType());
    if (isa<RankedTensorType>(type))
      value = e.castTo(value, type);
    replacements.push_back(value);
  }
  rewriter.replaceOp(op, replacements);
  return success();
}

namespace {

/// An op of whose results none has an element has nothing to compute. Slices and
/// windows of such tensors would have no place where they are within bounds.
class LowerEmpty : public ConversionPattern {
public:
  LowerEmpty(const TypeConverter &converter, MLIRContext *context)
      : ConversionPattern(converter, MatchAnyOpTypeTag(), /*benefit=*/2, context) {}

  LogicalResult matchAndRewrite(Operation *op, ArrayRef<Value>,
                                ConversionPatternRewriter &rewriter) const override {
    auto isEmpty = [](Type type) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      return isa<NoneType>(type) || (tensor && llvm::is_contained(tensor.getShape(), 0));
    };
    if (!isa<OnnxDialect>(op->getDialect()) || op->getNumRegions() || op->getNumResults() == 0 ||
        llvm::all_of(op->getResultTypes(), llvm::IsaPred<NoneType>) ||
        !llvm::all_of(op->getResultTypes(), isEmpty))
      return failure();
    Emitter e(op->getLoc(), rewriter);
    SmallVector<Value> results;
    for (auto [index, type] : llvm::enumerate(op->getResultTypes()))
      results.push_back(isa<NoneType>(type) ? Value()
                                            : e.empty(e.extents(type), resultElement(op, index)));
    return replaceWith(op, results, *getTypeConverter(), rewriter);
  }
};

class ConvertOnnxToLinalg : public dougong::impl::ConvertOnnxToLinalgPassBase<ConvertOnnxToLinalg> {
public:
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override {
    converter = std::make_shared<TypeConverter>();
    populateOnnxTypeConversions(*converter);
    RewritePatternSet set(context);
    populateOnnxToLinalgPatterns(set, *converter);
    set.add<LowerEmpty>(*converter, context);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(set, *converter);
    populateReturnOpTypeConversionPattern(set, *converter);
    patterns = std::make_shared<FrozenRewritePatternSet>(std::move(set));
    return success();
  }

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function->hasAttr("dougong.kernel"))
      return;
    if (failed(checkOps(function)) || failed(convert(function)) || failed(resolveDims(function)))
      return signalPassFailure();
    function.walk([](NoneOp none) {
      if (none->use_empty())
        none.erase();
    });
  }

private:
  /// Lowerings rely on ranks: shape inference has them all by now. Operators that
  /// no schema declares came through the import unharmed, to be refused here.
  LogicalResult checkOps(func::FuncOp function) {
    auto ranked = [](Type type) { return !isa<UnrankedTensorType>(type); };
    WalkResult walk = function.walk([&](Operation *op) {
      if (auto custom = dyn_cast<CustomOp>(op)) {
        op->emitError() << "operator '" << custom.getOpType() << "' of domain '"
                        << custom.getDomain() << "' is unknown: no code can be made for it";
        return WalkResult::interrupt();
      }
      if (!llvm::all_of(op->getOperandTypes(), ranked) ||
          !llvm::all_of(op->getResultTypes(), ranked)) {
        op->emitOpError("has a tensor of unknown rank, which the lowering does not support");
        return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    return failure(walk.wasInterrupted());
  }

  LogicalResult convert(func::FuncOp function) {
    ConversionTarget target(getContext());
    target.addLegalDialect<arith::ArithDialect, linalg::LinalgDialect, math::MathDialect,
                           scf::SCFDialect, tensor::TensorDialect, LLVM::LLVMDialect>();
    target.addIllegalDialect<OnnxDialect>();
    target.addLegalOp<DimOp, NoneOp>();
    target.addDynamicallyLegalOp<func::FuncOp>([&](func::FuncOp op) {
      return converter->isSignatureLegal(op.getFunctionType()) && converter->isLegal(&op.getBody());
    });
    target.addDynamicallyLegalOp<func::ReturnOp>(
        [&](func::ReturnOp op) { return converter->isLegal(op.getOperandTypes()); });
    target.addLegalDialect<func::FuncDialect>();

    // The driver's own message names the op but not the reason: both are
    // gathered, and one error says what is wrong.
    RefusalLog log;
    Location where = function.getLoc();
    std::string message;
    LogicalResult result = failure();
    {
      ScopedDiagnosticHandler handler(&getContext(), [&](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return failure();
        if (message.empty()) {
          where = diagnostic.getLocation();
          message = diagnostic.str();
        }
        return success();
      });
      result = applyFullConversion(function, target, *patterns);
    }
    if (failed(result)) {
      // "failed to legalize operation 'onnx.Conv' ...", which is no user's term.
      StringRef name = StringRef(message).split('\'').second.split('\'').first;
      if (!name.consume_front("onnx."))
        return emitError(where) << message;
      StringRef reason = log.lookup(where);
      emitError(where) << "operator '" << name << "' cannot be compiled: "
                       << (reason.empty() ? "there is no lowering of it" : reason);
    }
    return result;
  }

  std::shared_ptr<TypeConverter> converter;
  std::shared_ptr<FrozenRewritePatternSet> patterns;
};

} // namespace
