// RUN: dougong-opt %s -split-input-file -verify-diagnostics '-pass-pipeline=builtin.module(dist-verify-propagated)'

module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
    // expected-error @+1 {{dim 1 of result 0 is cut otherwise than the dims that go with it}}
    %y = onnx.Relu(%x) {dist.in = [#dist.sharding<@m, [{}, {"tp"}]>], dist.out = [#dist.sharding<@m, [{}, {}]>]}
        : (tensor<4x8xf32>) -> tensor<4x8xf32>
    return %y : tensor<4x8xf32>
  }
}

// -----

module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
    // expected-error @+1 {{dim 1 of operand 0 is cut, but the operator needs it whole}}
    %y = onnx.Softmax(%x) {axis = 1 : i64, dist.in = [#dist.sharding<@m, [{}, {"tp"}]>], dist.out = [#dist.sharding<@m, [{}, {"tp"}]>]}
        : (tensor<4x8xf32>) -> tensor<4x8xf32>
    return %y : tensor<4x8xf32>
  }
}

// -----

module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
    // expected-error @+1 {{must have one sharding in dist.in for each operand}}
    %y = onnx.Relu(%x) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    return %y : tensor<4x8xf32>
  }
}
