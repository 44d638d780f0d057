// RUN: dougong-opt %s --onnx-infer-shapes --onnx-fold-shapes --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-NOT:     onnx.Shape
// CHECK-NOT:     onnx.Concat
// CHECK:         %[[SHAPE:.*]] = onnx.dims_tensor ["n", "16", "4"] : tensor<3xi64>
// CHECK:         onnx.Reshape(%{{.*}}, %[[SHAPE]])
func.func @main(%x: tensor<?x64xf32, #onnx.dims<"n", _>>) -> tensor<*xf32> {
  %0 = onnx.Shape(%x) {end = 1 : i64} : (tensor<?x64xf32, #onnx.dims<"n", _>>) -> tensor<1xi64>
  %1 = onnx.Constant() {value = dense<[16, 4]> : tensor<2xi64>} : () -> tensor<2xi64>
  %2 = onnx.Concat(%0, %1) {axis = 0 : i64} : (tensor<1xi64>, tensor<2xi64>) -> tensor<3xi64>
  %3 = onnx.Reshape(%x, %2) : (tensor<?x64xf32, #onnx.dims<"n", _>>, tensor<3xi64>) -> tensor<*xf32>
  return %3 : tensor<*xf32>
}

// -----

// Arithmetic that leaves no symbol: (n + 3) - n.

// CHECK-LABEL: func.func @main
// CHECK:         %[[C:.*]] = onnx.Constant() {value = dense<3> : tensor<i64>}
// CHECK:         return %[[C]]
func.func @main(%x: tensor<?xf32, #onnx.dims<"n">>) -> tensor<*xi64> {
  %three = onnx.Constant() {value = dense<3> : tensor<i64>} : () -> tensor<i64>
  %n = onnx.Size(%x) : (tensor<?xf32, #onnx.dims<"n">>) -> tensor<i64>
  %sum = onnx.Add(%n, %three) : (tensor<i64>, tensor<i64>) -> tensor<*xi64>
  %difference = onnx.Sub(%sum, %n) : (tensor<*xi64>, tensor<i64>) -> tensor<*xi64>
  return %difference : tensor<*xi64>
}

// -----

// What depends on data stays computed.

// CHECK-LABEL: func.func @main
// CHECK:         onnx.NonZero
// CHECK:         onnx.Shape
// CHECK-NOT:     onnx.dims_tensor
func.func @main(%x: tensor<4xf32>) -> tensor<*xi64> {
  %0 = onnx.NonZero(%x) : (tensor<4xf32>) -> tensor<*xi64>
  %1 = onnx.Shape(%0) : (tensor<*xi64>) -> tensor<2xi64>
  %2 = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
  %3 = onnx.Gather(%1, %2) {axis = 0 : i64} : (tensor<2xi64>, tensor<1xi64>) -> tensor<*xi64>
  return %3 : tensor<*xi64>
}

// -----

// Comparisons are folded where all values of the symbols agree: n >= 0.

// CHECK-LABEL: func.func @main
// CHECK:         onnx.Constant() {value = dense<false> : tensor<i1>}
func.func @main(%x: tensor<?xf32, #onnx.dims<"n">>) -> tensor<*xi1> {
  %zero = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %n = onnx.Size(%x) : (tensor<?xf32, #onnx.dims<"n">>) -> tensor<i64>
  %less = onnx.Less(%n, %zero) : (tensor<i64>, tensor<i64>) -> tensor<*xi1>
  return %less : tensor<*xi1>
}
