// Unknown operators are carried unharmed; attributes that share a name with
// those of onnx.custom are set apart.
// RUN: %python %S/models.py custom %t.onnx && dougong-translate --onnx-to-mlir %t.onnx 2>&1 | FileCheck %s

// CHECK: warning: node 'gelu': kept as onnx.custom: QuickGelu has the attribute 'beta', which this version does not know
// CHECK: func.func @main(%[[X:.*]]: tensor<4xf32>
// CHECK: %[[NONE:.*]] = onnx.none
// CHECK: onnx.custom "other" "Foo"(%[[X]], %[[NONE]], %[[X]]) {alpha = 1.500000e+00 : f32, attr.domain = 2 : i64, region_names = ["body"]} : (tensor<4xf32>, none, tensor<4xf32>) -> (tensor<4xf32>, none, tensor<4xf32>) {
// CHECK-NEXT: onnx.Relu(%[[X]])
// CHECK-NEXT: onnx.yield
// CHECK: onnx.custom "" "NoSuchOp"(%[[X]]) {names = ["a", "b"]}
// CHECK: onnx.custom "com.microsoft" "QuickGelu"(%[[X]]) {beta = 1.000000e+00 : f32}
// The default domain has no such operator, but onnxruntime has it there.
// CHECK: onnx.ms.SimplifiedLayerNormalization(%[[X]], %[[X]]) {{.*}}onnx.domain = ""
