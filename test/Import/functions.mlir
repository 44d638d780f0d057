// Functions are inlined, also from another opset; an operator that the dialect
// has stays. Notes of the body and of the call are kept.
// RUN: %python %S/models.py functions %t.onnx && dougong-translate --onnx-to-mlir --mlir-print-debuginfo %t.onnx | FileCheck %s

// CHECK: %[[AXES:.*]] = onnx.Constant() {value = dense<0> : tensor<1xi64>}
// CHECK: %[[D:.*]] = onnx.Squeeze(%{{.*}}, %[[AXES]]) {{.*}} loc(#[[SQUEEZE:.*]])
// CHECK: onnx.ms.QuickGelu(%[[D]])
// CHECK-NOT: Relu
// CHECK: #[[NOTES:.*]] = loc(fused<{metadata = {call = "yes", scope = "inner"}, outputs = ["d"]}>
// CHECK: #[[SQUEEZE]] = loc("squeeze{{.*}}"(#[[NOTES]]))
