// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-propagate,dist-verify-propagated)' | FileCheck %s

// Forward along the cut, partial after the row.
// CHECK-LABEL: func.func @main
// CHECK: onnx.MatMul
// CHECK-SAME: dist.in = [#dist.sharding<@m, [{}, {}]>, #dist.sharding<@m, [{}, {"tp"}]>]
// CHECK-SAME: dist.out = [#dist.sharding<@m, [{}, {"tp"}]>]
// CHECK: onnx.MatMul
// CHECK-SAME: dist.in = [#dist.sharding<@m, [{}, {"tp"}]>, #dist.sharding<@m, [{"tp"}, {}]>]
// CHECK-SAME: dist.out = [#dist.sharding<@m, [{}, {}], partial ["tp" sum]>]
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  onnx.weight @up : tensor<8x16xf32> = #onnx.external<"w.bin", offset = 0, length = 512>
  onnx.weight @down : tensor<16x8xf32> = #onnx.external<"w.bin", offset = 512, length = 512>
  func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
    %up = onnx.use @up : tensor<8x16xf32>
    %h = onnx.MatMul(%x, %up) {dist.in = [unit, #dist.sharding<@m, [{}, {"tp"}]>]}
        : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
    %down = onnx.use @down : tensor<16x8xf32>
    %y = onnx.MatMul(%h, %down) : (tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32>
    return %y : tensor<4x8xf32>
  }
}

// -----

// Backward from attention: queries are cut at the borders of key-value heads
// (8 query heads of 16 in groups of 2: 32 elements stay together).
// CHECK-LABEL: func.func @main
// CHECK-SAME: dist.sharding = #dist.sharding<@m, [{}, {}, {"tp" : unit 32}]>
// CHECK-SAME: dist.sharding = #dist.sharding<@m, [{}, {}, {"tp" : unit 16}]>
// CHECK-SAME: dist.sharding = #dist.sharding<@m, [{}, {}, {"tp" : unit 16}]>
// CHECK: onnx.Relu
// CHECK-SAME: dist.out = [#dist.sharding<@m, [{}, {}, {"tp" : unit 32}]>]
// CHECK: onnx.Attention
// CHECK-SAME: dist.out = [#dist.sharding<@m, [{}, {}, {"tp" : unit 32}]>, unit, unit, unit]
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%q: tensor<2x5x128xf32>, %k: tensor<2x5x64xf32>, %v: tensor<2x5x64xf32>)
      -> tensor<2x5x128xf32> {
    %none = onnx.none
    %r = onnx.Relu(%q) : (tensor<2x5x128xf32>) -> tensor<2x5x128xf32>
    %y, %0, %1, %2 = onnx.Attention(%r, %k, %v, %none, %none, %none, %none)
        {dist.in = [unit, #dist.sharding<@m, [{}, {}, {"tp"}]>, unit, unit, unit, unit, unit],
         is_causal = 1 : i64, q_num_heads = 8 : i64, kv_num_heads = 4 : i64}
        : (tensor<2x5x128xf32>, tensor<2x5x64xf32>, tensor<2x5x64xf32>, none, none, none, none)
        -> (tensor<2x5x128xf32>, none, none, none)
    return %y : tensor<2x5x128xf32>
  }
}

// -----

// Heads are split off and merged by reshapes; the units follow. A softmax over
// the cut dim needs it whole, and nothing spreads beyond it.
// CHECK-LABEL: func.func @main
// CHECK: onnx.Reshape
// CHECK-SAME: dist.in = [#dist.sharding<@m, [{}, {"tp" : unit 8}]>, #dist.sharding<@m, [{}]>]
// CHECK-SAME: dist.out = [#dist.sharding<@m, [{}, {"tp"}, {}]>]
// CHECK: onnx.Transpose
// CHECK-SAME: dist.out = [#dist.sharding<@m, [{"tp"}, {}, {}]>]
// CHECK: onnx.Softmax
// CHECK-SAME: dist.in = [#dist.sharding<@m, [{}, {}, {}]>]
module {
  dist.mesh @m <"tp" = 3>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<4x24xf32>) -> tensor<3x4x8xf32> {
    %shape = onnx.Constant() {value = dense<[4, 3, 8]> : tensor<3xi64>} : () -> tensor<3xi64>
    %h = onnx.Reshape(%x, %shape) {dist.in = [#dist.sharding<@m, [{}, {"tp"}]>, unit]}
        : (tensor<4x24xf32>, tensor<3xi64>) -> tensor<4x3x8xf32>
    %t = onnx.Transpose(%h) {perm = array<i64: 1, 0, 2>} : (tensor<4x3x8xf32>) -> tensor<3x4x8xf32>
    %s = onnx.Softmax(%t) {axis = 0 : i64} : (tensor<3x4x8xf32>) -> tensor<3x4x8xf32>
    return %s : tensor<3x4x8xf32>
  }
}

// -----

// Both ends of a state get one sharding.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %{{.*}}: tensor<4x8xf32> {dist.sharding = #dist.sharding<@m, [{}, {"tp"}]>, onnx.name = "past"}
module attributes {dist.states = [["past", "present"]]} {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%past: tensor<4x8xf32> {onnx.name = "past"}, %x: tensor<4x8xf32> {onnx.name = "x"})
      -> (tensor<4x8xf32> {onnx.name = "present"}, tensor<4x8xf32> {onnx.name = "y"}) {
    %present = onnx.Relu(%x) {dist.in = [#dist.sharding<@m, [{}, {"tp"}]>]} : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %y = onnx.Softmax(%past) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
    return %present, %y : tensor<4x8xf32>, tensor<4x8xf32>
  }
}
