// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-propagate,dist-partition,dist-verify-partitioned)' | FileCheck %s

// Axes of one dim change places: ranks exchange what they have.
// CHECK-LABEL: func.func @main
// CHECK: onnx.Relu
// CHECK-NEXT: dist.permute %{{.*}} over @m axes ["b", "a"] from ["a", "b"] {{.*}}: tensor<2x4xf32>
// CHECK-NEXT: onnx.Exp
module {
  dist.mesh @m <"a" = 2, "b" = 3>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<12x4xf32> {onnx.name = "x"}) -> (tensor<12x4xf32> {onnx.name = "y"}) {
    %0 = onnx.Relu(%x) {dist.in = [#dist.sharding<@m, [{"a", "b"}, {}]>]} : (tensor<12x4xf32>) -> tensor<12x4xf32>
    %1 = onnx.Exp(%0) {dist.in = [#dist.sharding<@m, [{"b", "a"}, {}]>]} : (tensor<12x4xf32>) -> tensor<12x4xf32>
    return %1 : tensor<12x4xf32>
  }
}

// -----

// The minor axis goes: parts of one major part are joined, nothing else moves.
// CHECK-LABEL: func.func @main
// CHECK: onnx.Relu
// CHECK-NEXT: dist.all_gather %{{.*}} over @m axes ["b"] dim 0 unit 1 {{.*}}: tensor<2x4xf32> -> tensor<6x4xf32>
// CHECK-NEXT: onnx.Exp
module {
  dist.mesh @m <"a" = 2, "b" = 3>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<12x4xf32> {onnx.name = "x"}) -> (tensor<12x4xf32> {onnx.name = "y"}) {
    %0 = onnx.Relu(%x) {dist.closed, dist.in = [#dist.sharding<@m, [{"a", "b"}, {}]>]} : (tensor<12x4xf32>) -> tensor<12x4xf32>
    %1 = onnx.Exp(%0) {dist.closed, dist.in = [#dist.sharding<@m, [{"a"}, {}]>]} : (tensor<12x4xf32>) -> tensor<12x4xf32>
    return %1 : tensor<12x4xf32>
  }
}

// -----

// The major axis goes: 1 part to exchange and 1 to gather, of 6. To gather all
// would be 5.
// CHECK-LABEL: func.func @main
// CHECK: onnx.Relu
// CHECK-NEXT: dist.permute %{{.*}} over @m axes ["b", "a"] from ["a", "b"]
// CHECK-NEXT: dist.all_gather %{{.*}} over @m axes ["a"] dim 0 unit 1 {{.*}}: tensor<2x4xf32> -> tensor<4x4xf32>
// CHECK-NEXT: onnx.Exp
module {
  dist.mesh @m <"a" = 2, "b" = 3>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<12x4xf32> {onnx.name = "x"}) -> (tensor<12x4xf32> {onnx.name = "y"}) {
    %0 = onnx.Relu(%x) {dist.in = [#dist.sharding<@m, [{"a", "b"}, {}]>]} : (tensor<12x4xf32>) -> tensor<12x4xf32>
    %1 = onnx.Exp(%0) {dist.in = [#dist.sharding<@m, [{"b"}, {}]>]} : (tensor<12x4xf32>) -> tensor<12x4xf32>
    return %1 : tensor<12x4xf32>
  }
}

// -----

// To a dim that is cut already: a part of what a rank has of it.
// CHECK-LABEL: func.func @main
// CHECK: dist.all_to_all %{{.*}} over @m axes ["a"] split 1 unit 1 concat 0 unit 1 {{.*}}: tensor<6x2xf32> -> tensor<12x1xf32>
module {
  dist.mesh @m <"a" = 2, "b" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<12x4xf32> {onnx.name = "x"}) -> (tensor<12x4xf32> {onnx.name = "y"}) {
    %0 = onnx.Relu(%x) {dist.in = [#dist.sharding<@m, [{"a"}, {"b"}]>]} : (tensor<12x4xf32>) -> tensor<12x4xf32>
    %1 = onnx.Exp(%0) {dist.in = [#dist.sharding<@m, [{}, {"b", "a"}]>]} : (tensor<12x4xf32>) -> tensor<12x4xf32>
    return %1 : tensor<12x4xf32>
  }
}

// -----

// One user wants a sum cut, another one whole: it is added up once, and cut.
// CHECK-LABEL: func.func @main
// CHECK: %[[P:.*]] = onnx.MatMul
// CHECK: %[[S:.*]] = dist.all_reduce %[[P]] over @m axes ["tp"] sum
// CHECK: dist.slice %[[S]] over @m axes ["tp"] dim 0 unit 1
// CHECK-NOT: dist.all_gather
// CHECK-NOT: dist.all_reduce
// CHECK: return
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<4x8xf32> {onnx.name = "x"}, %w: tensor<8x6xf32> {onnx.name = "w"})
      -> (tensor<4x6xf32> {onnx.name = "y"}, tensor<4x6xf32> {onnx.name = "z"}) {
    %0 = onnx.MatMul(%x, %w) {dist.in = [#dist.sharding<@m, [{}, {"tp"}]>, unit]} : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
    %1 = onnx.Exp(%0) {dist.in = [#dist.sharding<@m, [{"tp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
    %2 = onnx.Softmax(%0) {axis = 0 : i64} : (tensor<4x6xf32>) -> tensor<4x6xf32>
    return %1, %2 : tensor<4x6xf32>, tensor<4x6xf32>
  }
}

// -----

// One user wants the other dim cut, one the whole: it is gathered once.
// CHECK-LABEL: func.func @main
// CHECK: dist.all_gather %{{.*}} over @m axes ["tp"] dim 0
// CHECK: dist.slice %{{.*}} over @m axes ["tp"] dim 1
// CHECK-NOT: dist.all_to_all
// CHECK-NOT: dist.all_gather
// CHECK: return
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<4x6xf32> {onnx.name = "x"})
      -> (tensor<4x6xf32> {onnx.name = "y"}, tensor<4x6xf32> {onnx.name = "z"}) {
    %0 = onnx.Relu(%x) {dist.in = [#dist.sharding<@m, [{"tp"}, {}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
    %1 = onnx.Exp(%0) {dist.in = [#dist.sharding<@m, [{}, {"tp"}]>]} : (tensor<4x6xf32>) -> tensor<4x6xf32>
    %2 = onnx.Softmax(%0) {axis = 0 : i64} : (tensor<4x6xf32>) -> tensor<4x6xf32>
    return %1, %2 : tensor<4x6xf32>, tensor<4x6xf32>
  }
}
