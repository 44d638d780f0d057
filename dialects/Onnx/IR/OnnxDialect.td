//===- OnnxDialect.td - the onnx dialect ----------------------------------===//
#ifndef DOUGONG_ONNX_DIALECT
#define DOUGONG_ONNX_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def Onnx_Dialect : Dialect {
  let name = "onnx";
  let cppNamespace = "::dougong::onnx";
  let summary = "the operators of ONNX at their newest versions";
  let description = [{
    One op for each ONNX operator, generated from the schemas of the ONNX
    library. Absent operands are values of type `none`. Weights are module-level
    symbols (`onnx.weight`) that refer to bytes in files; their bytes are never
    in IR. Dims that are not static are expressions over named symbols, in the
    encoding `#onnx.dims` of the tensor type.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

#endif // DOUGONG_ONNX_DIALECT
