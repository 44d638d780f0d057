//===- Pipelines.h - the pass pipelines of the CPU target -------*- C++ -*-===//
#ifndef DOUGONG_LIB_TARGET_CPU_PIPELINES_H
#define DOUGONG_LIB_TARGET_CPU_PIPELINES_H

#include "dougong/Target/Cpu/CpuTarget.h"

namespace dougong::cpu {

/// Kernels on tensors to their calling form, tiled for `traits`.
void buildKernelPipeline(mlir::OpPassManager &pipeline, const CpuOptions &options,
                         const CpuTraits &traits);

/// Bufferized kernels and a schedule to the LLVM dialect.
void buildLoweringPipeline(mlir::OpPassManager &pipeline);

} // namespace dougong::cpu

#endif // DOUGONG_LIB_TARGET_CPU_PIPELINES_H
