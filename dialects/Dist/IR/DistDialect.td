//===- DistDialect.td - the dist dialect ----------------------------------===//
#ifndef DOUGONG_DIST_DIALECT
#define DOUGONG_DIST_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def Dist_Dialect : Dialect {
  let name = "dist";
  let cppNamespace = "::dougong::dist";
  let summary = "how a model is spread over chips";
  let description = [{
    Meshes of ranks, shardings of values over the axes of a mesh, the stages of
    a pipeline, and the communication between ranks. A value has one sharding
    wherever it is used; where two ops want it differently, an op of this
    dialect stands between them.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::dougong::onnx::OnnxDialect"];
}

#endif // DOUGONG_DIST_DIALECT
