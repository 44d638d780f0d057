// What a block sends, and nothing else.
// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-plan{parallel=tp=2},dist-propagate,dist-partition,dist-merge-collectives,dist-verify-partitioned)' | FileCheck %s --check-prefix=TP
// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-plan{parallel=tp=2,sp=2},dist-propagate,dist-partition,dist-merge-collectives,dist-verify-partitioned)' | FileCheck %s --check-prefix=SP
// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-plan{parallel=cp=2},dist-propagate,dist-partition,dist-merge-collectives,dist-verify-partitioned)' | FileCheck %s --check-prefix=CP

// A feed-forward block. tp: the rows' sum. sp: the tokens come together before the
// columns and go apart with the rows' sum. cp: nothing.
// TP-LABEL: func.func @main
// TP-NOT: dist.{{all|reduce|slice|permute}}
// TP: onnx.MatMul({{.*}} -> tensor<1x8x64xf32>
// TP-NOT: dist.{{all|reduce|slice|permute}}
// TP: onnx.MatMul({{.*}} -> tensor<1x8x32xf32>
// TP-NEXT: dist.all_reduce
// TP-NOT: dist.{{all|reduce|slice|permute}}
// TP: return
// SP-LABEL: func.func @main
// SP-NOT: dist.{{all|reduce|slice|permute}}
// SP: onnx.RMSNormalization({{.*}} -> tensor<1x4x32xf32>
// SP-NEXT: dist.all_gather {{.*}} dim 1
// SP-NOT: dist.{{all|reduce|slice|permute}}
// SP: onnx.MatMul({{.*}} -> tensor<1x8x32xf32>
// SP-NEXT: dist.reduce_scatter {{.*}} dim 1
// SP-NOT: dist.{{all|reduce|slice|permute}}
// SP: return
// CP-LABEL: func.func @main
// CP-NOT: dist.{{all|reduce|slice|permute}}
// CP: return
module {
  onnx.weight @norm : tensor<32xf32> = #onnx.external<"w.bin", offset = 0, length = 128>
  onnx.weight @up : tensor<32x128xf32> = #onnx.external<"w.bin", offset = 0, length = 16384>
  onnx.weight @down : tensor<128x32xf32> = #onnx.external<"w.bin", offset = 0, length = 16384>
  func.func @main(%ids: tensor<1x8xi64> {onnx.name = "ids"}, %x: tensor<1x8x32xf32> {onnx.name = "x"})
      -> (tensor<1x8x32xf32> {onnx.name = "y"}) {
    %norm = onnx.use @norm : tensor<32xf32>
    %up = onnx.use @up : tensor<32x128xf32>
    %down = onnx.use @down : tensor<128x32xf32>
    %n = onnx.RMSNormalization(%x, %norm) {axis = -1 : i64, epsilon = 1.0e-06 : f32, stash_type = 1 : i64} : (tensor<1x8x32xf32>, tensor<32xf32>) -> tensor<1x8x32xf32>
    %u = onnx.MatMul(%n, %up) : (tensor<1x8x32xf32>, tensor<32x128xf32>) -> tensor<1x8x128xf32>
    %g = onnx.Sigmoid(%u) : (tensor<1x8x128xf32>) -> tensor<1x8x128xf32>
    %h = onnx.Mul(%u, %g) : (tensor<1x8x128xf32>, tensor<1x8x128xf32>) -> tensor<1x8x128xf32>
    %d = onnx.MatMul(%h, %down) : (tensor<1x8x128xf32>, tensor<128x32xf32>) -> tensor<1x8x32xf32>
    %y = onnx.Add(%x, %d) : (tensor<1x8x32xf32>, tensor<1x8x32xf32>) -> tensor<1x8x32xf32>
    return %y : tensor<1x8x32xf32>
  }
}

// -----

