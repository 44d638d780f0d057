// RUN: dougong-opt %s | dougong-opt | FileCheck %s
// Round trip of every op and attribute of the dialect.

// CHECK: dist.mesh @m0 <"dp" = 2, "tp" = 4> on @site::@ascend first_rank 8
dist.mesh @m0 <"dp" = 2, "tp" = 4> on @site::@ascend first_rank 8
// CHECK: dist.mesh @m1 <"tp" = 2>
dist.mesh @m1 <"tp" = 2>
// CHECK: dist.mesh @one <>
dist.mesh @one <>

// CHECK: dist.stage @stage0 on @m0 runs @program0 nodes ["embed/Gather", "layers.1/Add"]
dist.stage @stage0 on @m0 runs @program0 nodes ["embed/Gather", "layers.1/Add"]
// CHECK: dist.stage @stage1 on @m1
dist.stage @stage1 on @m1
module @program0 {
}

// CHECK: dist.link "input_ids" -> @stage0[0]
dist.link "input_ids" -> @stage0[0]
// CHECK: dist.link @stage0[0] -> @stage1[2] value "layers.1/Add"
dist.link @stage0[0] -> @stage1[2] value "layers.1/Add"
// CHECK: dist.link @stage1[0] -> "logits"
dist.link @stage1[0] -> "logits"

// CHECK-LABEL: func.func @collectives
func.func @collectives(%x: tensor<4x126xf32>, %counts: tensor<2xi64>) -> tensor<4x251xf32> {
  // CHECK: dist.all_reduce %{{.*}} over @m1 axes ["tp"] sum : tensor<4x126xf32>
  %0 = dist.all_reduce %x over @m1 axes ["tp"] sum : tensor<4x126xf32>
  // CHECK: dist.all_gather %{{.*}} over @m1 axes ["tp"] dim 1 unit 1 : tensor<4x126xf32> -> tensor<4x251xf32>
  %1 = dist.all_gather %0 over @m1 axes ["tp"] dim 1 unit 1 : tensor<4x126xf32> -> tensor<4x251xf32>
  // CHECK: dist.slice %{{.*}} over @m1 axes ["tp"] dim 1 unit 1 : tensor<4x251xf32> -> tensor<4x126xf32>
  %2 = dist.slice %1 over @m1 axes ["tp"] dim 1 unit 1 : tensor<4x251xf32> -> tensor<4x126xf32>
  // CHECK: dist.reduce_scatter %{{.*}} over @m1 axes ["tp"] dim 0 unit 1 max : tensor<4x126xf32> -> tensor<2x126xf32>
  %3 = dist.reduce_scatter %2 over @m1 axes ["tp"] dim 0 unit 1 max : tensor<4x126xf32> -> tensor<2x126xf32>
  // CHECK: dist.all_to_all %{{.*}} over @m1 axes ["tp"] split 1 unit 63 concat 0 unit 1 : tensor<2x126xf32> -> tensor<4x63xf32>
  %4 = dist.all_to_all %3 over @m1 axes ["tp"] split 1 unit 63 concat 0 unit 1 : tensor<2x126xf32> -> tensor<4x63xf32>
  // CHECK: dist.ragged_all_to_all %{{.*}} counts %{{.*}} over @m1 axes ["tp"] : tensor<4x63xf32>, tensor<2xi64> -> tensor<6x63xf32>, tensor<2xi64>
  %there, %received = dist.ragged_all_to_all %4 counts %counts over @m1 axes ["tp"] : tensor<4x63xf32>, tensor<2xi64> -> tensor<6x63xf32>, tensor<2xi64>
  // CHECK: dist.permute %{{.*}} over @m0 axes ["tp", "dp"] from ["dp", "tp"] : tensor<4x63xf32>
  %6 = dist.permute %4 over @m0 axes ["tp", "dp"] from ["dp", "tp"] : tensor<4x63xf32>
  // CHECK: dist.axis_index over @m0 axes ["dp", "tp"] : tensor<i64>
  %5 = dist.axis_index over @m0 axes ["dp", "tp"] : tensor<i64>
  return %1 : tensor<4x251xf32>
}

// CHECK-LABEL: func.func @symbolic
// The local extent of a symbolic dim is an expression.
func.func @symbolic(%x: tensor<?x8xf32, #onnx.dims<"batch", _>>)
    -> tensor<?x8xf32, #onnx.dims<"batch ceildiv 2", _>> {
  // CHECK: dist.slice
  %0 = dist.slice %x over @m1 axes ["tp"] dim 0 unit 1
      : tensor<?x8xf32, #onnx.dims<"batch", _>> -> tensor<?x8xf32, #onnx.dims<"batch ceildiv 2", _>>
  return %0 : tensor<?x8xf32, #onnx.dims<"batch ceildiv 2", _>>
}

// CHECK-LABEL: func.func @transfer
func.func @transfer(%x: tensor<4x32xf32>) -> tensor<4x64xf32> {
  // CHECK: dist.transfer %{{.*}} from <@m0, [{}, {"dp"}]> to <@m1, [{}, {}]> of tensor<4x64xf32>
  %0 = dist.transfer %x from <@m0, [{}, {"dp"}]> to <@m1, [{}, {}]> of tensor<4x64xf32>
      : tensor<4x32xf32> -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

// CHECK: #dist.sharding<@m0, [{"dp"}, {}, {"tp" : unit 16}], partial ["ep" sum]>
func.func private @attribute() attributes {
  test.sharding = #dist.sharding<@m0, [{"dp"}, {}, {"tp" : unit 16}], partial ["ep" sum]>}
