// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=pp=2,tp=2 state=past=present},dist-propagate,dist-partition,dist-stage,dist-verify-staged)' | FileCheck %s

// CHECK: module attributes {dist.inputs = {{\[}}["x", tensor<4x8xf32>], ["past", tensor<4x8xf32>]{{\]}}
// CHECK-SAME: dist.outputs = {{\[}}["y", tensor<4x8xf32>], ["present", tensor<4x8xf32>]{{\]}}
// CHECK-SAME: dist.states = {{\[}}["past", "present"]{{\]}}
// CHECK: dist.mesh @mesh0 <"tp" = 2> first_rank 0
// CHECK: dist.mesh @mesh1 <"tp" = 2> first_rank 2
// CHECK: dist.stage @stage0 on @mesh0 runs @program0
// CHECK: dist.stage @stage1 on @mesh1 runs @program1
// CHECK: dist.link "x" -> @stage0[0]
// CHECK: dist.link @stage0[0] -> @stage1[1] value "add0"
// CHECK: dist.link @stage1[0] -> "y"
// CHECK: dist.link @stage1[1] -> "present"

// CHECK: module @program0
// CHECK: dist.mesh @mesh <"tp" = 2>
// CHECK: onnx.weight @up0.tp1
// CHECK-NOT: onnx.weight @up1
// CHECK: func.func @main(%{{.*}}: tensor<4x8xf32> {dist.global = tensor<4x8xf32>, dist.sharding = #dist.sharding<@mesh, [{}, {}]>, onnx.name = "x"})
// CHECK: dist.all_reduce %{{.*}} over @mesh axes ["tp"] sum
// CHECK: module @program1
// CHECK: onnx.weight @up1.tp1
// CHECK: func.func @main
// CHECK-SAME: onnx.name = "add0#0"
module {
  onnx.weight @up0 : tensor<8x16xf32> = #onnx.external<"w.bin", offset = 0, length = 512>
  onnx.weight @down0 : tensor<16x8xf32> = #onnx.external<"w.bin", offset = 512, length = 512>
  onnx.weight @up1 : tensor<8x16xf32> = #onnx.external<"w.bin", offset = 1024, length = 512>
  onnx.weight @down1 : tensor<16x8xf32> = #onnx.external<"w.bin", offset = 1536, length = 512>
  func.func @main(%x: tensor<4x8xf32> {onnx.name = "x"}, %past: tensor<4x8xf32> {onnx.name = "past"})
      -> (tensor<4x8xf32> {onnx.name = "y"}, tensor<4x8xf32> {onnx.name = "present"}) {
    %u0 = onnx.use @up0 : tensor<8x16xf32>
    %0 = onnx.MatMul(%x, %u0) : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32> loc("up0")
    %d0 = onnx.use @down0 : tensor<16x8xf32>
    %1 = onnx.MatMul(%0, %d0) : (tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32> loc("down0")
    %2 = onnx.Add(%x, %1) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> loc("add0")
    %u1 = onnx.use @up1 : tensor<8x16xf32>
    %3 = onnx.MatMul(%2, %u1) : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32> loc("up1")
    %d1 = onnx.use @down1 : tensor<16x8xf32>
    %4 = onnx.MatMul(%3, %d1) : (tensor<4x16xf32>, tensor<16x8xf32>) -> tensor<4x8xf32> loc("down1")
    %5 = onnx.Add(%past, %4) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> loc("add1")
    return %4, %5 : tensor<4x8xf32>, tensor<4x8xf32>
  }
}
