// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{strategy=%S/Inputs/two-stages.yaml},dist-propagate,dist-verify-propagated)' | FileCheck %s

// No input of the model enters the second stage: the batch of what the first one
// gives it is cut all the same, and so is all that follows.
// CHECK: onnx.Relu({{.*}}) {dist.in = [#dist.sharding<@mesh0, [{}, {}]>], {{.*}}dist.stage = 0
// CHECK: onnx.MatMul({{.*}}) {dist.in = [#dist.sharding<@mesh1, [{"dp"}, {}]>, #dist.sharding<@mesh1, [{}, {}]>], dist.out = [#dist.sharding<@mesh1, [{"dp"}, {}]>], dist.stage = 1
// The whole sequence is no batch.
// CHECK: onnx.Tanh({{.*}}) {dist.in = [#dist.sharding<@mesh1, [{}]>]
module {
  onnx.weight @w : tensor<8x8xf32> = #onnx.external<"w.bin", offset = 0, length = 256>
  func.func @main(%x: tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "x"},
                  %s: tensor<?xf32, #onnx.dims<"seq">> {onnx.name = "s"})
      -> (tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "y"}, tensor<?xf32, #onnx.dims<"seq">> {onnx.name = "z"}) {
    %a = onnx.Relu(%x) : (tensor<?x8xf32, #onnx.dims<"batch", _>>) -> tensor<?x8xf32, #onnx.dims<"batch", _>> loc("first/act")
    %b = onnx.Relu(%s) : (tensor<?xf32, #onnx.dims<"seq">>) -> tensor<?xf32, #onnx.dims<"seq">> loc("first/seq")
    %w = onnx.use @w : tensor<8x8xf32>
    %y = onnx.MatMul(%a, %w) : (tensor<?x8xf32, #onnx.dims<"batch", _>>, tensor<8x8xf32>) -> tensor<?x8xf32, #onnx.dims<"batch", _>> loc("second/up")
    %z = onnx.Tanh(%b) : (tensor<?xf32, #onnx.dims<"seq">>) -> tensor<?xf32, #onnx.dims<"seq">> loc("second/seq")
    return %y, %z : tensor<?x8xf32, #onnx.dims<"batch", _>>, tensor<?xf32, #onnx.dims<"seq">>
  }
}
