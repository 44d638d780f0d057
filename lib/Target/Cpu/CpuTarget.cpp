//===- CpuTarget.cpp - the CPU as a target of the pipeline ----------------===//
#include "dougong/Target/Cpu/CpuTarget.h"

#include "Internal.h"
#include "Pipelines.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/IR/TensorInferTypeOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace dougong;
using namespace dougong::cpu;

void cpu::registerBufferization(DialectRegistry &registry) {
  registry.insert<affine::AffineDialect, arith::ArithDialect, bufferization::BufferizationDialect,
                  linalg::LinalgDialect, memref::MemRefDialect, scf::SCFDialect,
                  tensor::TensorDialect>();
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerSubsetOpInterfaceExternalModels(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerSubsetOpInterfaceExternalModels(registry);
  tensor::registerInferTypeOpInterfaceExternalModels(registry);
}

void cpu::registerCpuTarget(DialectRegistry &registry) {
  registerBufferization(registry);
  registry.insert<cf::ControlFlowDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
                  ub::UBDialect, vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

llvm::Error cpu::addCpuKernelPasses(OpPassManager &pipeline, const CpuOptions &options) {
  llvm::Expected<CpuTraits> traits = getCpuTraits(options);
  if (!traits)
    return traits.takeError();
  buildKernelPipeline(pipeline, options, *traits);
  return llvm::Error::success();
}

/// Collects the diagnostics of `run` into one error.
static llvm::Error withDiagnostics(MLIRContext *context, llvm::function_ref<LogicalResult()> run) {
  std::string text;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error) {
      llvm::raw_string_ostream stream(text);
      stream << (text.empty() ? "" : "; ") << diagnostic.getLocation() << ": " << diagnostic;
    }
    return success();
  });
  if (succeeded(run()))
    return llvm::Error::success();
  return llvm::createStringError(text.empty() ? "lowering for the CPU failed" : text);
}

static llvm::Error generate(ModuleOp module, const CpuOptions &options) {
  llvm::Expected<CpuTraits> traits = getCpuTraits(options);
  if (!traits)
    return traits.takeError();
  return withDiagnostics(module.getContext(),
                         [&] { return lowerToLLVM(module, options, *traits); });
}

static llvm::Expected<std::string> emit(ModuleOp module, const CpuOptions &options, bool assembly) {
  llvm::Expected<CpuTraits> traits = getCpuTraits(options);
  if (!traits)
    return traits.takeError();
  return emitMachineCode(module, options, *traits, assembly);
}

static llvm::Error emitLibrary(ModuleOp module, StringRef path, const CpuOptions &options) {
  llvm::Expected<std::string> object = emit(module, options, /*assembly=*/false);
  if (!object)
    return object.takeError();
  return linkSharedLibrary(*object, path);
}

llvm::Error cpu::emitSharedLibrary(ModuleOp module, StringRef path, const CpuOptions &options) {
  if (llvm::Error error = generate(module, options))
    return error;
  return emitLibrary(module, path, options);
}

llvm::Expected<std::string> cpu::emitAssembly(ModuleOp module, const CpuOptions &options) {
  if (llvm::Error error = generate(module, options))
    return error;
  return emit(module, options, /*assembly=*/true);
}

namespace {

/// The CPU behind the target interface.
class CpuTarget final : public Target {
public:
  CpuTarget(CpuOptions options) : options(std::move(options)) {}

  StringRef getName() const override { return "cpu"; }
  StringRef getArtifactKind() const override { return "cpu-so"; }
  StringRef getArtifactExtension() const override { return "so"; }
  void registerDialects(DialectRegistry &registry) const override { registerCpuTarget(registry); }
  bool wantsChannelsLast() const override { return !options.scalar; }
  llvm::Error addKernelPasses(OpPassManager &pipeline) const override {
    return addCpuKernelPasses(pipeline, options);
  }
  llvm::Error generate(ModuleOp module) const override { return ::generate(module, options); }
  llvm::Error emit(ModuleOp module, StringRef path) const override {
    return emitLibrary(module, path, options);
  }

private:
  CpuOptions options;
};

} // namespace

std::unique_ptr<Target> cpu::createCpuTarget(CpuOptions options) {
  return std::make_unique<CpuTarget>(std::move(options));
}
