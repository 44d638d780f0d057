// RUN: dougong-opt %s --onnx-expand-extents -split-input-file -verify-diagnostics

func.func @main(%x: tensor<?xf32, #onnx.dims<"seq">>) -> tensor<1xi64> {
  // expected-error @below {{extent "batch * seq" follows from no input of the stage and from no value before: ONNX has no other way to say it}}
  %n = onnx.dims_tensor ["batch * seq"] : tensor<1xi64>
  return %n : tensor<1xi64>
}

// -----

// Two symbols of one sum do not follow from it.
func.func @main(%x: tensor<?xf32, #onnx.dims<"past + seq">>) -> tensor<1xi64> {
  // expected-error @below {{extent "past" follows from no input}}
  %n = onnx.dims_tensor ["past"] : tensor<1xi64>
  return %n : tensor<1xi64>
}

// -----

// A value behind has it.
func.func @main(%x: tensor<4xf32>) -> (tensor<1xi64>, tensor<1x?xi64, #onnx.dims<_, "found">>) {
  // expected-error @below {{extent "found" follows from no input}}
  %n = onnx.dims_tensor ["found"] : tensor<1xi64>
  %found = onnx.NonZero(%x) : (tensor<4xf32>) -> tensor<1x?xi64, #onnx.dims<_, "found">>
  return %n, %found : tensor<1xi64>, tensor<1x?xi64, #onnx.dims<_, "found">>
}
