//===- Interfaces.cpp - external models of the onnx ops' interfaces -------===//
#include "dougong/Onnx/Interfaces.h"

#include "dougong/Onnx/Cost.h"
#include "dougong/Onnx/Sharding.h"

void dougong::onnx::registerOnnxInterfaces(mlir::DialectRegistry &registry) {
  registerShapeInference(registry);
  registerShardingModels(registry);
  registerCostModels(registry);
}
