//===- Interfaces.h - external models of the onnx ops' interfaces ---------===//
#ifndef DOUGONG_ONNX_INTERFACES_H
#define DOUGONG_ONNX_INTERFACES_H

namespace mlir {
class DialectRegistry;
}

namespace dougong::onnx {

/// Registers all external models: shape inference, sharding rules, cost.
void registerOnnxInterfaces(mlir::DialectRegistry &registry);

/// Registers shape inference (lib/Onnx/ShapeInference).
void registerShapeInference(mlir::DialectRegistry &registry);

} // namespace dougong::onnx

#endif // DOUGONG_ONNX_INTERFACES_H
