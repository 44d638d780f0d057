//===- DimOption.h - extents that a person gives ----------------*- C++ -*-===//
#ifndef DOUGONG_ONNX_DIMOPTION_H
#define DOUGONG_ONNX_DIMOPTION_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>

namespace dougong::onnx {

/// An extent or its range: "batch=8", "past=0..4096", "x[0]=8".
struct DimOption {
  llvm::StringRef target; ///< "batch", "x[0]"
  int64_t low, high;      ///< 0 <= low <= high
  bool isRange;           ///< written with ".."
};

/// Reads `text`, which the result refers to. The error quotes it.
llvm::Expected<DimOption> parseDimOption(llvm::StringRef text);

} // namespace dougong::onnx

#endif // DOUGONG_ONNX_DIMOPTION_H
