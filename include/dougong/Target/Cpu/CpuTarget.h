//===- CpuTarget.h - shared libraries for the host CPU ----------*- C++ -*-===//
#ifndef DOUGONG_TARGET_CPU_CPUTARGET_H
#define DOUGONG_TARGET_CPU_CPUTARGET_H

#include "dougong/Target/Target.h"

#include <memory>
#include <string>

namespace dougong::cpu {

/// What code is generated for.
struct CpuOptions {
  /// A processor name of LLVM, one of the levels "x86-64", "x86-64-v3" (AVX2)
  /// and "x86-64-v4" (AVX-512), or "native": the processor that compiles.
  std::string cpu = "native";
  /// Further features in LLVM's form, as "+avx512bf16,-avx512vnni".
  std::string features = {};
  /// 0 to 3: how hard LLVM works. Kernels are vectorised before LLVM, so that
  /// 2 and 3 give equal speed.
  unsigned optLevel = 2;
  /// Kernels become parallel loops on the host's thread pool.
  bool parallel = true;
  /// Kernels stay scalar loops: the reference that vectorised code is compared
  /// with.
  bool scalar = false;
};

/// The facts about a processor that decide how kernels are tiled.
struct CpuTraits {
  std::string cpu;      ///< resolved name, never "native"
  std::string features; ///< resolved features
  std::string triple;
  std::string dataLayout;
  /// f32 lanes of a vector: 16 (AVX-512), 8 (AVX2), 4.
  unsigned lanes = 4;
  /// Register tile of a contraction: rows by vectors.
  unsigned tileRows = 4;
  unsigned tileVectors = 2;
  /// x86 with sums of two 16-bit products in each 32-bit lane of a vector.
  bool pairProducts = false;
};

/// Resolves "native" and looks the tile up. Errors: a processor that LLVM does
/// not know.
llvm::Expected<CpuTraits> getCpuTraits(const CpuOptions &options);

/// Registers dialects, bufferization interfaces and translations to LLVM IR.
/// Every context that the functions below see must have them.
void registerCpuTarget(mlir::DialectRegistry &registry);

/// Adds the passes that take the kernels of a module from linalg on tensors to
///
///     @kernel_3(%ctx, inputs as memrefs, index arguments, outputs as memrefs)
///
/// Kernels that need memory beyond a few KiB of stack get one more trailing
/// argument, `memref<?xi8>` (64-byte aligned), and the module a function
///
///     func.func private @kernel_3_workspace(<all memref and index arguments of
///         @kernel_3 in order, without %ctx and the workspace>) -> index
///
/// that says how many bytes it must have. Only the extents of the memrefs are
/// looked at: their pointers may be null. No other allocation is left.
llvm::Error addCpuKernelPasses(mlir::OpPassManager &pipeline, const CpuOptions &options);

/// Suffix of the function that gives a kernel's workspace size.
inline constexpr llvm::StringLiteral workspaceSuffix = "_workspace";

/// Lowers `module` (bufferized kernels and the schedule that calls them) to
/// machine code and links a shared library that exports only the functions of
/// the program ABI (`dougong_program_*`). The module is used up. The bytes
/// depend on nothing but the module and the options.
llvm::Error emitSharedLibrary(mlir::ModuleOp module, llvm::StringRef path,
                              const CpuOptions &options);

/// As `emitSharedLibrary`, but returns the assembly text: for tests that look
/// at hot loops.
llvm::Expected<std::string> emitAssembly(mlir::ModuleOp module, const CpuOptions &options);

/// The CPU as a target of the pipeline.
std::unique_ptr<Target> createCpuTarget(CpuOptions options);

} // namespace dougong::cpu

#endif // DOUGONG_TARGET_CPU_CPUTARGET_H
