// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-plan{parallel=tp=2},dist-propagate,dist-partition,dist-verify-partitioned)' | FileCheck %s

// Column and row: weights cut at the end of their recipes, one reduction.
// CHECK-DAG: onnx.weight @up.tp1 : tensor<8x8xf32> = #onnx.derived<[@up], [#onnx.slice<1, ["tp"], 2, 1>]>
// CHECK-DAG: onnx.weight @down.t.tp0 : tensor<8x8xf32> = #onnx.derived<[@down], [#onnx.transpose<[1, 0]>, #onnx.slice<0, ["tp"], 2, 1>]>
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32> {dist.global = tensor<4x8xf32>, dist.sharding = #dist.sharding<@mesh0, [{}, {}]>, dist.stage = 0 : i64, onnx.name = "x"}
// CHECK: %[[UP:.*]] = onnx.use @up.tp1
// CHECK: %[[H:.*]] = onnx.MatMul(%[[X]], %[[UP]]) {{.*}} -> tensor<4x8xf32>
// CHECK: %[[DOWN:.*]] = onnx.use @down.t.tp0
// CHECK: %[[P:.*]] = onnx.MatMul(%[[H]], %[[DOWN]]) {{.*}} -> tensor<4x8xf32>
// CHECK: %[[Y:.*]] = dist.all_reduce %[[P]] over @mesh0 axes ["tp"] sum
// CHECK: return %[[Y]]
module {
  onnx.weight @up : tensor<8x16xf32> = #onnx.external<"w.bin", offset = 0, length = 512>
  onnx.weight @down : tensor<8x16xf32> = #onnx.external<"w.bin", offset = 512, length = 512>
  onnx.weight @down.t : tensor<16x8xf32> = #onnx.derived<[@down], [#onnx.transpose<[1, 0]>]>
  func.func @main(%x: tensor<4x8xf32> {onnx.name = "x"}) -> (tensor<4x8xf32> {onnx.name = "y"}) {
    %up = onnx.use @up : tensor<8x16xf32>
    %h = onnx.MatMul(%x, %up) : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
    %down = onnx.use @down.t : tensor<16x8xf32>
    %y = onnx.MatMul(%h, %down) : (tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32>
    return %y : tensor<4x8xf32>
  }
}

// -----

// Three key-value heads on two ranks: two each, the second rank's last is
// padding. Head counts and the reshape's target are local.
// CHECK-DAG: onnx.weight @q.tp1 : tensor<12x16xf32> = #onnx.derived<[@q], [#onnx.slice<1, ["tp"], 2, 8>]>
// CHECK-DAG: onnx.weight @k.tp1 : tensor<12x8xf32> = #onnx.derived<[@k], [#onnx.slice<1, ["tp"], 2, 4>]>
// CHECK-LABEL: func.func @main
// CHECK: onnx.Attention
// CHECK-SAME: kv_num_heads = 2 : i64, q_num_heads = 4 : i64
// CHECK-SAME: tensor<2x5x16xf32>
// CHECK: onnx.Constant() {{.*}}value = dense<[2, 5, 4, 4]>
// CHECK: onnx.Reshape{{.*}} -> tensor<2x5x4x4xf32>
// CHECK: return
module {
  onnx.weight @q : tensor<12x24xf32> = #onnx.external<"w.bin", offset = 0, length = 1152>
  onnx.weight @k : tensor<12x12xf32> = #onnx.external<"w.bin", offset = 1152, length = 576>
  func.func @main(%x: tensor<2x5x12xf32> {onnx.name = "x"}) -> (tensor<2x5x6x4xf32> {onnx.name = "y"}) {
    %none = onnx.none
    %wq = onnx.use @q : tensor<12x24xf32>
    %q = onnx.MatMul(%x, %wq) : (tensor<2x5x12xf32>, tensor<12x24xf32>) -> tensor<2x5x24xf32>
    %wk = onnx.use @k : tensor<12x12xf32>
    %k = onnx.MatMul(%x, %wk) : (tensor<2x5x12xf32>, tensor<12x12xf32>) -> tensor<2x5x12xf32>
    %a, %0, %1, %2 = onnx.Attention(%q, %k, %k, %none, %none, %none, %none)
        {q_num_heads = 6 : i64, kv_num_heads = 3 : i64}
        : (tensor<2x5x24xf32>, tensor<2x5x12xf32>, tensor<2x5x12xf32>, none, none, none, none)
        -> (tensor<2x5x24xf32>, none, none, none)
    %shape = onnx.Constant() {value = dense<[2, 5, 6, 4]> : tensor<4xi64>} : () -> tensor<4xi64>
    %y = onnx.Reshape(%a, %shape) : (tensor<2x5x24xf32>, tensor<4xi64>) -> tensor<2x5x6x4xf32>
    return %y : tensor<2x5x6x4xf32>
  }
}

// -----

// A table of which each rank holds half: indices are shifted by what the run
// time says of the rank, and what falls outside gives zero.
// CHECK-LABEL: func.func @main
// CHECK: %[[I:.*]] = dist.axis_index over @mesh0 axes ["tp"]
// CHECK: %[[START:.*]] = onnx.Mul(%[[I]], %{{.*}})
// CHECK: %[[SHIFTED:.*]] = onnx.Sub(%{{.*}}, %[[START]])
// CHECK: %[[INSIDE:.*]] = onnx.And
// CHECK: %[[SAFE:.*]] = onnx.Where(%[[INSIDE]], %[[SHIFTED]], %{{.*}})
// CHECK: %[[G:.*]] = onnx.Gather(%{{.*}}, %[[SAFE]]) {{.*}} : (tensor<126x32xf32>, tensor<2x3xi64>)
// CHECK: %[[MASK:.*]] = onnx.Unsqueeze(%[[INSIDE]]
// CHECK: %[[P:.*]] = onnx.Where(%[[MASK]], %[[G]], %{{.*}})
// CHECK: dist.all_reduce %[[P]] over @mesh0 axes ["tp"] sum {{.*}}: tensor<2x3x32xf32>
module {
  onnx.weight @table : tensor<251x32xf32> = #onnx.external<"w.bin", offset = 0, length = 32128>
  func.func @main(%ids: tensor<2x3xi64> {onnx.name = "ids"}) -> (tensor<2x3x32xf32> {onnx.name = "y"}) {
    %table = onnx.use @table : tensor<251x32xf32>
    %x = onnx.Gather(%table, %ids) {axis = 0 : i64} : (tensor<251x32xf32>, tensor<2x3xi64>) -> tensor<2x3x32xf32>
    return %x : tensor<2x3x32xf32>
  }
}
