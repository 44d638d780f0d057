// RUN: dougong-opt %s --pass-pipeline="builtin.module(func.func(convert-onnx-to-linalg,canonicalize,cse))" --split-input-file | FileCheck %s

// CHECK-LABEL: func.func private @softmax
// CHECK: arith.maxnumf
// CHECK: math.exp
// CHECK: arith.addf {{.*}} fastmath<reassoc,contract>
// CHECK: arith.divf
func.func private @softmax(%ctx: !llvm.ptr,
    %x: tensor<?x8xf32, #onnx.dims<"s0", _>> {onnx.dims = #onnx.dims<"s0", _>}) -> tensor<?x8xf32, #onnx.dims<"s0", _>> attributes {dougong.kernel} {
  %0 = onnx.Softmax(%x) {axis = -1 : i64} : (tensor<?x8xf32, #onnx.dims<"s0", _>>) -> tensor<?x8xf32, #onnx.dims<"s0", _>>
  return %0 : tensor<?x8xf32, #onnx.dims<"s0", _>>
}

// -----

// Outputs that nobody asked for cost nothing.
// CHECK-LABEL: func.func private @layer_normalization
// CHECK-COUNT-2: iterator_types = ["parallel", "reduction"]
// CHECK: math.sqrt
// CHECK-NOT: tensor.expand_shape
func.func private @layer_normalization(%ctx: !llvm.ptr,
    %x: tensor<?x8xf32, #onnx.dims<"s0", _>> {onnx.dims = #onnx.dims<"s0", _>}, %s: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<?x8xf32, #onnx.dims<"s0", _>> attributes {dougong.kernel} {
  %0:3 = onnx.LayerNormalization(%x, %s, %b) : (tensor<?x8xf32, #onnx.dims<"s0", _>>, tensor<8xf32>, tensor<8xf32>) -> (tensor<?x8xf32, #onnx.dims<"s0", _>>, none, none)
  return %0#0 : tensor<?x8xf32, #onnx.dims<"s0", _>>
}

// -----

// Dims of single elements are no loops.
// CHECK-LABEL: func.func private @reduction_of_single_elements
// CHECK-NOT: "reduction"
// CHECK: return
func.func private @reduction_of_single_elements(%ctx: !llvm.ptr, %x: tensor<7x1x2xf32>) -> tensor<7x2xf32> attributes {dougong.kernel} {
  %axes = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.ReduceMax(%x, %axes) {keepdims = 0 : i64} : (tensor<7x1x2xf32>, tensor<1xi64>) -> tensor<7x2xf32>
  return %0 : tensor<7x2xf32>
}
