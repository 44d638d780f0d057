// Before opset 7 an operand was broadcast along an axis, also of symbolic extents.
// RUN: %python %S/models.py old-broadcast %t.onnx && dougong-translate --onnx-to-mlir %t.onnx | FileCheck %s

// CHECK: %[[X:.*]]: tensor<?x?x?x7xf32
// CHECK: %[[AXES:.*]] = onnx.Constant() {value = dense<2> : tensor<1xi64>}
// CHECK: %[[B:.*]] = onnx.Unsqueeze(%{{.*}}, %[[AXES]])
// CHECK: %[[S:.*]] = onnx.Add(%[[X]], %[[B]]) : (
// CHECK: %[[AXES:.*]] = onnx.Constant() {value = dense<[1, 2, 3]> : tensor<3xi64>}
// CHECK: %[[V:.*]] = onnx.Unsqueeze(%{{.*}}, %[[AXES]])
// CHECK: %[[P:.*]] = onnx.Mul(%[[S]], %[[V]]) : (
// CHECK: %[[AXES:.*]] = onnx.Constant() {value = dense<[1, 2]> : tensor<2xi64>}
// CHECK: %[[SLOPE:.*]] = onnx.Unsqueeze(%{{.*}}, %[[AXES]])
// CHECK: %[[R:.*]] = onnx.PRelu(%[[P]], %[[SLOPE]])
// CHECK: onnx.Sub(%[[R]], %[[X]])
