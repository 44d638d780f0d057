//===- Registration.cpp - everything the tools register -------------------===//
#include "dougong/Registration.h"

#include "dougong/Conversion/KernelPasses.h"
#include "dougong/Conversion/Passes.h"
#include "dougong/Dist/Passes.h"
#include "dougong/Onnx/Interfaces.h"
#include "dougong/Onnx/Passes.h"
#include "dougong/Target/Cpu/CpuTarget.h"
#include "dougong/Target/Cpu/Passes.h"
#include "dougong/Target/Onnx/Passes.h"

#include "Fleet/IR/Fleet.h"
#include "Onnx/IR/Onnx.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void dougong::registerDialects(DialectRegistry &registry) {
  registry.insert<onnx::OnnxDialect, dist::DistDialect, fleet::FleetDialect>();
  onnx::registerOnnxInterfaces(registry);
  cpu::registerCpuTarget(registry);
  registry.insert<affine::AffineDialect, arith::ArithDialect, bufferization::BufferizationDialect,
                  cf::ControlFlowDialect, func::FuncDialect, LLVM::LLVMDialect,
                  linalg::LinalgDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                  tensor::TensorDialect, vector::VectorDialect>();
}

void dougong::registerPasses() {
  registerTransformsPasses();
  onnx::registerOnnxPasses();
  registerDougongKernelPasses();
  registerDougongConversionPasses();
  cpu::registerCpuPasses();
  registerDougongTargetOnnxPasses();
  dist::registerDougongDistPasses();
}
