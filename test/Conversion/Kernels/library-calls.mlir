// RUN: dougong-opt %s --split-input-file --form-kernels | FileCheck %s

// CHECK-LABEL: func.func @main
// An operator that is a library function; its absent results are numbered -1.
// CHECK: onnx.launch @NonZero(%{{.*}}) {dougong.attributes = array<i64>, dougong.library = "NonZero", dougong.tensors = array<i64: 0, 1>}
func.func @main(%x: tensor<?xf32, #onnx.dims<"n">>) -> tensor<1x?xi64, #onnx.dims<_, "k">> {
  %0 = onnx.NonZero(%x) : (tensor<?xf32, #onnx.dims<"n">>) -> tensor<1x?xi64, #onnx.dims<_, "k">>
  return %0 : tensor<1x?xi64, #onnx.dims<_, "k">>
}

// -----

// CHECK-LABEL: func.func @main
// The extent that no input tells is computed before the operator.
// CHECK: onnx.launch @ExtentsOfRange(%{{.*}}) {dougong.attributes = array<i64>, dougong.extents = ["k"], dougong.library = "ExtentsOfRange"
// CHECK-SAME: -> tensor<1xi64>
// CHECK: onnx.launch @kernel_0
func.func @main(%a: tensor<f32>, %b: tensor<f32>, %c: tensor<f32>)
    -> tensor<?xf32, #onnx.dims<"k">> {
  %0 = onnx.Range(%a, %b, %c) : (tensor<f32>, tensor<f32>, tensor<f32>)
      -> tensor<?xf32, #onnx.dims<"k">>
  return %0 : tensor<?xf32, #onnx.dims<"k">>
}

// -----

// A loop whose carried value changes its shape: the library runs its body, a
// function. It takes the region's arguments, what it captures, and the extent `m`
// that no argument shows.

// CHECK-LABEL: func.func @main
// CHECK: onnx.launch @Loop(%arg0, %arg1, %arg2, %arg3, %{{.*}}) {dougong.attributes = array<i64: 1, 1>, dougong.bodies = [@body_0], dougong.library = "Loop", dougong.tensors = array<i64: 0, 1, 2, 3, 4, 5>}
// CHECK-LABEL: func.func private @body_0
// CHECK-SAME: tensor<?xf32, #onnx.dims<"before">>, %arg3: tensor<2xf32>, %arg4: tensor<1xi64> {dougong.body_extents = ["m"]}
// CHECK-SAME: attributes {dougong.body}
// CHECK: onnx.launch
// CHECK: return
func.func @main(%trips: tensor<i64>, %go: tensor<i1>, %x: tensor<?xf32, #onnx.dims<"n">>,
                %y: tensor<2xf32>, %z: tensor<?xf32, #onnx.dims<"m">>)
    -> tensor<?xf32, #onnx.dims<"before">> {
  %0 = onnx.Loop(%trips, %go, %x) : (tensor<i64>, tensor<i1>, tensor<?xf32, #onnx.dims<"n">>) -> tensor<?xf32, #onnx.dims<"before">> ({
  ^bb0(%i: tensor<i64>, %c: tensor<i1>, %b: tensor<?xf32, #onnx.dims<"before">>):
    %1 = onnx.Concat(%b, %y) {axis = 0 : i64} : (tensor<?xf32, #onnx.dims<"before">>, tensor<2xf32>) -> tensor<?xf32, #onnx.dims<"before + 2">>
    %m = onnx.dims_tensor ["m"] : tensor<1xi64>
    %2 = onnx.Expand(%y, %m) : (tensor<2xf32>, tensor<1xi64>) -> tensor<?xf32, #onnx.dims<"m">>
    %3 = onnx.Concat(%1, %2) {axis = 0 : i64} : (tensor<?xf32, #onnx.dims<"before + 2">>, tensor<?xf32, #onnx.dims<"m">>) -> tensor<?xf32, #onnx.dims<"before + m + 2">>
    onnx.yield %c, %3 : tensor<i1>, tensor<?xf32, #onnx.dims<"before + m + 2">>
  })
  return %0 : tensor<?xf32, #onnx.dims<"before">>
}
