//===- Manifest.h - how the parts of an export belong together --*- C++ -*-===//
#ifndef DOUGONG_TARGET_ONNX_MANIFEST_H
#define DOUGONG_TARGET_ONNX_MANIFEST_H

#include "dougong/Dist/PartitionResult.h"
#include "dougong/Support/Json.h"
#include "dougong/Target/Onnx/Parts.h"

namespace dougong::exporter {

/// What the manifest calls itself; readers refuse another version.
inline constexpr llvm::StringLiteral manifestFormat = "dougong.onnx-export";
inline constexpr int64_t manifestVersion = 1;

/// Names inside the folder of an export.
inline constexpr llvm::StringLiteral manifestFileName = "manifest.json";
inline constexpr llvm::StringLiteral rankWeightsFileName = "weights.bin";

/// "part0.onnx": the graph of a level of a program.
std::string getPartFileName(unsigned level);
/// "stage0/rank1": the folder of a rank.
std::string getRankFolder(const dist::StageInfo &stage, int64_t rank);

/// The manifest (docs/onnx-export.md) of an export. `programs` are those of
/// `partition`, in its order.
Json describeExport(const dist::PartitionResult &partition, llvm::ArrayRef<CutProgram> programs);

} // namespace dougong::exporter

#endif // DOUGONG_TARGET_ONNX_MANIFEST_H
