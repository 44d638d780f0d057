// RUN: dougong-opt %s --onnx-normalize | FileCheck %s
// RUN: dougong-opt %s --onnx-normalize="dims=batch=2" | FileCheck %s --check-prefix=STATIC
// RUN: dougong-opt %s --onnx-normalize | dougong-opt --onnx-normalize | FileCheck %s

// A projection as exporters write it: the weight is transposed in the graph, the
// heads are split by a computed shape.

// CHECK:       onnx.weight @w.t : tensor<8x16xf32> = #onnx.derived<[@w], [#onnx.transpose<[1, 0]>]>
// CHECK-LABEL: func.func @main
// CHECK:         %[[W:.*]] = onnx.use @w.t
// CHECK:         %[[P:.*]] = onnx.MatMul(%{{.*}}, %[[W]])
// CHECK:         %[[S:.*]] = onnx.dims_tensor ["batch", "seq", "4", "-1"]
// CHECK:         %[[R:.*]] = onnx.Reshape(%[[P]], %[[S]])
// CHECK-SAME:    -> tensor<?x?x4x4xf32, #onnx.dims<"batch", "seq", _, _>>
// CHECK-NEXT:    return %[[R]]

// STATIC:        onnx.dims_tensor ["2", "seq", "4", "-1"]
// STATIC:        -> tensor<2x?x4x4xf32, #onnx.dims<_, "seq", _, _>>
onnx.weight @w : tensor<16x8xf32> = #onnx.external<"w.bin", offset = 0, length = 512>
func.func @main(%x: tensor<?x?x8xf32, #onnx.dims<"batch", "seq", _>>) -> tensor<*xf32> {
  %w = onnx.use @w : tensor<16x8xf32>
  %t = onnx.Transpose(%w) {perm = array<i64: 1, 0>} : (tensor<16x8xf32>) -> tensor<8x16xf32>
  %y = onnx.MatMul(%x, %t) : (tensor<?x?x8xf32, #onnx.dims<"batch", "seq", _>>, tensor<8x16xf32>) -> tensor<*xf32>
  %i = onnx.Identity(%y) : (tensor<*xf32>) -> tensor<*xf32>
  %head = onnx.Shape(%x) {end = 2 : i64} : (tensor<?x?x8xf32, #onnx.dims<"batch", "seq", _>>) -> tensor<2xi64>
  %tail = onnx.Constant() {value_ints = array<i64: 4, -1>} : () -> tensor<2xi64>
  %shape = onnx.Concat(%head, %tail) {axis = 0 : i64} : (tensor<2xi64>, tensor<2xi64>) -> tensor<4xi64>
  %r = onnx.Reshape(%i, %shape) : (tensor<*xf32>, tensor<4xi64>) -> tensor<*xf32>
  return %r : tensor<*xf32>
}
