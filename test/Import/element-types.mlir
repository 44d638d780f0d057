// Every element type as the file has it: packed ones unpacked, strings of any bytes.
// RUN: %python %S/models.py element-types %t.onnx && dougong-translate --onnx-to-mlir %t.onnx | FileCheck %s

// CHECK: dense<[5.000000e-01, -6.000000e+00, 1.000000e+00]> : tensor<3xf4E2M1FN>
// CHECK: dense<[1.000000e+00, 4.000000e+00]> : tensor<2xf8E8M0FNU>
// CHECK: dense<[1.500000e+00, -4.480000e+02]> : tensor<2xf8E4M3FN>
// CHECK: dense<[-8, 7, -1]> : tensor<3xi4>
// CHECK: dense<[15, 0, 9]> : tensor<3xui4>
// CHECK: dense<[-2, -1, 0, 1, -2]> : tensor<5xi2>
// CHECK: dense<[3, 2, 1, 0, 3]> : tensor<5xui2>
// CHECK: dense<[true, false, true]> : tensor<3xi1>
// CHECK: dense<[5.000000e-01, -2.000000e+00]> : tensor<2xf16>
// CHECK: dense<[5.000000e-01, -2.000000e+00]> : tensor<2xbf16>
// CHECK: dense<18446744073709551615> : tensor<1xui64>
// CHECK: dense<(1.000000e+00,2.000000e+00)> : tensor<1xcomplex<f32>>
// CHECK: dense<["one", "two\FF"]> : tensor<2x!onnx.string>
// CHECK: dense<> : tensor<0x3xf32>
