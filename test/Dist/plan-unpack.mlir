// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-plan{parallel=tp=2},dist-propagate,dist-verify-propagated)' | FileCheck %s
// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-plan{parallel=pp=1})' | FileCheck %s --check-prefix=WHOLE

// Three matrices side by side: a product for each, cut by heads. The transposition
// becomes part of the recipe.
// CHECK-DAG: onnx.weight @q.t : tensor<8x16xf32> = #onnx.derived<[@q], [#onnx.transpose<[1, 0]>]>
// CHECK-DAG: onnx.weight @k.t : tensor<8x8xf32> = #onnx.derived<[@k], [#onnx.transpose<[1, 0]>]>
// CHECK-LABEL: func.func @main
// CHECK-NOT: onnx.Concat
// CHECK: %[[Q:.*]] = onnx.MatMul(%{{.*}}, %{{.*}}) {dist.in = [{{.*}}, #dist.sharding<@mesh0, [{}, {"tp" : unit 8}]>]
// CHECK: %[[K:.*]] = onnx.MatMul(%{{.*}}, %{{.*}}) {dist.in = [{{.*}}, #dist.sharding<@mesh0, [{}, {"tp" : unit 4}]>]
// CHECK: %[[V:.*]] = onnx.MatMul(%{{.*}}, %{{.*}}) {dist.in = [{{.*}}, #dist.sharding<@mesh0, [{}, {"tp" : unit 4}]>]
// CHECK: onnx.ms.GroupQueryAttention(%[[Q]], %[[K]], %[[V]],
// Nothing is taken apart where no axis "tp" asks for it.
// WHOLE-LABEL: func.func @main
// WHOLE: onnx.Concat
// WHOLE: onnx.ms.GroupQueryAttention(%{{.*}}, %[[NONE:.*]], %[[NONE]],
module {
  onnx.weight @q : tensor<16x8xf32> = #onnx.external<"w.bin", offset = 0, length = 512>
  onnx.weight @k : tensor<8x8xf32> = #onnx.external<"w.bin", offset = 512, length = 256>
  onnx.weight @v : tensor<8x8xf32> = #onnx.external<"w.bin", offset = 768, length = 256>
  func.func @main(%x: tensor<1x3x8xf32> {onnx.name = "x"}, %past: tensor<1x2x5x4xf32> {onnx.name = "past"},
                  %length: tensor<1xi32> {onnx.name = "length"}, %total: tensor<i32> {onnx.name = "total"})
      -> (tensor<1x3x16xf32> {onnx.name = "y"}) {
    %none = onnx.none
    %q = onnx.use @q : tensor<16x8xf32>
    %kw = onnx.use @k : tensor<8x8xf32>
    %vw = onnx.use @v : tensor<8x8xf32>
    %all = onnx.Concat(%q, %kw, %vw) {axis = 0 : i64} : (tensor<16x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<32x8xf32>
    %t = onnx.Transpose(%all) {perm = array<i64: 1, 0>} : (tensor<32x8xf32>) -> tensor<8x32xf32>
    %packed = onnx.MatMul(%x, %t) : (tensor<1x3x8xf32>, tensor<8x32xf32>) -> tensor<1x3x32xf32>
    %y, %k, %v, %qk = onnx.ms.GroupQueryAttention(%packed, %none, %none, %past, %past, %length, %total, %none, %none, %none, %none, %none, %none, %none, %none, %none, %none)
        {do_rotary = 0 : i64, k_quant_type = "NONE", kv_cache_bit_width = 0 : i64, kv_num_heads = 2 : i64, local_window_size = -1 : i64, num_heads = 4 : i64, qk_norm_epsilon = 1.0e-06 : f32, qk_output = 0 : i64, rotary_interleaved = 0 : i64, scale = 0.5 : f32, sliding_window_cache = 0 : i64, smooth_softmax = 0 : i64, v_quant_type = "NONE"}
        : (tensor<1x3x32xf32>, none, none, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1xi32>, tensor<i32>, none, none, none, none, none, none, none, none, none, none)
        -> (tensor<1x3x16xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, none)
    return %y : tensor<1x3x16xf32>
  }
}

// -----

// One packed matrix with a bias: a product for each part of it, by its recipe.
// CHECK-DAG: onnx.weight @qkv.0 : tensor<8x16xf32> = #onnx.derived<[@qkv], [#onnx.part<1, 0, 16>]>
// CHECK-DAG: onnx.weight @qkv.16 : tensor<8x8xf32> = #onnx.derived<[@qkv], [#onnx.part<1, 16, 8>]>
// CHECK-DAG: onnx.weight @qkv.24 : tensor<8x8xf32> = #onnx.derived<[@qkv], [#onnx.part<1, 24, 8>]>
// CHECK-DAG: onnx.weight @b.16 : tensor<8xf32> = #onnx.derived<[@b], [#onnx.part<0, 16, 8>]>
// CHECK-LABEL: func.func @main
// CHECK-NOT: onnx.Split
// CHECK: onnx.MatMul(%{{.*}}, %{{.*}}) {dist.in = [{{.*}}, #dist.sharding<@mesh0, [{}, {"tp" : unit 8}]>]
// CHECK: onnx.MatMul(%{{.*}}, %{{.*}}) {dist.in = [{{.*}}, #dist.sharding<@mesh0, [{}, {"tp" : unit 4}]>]
// CHECK: onnx.ms.GroupQueryAttention(
// CHECK-SAME: dist.in = [#dist.sharding<@mesh0, [{}, {}, {"tp" : unit 8}]>, #dist.sharding<@mesh0, [{}, {}, {"tp" : unit 4}]>
module {
  onnx.weight @qkv : tensor<8x32xf32> = #onnx.external<"w.bin", offset = 0, length = 1024>
  onnx.weight @b : tensor<32xf32> = #onnx.external<"w.bin", offset = 1024, length = 128>
  func.func @main(%x: tensor<1x3x8xf32> {onnx.name = "x"}, %past: tensor<1x2x5x4xf32> {onnx.name = "past"},
                  %length: tensor<1xi32> {onnx.name = "length"}, %total: tensor<i32> {onnx.name = "total"})
      -> (tensor<1x3x16xf32> {onnx.name = "y"}) {
    %none = onnx.none
    %w = onnx.use @qkv : tensor<8x32xf32>
    %b = onnx.use @b : tensor<32xf32>
    %product = onnx.MatMul(%x, %w) : (tensor<1x3x8xf32>, tensor<8x32xf32>) -> tensor<1x3x32xf32>
    %packed = onnx.Add(%product, %b) : (tensor<1x3x32xf32>, tensor<32xf32>) -> tensor<1x3x32xf32>
    %y, %k, %v, %qk = onnx.ms.GroupQueryAttention(%packed, %none, %none, %past, %past, %length, %total, %none, %none, %none, %none, %none, %none, %none, %none, %none, %none)
        {do_rotary = 0 : i64, k_quant_type = "NONE", kv_cache_bit_width = 0 : i64, kv_num_heads = 2 : i64, local_window_size = -1 : i64, num_heads = 4 : i64, qk_norm_epsilon = 1.0e-06 : f32, qk_output = 0 : i64, rotary_interleaved = 0 : i64, scale = 0.5 : f32, sliding_window_cache = 0 : i64, smooth_softmax = 0 : i64, v_quant_type = "NONE"}
        : (tensor<1x3x32xf32>, none, none, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1xi32>, tensor<i32>, none, none, none, none, none, none, none, none, none, none)
        -> (tensor<1x3x16xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, none)
    return %y : tensor<1x3x16xf32>
  }
}

// -----

// A product that something else reads too stays: it is cut by columns and gathered;
// attention is cut by heads all the same.
// CHECK-LABEL: func.func @main
// CHECK: onnx.MatMul({{.*}}) {{{.*}}dist.out = [#dist.sharding<@mesh0, [{}, {}, {"tp"}]>]
// CHECK: %[[PARTS:.*]]:3 = onnx.Split
// CHECK: onnx.ms.GroupQueryAttention(%[[PARTS]]#0, %[[PARTS]]#1, %[[PARTS]]#2,
// CHECK-SAME: dist.in = [#dist.sharding<@mesh0, [{}, {}, {"tp" : unit 8}]>, #dist.sharding<@mesh0, [{}, {}, {"tp" : unit 4}]>
module {
  onnx.weight @qkv : tensor<8x32xf32> = #onnx.external<"w.bin", offset = 0, length = 1024>
  func.func @main(%x: tensor<1x3x8xf32> {onnx.name = "x"}, %past: tensor<1x2x5x4xf32> {onnx.name = "past"},
                  %length: tensor<1xi32> {onnx.name = "length"}, %total: tensor<i32> {onnx.name = "total"})
      -> (tensor<1x3x16xf32> {onnx.name = "y"}, tensor<1x3x32xf32> {onnx.name = "all"}) {
    %none = onnx.none
    %w = onnx.use @qkv : tensor<8x32xf32>
    %packed = onnx.MatMul(%x, %w) : (tensor<1x3x8xf32>, tensor<8x32xf32>) -> tensor<1x3x32xf32>
    %y, %k, %v, %qk = onnx.ms.GroupQueryAttention(%packed, %none, %none, %past, %past, %length, %total, %none, %none, %none, %none, %none, %none, %none, %none, %none, %none)
        {do_rotary = 0 : i64, k_quant_type = "NONE", kv_cache_bit_width = 0 : i64, kv_num_heads = 2 : i64, local_window_size = -1 : i64, num_heads = 4 : i64, qk_norm_epsilon = 1.0e-06 : f32, qk_output = 0 : i64, rotary_interleaved = 0 : i64, scale = 0.5 : f32, sliding_window_cache = 0 : i64, smooth_softmax = 0 : i64, v_quant_type = "NONE"}
        : (tensor<1x3x32xf32>, none, none, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1xi32>, tensor<i32>, none, none, none, none, none, none, none, none, none, none)
        -> (tensor<1x3x16xf32>, tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>, none)
    return %y, %packed : tensor<1x3x16xf32>, tensor<1x3x32xf32>
  }
}
