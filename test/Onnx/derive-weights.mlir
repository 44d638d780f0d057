// RUN: dougong-opt %s --onnx-derive-weights --split-input-file | FileCheck %s

// Equal recipes are one weight; steps are composed.

// CHECK:       onnx.weight @w : tensor<4x8xf32>
// CHECK:       onnx.weight @w.t : tensor<8x4xf32> = #onnx.derived<[@w], [#onnx.transpose<[1, 0]>]>
// CHECK:       onnx.weight @w.view : tensor<32xf16> = #onnx.derived<[@w], [#onnx.transpose<[1, 0]>, #onnx.cast<f16>, #onnx.reshape<[32]>]>
// CHECK-NOT:   onnx.weight
// CHECK-LABEL: func.func @main
// CHECK-NOT:     onnx.Transpose
// CHECK:         onnx.use @w.t
onnx.weight @w : tensor<4x8xf32> = #onnx.external<"w.bin", offset = 0, length = 128>
func.func @main() -> (tensor<8x4xf32>, tensor<8x4xf32>, tensor<32xf16>) {
  %shape = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %square = onnx.Constant() {value = dense<[16, 2]> : tensor<2xi64>} : () -> tensor<2xi64>
  %w = onnx.use @w : tensor<4x8xf32>
  %0 = onnx.Transpose(%w) {perm = array<i64: 1, 0>} : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %1 = onnx.Transpose(%w) : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %2 = onnx.Cast(%0) {to = 10 : i64} : (tensor<8x4xf32>) -> tensor<8x4xf16>
  %3 = onnx.Reshape(%2, %square) : (tensor<8x4xf16>, tensor<2xi64>) -> tensor<16x2xf16>
  %4 = onnx.Reshape(%3, %shape) : (tensor<16x2xf16>, tensor<1xi64>) -> tensor<32xf16>
  return %0, %1, %4 : tensor<8x4xf32>, tensor<8x4xf32>, tensor<32xf16>
}

// -----

// Two transposes that cancel out give the weight itself.

// CHECK-LABEL: func.func @cancel
// CHECK-NEXT:    %[[W:.*]] = onnx.use @w : tensor<4x8xf32>
// CHECK-NEXT:    return %[[W]]
onnx.weight @w : tensor<4x8xf32> = #onnx.external<"w.bin", offset = 0, length = 128>
func.func @cancel() -> tensor<4x8xf32> {
  %w = onnx.use @w : tensor<4x8xf32>
  %0 = onnx.Transpose(%w) {perm = array<i64: 1, 0>} : (tensor<4x8xf32>) -> tensor<8x4xf32>
  %1 = onnx.Transpose(%0) {perm = array<i64: 1, 0>} : (tensor<8x4xf32>) -> tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}

// -----

// Dequantisation along axis 0: (w - z) * s with parameters of shape [4, 1].

// CHECK-DAG:   onnx.weight @[[Z:.*]] : tensor<4x1xf32> = #onnx.derived<[@z], [#onnx.reshape<[4, 1]>, #onnx.cast<f32>]>
// CHECK-DAG:   onnx.weight @[[S:.*]] : tensor<4x1xf32> = #onnx.derived<[@s], [#onnx.reshape<[4, 1]>]>
// CHECK:       onnx.weight @q.t : tensor<8x4xf32> = #onnx.derived<[@q, @[[Z]], @[[S]]], [#onnx.cast<f32>, #onnx.binary<"sub", 1>, #onnx.binary<"mul", 2>, #onnx.transpose<[1, 0]>]>
// CHECK-LABEL: func.func @dequantize
// CHECK-NEXT:    onnx.use @q.t
onnx.weight @q : tensor<4x8xi8> = #onnx.external<"w.bin", offset = 0, length = 32>
onnx.weight @s : tensor<4xf32> = #onnx.external<"w.bin", offset = 32, length = 16>
onnx.weight @z : tensor<4xi8> = #onnx.external<"w.bin", offset = 48, length = 4>
func.func @dequantize() -> tensor<8x4xf32> {
  %q = onnx.use @q : tensor<4x8xi8>
  %s = onnx.use @s : tensor<4xf32>
  %z = onnx.use @z : tensor<4xi8>
  %0 = onnx.DequantizeLinear(%q, %s, %z) {axis = 0 : i64} : (tensor<4x8xi8>, tensor<4xf32>, tensor<4xi8>) -> tensor<4x8xf32>
  %1 = onnx.Transpose(%0) {perm = array<i64: 1, 0>} : (tensor<4x8xf32>) -> tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}

