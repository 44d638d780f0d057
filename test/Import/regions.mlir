// Graphs inside nodes are regions that see the values around them.
// RUN: %python %S/models.py regions %t.onnx && dougong-translate --onnx-to-mlir %t.onnx | FileCheck %s

// CHECK: func.func @main(%[[X:.*]]: tensor<?xf32, #onnx.dims<"n">> {onnx.name = "x"}, %[[C:.*]]: tensor<i1> {{.*}}, %[[TRIPS:.*]]: tensor<i64>
// CHECK-DAG: %[[TWO:.*]] = onnx.Constant() {value = dense<2.000000e+00>
// CHECK-DAG: %[[NONE:.*]] = onnx.none
// CHECK: %[[Y:.*]] = onnx.If(%[[C]])
// Branches are in the order of their names: else, then.
// CHECK-NEXT: %[[E:.*]] = onnx.Neg(%[[X]])
// CHECK-NEXT: onnx.yield %[[E]]
// CHECK: %[[T:.*]] = onnx.Mul(%[[X]], %[[TWO]])
// CHECK-NEXT: onnx.yield %[[T]]
// CHECK: onnx.Loop(%[[TRIPS]], %[[NONE]], %[[Y]])
// CHECK-NEXT: ^bb0(%{{.*}}: tensor<i64>, %[[MORE:.*]]: tensor<i1>, %[[SUM:.*]]: tensor<?xf32, #onnx.dims<"n">>):
// CHECK-NEXT: %[[AGAIN:.*]] = onnx.Identity(%[[MORE]])
// CHECK-NEXT: %[[NEXT:.*]] = onnx.Add(%[[SUM]], %[[X]])
// CHECK-NEXT: onnx.yield %[[AGAIN]], %[[NEXT]]
