//===- Emit.h - a prepared model as onnx ops --------------------*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_EMIT_H
#define DOUGONG_LIB_IMPORT_EMIT_H

#include "dougong/Import/Protos.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace dougong::importer {

/// What the emitter takes from the file itself, before the library changed it.
struct FileFacts {
  std::string path;   ///< of the model, for locations
  std::string folder; ///< of the model and its weights
  bool allowMissingData = false;
  int64_t irVersion = 0;
  std::vector<std::pair<std::string, int64_t>> opsets;
  std::vector<pb::ValueInfoProto> inputs; ///< types of inputs as declared
};

/// Builds the module of a model that is prepared, inlined, at the newest opset
/// and typed as far as the library can. Throws ImportError.
mlir::OwningOpRef<mlir::ModuleOp> emitModel(const pb::ModelProto &model, const FileFacts &facts,
                                            mlir::MLIRContext &context);

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_EMIT_H
