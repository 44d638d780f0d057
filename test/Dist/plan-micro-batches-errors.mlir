// RUN: dougong-opt %s -split-input-file -verify-diagnostics '-pass-pipeline=builtin.module(dist-plan{parallel=mb=3})'

// expected-note @below {{the strategy cuts the batch into 3 micro-batches, for which rows must not depend on each other; leave mb out for this model}}
func.func @main(%x: tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "x"}) -> tensor<8xf32> {
  %axes = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  // expected-error @below {{cannot run on a part of the batch "batch": it reduces (sum) dim 0 (batch) of operand 0}}
  %y = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64, noop_with_empty_axes = 0 : i64} : (tensor<?x8xf32, #onnx.dims<"batch", _>>, tensor<1xi64>) -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

// Rows against rows: dim 1 of the product is the batch, too.
// expected-note @below {{the strategy cuts the batch}}
func.func @main(%x: tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "x"}) -> tensor<?x1xf32, #onnx.dims<"batch", _>> {
  %axes = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
  %t = onnx.Transpose(%x) {perm = array<i64: 1, 0>} : (tensor<?x8xf32, #onnx.dims<"batch", _>>) -> tensor<8x?xf32, #onnx.dims<_, "batch">>
  // expected-error @below {{cannot run on a part of the batch "batch": it brings rows together with other rows, in dim 1 (batch) of operand 1}}
  %y = onnx.MatMul(%x, %t) : (tensor<?x8xf32, #onnx.dims<"batch", _>>, tensor<8x?xf32, #onnx.dims<_, "batch">>) -> tensor<?x?xf32, #onnx.dims<"batch", "batch">>
  %z = onnx.ReduceSum(%y, %axes) {keepdims = 1 : i64, noop_with_empty_axes = 0 : i64} : (tensor<?x?xf32, #onnx.dims<"batch", "batch">>, tensor<1xi64>) -> tensor<?x1xf32, #onnx.dims<"batch", _>>
  return %z : tensor<?x1xf32, #onnx.dims<"batch", _>>
}

// -----

// The softmax of a column needs all of it.
// expected-note @below {{the strategy cuts the batch}}
func.func @main(%x: tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "x"}) -> tensor<?x8xf32, #onnx.dims<"batch", _>> {
  // expected-error @below {{cannot run on a part of the batch "batch": it needs dim 0 (batch) of operand 0 whole}}
  %y = onnx.Softmax(%x) {axis = 0 : i64} : (tensor<?x8xf32, #onnx.dims<"batch", _>>) -> tensor<?x8xf32, #onnx.dims<"batch", _>>
  return %y : tensor<?x8xf32, #onnx.dims<"batch", _>>
}

// -----

// A mean whose divisor is the number of rows would be of a part of them.
// expected-note @below {{the strategy cuts the batch}}
func.func @main(%x: tensor<?x8xi64, #onnx.dims<"batch", _>> {onnx.name = "x"}) -> tensor<?x8xi64, #onnx.dims<"batch", _>> {
  %rows = onnx.dims_tensor ["batch"] : tensor<i64>
  // expected-error @below {{cannot run on a part of the batch "batch": the number of rows is data for it}}
  %y = onnx.Div(%x, %rows) : (tensor<?x8xi64, #onnx.dims<"batch", _>>, tensor<i64>) -> tensor<?x8xi64, #onnx.dims<"batch", _>>
  return %y : tensor<?x8xi64, #onnx.dims<"batch", _>>
}

// -----

// expected-note @below {{the strategy cuts the batch}}
func.func @main(%x: tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "x"}) -> tensor<?x8xf32, #onnx.dims<"batch", _>> {
  // expected-error @below {{cannot run on a part of the batch "batch": each micro-batch would get random values of its own}}
  %y = onnx.RandomNormalLike(%x) : (tensor<?x8xf32, #onnx.dims<"batch", _>>) -> tensor<?x8xf32, #onnx.dims<"batch", _>>
  return %y : tensor<?x8xf32, #onnx.dims<"batch", _>>
}

// -----

// expected-error @below {{cannot be cut into 3 micro-batches: the batch is 12, expected a name; export the model with a named dim 0, of which --dim NAME=12 says the extent}}
func.func @main(%x: tensor<12x8xf32> {onnx.name = "x"}) -> tensor<12x8xf32> {
  %y = onnx.Relu(%x) : (tensor<12x8xf32>) -> tensor<12x8xf32>
  return %y : tensor<12x8xf32>
}

// -----

// expected-error @below {{cannot be cut into 3 micro-batches: no input has a batch in dim 0; leave out mb}}
func.func @main(%x: tensor<1x8xf32> {onnx.name = "x"}) -> tensor<1x8xf32> {
  %y = onnx.Relu(%x) : (tensor<1x8xf32>) -> tensor<1x8xf32>
  return %y : tensor<1x8xf32>
}

// -----

// expected-error @below {{cannot be cut into 3 micro-batches: output "y" is 'tensor<?xf32, #onnx.dims<"8 * batch">>', expected "batch" as one dim, or none that depends on it; leave out mb}}
func.func @main(%x: tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "x"}) -> (tensor<?xf32, #onnx.dims<"8 * batch">> {onnx.name = "y"}) {
  %shape = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %y = onnx.Reshape(%x, %shape) : (tensor<?x8xf32, #onnx.dims<"batch", _>>, tensor<1xi64>) -> tensor<?xf32, #onnx.dims<"8 * batch">>
  return %y : tensor<?xf32, #onnx.dims<"8 * batch">>
}

// -----

// A state that all rows share: each part would have one of its own.
module attributes {dist.states = [["c", "next"]]} {
  // expected-error @below {{cannot be cut into 3 micro-batches: all rows share state "c", which does not have the batch "batch"; leave out mb}}
  func.func @main(%x: tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "x"}, %c: tensor<8xf32> {onnx.name = "c"}) -> (tensor<?x8xf32, #onnx.dims<"batch", _>> {onnx.name = "y"}, tensor<8xf32> {onnx.name = "next"}) {
    %y = onnx.Add(%x, %c) : (tensor<?x8xf32, #onnx.dims<"batch", _>>, tensor<8xf32>) -> tensor<?x8xf32, #onnx.dims<"batch", _>>
    %n = onnx.Exp(%c) : (tensor<8xf32>) -> tensor<8xf32>
    return %y, %n : tensor<?x8xf32, #onnx.dims<"batch", _>>, tensor<8xf32>
  }
}