// An attention block: the same; under cp the keys and the values of all tokens.
// TP-LABEL: func.func @main
// TP-NOT: dist.{{all|reduce|slice|permute}}
// TP: onnx.Attention(
// TP-NOT: dist.{{all|reduce|slice|permute}}
// TP: onnx.MatMul({{.*}} -> tensor<1x8x32xf32>
// TP-NEXT: dist.all_reduce
// TP-NOT: dist.{{all|reduce|slice|permute}}
// TP: return
// SP-LABEL: func.func @main
// SP-NOT: dist.{{all|reduce|slice|permute}}
// SP: onnx.RMSNormalization({{.*}} -> tensor<1x4x32xf32>
// SP-NEXT: dist.all_gather {{.*}} dim 1
// SP-NOT: dist.{{all|reduce|slice|permute}}
// SP: onnx.Attention(
// SP-NOT: dist.{{all|reduce|slice|permute}}
// SP: dist.reduce_scatter {{.*}} dim 1
// SP-NOT: dist.{{all|reduce|slice|permute}}
// SP: return
// CP-LABEL: func.func @main
// CP-COUNT-2: dist.all_gather {{.*}} dim 1
// CP-NOT: dist.{{all|reduce|slice|permute}}
// CP: return
module {
  onnx.weight @norm : tensor<32xf32> = #onnx.external<"w.bin", offset = 0, length = 128>
  onnx.weight @wq : tensor<32x32xf32> = #onnx.external<"w.bin", offset = 0, length = 4096>
  onnx.weight @wk : tensor<32x32xf32> = #onnx.external<"w.bin", offset = 4096, length = 4096>
  onnx.weight @wv : tensor<32x32xf32> = #onnx.external<"w.bin", offset = 8192, length = 4096>
  onnx.weight @wo : tensor<32x32xf32> = #onnx.external<"w.bin", offset = 12288, length = 4096>
  func.func @main(%ids: tensor<1x8xi64> {onnx.name = "ids"}, %x: tensor<1x8x32xf32> {onnx.name = "x"})
      -> (tensor<1x8x32xf32> {onnx.name = "y"}) {
    %none = onnx.none
    %norm = onnx.use @norm : tensor<32xf32>
    %wq = onnx.use @wq : tensor<32x32xf32>
    %wk = onnx.use @wk : tensor<32x32xf32>
    %wv = onnx.use @wv : tensor<32x32xf32>
    %wo = onnx.use @wo : tensor<32x32xf32>
    %n = onnx.RMSNormalization(%x, %norm) {axis = -1 : i64, epsilon = 1.0e-06 : f32, stash_type = 1 : i64} : (tensor<1x8x32xf32>, tensor<32xf32>) -> tensor<1x8x32xf32>
    %q = onnx.MatMul(%n, %wq) : (tensor<1x8x32xf32>, tensor<32x32xf32>) -> tensor<1x8x32xf32>
    %k = onnx.MatMul(%n, %wk) : (tensor<1x8x32xf32>, tensor<32x32xf32>) -> tensor<1x8x32xf32>
    %v = onnx.MatMul(%n, %wv) : (tensor<1x8x32xf32>, tensor<32x32xf32>) -> tensor<1x8x32xf32>
    %a, %pk, %pv, %qk = onnx.Attention(%q, %k, %v, %none, %none, %none, %none) {is_causal = 0 : i64, kv_num_heads = 2 : i64, q_num_heads = 2 : i64, qk_matmul_output_mode = 0 : i64, softcap = 0.0 : f32}
        : (tensor<1x8x32xf32>, tensor<1x8x32xf32>, tensor<1x8x32xf32>, none, none, none, none) -> (tensor<1x8x32xf32>, none, none, none)
    %o = onnx.MatMul(%a, %wo) : (tensor<1x8x32xf32>, tensor<32x32xf32>) -> tensor<1x8x32xf32>
    %y = onnx.Add(%x, %o) : (tensor<1x8x32xf32>, tensor<1x8x32xf32>) -> tensor<1x8x32xf32>
    return %y : tensor<1x8x32xf32>
  }
}

// -----

// A table cut along the vocabulary, and logits: each rank looks up what it has, and
// the rows are added up once; the logits stay cut and nothing is gathered.
// TP-LABEL: func.func @main
// TP-NOT: dist.{{all|reduce|slice|permute}}
// TP: onnx.Gather
// TP: dist.all_reduce
// TP-NOT: dist.{{all|reduce|slice|permute}}
// TP: onnx.MatMul({{.*}} -> tensor<1x8x128xf32>
// TP-NOT: dist.{{all|reduce|slice|permute}}
// TP: return
// SP-LABEL: func.func @main
// SP: onnx.Gather
// SP: dist.reduce_scatter {{.*}} dim 1
// SP: onnx.RMSNormalization({{.*}} -> tensor<1x4x32xf32>
// SP-NEXT: dist.all_gather {{.*}} dim 1
// SP-NOT: dist.{{all|reduce|slice|permute}}
// SP: return
// CP-LABEL: func.func @main
// CP-NOT: dist.{{all|reduce|slice|permute}}
// CP: return
module {
  onnx.weight @table : tensor<256x32xf32> = #onnx.external<"w.bin", offset = 0, length = 32768>
  onnx.weight @norm : tensor<32xf32> = #onnx.external<"w.bin", offset = 0, length = 128>
  onnx.weight @head : tensor<32x256xf32> = #onnx.external<"w.bin", offset = 0, length = 32768>
  func.func @main(%ids: tensor<1x8xi64> {onnx.name = "ids"}) -> (tensor<1x8x256xf32> {onnx.name = "logits"}) {
    %table = onnx.use @table : tensor<256x32xf32>
    %norm = onnx.use @norm : tensor<32xf32>
    %head = onnx.use @head : tensor<32x256xf32>
    %x = onnx.Gather(%table, %ids) {axis = 0 : i64} : (tensor<256x32xf32>, tensor<1x8xi64>) -> tensor<1x8x32xf32>
    %n = onnx.RMSNormalization(%x, %norm) {axis = -1 : i64, epsilon = 1.0e-06 : f32, stash_type = 1 : i64} : (tensor<1x8x32xf32>, tensor<32xf32>) -> tensor<1x8x32xf32>
    %l = onnx.MatMul(%n, %head) : (tensor<1x8x32xf32>, tensor<32x256xf32>) -> tensor<1x8x256xf32>
    return %l : tensor<1x8x256xf32>
  }
}
