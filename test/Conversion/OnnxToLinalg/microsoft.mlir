// RUN: dougong-opt %s --split-input-file --convert-onnx-to-linalg | FileCheck %s

// Each expert takes its rows in blocks of 16, then one by one: no temporary has
// an extent that depends on data.
// CHECK-LABEL: func.func @experts_take_rows_in_blocks
// CHECK: scf.for
// CHECK: arith.divui
// CHECK: tensor<16x96xf32>
// CHECK: tensor<1x96xf32>
// CHECK-NOT: tensor.empty(%{{.*}}) : tensor<?x96xf32>
func.func @experts_take_rows_in_blocks(
    %x: tensor<?x64xf32, #onnx.dims<"n", _>> {onnx.dims = #onnx.dims<"n", _>},
    %router: tensor<?x8xf32, #onnx.dims<"n", _>>, %w1: tensor<8x96x64xf32>,
    %w2: tensor<8x64x96xf32>) -> tensor<?x64xf32, #onnx.dims<"n", _>>
    attributes {dougong.kernel} {
  %none = onnx.none
  %0 = onnx.ms.MoE(%x, %router, %w1, %none, %w2, %none, %none, %none)
      {activation_alpha = 1.0 : f32, activation_beta = 0.0 : f32, activation_type = "silu",
       k = 2 : i64, normalize_routing_weights = 1 : i64, swiglu_fusion = 0 : i64,
       use_sparse_mixer = 0 : i64}
      : (tensor<?x64xf32, #onnx.dims<"n", _>>, tensor<?x8xf32, #onnx.dims<"n", _>>,
         tensor<8x96x64xf32>, none, tensor<8x64x96xf32>, none, none, none)
      -> tensor<?x64xf32, #onnx.dims<"n", _>>
  return %0 : tensor<?x64xf32, #onnx.dims<"n", _>>
}

// -----

// Experts apart from their router: those whose share of a row is not 0 take it.
// CHECK-LABEL: func.func @shares_choose_rows
// CHECK: %[[SHARE:.*]] = tensor.extract %{{.*}} : tensor<5x2xf32>
// CHECK: %[[NONE:.*]] = arith.cmpf oeq, %[[SHARE]]
// CHECK: arith.xori %[[NONE]]
func.func @shares_choose_rows(%x: tensor<5x8xf32>, %shares: tensor<5x2xf32>,
    %w1: tensor<2x6x8xf32>, %w2: tensor<2x8x6xf32>) -> tensor<5x8xf32>
    attributes {dougong.kernel} {
  %none = onnx.none
  %0 = onnx.part.Experts(%x, %shares, %w1, %none, %none, %none, %w2, %none, %none, %none, %none,
      %none, %none, %none) {activation_type = "silu", k = 2 : i64, num_experts = 4 : i64}
      : (tensor<5x8xf32>, tensor<5x2xf32>, tensor<2x6x8xf32>, none, none, none, tensor<2x8x6xf32>,
         none, none, none, none, none, none, none) -> tensor<5x8xf32>
  return %0 : tensor<5x8xf32>
}

// -----

// CHECK-LABEL: func.func @linear_attention_carries_its_state
// CHECK: scf.for {{.*}} -> (tensor<2x2x3x5xf32>, tensor<2x4x2x2x5xf32>)
// CHECK: math.exp
// CHECK: scf.yield
func.func @linear_attention_carries_its_state(
    %q: tensor<2x4x12xf32>, %k: tensor<2x4x6xf32>, %v: tensor<2x4x10xf32>,
    %state: tensor<2x2x3x5xf32>, %decay: tensor<2x4x2xf32>)
    -> (tensor<2x4x20xf32>, tensor<2x2x3x5xf32>) attributes {dougong.kernel} {
  %none = onnx.none
  %0:2 = onnx.LinearAttention(%q, %k, %v, %state, %decay, %none)
      {chunk_size = 64 : i64, kv_num_heads = 2 : i64, q_num_heads = 4 : i64, scale = 0.0 : f32,
       update_rule = "gated"}
      : (tensor<2x4x12xf32>, tensor<2x4x6xf32>, tensor<2x4x10xf32>, tensor<2x2x3x5xf32>,
         tensor<2x4x2xf32>, none) -> (tensor<2x4x20xf32>, tensor<2x2x3x5xf32>)
  return %0#0, %0#1 : tensor<2x4x20xf32>, tensor<2x2x3x5xf32>
}

// -----

// CHECK-LABEL: func.func @scatter_with_reduction_reads_before_it_writes
// CHECK: scf.for
// CHECK: %[[OLD:.*]] = tensor.extract
// CHECK: arith.addf
// CHECK: tensor.insert
func.func @scatter_with_reduction_reads_before_it_writes(
    %d: tensor<4x5xf32>, %i: tensor<3x1xi64>, %u: tensor<3x5xf32>) -> tensor<4x5xf32>
    attributes {dougong.kernel} {
  %0 = onnx.ScatterND(%d, %i, %u) {reduction = "add"}
      : (tensor<4x5xf32>, tensor<3x1xi64>, tensor<3x5xf32>) -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}
