// RUN: dougong-opt %s --assign-layouts --split-input-file | FileCheck %s

// The input is brought to channels last once; what follows stays so until the
// model's order is read. Weights are not touched.
// CHECK-LABEL: func.func @main(
// CHECK-SAME:      %[[X:[^:]*]]: tensor<1x3x8x8xf32>, %[[W:[^:]*]]: tensor<16x3x3x3xf32>, %[[V:[^:]*]]: tensor<16x1x3x3xf32>
// CHECK:         %[[T:.*]] = onnx.Transpose(%[[X]]) {perm = array<i64: 0, 2, 3, 1>}
// CHECK:         %[[C:.*]] = onnx.Conv(%[[T]], %[[W]], %{{.*}}) {{.*}}dougong.channels_last{{.*}} -> tensor<1x8x8x16xf32>
// CHECK:         %[[R:.*]] = onnx.Relu(%[[C]]) : {{.*}} -> tensor<1x8x8x16xf32>
// CHECK:         %[[D:.*]] = onnx.Conv(%[[R]], %[[V]], %{{.*}}) {{.*}}dougong.channels_last{{.*}} -> tensor<1x8x8x16xf32>
// CHECK:         %[[S:.*]] = onnx.Constant() {value = dense<2.000000e+00> : tensor<1x1x1x16xf32>}
// CHECK:         %[[M:.*]] = onnx.Mul(%[[D]], %[[S]])
// CHECK:         %[[A:.*]] = onnx.Add(%[[M]], %[[R]])
// CHECK:         %[[J:.*]] = onnx.Concat(%[[A]], %[[R]]) {axis = 3 : i64} : {{.*}} -> tensor<1x8x8x32xf32>
// CHECK-NOT:     onnx.Transpose
// CHECK:         %[[Y:.*]] = onnx.Transpose(%[[J]]) {perm = array<i64: 0, 3, 1, 2>}
// CHECK-NEXT:    return %[[Y]], %[[A]]
func.func @main(%x: tensor<1x3x8x8xf32>, %w: tensor<16x3x3x3xf32>, %v: tensor<16x1x3x3xf32>)
    -> (tensor<1x32x8x8xf32>, tensor<1x8x8x16xf32>) {
  %none = onnx.none
  %0 = onnx.Conv(%x, %w, %none) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x8x8xf32>, tensor<16x3x3x3xf32>, none) -> tensor<1x16x8x8xf32>
  %1 = onnx.Relu(%0) : (tensor<1x16x8x8xf32>) -> tensor<1x16x8x8xf32>
  %2 = onnx.Conv(%1, %v, %none) {group = 16 : i64, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x16x8x8xf32>, tensor<16x1x3x3xf32>, none) -> tensor<1x16x8x8xf32>
  %s = onnx.Constant() {value = dense<2.0> : tensor<16x1x1xf32>} : () -> tensor<16x1x1xf32>
  %3 = onnx.Mul(%2, %s) : (tensor<1x16x8x8xf32>, tensor<16x1x1xf32>) -> tensor<1x16x8x8xf32>
  %4 = onnx.Add(%3, %1) : (tensor<1x16x8x8xf32>, tensor<1x16x8x8xf32>) -> tensor<1x16x8x8xf32>
  %5 = onnx.Concat(%4, %1) {axis = 1 : i64} : (tensor<1x16x8x8xf32>, tensor<1x16x8x8xf32>) -> tensor<1x32x8x8xf32>
  %6 = onnx.Transpose(%4) {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x16x8x8xf32>) -> tensor<1x8x8x16xf32>
  return %5, %6 : tensor<1x32x8x8xf32>, tensor<1x8x8x16xf32>
}

// -----

// Where only dims of extent 1 move, a view does; extents keep their names.
// CHECK-LABEL: func.func @main(
// CHECK:         onnx.dims_tensor ["n", "h", "8", "1"]
// CHECK:         onnx.Reshape
// CHECK:         onnx.Conv{{.*}} -> tensor<?x?x6x4xf32, #onnx.dims<"n", "h - 2", _, _>>
// CHECK:         onnx.ReduceMean{{.*}} -> tensor<?x1x1x4xf32, #onnx.dims<"n", _, _, _>>
// CHECK:         onnx.Reshape{{.*}} -> tensor<?x4x1x1xf32, #onnx.dims<"n", _, _, _>>
// CHECK-NOT:     onnx.Transpose
func.func @main(%x: tensor<?x1x?x8xf32, #onnx.dims<"n", _, "h", _>>, %w: tensor<4x1x3x3xf32>)
    -> tensor<?x4x1x1xf32, #onnx.dims<"n", _, _, _>> {
  %none = onnx.none
  %0 = onnx.Conv(%x, %w, %none) : (tensor<?x1x?x8xf32, #onnx.dims<"n", _, "h", _>>, tensor<4x1x3x3xf32>, none) -> tensor<?x4x?x6xf32, #onnx.dims<"n", _, "h - 2", _>>
  %1 = onnx.GlobalAveragePool(%0) : (tensor<?x4x?x6xf32, #onnx.dims<"n", _, "h - 2", _>>) -> tensor<?x4x1x1xf32, #onnx.dims<"n", _, _, _>>
  return %1 : tensor<?x4x1x1xf32, #onnx.dims<"n", _, _, _>>
}

// -----

// Ops that see no convolution keep the model's order, and so do integers.
// CHECK-LABEL: func.func @main(
// CHECK-NOT:     onnx.Transpose
// CHECK:         return
func.func @main(%x: tensor<1x3x8x8xf32>) -> (tensor<1x3x8x8xf32>, tensor<1x3x4x4xf32>) {
  %0 = onnx.Relu(%x) : (tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  %1:2 = onnx.MaxPool(%0) {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x3x8x8xf32>) -> (tensor<1x3x4x4xf32>, none)
  return %0, %1#0 : tensor<1x3x8x8xf32>, tensor<1x3x4x4xf32>
}
