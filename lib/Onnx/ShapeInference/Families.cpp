//===- Families.cpp - registration, and what several families share -------===//
#include "Families.h"

#include "dougong/Onnx/Interfaces.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

void dougong::onnx::registerShapeInference(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, OnnxDialect *) {
    for (auto attachFamily :
         {attachAttentionShapes, attachControlFlowShapes, attachConvolutionShapes,
          attachElementwiseShapes, attachGatherShapes, attachImageShapes, attachMatMulShapes,
          attachMicrosoftShapes, attachMlShapes, attachNormalizationShapes, attachPoolingShapes,
          attachQuantizeShapes, attachRecurrentShapes, attachReduceShapes, attachSequenceShapes,
          attachSetShapes, attachSignalShapes, attachSliceShapes, attachTensorShapes})
      attachFamily(*context);
  });
}

bool dougong::onnx::isGiven(Operation *op, unsigned index) {
  return index < op->getNumOperands() && !isa<NoneType>(op->getOperand(index).getType());
}

std::optional<SmallVector<int64_t>> dougong::onnx::getStatic(ArrayRef<DimExpr> dims) {
  SmallVector<int64_t> extents;
  for (const DimExpr &dim : dims) {
    auto value = dim.constant();
    if (!value)
      return std::nullopt;
    extents.push_back(*value);
  }
  return extents;
}

SmallVector<int64_t> dougong::onnx::getStrides(ArrayRef<int64_t> extents) {
  SmallVector<int64_t> strides(extents.size(), 1);
  for (size_t d = extents.size(); d-- > 1;)
    strides[d - 1] = strides[d] * extents[d];
  return strides;
}

LogicalResult dougong::onnx::inferSameShape(Operation *op, ShapeScope &scope) {
  FailureOr<Dims> dims = scope.getOperandDims(op, 0);
  return failed(dims) ? failure() : scope.setResult(op, 0, *dims);
}

LogicalResult dougong::onnx::inferBroadcast(Operation *op, ShapeScope &scope) {
  Dims result;
  for (unsigned i = 0; i < op->getNumOperands(); ++i) {
    if (!isGiven(op, i))
      continue;
    FailureOr<Dims> dims = scope.getOperandDims(op, i);
    if (failed(dims))
      return failure();
    FailureOr<Dims> merged = scope.broadcast(op, result, *dims);
    if (failed(merged))
      return failure();
    result = *merged;
  }
  return scope.setResult(op, 0, result);
}
