// RUN: dougong-opt %s --pass-pipeline="builtin.module(func.func(convert-onnx-to-linalg,canonicalize,cse))" --split-input-file | FileCheck %s

// The transposed operand is read through its map.
// CHECK-DAG: #[[$A:.+]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[$BT:.+]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-LABEL: func.func private @gemm_of_transposed_weights
// CHECK-NOT: linalg.transpose
// CHECK: linalg.generic {indexing_maps = [#[[$A]], #[[$BT]], {{.*}}], iterator_types = ["parallel", "parallel", "reduction"]}
// CHECK: arith.mulf {{.*}} fastmath<contract>
// CHECK: arith.addf {{.*}} fastmath<contract>
// The bias is an epilogue, not the initial value.
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]
func.func private @gemm_of_transposed_weights(%ctx: !llvm.ptr,
    %x: tensor<?x8xf32, #onnx.dims<"s0", _>> {onnx.dims = #onnx.dims<"s0", _>},
    %w: tensor<16x8xf32>, %b: tensor<16xf32>) -> tensor<?x16xf32, #onnx.dims<"s0", _>> attributes {dougong.kernel} {
  %0 = onnx.Gemm(%x, %w, %b) {transB = 1 : i64} : (tensor<?x8xf32, #onnx.dims<"s0", _>>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<?x16xf32, #onnx.dims<"s0", _>>
  return %0 : tensor<?x16xf32, #onnx.dims<"s0", _>>
}

// -----

// A batch of rows times one matrix stays one contraction.
// CHECK-LABEL: func.func private @matmul_with_batch
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "reduction"]
// CHECK-SAME: ins(%{{.+}}, %{{.+}} : tensor<?x?x8xf32>, tensor<8x16xf32>)
func.func private @matmul_with_batch(%ctx: !llvm.ptr,
    %x: tensor<?x?x8xf32, #onnx.dims<"s0", "s1", _>> {onnx.dims = #onnx.dims<"s0", "s1", _>},
    %w: tensor<8x16xf32>) -> tensor<?x?x16xf32, #onnx.dims<"s0", "s1", _>> attributes {dougong.kernel} {
  %0 = onnx.MatMul(%x, %w) : (tensor<?x?x8xf32, #onnx.dims<"s0", "s1", _>>, tensor<8x16xf32>) -> tensor<?x?x16xf32, #onnx.dims<"s0", "s1", _>>
  return %0 : tensor<?x?x16xf32, #onnx.dims<"s0", "s1", _>>
}

// -----

// CHECK-DAG: #[[$X:.+]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, d2 * 2 + d5, d3 * 2 + d6)>
// CHECK-LABEL: func.func private @convolution_with_stride
// The row before the input and the column before it are filled, then it is put in.
// CHECK: linalg.fill {{.*}}tensor<1x3x1x9xf32>
// CHECK: linalg.fill {{.*}}tensor<1x3x8x1xf32>
// CHECK: tensor.insert_slice %arg1 into %{{.+}}[0, 0, 1, 1] [1, 3, 8, 8]
// CHECK: linalg.generic {indexing_maps = [#[[$X]],
// CHECK-SAME: ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]
func.func private @convolution_with_stride(%ctx: !llvm.ptr, %x: tensor<1x3x8x8xf32>, %w: tensor<4x3x3x3xf32>) -> tensor<1x4x4x4xf32> attributes {dougong.kernel} {
  %none = onnx.none
  %0 = onnx.Conv(%x, %w, %none) {pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, none) -> tensor<1x4x4x4xf32>
  return %0 : tensor<1x4x4x4xf32>
}

// -----

// A depthwise convolution has no loop over input channels.
// CHECK-LABEL: func.func private @depthwise_convolution
// CHECK: linalg.generic
// CHECK-SAME: ["parallel", "parallel", "parallel", "reduction"]
func.func private @depthwise_convolution(%ctx: !llvm.ptr, %x: tensor<1x6x8xf32>, %w: tensor<6x1x3xf32>) -> tensor<1x6x6xf32> attributes {dougong.kernel} {
  %none = onnx.none
  %0 = onnx.Conv(%x, %w, %none) {group = 6 : i64} : (tensor<1x6x8xf32>, tensor<6x1x3xf32>, none) -> tensor<1x6x6xf32>
  return %0 : tensor<1x6x6xf32>
}

// -----

// Heads are split by a view; nothing is transposed; the causal mask is a
// comparison of loop indices; the softmax divides after the second product.
// CHECK-LABEL: func.func private @grouped_causal_attention
// CHECK-NOT: linalg.transpose
// CHECK: tensor.expand_shape %{{.+}} into tensor<2x?x2x2x8xf32>
// CHECK: iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]
// CHECK: %[[KEY:.+]] = linalg.index 4
// CHECK: arith.cmpi sle, %[[KEY]]
// CHECK: math.exp
// CHECK: iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction"]
// CHECK: arith.divf
// CHECK: tensor.collapse_shape %{{.+}} into tensor<2x?x32xf32>
func.func private @grouped_causal_attention(%ctx: !llvm.ptr,
    %q: tensor<2x?x32xf32, #onnx.dims<_, "s0", _>> {onnx.dims = #onnx.dims<_, "s0", _>},
    %k: tensor<2x?x16xf32, #onnx.dims<_, "s0", _>> {onnx.dims = #onnx.dims<_, "s0", _>},
    %v: tensor<2x?x16xf32, #onnx.dims<_, "s0", _>> {onnx.dims = #onnx.dims<_, "s0", _>})
    -> tensor<2x?x32xf32, #onnx.dims<_, "s0", _>> attributes {dougong.kernel} {
  %none = onnx.none
  %0:4 = onnx.Attention(%q, %k, %v, %none, %none, %none, %none) {is_causal = 1 : i64, q_num_heads = 4 : i64, kv_num_heads = 2 : i64} : (tensor<2x?x32xf32, #onnx.dims<_, "s0", _>>, tensor<2x?x16xf32, #onnx.dims<_, "s0", _>>, tensor<2x?x16xf32, #onnx.dims<_, "s0", _>>, none, none, none, none) -> (tensor<2x?x32xf32, #onnx.dims<_, "s0", _>>, none, none, none)
  return %0#0 : tensor<2x?x32xf32, #onnx.dims<_, "s0", _>>
}
