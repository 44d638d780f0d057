// RUN: dougong-opt %s --dist-derive-axis-index | FileCheck %s

// One weight for each list of axes, row-major: its part is the rank's number.
// CHECK-DAG: onnx.weight @axis_index.tp.all : tensor<2xi64> = dense<[0, 1]> : tensor<2xi64>
// CHECK-DAG: onnx.weight @axis_index.tp : tensor<i64> = #onnx.derived<[@axis_index.tp.all], [#onnx.slice<0, ["tp"], 2, 1>, #onnx.reshape<[]>]>
// CHECK-DAG: onnx.weight @axis_index.dp.tp.all : tensor<6xi64> = dense<[0, 1, 2, 3, 4, 5]>
// CHECK-DAG: onnx.weight @axis_index.dp.tp : tensor<i64> = #onnx.derived<[@axis_index.dp.tp.all], [#onnx.slice<0, ["dp", "tp"], 6, 1>, #onnx.reshape<[]>]>
dist.mesh @mesh <"dp" = 3, "tp" = 2>
// CHECK: func.func @main
func.func @main() -> (tensor<i64>, tensor<i64>, tensor<i64>) {
  // CHECK-NOT: dist.axis_index
  // CHECK: %[[A:.*]] = onnx.use @axis_index.tp : tensor<i64>
  // CHECK: %[[B:.*]] = onnx.use @axis_index.dp.tp : tensor<i64>
  // CHECK: %[[C:.*]] = onnx.use @axis_index.tp : tensor<i64>
  %a = dist.axis_index over @mesh axes ["tp"] : tensor<i64>
  %b = dist.axis_index over @mesh axes ["dp", "tp"] : tensor<i64>
  %c = dist.axis_index over @mesh axes ["tp"] : tensor<i64>
  // CHECK: return %[[A]], %[[B]], %[[C]]
  return %a, %b, %c : tensor<i64>, tensor<i64>, tensor<i64>
}
