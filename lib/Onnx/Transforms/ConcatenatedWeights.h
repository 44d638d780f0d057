//===- ConcatenatedWeights.h - products by weights put together -*- C++ -*-===//
#ifndef DOUGONG_LIB_ONNX_TRANSFORMS_CONCATENATEDWEIGHTS_H
#define DOUGONG_LIB_ONNX_TRANSFORMS_CONCATENATEDWEIGHTS_H

#include "Onnx/IR/Onnx.h"

namespace dougong::onnx {

/// Writes `x * concat(weights)`, as exporters that fuse the projections of
/// attention leave it (also with a transpose behind the concat), as a concat of
/// products. Weight recipes know no concat: the weights would be put together
/// again in every step. Does nothing to other products.
void splitProduct(MatMulOp op);

} // namespace dougong::onnx

#endif // DOUGONG_LIB_ONNX_TRANSFORMS_CONCATENATEDWEIGHTS_H
