//===- Families.h - shape functions, one source for each operator family --===//
#ifndef DOUGONG_LIB_ONNX_SHAPEINFERENCE_FAMILIES_H
#define DOUGONG_LIB_ONNX_SHAPEINFERENCE_FAMILIES_H

#include "dougong/Onnx/ShapeScope.h"

namespace dougong::onnx {

/// Makes a function `LogicalResult(OpTy, ShapeScope &)` the shape inference of
/// `OpTy`. Functions that take an Operation * serve any op.
template <typename OpTy, auto function>
struct ShapeModel : ShapeInferenceOpInterface::ExternalModel<ShapeModel<OpTy, function>, OpTy> {
  llvm::LogicalResult inferShapes(mlir::Operation *op, ShapeScope &scope) const {
    return function(llvm::cast<OpTy>(op), scope);
  }
};

template <auto function, typename... Ops> void attach(mlir::MLIRContext &context) {
  (Ops::template attachInterface<ShapeModel<Ops, function>>(context), ...);
}

// Each source file attaches the models of its family.
void attachAttentionShapes(mlir::MLIRContext &context);
void attachControlFlowShapes(mlir::MLIRContext &context);
void attachConvolutionShapes(mlir::MLIRContext &context);
void attachElementwiseShapes(mlir::MLIRContext &context);
void attachGatherShapes(mlir::MLIRContext &context);
void attachImageShapes(mlir::MLIRContext &context);
void attachMatMulShapes(mlir::MLIRContext &context);
void attachMicrosoftShapes(mlir::MLIRContext &context);
void attachMlShapes(mlir::MLIRContext &context);
void attachNormalizationShapes(mlir::MLIRContext &context);
void attachPoolingShapes(mlir::MLIRContext &context);
void attachQuantizeShapes(mlir::MLIRContext &context);
void attachRecurrentShapes(mlir::MLIRContext &context);
void attachReduceShapes(mlir::MLIRContext &context);
void attachSequenceShapes(mlir::MLIRContext &context);
void attachSetShapes(mlir::MLIRContext &context);
void attachSignalShapes(mlir::MLIRContext &context);
void attachSliceShapes(mlir::MLIRContext &context);
void attachTensorShapes(mlir::MLIRContext &context);

//===----------------------------------------------------------------------===//
// Shared by several families
//===----------------------------------------------------------------------===//

/// Makes of `result` what holds for the tensors of both `a` and `b`: sequences,
/// optional values, or tensors that are put in one. False if that is nothing.
bool joinElements(ShapeScope &scope, mlir::Value a, mlir::Value b, mlir::Value result);

/// Result 0 has the shape of operand 0.
llvm::LogicalResult inferSameShape(mlir::Operation *op, ShapeScope &scope);

/// Result 0 has the shape that all operands broadcast to.
llvm::LogicalResult inferBroadcast(mlir::Operation *op, ShapeScope &scope);

/// The shape of a product of matrices (numpy's matmul) of operands `a` and `b`.
llvm::FailureOr<Dims> inferMatMulDims(mlir::Operation *op, ShapeScope &scope, Dims a, Dims b);

/// The spatial extents of a sliding window: convolution and pooling.
struct WindowOptions {
  Dims kernel; ///< extents of the window
  std::optional<llvm::ArrayRef<int64_t>> strides, dilations, pads;
  llvm::StringRef autoPad = "NOTSET";
  bool ceilMode = false;
};
/// The extents of a window that the attribute kernel_shape states.
Dims getKernelDims(llvm::ArrayRef<int64_t> kernelShape);
llvm::FailureOr<Dims> inferWindow(mlir::Operation *op, ShapeScope &scope,
                                  llvm::ArrayRef<DimExpr> spatial, const WindowOptions &options);

/// `whole` / `parts`, which must leave no rest: checked at entry where that is not
/// known. An error names `what`.
llvm::FailureOr<DimExpr> divideDim(mlir::Operation *op, ShapeScope &scope, const DimExpr &whole,
                                   const DimExpr &parts, const llvm::Twine &what);

/// The number of elements of operand `index`, a list with one for each dim of a tensor
/// or of some; nothing where that is a symbol. An error where no tensor has that many dims.
llvm::FailureOr<std::optional<int64_t>> getListLength(mlir::Operation *op, ShapeScope &scope,
                                                      unsigned index);

/// Dims that a reshape to `target` (contents with 0 and -1) gives.
llvm::FailureOr<Dims> inferReshape(mlir::Operation *op, ShapeScope &scope,
                                   llvm::ArrayRef<DimExpr> input, llvm::ArrayRef<DimExpr> target,
                                   bool allowZero);

/// The element at each coordinate of `dims` (static, row-major), taken from
/// `from` at the position that `map` computes. For contents of view operators.
template <typename Map>
Dims permuteContents(llvm::ArrayRef<DimExpr> from, llvm::ArrayRef<int64_t> extents, Map map) {
  Dims result;
  int64_t count = 1;
  for (int64_t extent : extents)
    count *= extent;
  llvm::SmallVector<int64_t> coordinate(extents.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t position = map(llvm::ArrayRef<int64_t>(coordinate));
    result.push_back(from[position]);
    for (size_t d = extents.size(); d-- > 0;) {
      if (++coordinate[d] < extents[d])
        break;
      coordinate[d] = 0;
    }
  }
  return result;
}

/// All extents, if they are constants.
std::optional<llvm::SmallVector<int64_t>> getStatic(llvm::ArrayRef<DimExpr> dims);
/// Row-major strides, in elements.
llvm::SmallVector<int64_t> getStrides(llvm::ArrayRef<int64_t> extents);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_SHAPEINFERENCE_FAMILIES_H
