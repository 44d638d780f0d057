//===- Pooling.cpp - shapes of sliding windows ----------------------------===//
#include "Families.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::onnx;

Dims dougong::onnx::getKernelDims(ArrayRef<int64_t> kernelShape) {
  Dims dims;
  for (int64_t extent : kernelShape)
    dims.push_back(DimExpr(extent));
  return dims;
}

FailureOr<Dims> dougong::onnx::inferWindow(Operation *op, ShapeScope &scope,
                                           ArrayRef<DimExpr> spatial,
                                           const WindowOptions &options) {
  size_t rank = spatial.size();
  auto fits = [&](const std::optional<ArrayRef<int64_t>> &list, size_t size) {
    return !list || list->empty() || list->size() == size;
  };
  if (options.kernel.size() != rank || !fits(options.strides, rank) ||
      !fits(options.dilations, rank) || !fits(options.pads, 2 * rank))
    return op->emitOpError() << "kernel, strides, dilations or pads do not fit " << rank
                             << " spatial dims";
  auto at = [](const std::optional<ArrayRef<int64_t>> &list, size_t index, int64_t otherwise) {
    return list && !list->empty() ? (*list)[index] : otherwise;
  };
  DimSolver &solver = scope.getSolver();
  Dims result;
  for (size_t i = 0; i < rank; ++i) {
    int64_t stride = at(options.strides, i, 1);
    DimExpr window =
        (options.kernel[i] - DimExpr(1)) * DimExpr(at(options.dilations, i, 1)) + DimExpr(1);
    if (stride <= 0 || at(options.dilations, i, 1) <= 0 || window.constant().value_or(1) <= 0 ||
        !solver.assumeLessOrEqual(DimExpr(1), options.kernel[i], ShapeScope::getNodeLabel(op)))
      return op->emitOpError() << "strides, dilations and kernel extents must be positive";
    if (options.autoPad == "SAME_UPPER" || options.autoPad == "SAME_LOWER") {
      result.push_back(ceilDiv(spatial[i], DimExpr(stride)));
      continue;
    }
    bool explicitPads = options.autoPad == "NOTSET" || options.autoPad.empty();
    if (!explicitPads && options.autoPad != "VALID")
      return op->emitOpError() << "auto_pad '" << options.autoPad << "' is not known";
    int64_t before = explicitPads ? at(options.pads, i, 0) : 0;
    int64_t after = explicitPads ? at(options.pads, rank + i, 0) : 0;
    DimExpr room = spatial[i] + DimExpr(before + after) - window;
    if (auto value = room.constant(); value && *value < 0)
      return op->emitOpError() << "window of " << window.print() << " does not fit dim " << i
                               << " of " << toString(spatial) << " with pads " << before << " and "
                               << after;
    DimExpr count =
        (options.ceilMode ? ceilDiv(room, DimExpr(stride)) : floorDiv(room, DimExpr(stride))) +
        DimExpr(1);
    // A window that would start in the padding at the end does not count.
    if (options.ceilMode)
      count = solver.smaller(count, ceilDiv(spatial[i] + DimExpr(before), DimExpr(stride)));
    result.push_back(count);
  }
  return result;
}

namespace {

/// Pooling over all dims behind the first two.
template <typename OpTy> LogicalResult inferPool(OpTy op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  if (input->size() < 3)
    return op.emitOpError() << "input must have rank 3 or more, got shape " << toString(*input);
  WindowOptions options;
  options.kernel = getKernelDims(op.getKernelShape());
  options.strides = op.getStrides();
  options.pads = op.getPads();
  options.autoPad = op.getAutoPad();
  options.ceilMode = op.getCeilMode() != 0;
  bool channelsLast = false;
  if constexpr (requires { op.getDilations(); })
    options.dilations = op.getDilations();
  if constexpr (requires { op.getChannelsLast(); })
    channelsLast = op.getChannelsLast() != 0;
  ArrayRef<DimExpr> dims(*input);
  ArrayRef<DimExpr> spatial = channelsLast ? dims.drop_front().drop_back() : dims.drop_front(2);
  FailureOr<Dims> windows = inferWindow(op, scope, spatial, options);
  if (failed(windows))
    return failure();
  Dims result = {dims[0]};
  if (!channelsLast)
    result.push_back(dims[1]);
  result.append(*windows);
  if (channelsLast)
    result.push_back(dims.back());
  if (failed(scope.setResult(op, 0, result)))
    return failure();
  return scope.setResult(op, 1, result); // the indices of MaxPool
}

LogicalResult inferGlobalPool(Operation *op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  if (input->size() < 2)
    return op->emitOpError() << "input must have rank 2 or more, got shape " << toString(*input);
  auto last = op->getAttrOfType<IntegerAttr>("channels_last");
  size_t first = last && last.getInt() != 0 ? 1 : 2;
  for (size_t i = first; i < input->size() - (first == 1); ++i)
    (*input)[i] = DimExpr(1);
  return scope.setResult(op, 0, *input);
}

/// Pools by the norm of order p.
template <auto infer, typename OpT> LogicalResult inferLpPool(OpT op, ShapeScope &scope) {
  int64_t p = op.getP();
  if (p < 1)
    return op.emitOpError() << "p is " << p << ", expected at least 1";
  return infer(op, scope);
}

LogicalResult inferMaxUnpool(MaxUnpoolOp op, ShapeScope &scope) {
  FailureOr<Dims> input = scope.getOperandDims(op, 0);
  if (failed(input))
    return failure();
  if (isGiven(op, 2)) {
    auto shape = scope.getContents(op.getOutputShape());
    if (!shape)
      return scope.useDeclared(op, "output_shape");
    return scope.setResult(op, 0, *shape);
  }
  ArrayRef<int64_t> kernel = op.getKernelShape();
  size_t rank = input->size() - std::min<size_t>(2, input->size());
  if (kernel.size() != rank)
    return op.emitOpError() << "kernel_shape does not fit " << rank << " spatial dims";
  for (size_t i = 0; i < rank; ++i) {
    int64_t stride = op.getStrides() ? (*op.getStrides())[i] : 1;
    int64_t pads = op.getPads() ? (*op.getPads())[i] + (*op.getPads())[rank + i] : 0;
    (*input)[2 + i] = ((*input)[2 + i] - DimExpr(1)) * DimExpr(stride) + DimExpr(kernel[i] - pads);
  }
  return scope.setResult(op, 0, *input);
}

} // namespace

void dougong::onnx::attachPoolingShapes(MLIRContext &context) {
  attach<inferPool<MaxPoolOp>, MaxPoolOp>(context);
  attach<inferPool<AveragePoolOp>, AveragePoolOp>(context);
  attach<inferLpPool<inferPool<LpPoolOp>, LpPoolOp>, LpPoolOp>(context);
  attach<inferPool<MsQLinearAveragePoolOp>, MsQLinearAveragePoolOp>(context);
  attach<inferGlobalPool, GlobalAveragePoolOp, GlobalMaxPoolOp, MsQLinearGlobalAveragePoolOp>(
      context);
  attach<inferLpPool<inferGlobalPool, GlobalLpPoolOp>, GlobalLpPoolOp>(context);
  attach<inferMaxUnpool, MaxUnpoolOp>(context);
}
