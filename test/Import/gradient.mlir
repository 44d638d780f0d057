// Gradient becomes the nodes that compute the gradients; see test/Exec/ops/check_gradients.py for the values.
// RUN: rm -rf %t && mkdir -p %t && cd %t && %python %S/models.py --into %t gradient gradient-of-conv gradient-of-nothing gradient-inputs gradient-repeated
// RUN: dougong compile gradient.onnx --stop-after import -o gradient.mlir && FileCheck %s --input-file gradient.mlir
// RUN: not dougong compile gradient-of-conv.onnx -o refused 2>&1 | FileCheck %s --check-prefix=CONV
// RUN: not dougong compile gradient-of-nothing.onnx -o refused 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not dougong compile gradient-inputs.onnx -o refused 2>&1 | FileCheck %s --check-prefix=INPUTS
// RUN: not dougong compile gradient-repeated.onnx -o refused 2>&1 | FileCheck %s --check-prefix=REPEATED

// CHECK-NOT: Gradient
// CHECK: onnx.Mul(%{{.*}}) {{.*}}tensor<?x3xf32
// CHECK: onnx.ReduceSum
// CHECK-SAME: tensor<1x3xf32>
// CHECK: onnx.Reshape
// CHECK-SAME: tensor<3xf32>
// CHECK-NOT: Gradient

// CONV: error: gradient-of-conv.onnx: node 'gradient': the gradient of operator Conv (node 'product') is not known
// NOTHING: error: gradient-of-nothing.onnx: node 'gradient': y names 'z', which the graph does not have
// INPUTS: error: gradient-inputs.onnx: node 'gradient': it has 4 inputs, expected one for each of 2 names in xs and zs
// REPEATED: error: gradient-repeated.onnx: node 'product': the gradient of Add is not known here: whether dim 0 of 'x' is repeated shows only in the step; give its extent with --dim
