//===- Convolution.cpp - shapes of convolutions ---------------------------===//
#include "Broadcast.h"
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

namespace {

/// The window of a convolution: the extents of its weights, which the attribute
/// kernel_shape may repeat.
FailureOr<Dims> inferKernel(Operation *op, ShapeScope &scope, ArrayRef<DimExpr> weights,
                            std::optional<ArrayRef<int64_t>> kernelShape) {
  Dims kernel(weights.drop_front(2));
  if (!kernelShape)
    return kernel;
  if (kernelShape->size() != kernel.size())
    return op->emitOpError() << "kernel_shape has " << kernelShape->size() << " extents for "
                             << kernel.size() << " spatial dims";
  for (auto [index, extent] : llvm::enumerate(*kernelShape)) {
    FailureOr<DimExpr> dim =
        scope.unify(op, kernel[index], DimExpr(extent),
                    "dim " + Twine(index + 2) + " of the weights and its entry in kernel_shape");
    if (failed(dim))
      return failure();
    kernel[index] = *dim;
  }
  return kernel;
}

/// The bias, if the operator has one that is given, is of one number for each output channel.
LogicalResult checkBias(Operation *op, ShapeScope &scope, const DimExpr &channels) {
  std::optional<unsigned> bias;
  if (isa<ConvOp, ConvTransposeOp, MsFusedConvOp>(op))
    bias = 2;
  else if (isa<QLinearConvOp>(op))
    bias = 8;
  return bias && isGiven(op, *bias) ? unifyDims(op, scope, *bias, {channels}, "the bias")
                                    : success();
}

/// A convolution whose weights are operand `weightIndex`.
template <typename OpTy, unsigned weightIndex> LogicalResult inferConv(OpTy op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  if (input->size() < 3)
    return op.emitOpError() << "input must have rank 3 or more, got shape " << toString(*input);
  FailureOr<Dims> weights = scope.getOperandDims(op, weightIndex, input->size());
  if (failed(weights))
    return failure();
  if (failed(scope.unify(op, (*input)[1], (*weights)[1] * DimExpr(int64_t(op.getGroup())),
                         "channels of input and weights (times groups)")))
    return failure();
  FailureOr<Dims> kernel = inferKernel(op, scope, *weights, op.getKernelShape());
  if (failed(kernel))
    return failure();
  WindowOptions options;
  options.kernel = *kernel;
  options.strides = op.getStrides();
  options.pads = op.getPads();
  options.dilations = op.getDilations();
  options.autoPad = op.getAutoPad();
  FailureOr<Dims> windows =
      inferWindow(op, scope, ArrayRef<DimExpr>(*input).drop_front(2), options);
  if (failed(windows))
    return failure();
  Dims result = {(*input)[0], (*weights)[0]};
  result.append(*windows);
  // Scales and zero points of weights may be one for each output channel.
  SmallVector<unsigned> parameters;
  if (isa<ConvIntegerOp>(op))
    parameters = {3};
  else if (isa<QLinearConvOp>(op))
    parameters = {4, 5};
  for (unsigned operand : parameters)
    if (failed(checkParameter(op, scope, operand, *weights, 0)))
      return failure();
  if (failed(checkBias(op, scope, weights->front())))
    return failure();
  return scope.setResult(op, 0, result);
}

/// DeformConv has no auto_pad.
LogicalResult inferDeformConv(DeformConvOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0, 4), weights = scope.getOperandDims(op, 1, 4),
                  offset = scope.getOperandDims(op, 2, 4);
  if (failed(input) || failed(weights) || failed(offset))
    return failure();
  // One offset for each output position.
  return scope.setResult(op, 0, {(*input)[0], (*weights)[0], (*offset)[2], (*offset)[3]});
}

LogicalResult inferConvTranspose(ConvTransposeOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  if (input->size() < 3)
    return op.emitOpError() << "input must have rank 3 or more, got shape " << toString(*input);
  FailureOr<Dims> weights = scope.getOperandDims(op, 1, input->size());
  if (failed(weights) ||
      failed(scope.unify(op, (*input)[1], (*weights)[0], "channels of input and weights")))
    return failure();
  size_t rank = input->size() - 2;
  FailureOr<Dims> kernel = inferKernel(op, scope, *weights, op.getKernelShape());
  Dims result = {(*input)[0], (*weights)[1] * DimExpr(int64_t(op.getGroup()))};
  if (failed(kernel) || failed(checkBias(op, scope, result[1])))
    return failure();
  auto at = [](std::optional<ArrayRef<int64_t>> list, size_t index, int64_t otherwise) {
    return list && index < list->size() ? (*list)[index] : otherwise;
  };
  for (size_t i = 0; i < rank; ++i) {
    if (auto shape = op.getOutputShape()) {
      // Spatial dims only; some exporters list all dims.
      size_t skip = shape->size() == rank ? 0 : 2;
      result.push_back(DimExpr(at(shape, skip + i, 0)));
      continue;
    }
    DimExpr extent = (*input)[2 + i];
    int64_t stride = at(op.getStrides(), i, 1);
    if (op.getAutoPad() == "SAME_UPPER" || op.getAutoPad() == "SAME_LOWER") {
      result.push_back(extent * DimExpr(stride));
      continue;
    }
    bool pads = op.getAutoPad() == "NOTSET";
    int64_t padding = pads ? at(op.getPads(), i, 0) + at(op.getPads(), rank + i, 0) : 0;
    DimExpr window =
        ((*kernel)[i] - DimExpr(1)) * DimExpr(at(op.getDilations(), i, 1)) + DimExpr(1);
    result.push_back((extent - DimExpr(1)) * DimExpr(stride) + window +
                     DimExpr(at(op.getOutputPadding(), i, 0) - padding));
  }
  return scope.setResult(op, 0, result);
}

LogicalResult inferCol2Im(Col2ImOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0, 3);
  if (failed(input))
    return failure();
  auto image = scope.getContents(op.getImageShape()), block = scope.getContents(op.getBlockShape());
  if (!image || !block)
    return scope.useDeclared(op, "image_shape or block_shape");
  auto channels = divideExactly((*input)[1], ShapeScope::product(*block));
  if (!channels)
    return op.emitOpError() << "dim 1 of " << toString(*input) << " is not a multiple of the block";
  Dims result = {(*input)[0], *channels};
  result.append(*image);
  return scope.setResult(op, 0, result);
}

} // namespace

void dougong::onnx::attachConvolutionShapes(MLIRContext &context) {
  attach<inferConv<ConvOp, 1>, ConvOp>(context);
  attach<inferConv<ConvIntegerOp, 1>, ConvIntegerOp>(context);
  attach<inferConv<MsFusedConvOp, 1>, MsFusedConvOp>(context);
  attach<inferConv<QLinearConvOp, 3>, QLinearConvOp>(context);
  attach<inferDeformConv, DeformConvOp>(context);
  attach<inferConvTranspose, ConvTransposeOp>(context);
  attach<inferCol2Im, Col2ImOp>(context);
}
