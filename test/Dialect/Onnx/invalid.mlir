// RUN: dougong-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{'onnx.weight' op type must be a tensor of static shape, got 'tensor<?x4xf32>'}}
onnx.weight @w : tensor<?x4xf32> = #onnx.external<"w.bin", offset = 0, length = 16>

// -----

// expected-error @+1 {{'onnx.weight' op value must be #onnx.external, #onnx.derived or elements, got "w.bin"}}
onnx.weight @w : tensor<4xf32> = "w.bin"

// -----

func.func @undeclared() -> tensor<4xf32> {
  // expected-error @+1 {{'onnx.use' op weight @w is not declared in this module}}
  %w = onnx.use @w : tensor<4xf32>
  return %w : tensor<4xf32>
}

// -----

// expected-note @+1 {{weight declared here}}
onnx.weight @w : tensor<4xf32> = #onnx.external<"w.bin", offset = 0, length = 16>
func.func @other_type() -> tensor<2x2xf32> {
  // expected-error @+1 {{'onnx.use' op type 'tensor<2x2xf32>' differs from the weight's type 'tensor<4xf32>'}}
  %w = onnx.use @w : tensor<2x2xf32>
  return %w : tensor<2x2xf32>
}

// -----

func.func @dims_tensor() -> tensor<3xi64> {
  // expected-error @+1 {{'onnx.dims_tensor' op has 2 expressions for 3 elements}}
  %0 = onnx.dims_tensor ["a", "b"] : tensor<3xi64>
  return %0 : tensor<3xi64>
}

// -----

// expected-error @+1 {{#onnx.dims has 1 entries for a tensor of rank 2}}
func.func private @rank(tensor<?x4xf32, #onnx.dims<"a">>)

// -----

// expected-error @+1 {{#onnx.dims has no expression for dynamic dim 0}}
func.func private @missing(tensor<?x4xf32, #onnx.dims<_, _>>)

// -----

// expected-error @+1 {{#onnx.dims has expression "b" for dim 1 of static extent 4}}
func.func private @static(tensor<?x4xf32, #onnx.dims<"a", "b">>)

// -----

func.func @variables(%a: tensor<4xf32>, %b: tensor<4xf16>) {
  // expected-error @+1 {{'onnx.Add' op operand 1 has element type 'f16', but operand 0 has 'f32': both are of type variable T}}
  %0 = onnx.Add(%a, %b) : (tensor<4xf32>, tensor<4xf16>) -> tensor<4xf32>
  return
}

// -----

func.func @result(%a: tensor<4xf32>) {
  // expected-error @+1 {{'onnx.Relu' op result 0 has element type 'i32', but operand 0 has 'f32': both are of type variable T}}
  %0 = onnx.Relu(%a) : (tensor<4xf32>) -> tensor<4xi32>
  return
}

// -----

func.func @count(%a: tensor<4xf32>) {
  // expected-error @+1 {{'onnx.Add' op expected 2 operands, but found 1}}
  %0 = onnx.Add(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @attribute(%a: tensor<4xf32>) {
  // expected-error @+1 {{'onnx.Softmax' op attribute 'axis' failed to satisfy constraint: 64-bit signless integer attribute}}
  %0 = onnx.Softmax(%a) {axis = "last"} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// expected-error @+1 {{#onnx.dims has "a + ": }}
func.func private @grammar(tensor<?xf32, #onnx.dims<"a + ">>)

// -----

// expected-error @+1 {{#onnx.dims has "1 + a", which is not the canonical form: expected "a + 1"}}
func.func private @canonical(tensor<?xf32, #onnx.dims<"1 + a">>)
