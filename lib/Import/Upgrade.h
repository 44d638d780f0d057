//===- Upgrade.h - a model at the newest opset, with types ------*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_UPGRADE_H
#define DOUGONG_LIB_IMPORT_UPGRADE_H

#include "dougong/Import/Protos.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/ArrayRef.h"

#include <vector>

namespace dougong::importer {

/// Brings all nodes of the default domain to `newestOpset`. Only nodes whose
/// operator changed since the model's opset are touched, each by itself: the
/// library's converter is quadratic in nodes, and drops what it does not know
/// (metadata, device configurations). Throws ImportError.
void upgradeModel(pb::ModelProto &model, mlir::MLIRContext *context);

/// Runs ONNX's shape inference with data propagation: types land in the
/// value_info of each graph. For operators of com.microsoft only element types
/// are inferred. Throws ImportError.
void inferTypes(pb::ModelProto &model, mlir::MLIRContext *context);

/// Types of the outputs of one node of an ONNX domain from those of its inputs
/// (null where unknown), without a look at other nodes. Empty where the library
/// cannot tell; single types may be unset.
std::vector<pb::TypeProto> inferNode(const pb::NodeProto &node, int64_t opset,
                                     llvm::ArrayRef<const pb::TypeProto *> inputs);

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_UPGRADE_H
