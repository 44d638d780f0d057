// RUN: dougong-opt %s --split-input-file --convert-onnx-to-linalg --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @scan_slices_its_input_and_stacks_its_output
// CHECK-SAME: %[[S:.*]]: tensor<3xf32>, %[[X:.*]]: tensor<5x3xf32>
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %c5 {{.*}} iter_args(%[[STATE:.*]] = %[[S]], %[[ALL:.*]] = %{{.*}})
// CHECK: tensor.extract_slice %[[X]][%[[I]], 0] [1, 3] [1, 1]
// CHECK: arith.addf
// CHECK: linalg.copy {{.*}} outs(%[[STATE]]
// CHECK: tensor.insert_slice %{{.*}} into %[[ALL]][%[[I]], 0] [1, 3] [1, 1]
func.func @scan_slices_its_input_and_stacks_its_output(
    %s: tensor<3xf32>, %x: tensor<5x3xf32>) -> (tensor<3xf32>, tensor<5x3xf32>)
    attributes {dougong.kernel} {
  %0:2 = onnx.Scan(%s, %x) {num_scan_inputs = 1 : i64}
      : (tensor<3xf32>, tensor<5x3xf32>) -> (tensor<3xf32>, tensor<5x3xf32>) ({
  ^bb0(%state: tensor<3xf32>, %row: tensor<3xf32>):
    %1 = onnx.Add(%state, %row) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    %2 = onnx.Mul(%1, %1) : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    onnx.yield %1, %2 : tensor<3xf32>, tensor<3xf32>
  })
  return %0#0, %0#1 : tensor<3xf32>, tensor<5x3xf32>
}

// -----

// CHECK-LABEL: func.func @branches
// CHECK: %[[C:.*]] = tensor.extract
// CHECK: scf.if %[[C]] -> (tensor<3xf32>)
// CHECK: arith.negf
// CHECK: } else {
// CHECK: math.absf
func.func @branches(%c: tensor<i1>, %x: tensor<3xf32>) -> tensor<3xf32>
    attributes {dougong.kernel} {
  %0 = onnx.If(%c) : (tensor<i1>) -> tensor<3xf32> ({
    %1 = onnx.Abs(%x) : (tensor<3xf32>) -> tensor<3xf32>
    onnx.yield %1 : tensor<3xf32>
  }, {
    %1 = onnx.Neg(%x) : (tensor<3xf32>) -> tensor<3xf32>
    onnx.yield %1 : tensor<3xf32>
  })
  return %0 : tensor<3xf32>
}

// -----

// CHECK-LABEL: func.func @loop_that_ends_by_data_is_a_while
// CHECK: scf.while
// CHECK: scf.condition
func.func @loop_that_ends_by_data_is_a_while(
    %c: tensor<i1>, %s: tensor<f32>, %limit: tensor<f32>) -> tensor<f32>
    attributes {dougong.kernel} {
  %none = onnx.none
  %0 = onnx.Loop(%none, %c, %s) : (none, tensor<i1>, tensor<f32>) -> tensor<f32> ({
  ^bb0(%i: tensor<i64>, %go: tensor<i1>, %state: tensor<f32>):
    %1 = onnx.Add(%state, %state) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    %2 = onnx.Less(%1, %limit) : (tensor<f32>, tensor<f32>) -> tensor<i1>
    onnx.yield %2, %1 : tensor<i1>, tensor<f32>
  })
  return %0 : tensor<f32>
}
