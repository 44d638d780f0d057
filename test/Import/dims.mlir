// Extents of inputs: expressions in canonical form, names that are no
// expression in backquotes, unknown ones as NAME[AXIS], constants folded.
// RUN: %python %S/models.py dims %t.onnx && dougong-translate --onnx-to-mlir %t.onnx | FileCheck %s

// CHECK: func.func @main(
// CHECK-SAME: tensor<?x?x64xf32, #onnx.dims<"past + seq", "batch", _>> {onnx.name = "a"}
// CHECK-SAME: tensor<?x6xf32, #onnx.dims<"`batch size`", _>> {onnx.name = "b"}
// CHECK-SAME: tensor<?x?x?xf32, #onnx.dims<"`c[0]`", "seq", "past + seq">> {onnx.name = "c"}
// CHECK-SAME: -> (tensor<3xi64> {onnx.name = "sa"}, tensor<2xi64> {onnx.name = "sb"}, tensor<3xi64> {onnx.name = "sc"})

// Outputs without a shape or a type are what inference finds.
// RUN: %python %S/models.py open-outputs %t.open.onnx && dougong-translate --onnx-to-mlir %t.open.onnx | dougong-opt --onnx-infer-shapes | FileCheck %s --check-prefix=OPEN
// OPEN: -> (tensor<2x?xf32, #onnx.dims<_, "n">> {onnx.name = "y"}, tensor<2xi64> {onnx.name = "s"})
