// RUN: dougong-opt %s --split-input-file --convert-onnx-to-linalg | FileCheck %s

// The products with the input are one contraction before the loop over time.
// CHECK-LABEL: func.func @lstm_projects_inputs_outside_the_loop
// The weights themselves are the factors, with all gates side by side.
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%arg0, %arg1 :
// CHECK: scf.for
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]} ins(%{{.*}}, %arg2 :
// CHECK: math.tanh
// CHECK: tensor.insert_slice
// CHECK: scf.yield
func.func @lstm_projects_inputs_outside_the_loop(
    %x: tensor<5x2x3xf32>, %w: tensor<1x16x3xf32>, %r: tensor<1x16x4xf32>)
    -> (tensor<5x1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>)
    attributes {dougong.kernel} {
  %none = onnx.none
  %0:3 = onnx.LSTM(%x, %w, %r, %none, %none, %none, %none, %none)
      {direction = "forward", hidden_size = 4 : i64, input_forget = 0 : i64, layout = 0 : i64}
      : (tensor<5x2x3xf32>, tensor<1x16x3xf32>, tensor<1x16x4xf32>, none, none, none, none, none)
      -> (tensor<5x1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>)
  return %0#0, %0#1, %0#2 : tensor<5x1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>
}

// -----

// A backward pass counts time down; only the last state is asked for.
// CHECK-LABEL: func.func @gru_in_reverse_without_outputs
// CHECK: %[[T:.*]] = scf.for %[[I:.*]] = {{.*}} iter_args(%{{.*}}) -> (tensor<2x4xf32>)
// CHECK: %[[LAST:.*]] = arith.subi
// CHECK: arith.subi %[[LAST]], %[[I]]
func.func @gru_in_reverse_without_outputs(
    %x: tensor<5x2x3xf32>, %w: tensor<1x12x3xf32>, %r: tensor<1x12x4xf32>) -> tensor<1x2x4xf32>
    attributes {dougong.kernel} {
  %none = onnx.none
  %0:2 = onnx.GRU(%x, %w, %r, %none, %none, %none)
      {direction = "reverse", hidden_size = 4 : i64, layout = 0 : i64,
       linear_before_reset = 0 : i64}
      : (tensor<5x2x3xf32>, tensor<1x12x3xf32>, tensor<1x12x4xf32>, none, none, none)
      -> (none, tensor<1x2x4xf32>)
  return %0#1 : tensor<1x2x4xf32>
}
