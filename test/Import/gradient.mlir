// Gradient becomes the nodes that compute the gradients; see test/Exec/ops/check_gradients.py for the values.
// RUN: rm -rf %t && mkdir -p %t && cd %t && %python %S/models.py --into %t gradient gradient-of-conv gradient-of-nothing gradient-inputs gradient-repeated gradient-of-if gradient-of-loop gradient-in-branch gradient-before gradient-elsewhere gradient-in-function
// RUN: dougong compile gradient.onnx --stop-after import -o gradient.mlir && FileCheck %s --input-file gradient.mlir
// RUN: not dougong compile gradient-of-conv.onnx -o refused 2>&1 | FileCheck %s --check-prefix=CONV
// RUN: not dougong compile gradient-of-nothing.onnx -o refused 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not dougong compile gradient-inputs.onnx -o refused 2>&1 | FileCheck %s --check-prefix=INPUTS
// RUN: not dougong compile gradient-repeated.onnx -o refused 2>&1 | FileCheck %s --check-prefix=REPEATED
// RUN: not dougong compile gradient-of-if.onnx -o refused 2>&1 | FileCheck %s --check-prefix=OF-IF
// RUN: not dougong compile gradient-of-loop.onnx -o refused 2>&1 | FileCheck %s --check-prefix=OF-LOOP
// RUN: not dougong compile gradient-in-branch.onnx -o refused 2>&1 | FileCheck %s --check-prefix=IN-BRANCH
// RUN: not dougong compile gradient-before.onnx -o refused 2>&1 | FileCheck %s --check-prefix=BEFORE
// RUN: not dougong compile gradient-elsewhere.onnx -o refused 2>&1 | FileCheck %s --check-prefix=ELSEWHERE
// RUN: not dougong compile gradient-in-function.onnx -o refused 2>&1 | FileCheck %s --check-prefix=IN-FUNCTION

// CHECK-NOT: Gradient
// CHECK: onnx.Mul(%{{.*}}) {{.*}}tensor<?x3xf32
// CHECK: onnx.ReduceSum
// CHECK-SAME: tensor<1x3xf32>
// CHECK: onnx.Reshape
// CHECK-SAME: tensor<3xf32>
// CHECK-NOT: Gradient

// CONV: error: gradient-of-conv.onnx: node 'gradient': the gradient of operator Conv (node 'product') is not known
// NOTHING: error: gradient-of-nothing.onnx: node 'gradient': y names 'z', expected a value of the graph that holds the operator, made before it
// INPUTS: error: gradient-inputs.onnx: node 'gradient': it has 4 inputs, expected one for each of 2 names in xs and zs
// REPEATED: error: gradient-repeated.onnx: node 'product': the gradient of Add is not known here: whether dim 0 of 'x' is repeated shows only in the step; give its extent with --dim
// OF-IF: error: gradient-of-if.onnx: node 'gradient': the gradient of operator If (node 'choice') is not known
// OF-LOOP: error: gradient-of-loop.onnx: node 'gradient': the gradient of operator Loop (node 'repeat') is not known
// IN-BRANCH: error: gradient-in-branch.onnx: node 'gradient': xs names 'x', expected a value of the graph that holds the operator, made before it
// BEFORE: error: gradient-before.onnx: node 'gradient': y names 'y', expected a value of the graph that holds the operator, made before it
// ELSEWHERE: error: gradient-elsewhere.onnx: node 'gradient': input 0 ('o') is float[1], expected float[3], the type of 'x'
// IN-FUNCTION: error: gradient-in-function.onnx: node 'gradient': xs, zs or y names 'y', expected a value of function 'Differentiate', made before the operator
