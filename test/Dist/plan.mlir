// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-plan{parallel=tp=2,dp=2})' | FileCheck %s
// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-plan)' | FileCheck %s --check-prefix=ONE
// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-plan{parallel=pp=2})' | FileCheck %s --check-prefix=PP

// Column, then row; only the column needs a directive: the row follows from it.
// CHECK: dist.mesh @mesh0 <"dp" = 2, "tp" = 2>
// CHECK: dist.stage @stage0 on @mesh0
// CHECK-LABEL: func.func @main
// CHECK-SAME: dist.sharding = #dist.sharding<@mesh0, [{"dp"}, {}]>
// CHECK: onnx.MatMul({{.*}}) {dist.in = [unit, #dist.sharding<@mesh0, [{}, {"tp"}]>], dist.stage = 0 : i64}
// CHECK: onnx.Relu({{.*}}) {dist.stage = 0 : i64}
// CHECK: onnx.MatMul({{.*}}) {dist.stage = 0 : i64}

// One rank takes the same path.
// ONE: dist.mesh @mesh0 <>
// ONE: dist.stage @stage0 on @mesh0
// ONE-LABEL: func.func @main
// ONE-NOT: dist.in
// ONE: onnx.MatMul({{.*}}) {dist.stage = 0 : i64}

// Two stages of equal weight.
// PP: dist.mesh @mesh0 <>
// PP: dist.mesh @mesh1 <>
// PP: dist.stage @stage0 on @mesh0 nodes ["up", "up"]
// PP: dist.stage @stage1 on @mesh1 nodes ["act", "down"]
// PP: onnx.MatMul({{.*}}) {dist.stage = 0 : i64}
// PP: onnx.Relu({{.*}}) {dist.stage = 1 : i64}
// PP: onnx.MatMul({{.*}}) {dist.stage = 1 : i64}
module {
  onnx.weight @up : tensor<8x16xf32> = #onnx.external<"w.bin", offset = 0, length = 512>
  onnx.weight @down : tensor<16x8xf32> = #onnx.external<"w.bin", offset = 512, length = 512>
  func.func @main(%x: tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "x"})
      -> (tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "y"}) {
    %up = onnx.use @up : tensor<8x16xf32>
    %h = onnx.MatMul(%x, %up) : (tensor<?x8xf32, #onnx.dims<"batch", _>>, tensor<8x16xf32>)
        -> tensor<?x16xf32, #onnx.dims<"batch", _>> loc("up")
    %a = onnx.Relu(%h) : (tensor<?x16xf32, #onnx.dims<"batch", _>>)
        -> tensor<?x16xf32, #onnx.dims<"batch", _>> loc("act")
    %down = onnx.use @down : tensor<16x8xf32>
    %y = onnx.MatMul(%a, %down) : (tensor<?x16xf32, #onnx.dims<"batch", _>>, tensor<16x8xf32>)
        -> tensor<?x8xf32, #onnx.dims<"batch", _>> loc("down")
    return %y : tensor<?x8xf32, #onnx.dims<"batch", _>>
  }
}

// -----

// A router is not cut, and says why; a table is cut along its rows.
// CHECK-LABEL: func.func @main
// CHECK: onnx.Gather({{.*}}) {axis = 0 : i64, dist.in = [#dist.sharding<@mesh0, [{"tp"}, {}]>, unit]
// CHECK: onnx.MatMul({{.*}}) {dist.replicated = "the router decides for all experts on every rank"
module {
  onnx.weight @table : tensor<256x64xf32> = #onnx.external<"w.bin", offset = 0, length = 65536>
  onnx.weight @gate : tensor<64x4xf32> = #onnx.external<"w.bin", offset = 65536, length = 1024>
  func.func @main(%ids: tensor<2x3xi64> {onnx.name = "ids"})
      -> (tensor<2x3x2xf32> {onnx.name = "values"}, tensor<2x3x2xi64> {onnx.name = "experts"}) {
    %table = onnx.use @table : tensor<256x64xf32>
    %x = onnx.Gather(%table, %ids) {axis = 0 : i64} : (tensor<256x64xf32>, tensor<2x3xi64>)
        -> tensor<2x3x64xf32>
    %gate = onnx.use @gate : tensor<64x4xf32>
    %r = onnx.MatMul(%x, %gate) : (tensor<2x3x64xf32>, tensor<64x4xf32>) -> tensor<2x3x4xf32>
    %s = onnx.Softmax(%r) {axis = -1 : i64} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
    %k = onnx.Constant() {value = dense<2> : tensor<1xi64>} : () -> tensor<1xi64>
    %v, %i = onnx.TopK(%s, %k) {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64}
        : (tensor<2x3x4xf32>, tensor<1xi64>) -> (tensor<2x3x2xf32>, tensor<2x3x2xi64>)
    return %v, %i : tensor<2x3x2xf32>, tensor<2x3x2xi64>
  }
}
