// RUN: dougong-opt %s --pass-pipeline="builtin.module(func.func(convert-onnx-to-linalg,canonicalize,cse))" --split-input-file | FileCheck %s

// CHECK-LABEL: func.func private @reshape_keeps_the_dynamic_dim
// CHECK: tensor.collapse_shape %{{.+}} {{\[}}[0], [1, 2]] : tensor<?x4x6xf32> into tensor<?x24xf32>
// CHECK: tensor.expand_shape %{{.+}} {{\[}}[0], [1, 2]] {{.*}} : tensor<?x24xf32> into tensor<?x8x3xf32>
func.func private @reshape_keeps_the_dynamic_dim(%ctx: !llvm.ptr,
    %x: tensor<?x4x6xf32, #onnx.dims<"s0", _, _>> {onnx.dims = #onnx.dims<"s0", _, _>}) -> tensor<?x8x3xf32, #onnx.dims<"s0", _, _>> attributes {dougong.kernel} {
  %shape = onnx.dims_tensor ["s0", "8", "3"] : tensor<3xi64>
  %0 = onnx.Reshape(%x, %shape) : (tensor<?x4x6xf32, #onnx.dims<"s0", _, _>>, tensor<3xi64>) -> tensor<?x8x3xf32, #onnx.dims<"s0", _, _>>
  return %0 : tensor<?x8x3xf32, #onnx.dims<"s0", _, _>>
}

// -----

// CHECK-LABEL: func.func private @slice_is_a_view
// CHECK: tensor.extract_slice %{{.+}}[0, 2] [%{{.+}}, 3] [1, 2] : tensor<?x9xf32> to tensor<?x3xf32>
func.func private @slice_is_a_view(%ctx: !llvm.ptr,
    %x: tensor<?x9xf32, #onnx.dims<"s0", _>> {onnx.dims = #onnx.dims<"s0", _>}) -> tensor<?x3xf32, #onnx.dims<"s0", _>> attributes {dougong.kernel} {
  %starts = onnx.Constant() {value = dense<-7> : tensor<1xi64>} : () -> tensor<1xi64>
  %ends = onnx.Constant() {value = dense<8> : tensor<1xi64>} : () -> tensor<1xi64>
  %axes = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
  %steps = onnx.Constant() {value = dense<2> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.Slice(%x, %starts, %ends, %axes, %steps) : (tensor<?x9xf32, #onnx.dims<"s0", _>>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x3xf32, #onnx.dims<"s0", _>>
  return %0 : tensor<?x3xf32, #onnx.dims<"s0", _>>
}

// -----

// Indices from the end are wrapped, others clamped: no read leaves memory.
// CHECK-LABEL: func.func private @gather_wraps_and_clamps
// CHECK: %[[I:.+]] = arith.index_cast %{{.+}} : i64 to index
// CHECK: arith.cmpi slt, %[[I]]
// CHECK: arith.select
// CHECK: arith.minsi
// CHECK: %[[AT:.+]] = arith.maxsi
// CHECK: tensor.extract %{{.+}}[%[[AT]], %{{.+}}]
func.func private @gather_wraps_and_clamps(%ctx: !llvm.ptr, %x: tensor<5x4xf32>,
    %i: tensor<?xi64, #onnx.dims<"s0">> {onnx.dims = #onnx.dims<"s0">}) -> tensor<?x4xf32, #onnx.dims<"s0", _>> attributes {dougong.kernel} {
  %0 = onnx.Gather(%x, %i) : (tensor<5x4xf32>, tensor<?xi64, #onnx.dims<"s0">>) -> tensor<?x4xf32, #onnx.dims<"s0", _>>
  return %0 : tensor<?x4xf32, #onnx.dims<"s0", _>>
}

// -----

// CHECK-LABEL: func.func private @concat_writes_parts_in_place
// CHECK: %[[FIRST:.+]] = tensor.insert_slice %{{.+}} into %{{.+}}[0, 0] [2, %[[N:.+]]] [1, 1]
// CHECK: tensor.insert_slice %{{.+}} into %[[FIRST]][0, %[[N]]] [2, 3] [1, 1]
func.func private @concat_writes_parts_in_place(%ctx: !llvm.ptr,
    %x: tensor<2x?xf32, #onnx.dims<_, "s0">> {onnx.dims = #onnx.dims<_, "s0">}, %y: tensor<2x3xf32>,
    %n: index {onnx.dim = "s1"}) -> tensor<2x?xf32, #onnx.dims<_, "s1">> attributes {dougong.kernel} {
  %0 = onnx.Concat(%x, %y) {axis = 1 : i64} : (tensor<2x?xf32, #onnx.dims<_, "s0">>, tensor<2x3xf32>) -> tensor<2x?xf32, #onnx.dims<_, "s1">>
  return %0 : tensor<2x?xf32, #onnx.dims<_, "s1">>
}

// -----

// The empty part lies behind the last element, where no slice is in bounds.
// CHECK-LABEL: func.func private @split_off_nothing
// CHECK: return %{{.+}}, %{{.+}} : tensor<2x3xf32>, tensor<0x3xf32>
func.func private @split_off_nothing(%ctx: !llvm.ptr, %x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<0x3xf32>) attributes {dougong.kernel} {
  %sizes = onnx.Constant() {value = dense<[2, 0]> : tensor<2xi64>} : () -> tensor<2xi64>
  %0:2 = onnx.Split(%x, %sizes) {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2xi64>) -> (tensor<2x3xf32>, tensor<0x3xf32>)
  return %0#0, %0#1 : tensor<2x3xf32>, tensor<0x3xf32>
}

// -----

// CHECK-LABEL: func.func private @join_with_nothing
// CHECK-SAME: %[[X:arg1]]: tensor<2x3xf32>
// CHECK: return %[[X]]
func.func private @join_with_nothing(%ctx: !llvm.ptr, %x: tensor<2x3xf32>, %y: tensor<0x3xf32>) -> tensor<2x3xf32> attributes {dougong.kernel} {
  %0 = onnx.Concat(%x, %y) {axis = 0 : i64} : (tensor<2x3xf32>, tensor<0x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func.func private @nothing_to_compute
// CHECK-NOT: linalg
// CHECK: %[[EMPTY:.+]] = tensor.empty() : tensor<0x3xf32>
// CHECK: return %[[EMPTY]]
func.func private @nothing_to_compute(%ctx: !llvm.ptr, %x: tensor<0x3xf32>) -> tensor<0x3xf32> attributes {dougong.kernel} {
  %0 = onnx.Softmax(%x) {axis = 1 : i64} : (tensor<0x3xf32>) -> tensor<0x3xf32>
  return %0 : tensor<0x3xf32>
}
