// Tensors over 1 KiB are references to their bytes, wherever they stand and if
// laid down as raw data would be; others are constants.
// RUN: %python %S/models.py weights %t.onnx && dougong-translate --onnx-to-mlir %t.onnx | FileCheck %s
// RUN: %python %S/models.py old-inputs %t.old.onnx && dougong-translate --onnx-to-mlir %t.old.onnx | FileCheck %s --check-prefix=OLD

// CHECK-DAG: onnx.weight @node : tensor<32x32xf32> = #onnx.external<"{{.*}}.onnx", offset = {{[0-9]+}}, length = 4096>
// CHECK-DAG: onnx.weight @raw : tensor<32x32xf32> = #onnx.external<"{{.*}}.onnx", offset = {{[0-9]+}}, length = 4096>
// CHECK-DAG: onnx.weight @packed : tensor<32x32xf32> = #onnx.external<"{{.*}}.onnx", offset = {{[0-9]+}}, length = 4096>
// Varints are not what raw data would be: the values are kept.
// CHECK-DAG: onnx.weight @integers : tensor<256xi64> = dense<"0x00000000000000000100000000000000
// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[RAW:.*]] = onnx.use @raw
// CHECK-DAG: %[[PACKED:.*]] = onnx.use @packed
// CHECK-DAG: %[[SMALL:.*]] = onnx.Constant() {value = dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>}
// CHECK-DAG: %[[NODE:.*]] = onnx.use @node
// CHECK: onnx.Sum(%[[RAW]], %[[PACKED]], %[[NODE]])
// CHECK: onnx.Mul(%{{.*}}, %[[SMALL]])

// An initializer that is listed as an input is a weight.
// OLD: onnx.weight @w : tensor<300xf32>
// OLD: func.func @main(%{{.*}}: tensor<300xf32> {onnx.name = "x"}) -> (tensor<300xf32> {onnx.name = "y"})
// OLD: onnx.use @w
