// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-propagate,dist-verify-propagated)' | FileCheck %s

// Experts of 4-bit weights: two inner units share a byte of q2, so units of fc1 are
// pairs of rows. Partial results are summed.
// CHECK-LABEL: func.func @main
// CHECK: onnx.ms.QMoE
// CHECK-SAME: dist.in = [#dist.sharding<@m, [{}, {}]>, #dist.sharding<@m, [{}, {}]>,
// CHECK-SAME: #dist.sharding<@m, [{}, {"tp" : unit 2}, {}]>, #dist.sharding<@m, [{}, {"tp" : unit 2}]>, #dist.sharding<@m, [{}, {"tp" : unit 2}]>,
// CHECK-SAME: #dist.sharding<@m, [{}, {}, {"tp"}]>, #dist.sharding<@m, [{}, {}]>, #dist.sharding<@m, [{}, {}]>,
// CHECK-SAME: dist.out = [#dist.sharding<@m, [{}, {}], partial ["tp" sum]>]
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  onnx.weight @q1 : tensor<8x12x4xui8> = #onnx.external<"w.bin", offset = 0, length = 384>
  onnx.weight @s1 : tensor<8x12xf32> = #onnx.external<"w.bin", offset = 0, length = 384>
  onnx.weight @q2 : tensor<8x8x6xui8> = #onnx.external<"w.bin", offset = 0, length = 384>
  onnx.weight @s2 : tensor<8x8xf32> = #onnx.external<"w.bin", offset = 0, length = 256>
  func.func @main(%x: tensor<5x8xf32>, %r: tensor<5x8xf32>) -> tensor<5x8xf32> {
    %none = onnx.none
    %q1 = onnx.use @q1 : tensor<8x12x4xui8>
    %s1 = onnx.use @s1 : tensor<8x12xf32>
    %q2 = onnx.use @q2 : tensor<8x8x6xui8>
    %s2 = onnx.use @s2 : tensor<8x8xf32>
    %y = onnx.ms.QMoE(%x, %r, %q1, %s1, %s1, %q2, %s2, %s2, %none, %none, %none, %none, %none, %none, %none)
        {activation_alpha = 1.0 : f32, activation_beta = 0.0 : f32, activation_type = "silu", block_size = 0 : i64, expert_weight_bits = 4 : i64, k = 2 : i64, normalize_routing_weights = 1 : i64, quant_type = "int", swiglu_fusion = 0 : i64, use_sparse_mixer = 0 : i64,
         dist.in = [unit, unit, unit, unit, unit, #dist.sharding<@m, [{}, {}, {"tp"}]>, unit, unit, unit, unit, unit, unit, unit, unit, unit]}
        : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<8x12x4xui8>, tensor<8x12xf32>, tensor<8x12xf32>, tensor<8x8x6xui8>, tensor<8x8xf32>, tensor<8x8xf32>, none, none, none, none, none, none, none) -> tensor<5x8xf32>
    return %y : tensor<5x8xf32>
  }
}

// -----

// Two heads of keys, four of values: a unit is one head of keys and the two of
// values, states, decays and gates that go with it.
// CHECK-LABEL: func.func @main
// CHECK: onnx.ms.LinearAttention
// CHECK-SAME: dist.in = [#dist.sharding<@m, [{}, {}, {"tp" : unit 8}]>, #dist.sharding<@m, [{}, {}, {"tp" : unit 8}]>, #dist.sharding<@m, [{}, {}, {"tp" : unit 16}]>,
// CHECK-SAME: #dist.sharding<@m, [{}, {"tp" : unit 2}, {}, {}]>, #dist.sharding<@m, [{}, {}, {"tp" : unit 2}]>, #dist.sharding<@m, [{}, {}, {"tp" : unit 2}]>],
// CHECK-SAME: dist.out = [#dist.sharding<@m, [{}, {}, {"tp" : unit 16}]>, #dist.sharding<@m, [{}, {"tp" : unit 2}, {}, {}]>]
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%q: tensor<1x5x16xf32>, %k: tensor<1x5x16xf32>, %v: tensor<1x5x32xf32>,
                  %state: tensor<1x4x8x8xf32>, %decay: tensor<1x5x4xf32>, %beta: tensor<1x5x4xf32>)
      -> (tensor<1x5x32xf32>, tensor<1x4x8x8xf32>) {
    %y, %present = onnx.ms.LinearAttention(%q, %k, %v, %state, %decay, %beta)
        {chunk_size = 64 : i64, kv_num_heads = 4 : i64, q_num_heads = 2 : i64, scale = 0.25 : f32, update_rule = "gated_delta",
         dist.in = [#dist.sharding<@m, [{}, {}, {"tp" : unit 8}]>, unit, unit, unit, unit, unit]}
        : (tensor<1x5x16xf32>, tensor<1x5x16xf32>, tensor<1x5x32xf32>, tensor<1x4x8x8xf32>, tensor<1x5x4xf32>, tensor<1x5x4xf32>) -> (tensor<1x5x32xf32>, tensor<1x4x8x8xf32>)
    return %y, %present : tensor<1x5x32xf32>, tensor<1x4x8x8xf32>
  }
}
