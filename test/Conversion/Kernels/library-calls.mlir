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
