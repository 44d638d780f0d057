// RUN: dougong-opt --onnx-expose-values %s | FileCheck %s

// Named values become results, in order; constants, weights, strings and values
// that are outputs already do not. Of two ops of one node the last makes its output.

// CHECK-LABEL: func.func @main(
// CHECK-SAME: -> (tensor<2xf32> {onnx.name = "y"}, tensor<2xf32> {onnx.name = "h"}, tensor<2xi1> {onnx.name = "n"})
// CHECK: onnx.Exp
// CHECK: %[[SCALED:.*]] = onnx.Neg
// CHECK: %[[NANS:.*]] = onnx.IsNaN
// CHECK: %[[Y:.*]] = onnx.Abs
// CHECK: return %[[Y]], %[[SCALED]], %[[NANS]] :
func.func @main(%x: tensor<2xf32> {onnx.name = "x"}) -> (tensor<2xf32> {onnx.name = "y"}) {
  %c = onnx.Constant() {value = dense<1.0> : tensor<2xf32>} : () -> tensor<2xf32> loc("c"(fused<{outputs = ["c"]}>["m"]))
  %0 = onnx.Exp(%x) : (tensor<2xf32>) -> tensor<2xf32> loc("e"(fused<{outputs = ["h"]}>["m"]))
  %1 = onnx.Neg(%0) : (tensor<2xf32>) -> tensor<2xf32> loc("e"(fused<{outputs = ["h"]}>["m"]))
  %2 = onnx.Add(%1, %c) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %3 = onnx.IsNaN(%2) : (tensor<2xf32>) -> tensor<2xi1> loc("n"(fused<{outputs = ["n"]}>["m"]))
  %4 = onnx.Abs(%2) : (tensor<2xf32>) -> tensor<2xf32> loc("a"(fused<{outputs = ["y"]}>["m"]))
  return %4 : tensor<2xf32>
}