// -----

// Blocks of 4 along axis 0 are a dim of their own in between.

// CHECK:       onnx.weight @{{.*}} : tensor<8x2xf32> = #onnx.derived<[@q, @{{.*}}], [#onnx.reshape<[2, 4, 2]>, #onnx.cast<f32>, #onnx.binary<"mul", 1>, #onnx.reshape<[8, 2]>]>
onnx.weight @q : tensor<8x2xi8> = #onnx.external<"w.bin", offset = 0, length = 16>
onnx.weight @s : tensor<2x2xf32> = #onnx.external<"w.bin", offset = 16, length = 16>
func.func @dequantize_blocks() -> tensor<8x2xf32> {
  %q = onnx.use @q : tensor<8x2xi8>
  %s = onnx.use @s : tensor<2x2xf32>
  %none = onnx.none
  %0 = onnx.DequantizeLinear(%q, %s, %none) {axis = 0 : i64, block_size = 4 : i64} : (tensor<8x2xi8>, tensor<2x2xf32>, none) -> tensor<8x2xf32>
  return %0 : tensor<8x2xf32>
}

// -----

// A constant on the left becomes a weight, and the recipe says so.

// CHECK:       onnx.weight @constant : tensor<f32> = dense<2.000000e+00> : tensor<f32>
// CHECK:       #onnx.derived<[@w, @constant], [#onnx.binary<"div", 1, true>]>
onnx.weight @w : tensor<4xf32> = #onnx.external<"w.bin", offset = 0, length = 16>
func.func @reversed() -> tensor<4xf32> {
  %w = onnx.use @w : tensor<4xf32>
  %two = onnx.Constant() {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
  %0 = onnx.Div(%two, %w) : (tensor<f32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Unused weights go; what mixes weights and inputs stays.

// CHECK-NOT:   @unused
// CHECK-LABEL: func.func @mixed
// CHECK:         onnx.MatMul
onnx.weight @unused : tensor<4xf32> = #onnx.external<"w.bin", offset = 0, length = 16>
onnx.weight @w : tensor<4x4xf32> = #onnx.external<"w.bin", offset = 16, length = 64>
func.func @mixed(%x: tensor<4xf32>) -> tensor<4xf32> {
  %w = onnx.use @w : tensor<4x4xf32>
  %0 = onnx.MatMul(%x, %w) : (tensor<4xf32>, tensor<4x4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// What is joined along another axis than the first is turned around; the
// transposes meet those of the graph.

// CHECK-DAG:   onnx.weight @q.scaled : tensor<6x4xf32> = #onnx.derived<[@q, @k], [#onnx.binary<"concat", 1>]>
// CHECK-DAG:   onnx.weight @k.t : tensor<4x2xf32> = #onnx.derived<[@k], [#onnx.transpose<[1, 0]>]>
// CHECK-DAG:   onnx.weight @u.scaled : tensor<7x2xf32> = #onnx.derived<[@u, @k.t], [#onnx.transpose<[1, 0]>, #onnx.binary<"concat", 1>]>
// CHECK-LABEL: func.func @joined
// CHECK-NOT:     onnx.Concat
// CHECK-NOT:     onnx.Transpose
// CHECK:         return
onnx.weight @q : tensor<4x4xf32> = #onnx.external<"w.bin", offset = 0, length = 64>
onnx.weight @k : tensor<2x4xf32> = #onnx.external<"w.bin", offset = 64, length = 32>
onnx.weight @u : tensor<2x3xf32> = #onnx.external<"w.bin", offset = 96, length = 24>
func.func @joined() -> (tensor<6x4xf32>, tensor<7x2xf32>) {
  %q = onnx.use @q : tensor<4x4xf32>
  %k = onnx.use @k : tensor<2x4xf32>
  %u = onnx.use @u : tensor<2x3xf32>
  %0 = onnx.Concat(%q, %k) {axis = 0 : i64} : (tensor<4x4xf32>, tensor<2x4xf32>) -> tensor<6x4xf32>
  %1 = onnx.Concat(%u, %k) {axis = 1 : i64} : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x7xf32>
  %2 = onnx.Transpose(%1) {perm = array<i64: 1, 0>} : (tensor<2x7xf32>) -> tensor<7x2xf32>
  return %0, %2 : tensor<6x4xf32>, tensor<7x2xf32>
}
