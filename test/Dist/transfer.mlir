// RUN: dougong-opt %s -split-input-file '-pass-pipeline=builtin.module(dist-propagate,dist-partition,dist-verify-partitioned)' | FileCheck %s

// One rank has what three want: each is sent a third, and they gather the rest.
// CHECK-LABEL: func.func @main
// CHECK: %[[T:.*]] = dist.transfer %{{.*}} from <@m0, [{}, {}]> to <@m1, [{"tp"}, {}]> of tensor<6x4xf32> {{.*}}: tensor<6x4xf32> -> tensor<2x4xf32>
// CHECK-NEXT: dist.all_gather %[[T]] over @m1 axes ["tp"] dim 0 {{.*}} -> tensor<6x4xf32>
// CHECK-NOT: dist.transfer
// CHECK: return
module {
  dist.mesh @m0 <>
  dist.mesh @m1 <"tp" = 3>
  dist.stage @stage0 on @m0
  dist.stage @stage1 on @m1
  func.func @main(%x: tensor<6x4xf32> {onnx.name = "x"}) -> (tensor<6x4xf32> {onnx.name = "y"}) {
    %0 = onnx.Relu(%x) {dist.stage = 0 : i64} : (tensor<6x4xf32>) -> tensor<6x4xf32>
    %1 = onnx.Softmax(%0) {axis = 0 : i64, dist.stage = 1 : i64} : (tensor<6x4xf32>) -> tensor<6x4xf32>
    return %1 : tensor<6x4xf32>
  }
}

// -----

// As many ranks want it as have it: each is sent all by one.
// CHECK-LABEL: func.func @main
// CHECK: dist.transfer %{{.*}} to <@m1, [{}, {}]> of tensor<6x4xf32> {{.*}}-> tensor<6x4xf32>
// CHECK-NOT: dist.all_gather
// CHECK: return
module {
  dist.mesh @m0 <"tp" = 3>
  dist.mesh @m1 <"tp" = 3>
  dist.stage @stage0 on @m0
  dist.stage @stage1 on @m1
  func.func @main(%x: tensor<6x4xf32> {onnx.name = "x"}) -> (tensor<6x4xf32> {onnx.name = "y"}) {
    %0 = onnx.Relu(%x) {dist.stage = 0 : i64} : (tensor<6x4xf32>) -> tensor<6x4xf32>
    %1 = onnx.Softmax(%0) {axis = 0 : i64, dist.stage = 1 : i64} : (tensor<6x4xf32>) -> tensor<6x4xf32>
    return %1 : tensor<6x4xf32>
  }
}

// -----

// Two ops of a stage want a value cut, and whole: it comes once.
// CHECK-LABEL: func.func @main
// CHECK: %[[T:.*]] = dist.transfer
// CHECK-NOT: dist.transfer
// CHECK: return
module {
  dist.mesh @m0 <"tp" = 2>
  dist.mesh @m1 <"tp" = 2>
  dist.stage @stage0 on @m0
  dist.stage @stage1 on @m1
  func.func @main(%x: tensor<6x4xf32> {onnx.name = "x"})
      -> (tensor<6x4xf32> {onnx.name = "y"}, tensor<6x4xf32> {onnx.name = "z"}) {
    %0 = onnx.Relu(%x) {dist.stage = 0 : i64} : (tensor<6x4xf32>) -> tensor<6x4xf32>
    %1 = onnx.Exp(%0) {dist.stage = 1 : i64, dist.in = [#dist.sharding<@m1, [{"tp"}, {}]>]} : (tensor<6x4xf32>) -> tensor<6x4xf32>
    %2 = onnx.Softmax(%0) {axis = 0 : i64, dist.stage = 1 : i64} : (tensor<6x4xf32>) -> tensor<6x4xf32>
    return %1, %2 : tensor<6x4xf32>, tensor<6x4xf32>
  }
}
