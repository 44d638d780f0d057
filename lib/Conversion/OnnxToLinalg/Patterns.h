//===- Patterns.h - how a family of operators is lowered --------*- C++ -*-===//
//
// A lowering is a function from an op, its converted operands and an Emitter to
// converted results. One file for each operator family; each gives one
// `populate` function.
//
//===----------------------------------------------------------------------===//
#ifndef DOUGONG_LIB_CONVERSION_ONNXTOLINALG_PATTERNS_H
#define DOUGONG_LIB_CONVERSION_ONNXTOLINALG_PATTERNS_H

#include "Emitter.h"

#include "mlir/Transforms/DialectConversion.h"

namespace dougong::onnx {

/// The results of a lowering, or a reason why there are none. A null value
/// stands for a result of type none.
class Lowered {
public:
  Lowered(mlir::Value value) : values{value} {}
  Lowered(std::initializer_list<mlir::Value> values) : values(values) {}
  Lowered(llvm::SmallVector<mlir::Value> values) : values(std::move(values)) {}
  /// A refusal: lower case, says what is not supported.
  static Lowered refuse(const llvm::Twine &reason) {
    Lowered result{llvm::SmallVector<mlir::Value>()};
    result.refusal = reason.str();
    return result;
  }

  llvm::SmallVector<mlir::Value> values;
  std::string refusal; ///< empty if the lowering succeeded
};

/// Why ops were refused while this object lives, in this thread: upstream's
/// release builds drop the reasons of match failures.
class RefusalLog {
public:
  RefusalLog();
  ~RefusalLog();
  RefusalLog(const RefusalLog &) = delete;
  RefusalLog &operator=(const RefusalLog &) = delete;

  static void note(mlir::Location location, llvm::StringRef reason);
  /// The reason for the op at `location`, or "".
  llvm::StringRef lookup(mlir::Location location) const {
    auto found = reasons.find(location);
    return found == reasons.end() ? llvm::StringRef() : llvm::StringRef(found->second);
  }

private:
  RefusalLog *outer;
  llvm::DenseMap<mlir::Location, std::string> reasons;
};

/// Replaces `op` by `lowered`: casts the values to the converted result types
/// and makes `onnx.none` of null values.
llvm::LogicalResult replaceWith(mlir::Operation *op, Lowered lowered,
                                const mlir::TypeConverter &converter,
                                mlir::ConversionPatternRewriter &rewriter);

template <typename OpT> class LowerOnnx : public mlir::OpConversionPattern<OpT> {
public:
  using Function = Lowered (*)(OpT op, typename OpT::Adaptor in, Emitter &e);

  LowerOnnx(const mlir::TypeConverter &converter, mlir::MLIRContext *context, Function function)
      : mlir::OpConversionPattern<OpT>(converter, context), function(function) {}

  llvm::LogicalResult matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                                      mlir::ConversionPatternRewriter &rewriter) const override {
    Emitter emitter(op.getLoc(), rewriter);
    return replaceWith(op, function(op, adaptor, emitter), *this->getTypeConverter(), rewriter);
  }

private:
  Function function;
};

/// What a populate function adds to.
struct PatternSet {
  mlir::RewritePatternSet &patterns;
  const mlir::TypeConverter &converter;

  template <typename OpT> void add(typename LowerOnnx<OpT>::Function function) {
    patterns.add<LowerOnnx<OpT>>(converter, patterns.getContext(), function);
  }
};

/// The type of result `index` of `op` in the onnx dialect.
inline mlir::RankedTensorType resultType(mlir::Operation *op, unsigned index = 0) {
  return llvm::cast<mlir::RankedTensorType>(op->getResult(index).getType());
}

/// The same type's element type, as buffers hold it.
mlir::Type resultElement(mlir::Operation *op, unsigned index = 0);

/// Broadcasts the tensors `converted` (in the onnx dialect: `originals`) to
/// the first result of `op` and maps their elements through `body`.
mlir::Value lowerElementwise(mlir::Operation *op, mlir::ValueRange originals,
                             mlir::ValueRange converted, Emitter &e, Emitter::Body body);

void populateUnaryPatterns(PatternSet &set);
void populateBinaryPatterns(PatternSet &set);
void populateCastPatterns(PatternSet &set);
void populateConstantPatterns(PatternSet &set);
void populateShapePatterns(PatternSet &set);
void populateSlicePatterns(PatternSet &set);
void populateGatherPatterns(PatternSet &set);
void populateScatterPatterns(PatternSet &set);
void populateMatMulPatterns(PatternSet &set);
void populateConvPatterns(PatternSet &set);
void populatePoolPatterns(PatternSet &set);
void populateReducePatterns(PatternSet &set);
void populateSoftmaxPatterns(PatternSet &set);
void populateNormalizationPatterns(PatternSet &set);
void populateRotaryPatterns(PatternSet &set);
void populateAttentionPatterns(PatternSet &set);
void populateQuantizePatterns(PatternSet &set);
void populateRecurrentPatterns(PatternSet &set);
void populateControlFlowPatterns(PatternSet &set);
void populateTopKPatterns(PatternSet &set);
void populateMixturePatterns(PatternSet &set);
void populateLinearAttentionPatterns(PatternSet &set);
void populateQuantizedMatMulPatterns(PatternSet &set);
void populateQuantizedConvPatterns(PatternSet &set);
void populateQuantizedElementwisePatterns(PatternSet &set);
void populateMicrosoftPatterns(PatternSet &set);
void populateMicrosoftAttentionPatterns(PatternSet &set);
void populateResizePatterns(PatternSet &set);
void populateAffineGridPatterns(PatternSet &set);
void populateGridSamplePatterns(PatternSet &set);
void populateCumulativePatterns(PatternSet &set);
void populateEinsumPatterns(PatternSet &set);
void populateSpectralPatterns(PatternSet &set);
void populateImagePatterns(PatternSet &set);
void populateOptimizerPatterns(PatternSet &set);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_CONVERSION_ONNXTOLINALG_PATTERNS_H
