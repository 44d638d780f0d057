// RUN: dougong-opt %s --onnx-verify-normalized --split-input-file --verify-diagnostics

func.func @normalized(%x: tensor<?xf32, #onnx.dims<"n">>) -> tensor<?xf32, #onnx.dims<"n">> {
  %0 = onnx.Relu(%x) : (tensor<?xf32, #onnx.dims<"n">>) -> tensor<?xf32, #onnx.dims<"n">>
  return %0 : tensor<?xf32, #onnx.dims<"n">>
}

// -----

func.func @negative_unranked(%x: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @below {{result 0 of onnx.Relu has no known shape after normalize: 'tensor<*xf32>'}}
  %0 = onnx.Relu(%x) : (tensor<2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// expected-error @below {{argument 0 has no known shape after normalize: 'tensor<?xf32>'}}
func.func @negative_unnamed(%x: tensor<?xf32>) {
  return
}

// -----

func.func @negative_identity(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @below {{onnx.Identity is left after normalize}}
  %0 = onnx.Identity(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

onnx.weight @w : tensor<4x8xf32> = #onnx.external<"w.bin", offset = 0, length = 128>
func.func @negative_weight() -> tensor<8x4xf32> {
  %w = onnx.use @w : tensor<4x8xf32>
  // expected-error @below {{onnx.Transpose of a weight is left after normalize}}
  %0 = onnx.Transpose(%w) : (tensor<4x8xf32>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// -----

// An extent of zero leaves no element, whatever the others are.
func.func @empty(%x: tensor<0x9223372036854775807xf32>) -> tensor<0x9223372036854775807xf32> {
  %0 = onnx.Relu(%x) : (tensor<0x9223372036854775807xf32>) -> tensor<0x9223372036854775807xf32>
  return %0 : tensor<0x9223372036854775807xf32>
}

// -----

func.func @negative_large_result(%x: tensor<1x281474976710656xf32>, %y: tensor<2x1xf32>) {
  // expected-error @below {{result 0 of onnx.Add is 'tensor<2x281474976710656xf32>', expected at most 2^48 elements}}
  %0 = onnx.Add(%x, %y) : (tensor<1x281474976710656xf32>, tensor<2x1xf32>) -> tensor<2x281474976710656xf32>
  return
}

// -----

// expected-error @below {{input 'x' is 'tensor<4294967296x4294967296xf32>', expected at most 2^48 elements}}
func.func @negative_large_input(%x: tensor<4294967296x4294967296xf32> {onnx.name = "x"}) {
  return
}
