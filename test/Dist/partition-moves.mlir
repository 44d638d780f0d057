// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-propagate,dist-partition,dist-verify-partitioned)' | FileCheck %s

// A softmax over the cut dim: gathered before, cut again after (the other dim
// would do as well, but the next op was told which).
// CHECK-LABEL: func.func @main
// CHECK: onnx.Relu{{.*}} -> tensor<4x6xf32>
// CHECK: dist.all_gather %{{.*}} over @m axes ["tp"] dim 1 unit 1 {{.*}}: tensor<4x6xf32> -> tensor<4x11xf32>
// CHECK: onnx.Softmax{{.*}} -> tensor<4x11xf32>
// CHECK: dist.slice %{{.*}} over @m axes ["tp"] dim 1 unit 1 {{.*}}: tensor<4x11xf32> -> tensor<4x6xf32>
// CHECK: onnx.Exp
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<4x11xf32> {onnx.name = "x"}) -> (tensor<4x11xf32> {onnx.name = "y"}) {
    %0 = onnx.Relu(%x) {dist.in = [#dist.sharding<@m, [{}, {"tp"}]>]} : (tensor<4x11xf32>) -> tensor<4x11xf32>
    %1 = onnx.Softmax(%0) {axis = 1 : i64} : (tensor<4x11xf32>) -> tensor<4x11xf32>
    %2 = onnx.Exp(%1) {dist.in = [#dist.sharding<@m, [{}, {"tp"}]>]} : (tensor<4x11xf32>) -> tensor<4x11xf32>
    return %2 : tensor<4x11xf32>
  }
}

// -----

// From one dim to another: one all-to-all.
// CHECK-LABEL: func.func @main
// CHECK: dist.all_to_all %{{.*}} over @m axes ["tp"] split 0 unit 1 concat 1 unit 1 {{.*}}: tensor<4x4xf32> -> tensor<2x8xf32>
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<4x8xf32> {onnx.name = "x"}) -> (tensor<4x8xf32> {onnx.name = "y"}) {
    %0 = onnx.Relu(%x) {dist.in = [#dist.sharding<@m, [{}, {"tp"}]>]} : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %1 = onnx.Exp(%0) {dist.in = [#dist.sharding<@m, [{"tp"}, {}]>]} : (tensor<4x8xf32>) -> tensor<4x8xf32>
    return %1 : tensor<4x8xf32>
  }
}

// -----

// exp(0) = 1: the padding must be masked before it is added up. It is element p
// of the rank's part if p >= 7 - rank * 4.
// CHECK-LABEL: func.func @main
// CHECK: %[[E:.*]] = onnx.Exp{{.*}} -> tensor<4xf32>
// CHECK: %[[I:.*]] = dist.axis_index over @m axes ["tp"]
// CHECK: %[[FOUR:.*]] = onnx.Constant() {{.*}}dense<4>
// CHECK: %[[START:.*]] = onnx.Mul(%[[I]], %[[FOUR]])
// CHECK: %[[SEVEN:.*]] = onnx.Constant() {{.*}}dense<7>
// CHECK: %[[LIMIT:.*]] = onnx.Sub(%[[SEVEN]], %[[START]])
// CHECK: %[[P:.*]] = onnx.Range
// CHECK: %[[VALID:.*]] = onnx.Less(%[[P]], %[[LIMIT]])
// CHECK: %[[MASKED:.*]] = onnx.Where(%[[VALID]], %[[E]], %{{.*}})
// CHECK: %[[S:.*]] = onnx.ReduceSum(%[[MASKED]]
// CHECK: dist.all_reduce %[[S]] over @m axes ["tp"] sum
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<7xf32> {onnx.name = "x"}) -> (tensor<1xf32> {onnx.name = "y"}) {
    %none = onnx.none
    %0 = onnx.Exp(%x) {dist.in = [#dist.sharding<@m, [{"tp"}]>]} : (tensor<7xf32>) -> tensor<7xf32>
    %1 = onnx.ReduceSum(%0, %none) {keepdims = 1 : i64, noop_with_empty_axes = 0 : i64}
        : (tensor<7xf32>, none) -> tensor<1xf32>
    return %1 : tensor<1xf32>
  }
}

// -----

// relu(0) = 0: no mask for a sum, but a maximum of negative numbers needs one.
// CHECK-LABEL: func.func @main
// CHECK: %[[R:.*]] = onnx.Relu
// CHECK: %[[S:.*]] = onnx.ReduceSum(%[[R]],
// CHECK: %[[MASKED:.*]] = onnx.Where({{.*}}, %[[R]], %{{.*}})
// CHECK: %[[M:.*]] = onnx.ReduceMax(%[[MASKED]],
// CHECK-DAG: dist.all_reduce %[[M]] over @m axes ["tp"] max
// CHECK-DAG: dist.all_reduce %[[S]] over @m axes ["tp"] sum
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<7xf32> {onnx.name = "x"})
      -> (tensor<1xf32> {onnx.name = "s"}, tensor<1xf32> {onnx.name = "m"}) {
    %none = onnx.none
    %0 = onnx.Relu(%x) {dist.in = [#dist.sharding<@m, [{"tp"}]>]} : (tensor<7xf32>) -> tensor<7xf32>
    %s = onnx.ReduceSum(%0, %none) {keepdims = 1 : i64, noop_with_empty_axes = 0 : i64}
        : (tensor<7xf32>, none) -> tensor<1xf32>
    %m = onnx.ReduceMax(%0, %none) {keepdims = 1 : i64, noop_with_empty_axes = 0 : i64}
        : (tensor<7xf32>, none) -> tensor<1xf32>
    return %s, %m : tensor<1xf32>, tensor<1xf32>
  }
}

// -----

// Only the first rank adds the bias of a row-parallel Gemm.
// CHECK-LABEL: func.func @main
// CHECK: %[[I:.*]] = dist.axis_index over @m axes ["tp"]
// CHECK: %[[FIRST:.*]] = onnx.Equal(%[[I]], %{{.*}})
// CHECK: %[[C:.*]] = onnx.Where(%[[FIRST]], %{{.*}}, %{{.*}})
// CHECK: onnx.Gemm(%{{.*}}, %{{.*}}, %[[C]])
// CHECK: dist.all_reduce
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<2x8xf32> {onnx.name = "x"}, %w: tensor<8x4xf32> {onnx.name = "w"},
                  %c: tensor<4xf32> {onnx.name = "c"}) -> (tensor<2x4xf32> {onnx.name = "y"}) {
    %y = onnx.Gemm(%x, %w, %c) {alpha = 1.0 : f32, beta = 1.0 : f32, transA = 0 : i64, transB = 0 : i64,
         dist.in = [#dist.sharding<@m, [{}, {"tp"}]>, unit, unit]}
        : (tensor<2x8xf32>, tensor<8x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
    return %y : tensor<2x4xf32>
  }
}

// -----

// The batch is cut; an op that needs its whole extent gets a whole copy of an
// input, for a program knows its inputs' extents only.
// CHECK-LABEL: func.func @main
// CHECK-SAME: tensor<?x4xf32, #onnx.dims<"batch ceildiv 2", _>>
// CHECK-SAME: tensor<?x4xf32, #onnx.dims<"batch", _>>
// CHECK: onnx.dims_tensor ["batch"]
module {
  dist.mesh @m <"dp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<?x4xf32, #onnx.dims<"batch", _>> {onnx.name = "x",
                      dist.sharding = #dist.sharding<@m, [{"dp"}, {}]>})
      -> (tensor<?x4xf32, #onnx.dims<"batch", _>> {onnx.name = "y"},
          tensor<?xi64, #onnx.dims<"batch">> {onnx.name = "n"}) {
    %y = onnx.Relu(%x) : (tensor<?x4xf32, #onnx.dims<"batch", _>>) -> tensor<?x4xf32, #onnx.dims<"batch", _>>
    %zero = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
    %one = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
    %limit = onnx.dims_tensor ["batch"] : tensor<i64>
    %n = onnx.Range(%zero, %limit, %one) : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64, #onnx.dims<"batch">>
    return %y, %n : tensor<?x4xf32, #onnx.dims<"batch", _>>, tensor<?xi64, #onnx.dims<"batch">>
  }
}

// -----

// The parts of a sum are added up first, and reduced once.
// CHECK-LABEL: func.func @main
// CHECK-NOT: dist.all_reduce
// CHECK: %[[SUM:.*]] = onnx.Add
// CHECK-NEXT: %[[R:.*]] = dist.all_reduce %[[SUM]]
// CHECK-NEXT: onnx.Add(%{{.*}}, %[[R]])
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  onnx.weight @a : tensor<8x4xf32> = #onnx.external<"w.bin", offset = 0, length = 128>
  onnx.weight @b : tensor<8x4xf32> = #onnx.external<"w.bin", offset = 128, length = 128>
  func.func @main(%h: tensor<2x8xf32> {onnx.name = "h", dist.sharding = #dist.sharding<@m, [{}, {"tp"}]>},
                  %x: tensor<2x4xf32> {onnx.name = "x"}) -> (tensor<2x4xf32> {onnx.name = "y"}) {
    %r = onnx.Relu(%h) : (tensor<2x8xf32>) -> tensor<2x8xf32>
    %wa = onnx.use @a : tensor<8x4xf32>
    %0 = onnx.MatMul(%r, %wa) : (tensor<2x8xf32>, tensor<8x4xf32>) -> tensor<2x4xf32>
    %wb = onnx.use @b : tensor<8x4xf32>
    %1 = onnx.MatMul(%r, %wb) : (tensor<2x8xf32>, tensor<8x4xf32>) -> tensor<2x4xf32>
    %two = onnx.Constant() {value = dense<2.0> : tensor<f32>} : () -> tensor<f32>
    %2 = onnx.Mul(%1, %two) : (tensor<2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %3 = onnx.Add(%0, %2) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    %y = onnx.Add(%x, %3) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    return %y : tensor<2x4xf32>
  }
}

// -----

// A dim of which each rank holds 1 is not one that Squeeze drops.
// CHECK-LABEL: func.func @main
// CHECK: %[[AXES:.*]] = onnx.Constant() {{.*}}dense<[0, 1]> : tensor<2xi64>
// CHECK: onnx.Squeeze(%{{.*}}, %[[AXES]]) {{.*}} : (tensor<1x1x1xf32>, tensor<2xi64>) -> tensor<1xf32>
module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<1x1x2xf32> {onnx.name = "x"}) -> (tensor<2xf32> {onnx.name = "y"}) {
    %none = onnx.none
    %y = onnx.Squeeze(%x, %none) {dist.in = [#dist.sharding<@m, [{}, {}, {"tp"}]>, unit]}
        : (tensor<1x1x2xf32>, none) -> tensor<2xf32>
    return %y : tensor<2xf32>
  }
}
