// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=tp=2,sp=2},dist-propagate,dist-verify-propagated,dist-partition,dist-verify-partitioned)' | FileCheck %s --check-prefix=SP
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=cp=2},dist-propagate,dist-verify-propagated,dist-partition,dist-verify-partitioned)' | FileCheck %s --check-prefix=CP
// RUN: not dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=tp=4,sp=2})' 2>&1 | FileCheck %s --check-prefix=RANKS

// Sequence parallel: what tensor parallelism would add up on all ranks is scattered
// over the tokens, and gathered behind the norm. No all-reduce, no slice.
// SP-LABEL: func.func @main
// SP-NOT: dist.all_reduce
// SP-NOT: dist.slice
// SP: onnx.RMSNormalization{{.*}} -> tensor<1x?x32xf32, #onnx.dims<_, "tokens ceildiv 2", _>>
// SP: dist.all_gather {{.*}} axes ["tp"] dim 1
// SP: onnx.Attention{{.*}}kv_num_heads = 1 : i64
// SP: onnx.MatMul
// SP: dist.reduce_scatter {{.*}} axes ["tp"] dim 1
// SP: onnx.Add({{.*}} -> tensor<1x?x32xf32, #onnx.dims<_, "tokens ceildiv 2", _>>
// SP-NOT: dist.all_reduce
// SP-NOT: dist.slice
// SP-NOT: dist.all_gather
// SP: return

// Context parallel: each rank has a run of the queries, which see all keys and
// values. What a query sees does not depend on its number in the run.
// CP-LABEL: func.func @main
// CP-SAME: tensor<1x?x32xf32, #onnx.dims<_, "tokens ceildiv 2", _>>
// CP: onnx.LessOrEqual
// CP-COUNT-2: dist.all_gather {{.*}} axes ["cp"] dim 1
// CP: onnx.Attention{{.*}}is_causal = 0 : i64{{.*}} -> (tensor<1x?x32xf32, #onnx.dims<_, "tokens ceildiv 2", _>>
// CP-NOT: dist.all_gather
// CP-NOT: dist.all_reduce
// CP: return

// RANKS: error: sp=2 shares the ranks of tp, which is 4: give sp=4 or tp=2
module {
  onnx.weight @norm : tensor<32xf32> = #onnx.external<"w.bin", offset = 0, length = 128>
  onnx.weight @wq : tensor<32x32xf32> = #onnx.external<"w.bin", offset = 0, length = 4096>
  onnx.weight @wk : tensor<32x32xf32> = #onnx.external<"w.bin", offset = 4096, length = 4096>
  onnx.weight @wv : tensor<32x32xf32> = #onnx.external<"w.bin", offset = 8192, length = 4096>
  onnx.weight @wo : tensor<32x32xf32> = #onnx.external<"w.bin", offset = 12288, length = 4096>
  func.func @main(%ids: tensor<1x?xi64, #onnx.dims<_, "tokens">> {onnx.name = "ids"},
                  %x: tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>> {onnx.name = "x"})
      -> (tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>> {onnx.name = "y"}) {
    %none = onnx.none
    %norm = onnx.use @norm : tensor<32xf32>
    %wq = onnx.use @wq : tensor<32x32xf32>
    %wk = onnx.use @wk : tensor<32x32xf32>
    %wv = onnx.use @wv : tensor<32x32xf32>
    %wo = onnx.use @wo : tensor<32x32xf32>
    %n = onnx.RMSNormalization(%x, %norm) {axis = -1 : i64, epsilon = 1.0e-06 : f32, stash_type = 1 : i64} : (tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>, tensor<32xf32>) -> tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>
    %q = onnx.MatMul(%n, %wq) : (tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>, tensor<32x32xf32>) -> tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>
    %k = onnx.MatMul(%n, %wk) : (tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>, tensor<32x32xf32>) -> tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>
    %v = onnx.MatMul(%n, %wv) : (tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>, tensor<32x32xf32>) -> tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>
    %a, %pk, %pv, %qk = onnx.Attention(%q, %k, %v, %none, %none, %none, %none) {is_causal = 1 : i64, kv_num_heads = 2 : i64, q_num_heads = 2 : i64, qk_matmul_output_mode = 0 : i64, softcap = 0.0 : f32}
        : (tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>, tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>, tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>, none, none, none, none)
        -> (tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>, none, none, none)
    %o = onnx.MatMul(%a, %wo) : (tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>, tensor<32x32xf32>) -> tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>
    %y = onnx.Add(%x, %o) : (tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>, tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>) -> tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>
    return %y : tensor<1x?x32xf32, #onnx.dims<_, "tokens", _>>
  }
}
