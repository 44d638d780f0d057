// What must stay as it is.
// RUN: dougong-opt %s -split-input-file --dist-merge-collectives | FileCheck %s

// The whole sum is used, too.
// CHECK-LABEL: func.func @main
// CHECK: dist.all_reduce
// CHECK-NEXT: dist.slice
module {
  dist.mesh @m <"tp" = 2>
  func.func @main(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x3xf32>) {
    %0 = dist.all_reduce %x over @m axes ["tp"] sum : tensor<4x6xf32>
    %1 = dist.slice %0 over @m axes ["tp"] dim 1 unit 1 : tensor<4x6xf32> -> tensor<4x3xf32>
    return %0, %1 : tensor<4x6xf32>, tensor<4x3xf32>
  }
}

// -----

// The part is one along another axis.
// CHECK-LABEL: func.func @main
// CHECK: dist.all_reduce
// CHECK-NEXT: dist.slice
module {
  dist.mesh @m <"tp" = 2, "dp" = 2>
  func.func @main(%x: tensor<4x6xf32>) -> tensor<4x3xf32> {
    %0 = dist.all_reduce %x over @m axes ["tp"] sum : tensor<4x6xf32>
    %1 = dist.slice %0 over @m axes ["dp"] dim 1 unit 1 : tensor<4x6xf32> -> tensor<4x3xf32>
    return %1 : tensor<4x3xf32>
  }
}

// -----

// Scattered along one dim, gathered along the other: a transposition of parts.
// CHECK-LABEL: func.func @main
// CHECK: dist.reduce_scatter
// CHECK-NEXT: dist.all_gather
module {
  dist.mesh @m <"tp" = 2>
  func.func @main(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
    %0 = dist.reduce_scatter %x over @m axes ["tp"] dim 1 unit 1 sum : tensor<4x6xf32> -> tensor<4x3xf32>
    %1 = dist.all_gather %0 over @m axes ["tp"] dim 0 unit 1 : tensor<4x3xf32> -> tensor<8x3xf32>
    %2 = dist.slice %1 over @m axes ["tp"] dim 0 unit 1 : tensor<8x3xf32> -> tensor<4x3xf32>
    %3 = dist.all_gather %2 over @m axes ["tp"] dim 1 unit 1 : tensor<4x3xf32> -> tensor<4x6xf32>
    return %3 : tensor<4x6xf32>
  }
}

// -----

// A cast that narrows stays before the gather; a sum is not cast after it.
// CHECK-LABEL: func.func @main
// CHECK: onnx.Cast
// CHECK-NEXT: dist.all_gather
// CHECK-NEXT: onnx.Cast
// CHECK-NEXT: dist.all_reduce
module {
  dist.mesh @m <"tp" = 2>
  func.func @main(%x: tensor<2x4xf32>) -> tensor<4x4xf32> {
    %0 = onnx.Cast(%x) {round_mode = "up", saturate = 1 : i64, to = 10 : i64} : (tensor<2x4xf32>) -> tensor<2x4xf16>
    %1 = dist.all_gather %0 over @m axes ["tp"] dim 0 unit 1 : tensor<2x4xf16> -> tensor<4x4xf16>
    %2 = onnx.Cast(%1) {round_mode = "up", saturate = 1 : i64, to = 1 : i64} : (tensor<4x4xf16>) -> tensor<4x4xf32>
    %3 = dist.all_reduce %2 over @m axes ["tp"] sum : tensor<4x4xf32>
    return %3 : tensor<4x4xf32>
  }
}

// -----

// The second sum waits for the first.
// CHECK-LABEL: func.func @main
// CHECK: dist.all_reduce
// CHECK-NEXT: onnx.Relu
// CHECK-NEXT: dist.all_reduce
module {
  dist.mesh @m <"tp" = 2>
  func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
    %0 = dist.all_reduce %x over @m axes ["tp"] sum : tensor<4xf32>
    %1 = onnx.Relu(%0) : (tensor<4xf32>) -> tensor<4xf32>
    %2 = dist.all_reduce %1 over @m axes ["tp"] sum : tensor<4xf32>
    return %2 : tensor<4xf32>
  }
}

// -----

// An extent without an upper bound may be large.
// CHECK-LABEL: func.func @main
// CHECK-COUNT-2: dist.all_reduce
module {
  dist.mesh @m <"tp" = 2>
  func.func @main(%x: tensor<?xf32, #onnx.dims<"n">>, %y: tensor<?xf32, #onnx.dims<"n">>)
      -> (tensor<?xf32, #onnx.dims<"n">>, tensor<?xf32, #onnx.dims<"n">>) {
    %0 = dist.all_reduce %x over @m axes ["tp"] sum : tensor<?xf32, #onnx.dims<"n">>
    %1 = dist.all_reduce %y over @m axes ["tp"] sum : tensor<?xf32, #onnx.dims<"n">>
    return %0, %1 : tensor<?xf32, #onnx.dims<"n">>, tensor<?xf32, #onnx.dims<"n">>
  }
}
