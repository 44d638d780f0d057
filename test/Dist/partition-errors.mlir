// RUN: dougong-opt %s -split-input-file -verify-diagnostics '-pass-pipeline=builtin.module(dist-partition)'

module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    // expected-error @+1 {{has no shardings: run dist-propagate first}}
    %y = onnx.Relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
    return %y : tensor<4xf32>
  }
}

// -----

module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  // expected-error @+1 {{input "x" is of type '!onnx.seq<tensor<4xf32>>': only tensors of known rank can be placed}}
  func.func @main(%x: !onnx.seq<tensor<4xf32>> {onnx.name = "x"}) {
    return
  }
}
