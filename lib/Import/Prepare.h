//===- Prepare.h - a model file made fit for the ONNX library ---*- C++ -*-===//
#ifndef DOUGONG_LIB_IMPORT_PREPARE_H
#define DOUGONG_LIB_IMPORT_PREPARE_H

#include "dougong/Import/Protos.h"

#include "mlir/IR/MLIRContext.h"

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

/// Runs the ONNX checker. Throws ImportError.
void checkModel(pb::ModelProto &model);

/// Replaces calls of model-local functions by their bodies, except calls of
/// operators of com.microsoft that the dialect has. Metadata and device
/// configurations of the functions' nodes are kept, with names as inlined; those
/// of a call go to the nodes that make its outputs. Throws ImportError.
void inlineFunctions(pb::ModelProto &model, mlir::MLIRContext *context);

/// Replaces operators that have no lowering of their own by the bodies that ONNX
/// defines for them (losses, windows, CenterCropPad, ...). Throws ImportError.
void expandOperators(pb::ModelProto &model, mlir::MLIRContext *context);

/// Replaces operators of com.microsoft that have no lowering of their own by the
/// bodies of MicrosoftFunctions.cpp. The model is at the newest opset. Throws ImportError.
void expandMicrosoft(pb::ModelProto &model, mlir::MLIRContext *context);

} // namespace dougong::importer

#endif // DOUGONG_LIB_IMPORT_PREPARE_H
