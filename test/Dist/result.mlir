// RUN: dougong-opt %s -o /dev/null '-pass-pipeline=builtin.module(dist-plan{parallel=pp=2,tp=2},dist-propagate,dist-partition,dist-stage,dist-print-result)' | FileCheck %s

// Work of one rank, by hand. A layer has two 8x16 matrices of float32; half of
// each is 8 * 8 * 4 bytes. A product of [batch, 8] by [8, 8] is
// 2 * batch * 8 * 8 = 128 * batch flops. The reduction of batch * 8 floats on 2
// ranks sends 2 * 1/2 of 32 * batch bytes.
// CHECK: "elements": "8 * batch"
// CHECK: "kind": "all_reduce"
// CHECK: "node": "down0"
// CHECK: "reduction": "sum"
// CHECK: "code_class": 0
// CHECK: "matmul_flops": "256 * batch"
// CHECK: "matrix_weight_bytes": 512
// The first stage also sends its result on: 32 * batch bytes more.
// CHECK: "sent_bytes": "64 * batch"

// The second stage is the same code over other weights.
// CHECK: "node": "down1"
// CHECK: "code_class": 0
// CHECK: "matrix_weight_bytes": 512
// CHECK: "sent_bytes": "32 * batch"
// CHECK: "ranks": 4
module {
  onnx.weight @up0 : tensor<8x16xf32> = #onnx.external<"w.bin", offset = 0, length = 512>
  onnx.weight @down0 : tensor<16x8xf32> = #onnx.external<"w.bin", offset = 512, length = 512>
  onnx.weight @up1 : tensor<8x16xf32> = #onnx.external<"w.bin", offset = 1024, length = 512>
  onnx.weight @down1 : tensor<16x8xf32> = #onnx.external<"w.bin", offset = 1536, length = 512>
  func.func @main(%x: tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "x"})
      -> (tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "y"}) {
    %u0 = onnx.use @up0 : tensor<8x16xf32>
    %0 = onnx.MatMul(%x, %u0) : (tensor<?x8xf32, #onnx.dims<"batch", _>>, tensor<8x16xf32>)
        -> tensor<?x16xf32, #onnx.dims<"batch", _>> loc("up0")
    %d0 = onnx.use @down0 : tensor<16x8xf32>
    %1 = onnx.MatMul(%0, %d0) : (tensor<?x16xf32, #onnx.dims<"batch", _>>, tensor<16x8xf32>)
        -> tensor<?x8xf32, #onnx.dims<"batch", _>> loc("down0")
    %u1 = onnx.use @up1 : tensor<8x16xf32>
    %2 = onnx.MatMul(%1, %u1) : (tensor<?x8xf32, #onnx.dims<"batch", _>>, tensor<8x16xf32>)
        -> tensor<?x16xf32, #onnx.dims<"batch", _>> loc("up1")
    %d1 = onnx.use @down1 : tensor<16x8xf32>
    %3 = onnx.MatMul(%2, %d1) : (tensor<?x16xf32, #onnx.dims<"batch", _>>, tensor<16x8xf32>)
        -> tensor<?x8xf32, #onnx.dims<"batch", _>> loc("down1")
    return %3 : tensor<?x8xf32, #onnx.dims<"batch", _>>
  }
}
