// RUN: dougong-opt %s -split-input-file -verify-diagnostics '-pass-pipeline=builtin.module(dist-propagate)'

// expected-error @+1 {{the module declares no stage: run dist-plan first}}
module {
  func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    return %x : tensor<4xf32>
  }
}

// -----

module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
    // expected-error @+1 {{cannot cut dim 1 of operand 0 as directed: the operator needs dim 1 whole}}
    %y = onnx.Softmax(%x) {axis = 1 : i64, dist.in = [#dist.sharding<@m, [{}, {"tp"}]>]} : (tensor<4x8xf32>) -> tensor<4x8xf32>
    return %y : tensor<4x8xf32>
  }
}

// -----

module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%a: tensor<4x7xi8>, %b: tensor<7x6xi8>) -> tensor<4x6xi32> {
    %none = onnx.none
    // expected-error @+1 {{cannot cut dim 1 of operand 0 as directed: extent 7 cannot be cut into 2 equal parts, and padding would change the result}}
    %y = onnx.MatMulInteger(%a, %b, %none, %none) {dist.in = [#dist.sharding<@m, [{}, {"tp"}]>, unit, unit, unit]}
        : (tensor<4x7xi8>, tensor<7x6xi8>, none, none) -> tensor<4x6xi32>
    return %y : tensor<4x6xi32>
  }
}

// -----

module {
  dist.mesh @m0 <"tp" = 2>
  dist.mesh @m1 <"tp" = 2>
  dist.stage @stage0 on @m0
  dist.stage @stage1 on @m1
  func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    // expected-note @+1 {{the value is made here}}
    %y = onnx.Relu(%x) {dist.stage = 1 : i64} : (tensor<4xf32>) -> tensor<4xf32>
    // expected-error @+1 {{is in stage 0 but reads a value of stage 1}}
    %z = onnx.Relu(%y) {dist.stage = 0 : i64} : (tensor<4xf32>) -> tensor<4xf32>
    return %z : tensor<4xf32>
  }
}

// -----

module attributes {dist.states = [["past", "present"]]} {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  // expected-error @+1 {{state "past" has type 'tensor<4xf32>', which output "present" of type 'tensor<2x2xf32>' cannot become}}
  func.func @main(%x: tensor<4xf32> {onnx.name = "past"}) -> (tensor<2x2xf32> {onnx.name = "present"}) {
    %shape = onnx.Constant() {value = dense<2> : tensor<2xi64>} : () -> tensor<2xi64>
    %y = onnx.Reshape(%x, %shape) : (tensor<4xf32>, tensor<2xi64>) -> tensor<2x2xf32>
    return %y : tensor<2x2xf32>
  }
}

// -----

module attributes {dist.states = [["past", "present"]]} {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  // expected-error @+1 {{state "past" has type 'tensor<4x2xf32>', which output "present" of type 'tensor<8x2xf32>' cannot become}}
  func.func @main(%x: tensor<4x2xf32> {onnx.name = "past"}, %w: tensor<8x2xf32> {onnx.name = "new"}) -> (tensor<8x2xf32> {onnx.name = "present"}) {
    %y = onnx.Relu(%w) : (tensor<8x2xf32>) -> tensor<8x2xf32>
    return %y : tensor<8x2xf32>
  }
}
