// RUN: dougong-opt %s --split-input-file --convert-onnx-to-linalg | FileCheck %s

// CHECK-LABEL: func.func @quantize_rounds_half_to_even_then_saturates
// CHECK: linalg.generic
// CHECK: %[[SCALED:.*]] = arith.divf
// CHECK: %[[ROUNDED:.*]] = math.roundeven %[[SCALED]]
// CHECK: arith.addf %[[ROUNDED]]
// CHECK: arith.maxnumf
// CHECK: arith.minnumf
// CHECK: %[[WIDE:.*]] = arith.fptosi %{{.*}} : f32 to i32
// CHECK: arith.trunci %[[WIDE]] : i32 to i8
func.func @quantize_rounds_half_to_even_then_saturates(
    %x: tensor<3x8xf32>, %s: tensor<f32>, %z: tensor<ui8>) -> tensor<3x8xui8>
    attributes {dougong.kernel} {
  %0 = onnx.QuantizeLinear(%x, %s, %z) {axis = 1 : i64, block_size = 0 : i64,
      output_dtype = 0 : i64, precision = 0 : i64, saturate = 1 : i64}
      : (tensor<3x8xf32>, tensor<f32>, tensor<ui8>) -> tensor<3x8xui8>
  return %0 : tensor<3x8xui8>
}

// -----

// Blocks of 4 along dim 1: the dim is split, so that scales are read by a map.
// CHECK-DAG: #[[SCALE:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func.func @dequantize_in_blocks
// CHECK: tensor.expand_shape %{{.*}} {{\[}}[0], [1, 2]] output_shape [3, 2, 4]
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[SCALE]], #{{.*}}]
// CHECK: arith.extsi %{{.*}} : i8 to i32
// CHECK: arith.sitofp
// CHECK: tensor.collapse_shape
func.func @dequantize_in_blocks(%x: tensor<3x8xi8>, %s: tensor<3x2xf32>) -> tensor<3x8xf32>
    attributes {dougong.kernel} {
  %none = onnx.none
  %0 = onnx.DequantizeLinear(%x, %s, %none) {axis = 1 : i64, block_size = 4 : i64,
      output_dtype = 0 : i64} : (tensor<3x8xi8>, tensor<3x2xf32>, none) -> tensor<3x8xf32>
  return %0 : tensor<3x8xf32>
}

// -----

// Zero points are taken off first; the product is a plain contraction in i32.
// CHECK-LABEL: func.func @integer_product_is_a_contraction
// CHECK: arith.extui %{{.*}} : i8 to i16
// CHECK: arith.subi %{{.*}} : i16
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]
// CHECK: arith.extsi %{{.*}} : i16 to i32
// CHECK: arith.extsi %{{.*}} : i8 to i32
// CHECK: arith.muli
// CHECK: arith.addi
func.func @integer_product_is_a_contraction(
    %a: tensor<3x8xui8>, %b: tensor<8x5xi8>, %az: tensor<ui8>) -> tensor<3x5xi32>
    attributes {dougong.kernel} {
  %none = onnx.none
  %0 = onnx.MatMulInteger(%a, %b, %az, %none)
      : (tensor<3x8xui8>, tensor<8x5xi8>, tensor<ui8>, none) -> tensor<3x5xi32>
  return %0 : tensor<3x5xi32>
}

// -----

// The product takes each byte apart: its low four bits are the even element, and
// no unpacked weight is ever in memory.
// CHECK-LABEL: func.func @four_bit_weights_are_unpacked_low_bits_first
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction", "reduction"]
// CHECK: %[[LOW:.*]] = arith.andi
// CHECK: arith.sitofp %[[LOW]] : i32 to f32
// CHECK: arith.shrui
// CHECK: %[[HIGH:.*]] = arith.andi
// CHECK: arith.sitofp %[[HIGH]] : i32 to f32
// CHECK-NOT: tensor<5x64xf32>
func.func @four_bit_weights_are_unpacked_low_bits_first(
    %a: tensor<3x64xf32>, %b: tensor<5x4x8xui8>, %s: tensor<5x4xf32>) -> tensor<3x5xf32>
    attributes {dougong.kernel} {
  %none = onnx.none
  %0 = onnx.ms.MatMulNBits(%a, %b, %s, %none, %none, %none) {K = 64 : i64, N = 5 : i64,
      accuracy_level = 0 : i64, bits = 4 : i64, block_size = 16 : i64}
      : (tensor<3x64xf32>, tensor<5x4x8xui8>, tensor<5x4xf32>, none, none, none)
      -> tensor<3x5xf32>
  return %0 : tensor<3x5xf32>
}
