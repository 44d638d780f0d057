// RUN: dougong-opt %s --onnx-fold-constants --split-input-file | FileCheck %s

// 2^24 + 1 is not a float32: it rounds to even, down to 2^24.

// CHECK-LABEL: func.func @rounds_to_the_type
// CHECK:         dense<0x4B800000> : tensor<f32>
func.func @rounds_to_the_type() -> tensor<f32> {
  %a = onnx.Constant() {value = dense<16777216.0> : tensor<f32>} : () -> tensor<f32>
  %b = onnx.Constant() {value = dense<1.0> : tensor<f32>} : () -> tensor<f32>
  %0 = onnx.Add(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// CHECK-LABEL: func.func @rearranges
// CHECK:         dense<{{\[\[}}1, 4], [2, 5], [3, 6]]> : tensor<3x2xi64>
// CHECK:         dense<[3, 2, 1]> : tensor<3xi64>
// CHECK:         dense<{{\[\[}}4, 5, 6], [1, 2, 3]]> : tensor<2x3xi64>
func.func @rearranges() -> (tensor<3x2xi64>, tensor<3xi64>, tensor<2x3xi64>) {
  %m = onnx.Constant() {value = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>} : () -> tensor<2x3xi64>
  %v = onnx.Constant() {value = dense<[1, 2, 3]> : tensor<3xi64>} : () -> tensor<3xi64>
  %minus = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %end = onnx.Constant() {value = dense<-9> : tensor<1xi64>} : () -> tensor<1xi64>
  %zero = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  %rows = onnx.Constant() {value = dense<[-1, 0]> : tensor<2xi64>} : () -> tensor<2xi64>
  %0 = onnx.Transpose(%m) {perm = array<i64: 1, 0>} : (tensor<2x3xi64>) -> tensor<3x2xi64>
  %1 = onnx.Slice(%v, %minus, %end, %zero, %minus) : (tensor<3xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<3xi64>
  %2 = onnx.Gather(%m, %rows) {axis = 0 : i64} : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<2x3xi64>
  return %0, %1, %2 : tensor<3x2xi64>, tensor<3xi64>, tensor<2x3xi64>
}

// -----

// Casts: towards zero, to bool; -1 wraps in 8 unsigned bits.

// Axes count from the end, too.
// CHECK-LABEL: func.func @negative_axes
// CHECK:         dense<{{\[\[}}1, 2, 3, 1, 2, 3], [4, 5, 6, 4, 5, 6]]> : tensor<2x6xi64>
// CHECK:         dense<{{\[\[}}3, 1], [6, 4]]> : tensor<2x2xi64>
// CHECK:         dense<{{\[\[}}4, 5, 6], [1, 2, 3]]> : tensor<2x3xi64>
func.func @negative_axes() -> (tensor<2x6xi64>, tensor<2x2xi64>, tensor<2x3xi64>) {
  %m = onnx.Constant() {value = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>} : () -> tensor<2x3xi64>
  %columns = onnx.Constant() {value = dense<[2, 0]> : tensor<2xi64>} : () -> tensor<2xi64>
  %rows = onnx.Constant() {value = dense<[1, 0]> : tensor<2xi64>} : () -> tensor<2xi64>
  %0 = onnx.Concat(%m, %m) {axis = -1 : i64} : (tensor<2x3xi64>, tensor<2x3xi64>) -> tensor<2x6xi64>
  %1 = onnx.Gather(%m, %columns) {axis = -1 : i64} : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<2x2xi64>
  %2 = onnx.Gather(%m, %rows) {axis = -2 : i64} : (tensor<2x3xi64>, tensor<2xi64>) -> tensor<2x3xi64>
  return %0, %1, %2 : tensor<2x6xi64>, tensor<2x2xi64>, tensor<2x3xi64>
}

// -----

// CHECK-LABEL: func.func @casts
// CHECK:         dense<[-1, 2]> : tensor<2xi32>
// CHECK:         dense<[true, false]> : tensor<2xi1>
// CHECK:         dense<255> : tensor<ui8>
func.func @casts() -> (tensor<2xi32>, tensor<2xi1>, tensor<ui8>) {
  %f = onnx.Constant() {value = dense<[-1.75, 2.5]> : tensor<2xf32>} : () -> tensor<2xf32>
  %i = onnx.Constant() {value = dense<[3, 0]> : tensor<2xi64>} : () -> tensor<2xi64>
  %n = onnx.Constant() {value = dense<-1> : tensor<i64>} : () -> tensor<i64>
  %0 = onnx.Cast(%f) {to = 6 : i64} : (tensor<2xf32>) -> tensor<2xi32>
  %1 = onnx.Cast(%i) {to = 9 : i64} : (tensor<2xi64>) -> tensor<2xi1>
  %2 = onnx.Cast(%n) {to = 2 : i64} : (tensor<i64>) -> tensor<ui8>
  return %0, %1, %2 : tensor<2xi32>, tensor<2xi1>, tensor<ui8>
}

// -----

// Results that the machine decides stay: out of range, division by zero.

// CHECK-LABEL: func.func @no_fold
// CHECK:         onnx.Cast
// CHECK:         onnx.Div
func.func @no_fold() -> (tensor<i32>, tensor<i64>) {
  %f = onnx.Constant() {value = dense<1.0e+20> : tensor<f32>} : () -> tensor<f32>
  %one = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
  %zero = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %0 = onnx.Cast(%f) {to = 6 : i64} : (tensor<f32>) -> tensor<i32>
  %1 = onnx.Div(%one, %zero) : (tensor<i64>, tensor<i64>) -> tensor<i64>
  return %0, %1 : tensor<i32>, tensor<i64>
}

// -----

// Long results are weights.

// CHECK:       onnx.weight @constant : tensor<200xi64> = dense<7> : tensor<200xi64>
// CHECK-LABEL: func.func @long
// CHECK:         onnx.use @constant : tensor<200xi64>
func.func @long() -> tensor<200xi64> {
  %n = onnx.Constant() {value = dense<200> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.ConstantOfShape(%n) {value = dense<7> : tensor<1xi64>} : (tensor<1xi64>) -> tensor<200xi64>
  return %0 : tensor<200xi64>
}

// More bytes than 64 bits count.
// CHECK-LABEL: func @too_large
// CHECK: onnx.Expand
func.func @too_large() -> tensor<1152921504606846976xf32> {
  %one = onnx.Constant() {value = dense<1.0> : tensor<1xf32>} : () -> tensor<1xf32>
  %shape = onnx.Constant() {value = dense<1152921504606846976> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.Expand(%one, %shape) : (tensor<1xf32>, tensor<1xi64>) -> tensor<1152921504606846976xf32>
  return %0 : tensor<1152921504606846976xf32>
}
