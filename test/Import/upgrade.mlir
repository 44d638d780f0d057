// Nodes of older opsets become nodes of the newest; their notes stay.
// RUN: %python %S/models.py upgrade %t.onnx && dougong-translate --onnx-to-mlir --mlir-print-debuginfo %t.onnx | FileCheck %s

// CHECK: onnx.opsets = {ai.onnx = 11 : i64}
// CHECK: %[[AXES:.*]] = onnx.Constant() {value = dense<0> : tensor<1xi64>}
// CHECK: %[[S:.*]] = onnx.Squeeze(%{{.*}}, %[[AXES]]) {{.*}} loc(#[[SQUEEZE:.*]])
// CHECK: onnx.Softmax(%[[S]]) {axis = -1 : i64} {{.*}} loc(#[[SOFTMAX:.*]])
// CHECK-DAG: #[[SQUEEZENOTES:.*]] = loc(fused<{doc = "drops the batch", metadata = {scope = "layer0"}, outputs = ["s"]}>
// CHECK-DAG: #[[SOFTMAXNOTES:.*]] = loc(fused<{metadata = {scope = "layer1"}, outputs = ["p"]}>
// CHECK-DAG: #[[SQUEEZE]] = loc("squeeze"(#[[SQUEEZENOTES]]))
// CHECK-DAG: #[[SOFTMAX]] = loc("softmax"(#[[SOFTMAXNOTES]]))
