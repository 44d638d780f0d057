// RUN: dougong-opt %s -split-input-file -verify-diagnostics '-pass-pipeline=builtin.module(dist-stage)'

module {
  dist.mesh @m <"tp" = 2>
  dist.stage @stage0 on @m
  // expected-error @+1 {{argument 0 has no stage: run dist-partition first}}
  func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    return %x : tensor<4xf32>
  }
}

// -----

module {
  dist.mesh @m0 <"tp" = 2>
  dist.mesh @m1 <"tp" = 2>
  dist.stage @stage0 on @m0
  dist.stage @stage1 on @m1
  func.func @main(%x: tensor<4xf32> {dist.stage = 0 : i64, dist.sharding = #dist.sharding<@m0, [{}]>, dist.global = tensor<4xf32>})
      -> (tensor<4xf32> {dist.stage = 1 : i64}) {
    // expected-error @+1 {{of stage 1 uses a value of another stage without a transfer}}
    %y = onnx.Relu(%x) {dist.stage = 1 : i64} : (tensor<4xf32>) -> tensor<4xf32>
    return %y : tensor<4xf32>
  }
}
