//===- Prepare.h - a model file made fit for the ONNX library ---*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_PREPARE_H
#define DOUGONG_LIB_IMPORT_PREPARE_H

#include "dougong/Import/Protos.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace dougong::importer {

/// A domain of our own for operators of the default domain that ONNX does not
/// define: the library refuses them there, and leaves foreign domains alone.
constexpr const char *unknownDomain = "dougong.unknown";

/// Set in NodeProto.metadata_props where com.microsoft was put in the place of
/// the default domain (SimplifiedLayerNormalization lives there).
constexpr const char *movedDomainKey = "dougong.moved_domain";

/// Whether the dialect has an op for operator `opType` of `domain`.
bool isInDialect(const std::string &domain, const std::string &opType, mlir::MLIRContext *context);

/// Names the default domain "" throughout, names nodes that have no name
/// `OpType_<index>`, moves operators of the default domain that ONNX does not
/// define to com.microsoft (if the dialect has them there) or `unknownDomain`,
/// and refuses what the library cannot be given: experimental operators,
/// graphs that are cyclic or not sorted. Throws ImportError.
void prepareModel(pb::ModelProto &model, mlir::MLIRContext *context);

/// Refuses what would end the process inside the library: attributes whose numbers its
/// shape inference divides by or indexes with, and functions with an output that no
/// node of theirs makes. Throws ImportError.
void refuseHazards(pb::ModelProto &model);

/// Checks the device configurations of IR version 11, for which the checker has no rules. Axes
/// are checked when they are used: the rank is known then. Throws ImportError.
void checkDeviceConfigurations(pb::ModelProto &model);

/// Runs the ONNX checker. Throws ImportError.
void checkModel(pb::ModelProto &model);

/// Replaces calls of model-local functions by their bodies, except calls of
/// operators of com.microsoft that the dialect has. Metadata and device
/// configurations of the functions' nodes are kept, with names as inlined; those
/// of a call go to the nodes that make its outputs. Gradient operators in functions name the
/// values as inlined. Throws ImportError.
void inlineFunctions(pb::ModelProto &model, mlir::MLIRContext *context);

/// Replaces operators that have no lowering of their own by the bodies that ONNX
/// defines for them (losses, windows, CenterCropPad, ...). Throws ImportError.
void expandOperators(pb::ModelProto &model, mlir::MLIRContext *context);

/// Replaces operators of com.microsoft that have no lowering of their own by the
/// bodies of MicrosoftFunctions.cpp. The model is at the newest opset. Throws ImportError.
void expandMicrosoft(pb::ModelProto &model, mlir::MLIRContext *context);

/// Imports version 1 of `domain` where the model imports none.
void importDomain(pb::ModelProto &model, const char *domain);

/// Names the nodes of a body that have no name after the operator: messages and strategies
/// name nodes.
void nameNodes(NodeList &nodes, const std::string &prefix);

/// Replaces the nodes that are taken by the bodies that ONNX defines for them, where it does.
/// Throws ImportError.
void expandNodes(pb::ModelProto &model, mlir::MLIRContext *context,
                 llvm::function_ref<bool(const pb::NodeProto &)> takes);

bool isGradient(const pb::NodeProto &node);

/// Makes what the Gradient operators in functions name inputs of theirs, so that inlining renames
/// it; the functions' other inputs become names in zs. Throws ImportError.
void exposeGradientNames(pb::ModelProto &model);
/// Undoes that for the operators in graphs: the attributes hold the names again.
void restoreGradientNames(pb::ModelProto &model);

/// Replaces Gradient operators by nodes that compute the gradients. The model is at the newest
/// opset. Throws ImportError where the gradient of an operator on the way is not known.
void expandGradients(pb::ModelProto &model, mlir::MLIRContext *context);

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_PREPARE_H
