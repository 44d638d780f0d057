// RUN: dougong-opt %s --pass-pipeline="builtin.module(func.func(convert-onnx-to-linalg,canonicalize,cse))" --split-input-file --verify-diagnostics | FileCheck %s

// An extent comes from an index argument.
// CHECK-LABEL: func.func private @extent_of_index_argument
// CHECK-SAME: %[[N:[^:]+]]: index {onnx.dim = "s0"}
// CHECK: tensor.empty(%[[N]]) : tensor<?xf32>
func.func private @extent_of_index_argument(%ctx: !llvm.ptr, %n: index {onnx.dim = "s0"}) -> tensor<?xf32, #onnx.dims<"s0">> attributes {dougong.kernel} {
  %shape = onnx.dims_tensor ["s0"] : tensor<1xi64>
  %0 = onnx.ConstantOfShape(%shape) : (tensor<1xi64>) -> tensor<?xf32, #onnx.dims<"s0">>
  return %0 : tensor<?xf32, #onnx.dims<"s0">>
}

// -----

// Of symbols that arguments give, sums and products are computed.
// CHECK-LABEL: func.func private @extent_computed_of_symbols
// CHECK-SAME: %[[X:[^:]+]]: tensor<?xf32>
// CHECK-SAME: %[[M:[^:]+]]: index
// CHECK: %[[N:.+]] = tensor.dim %[[X]]
// CHECK: %[[SUM:.+]] = arith.addi %[[M]], %[[N]]
// CHECK: tensor.empty(%[[SUM]])
func.func private @extent_computed_of_symbols(%ctx: !llvm.ptr,
    %x: tensor<?xf32, #onnx.dims<"s0">> {onnx.dims = #onnx.dims<"s0">}, %m: index {onnx.dim = "past"}) -> tensor<?xf32, #onnx.dims<"past + s0">> attributes {dougong.kernel} {
  %shape = onnx.dims_tensor ["past + s0"] : tensor<1xi64>
  %0 = onnx.ConstantOfShape(%shape) : (tensor<1xi64>) -> tensor<?xf32, #onnx.dims<"past + s0">>
  return %0 : tensor<?xf32, #onnx.dims<"past + s0">>
}

// -----

// The operands of a contents tensor are extents as integers.
// CHECK-LABEL: func.func private @dims_tensor
// CHECK: %[[N:.+]] = arith.index_cast %{{.+}} : index to i64
// CHECK: tensor.from_elements %[[N]], %{{.+}} : tensor<2xi64>
func.func private @dims_tensor(%ctx: !llvm.ptr, %n: index {onnx.dim = "s0"}) -> tensor<2xi64> attributes {dougong.kernel} {
  %0 = onnx.dims_tensor ["s0", "64"] : tensor<2xi64>
  return %0 : tensor<2xi64>
}

// -----

func.func private @negative_extent_of_nothing(%ctx: !llvm.ptr) -> tensor<?xf32, #onnx.dims<"s0">> attributes {dougong.kernel} {
  %shape = onnx.Constant() {value = dense<3> : tensor<1xi64>} : () -> tensor<1xi64>
  // expected-error @+1 {{extent "s0" is neither an argument of kernel @negative_extent_of_nothing nor a dim of one of its tensors}}
  %0 = onnx.ConstantOfShape(%shape) : (tensor<1xi64>) -> tensor<?xf32, #onnx.dims<"s0">>
  return %0 : tensor<?xf32, #onnx.dims<"s0">>
}

// -----

// Only kernels are lowered.
// CHECK-LABEL: func.func @no_kernel
// CHECK: onnx.Relu
func.func @no_kernel(%x: tensor<3xf32>) -> tensor<3xf32> {
  %0 = onnx.Relu(%x) : (tensor<3xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}
