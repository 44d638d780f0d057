//===- OpSchema.h - facts of an ONNX operator schema ------------*- C++ -*-===//
#ifndef DOUGONG_DIALECTS_ONNX_IR_OPSCHEMA_H
#define DOUGONG_DIALECTS_ONNX_IR_OPSCHEMA_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace dougong::onnx {

/// What the schema of an operator says, as far as the compiler needs it. One
/// static instance for each generated op.
struct OpSchema {
  llvm::StringRef domain; ///< "" is the default domain
  llvm::StringRef name;   ///< operator type, e.g. "MatMul"
  int64_t sinceVersion;   ///< opset version of this definition
  /// Type variable of each input and output; empty where the schema names none
  /// or the parameter is heterogeneous.
  llvm::ArrayRef<llvm::StringRef> inputVariables, outputVariables;
  llvm::ArrayRef<llvm::StringRef> regions;    ///< names of graph attributes, in order
  llvm::ArrayRef<llvm::StringRef> attributes; ///< names of the other attributes
  unsigned minInputs, minOutputs;             ///< trailing optional ones may be left out
  bool variadicInputs, variadicOutputs;       ///< whether the last one may repeat
};

} // namespace dougong::onnx

#endif // DOUGONG_DIALECTS_ONNX_IR_OPSCHEMA_H
