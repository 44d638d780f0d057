// RUN: dougong-opt %s -split-input-file --dist-merge-collectives | FileCheck %s
// RUN: dougong-opt %s -split-input-file --dist-merge-collectives=merge-bytes=0 | FileCheck %s --check-prefix=APART

// CHECK-LABEL: func.func @main
// CHECK-NEXT: %[[S:.*]] = dist.reduce_scatter %arg0 over @m axes ["tp"] dim 1 unit 3 sum {dist.stage = 1 : i64} : tensor<4x6xf32> -> tensor<4x3xf32>
// CHECK-NEXT: return %[[S]]
module {
  dist.mesh @m <"tp" = 2>
  func.func @main(%part_of_a_sum: tensor<4x6xf32>) -> tensor<4x3xf32> {
    %0 = dist.all_reduce %part_of_a_sum over @m axes ["tp"] sum {dist.stage = 1 : i64} : tensor<4x6xf32>
    %1 = dist.slice %0 over @m axes ["tp"] dim 1 unit 3 {dist.stage = 1 : i64} : tensor<4x6xf32> -> tensor<4x3xf32>
    return %1 : tensor<4x3xf32>
  }
}

// -----

// CHECK-LABEL: func.func @main
// CHECK-NEXT: %[[S:.*]] = dist.all_reduce %arg0 over @m axes ["tp"] max {dist.stage = 1 : i64} : tensor<4x5xf32>
// CHECK-NEXT: return %[[S]]
module {
  dist.mesh @m <"tp" = 2>
  func.func @main(%scattered_and_gathered: tensor<4x5xf32>) -> tensor<4x5xf32> {
    %0 = dist.reduce_scatter %scattered_and_gathered over @m axes ["tp"] dim 1 unit 1 max {dist.stage = 1 : i64} : tensor<4x5xf32> -> tensor<4x3xf32>
    %1 = dist.all_gather %0 over @m axes ["tp"] dim 1 unit 1 {dist.stage = 1 : i64} : tensor<4x3xf32> -> tensor<4x5xf32>
    return %1 : tensor<4x5xf32>
  }
}

// -----

// CHECK-LABEL: func.func @main
// CHECK-NEXT: return %arg0, %arg1
module {
  dist.mesh @m <"tp" = 2>
  func.func @main(%sliced_again: tensor<3xf32>, %gathered_again: tensor<5xf32>) -> (tensor<3xf32>, tensor<5xf32>) {
    %0 = dist.all_gather %sliced_again over @m axes ["tp"] dim 0 unit 1 : tensor<3xf32> -> tensor<5xf32>
    %1 = dist.slice %0 over @m axes ["tp"] dim 0 unit 1 : tensor<5xf32> -> tensor<3xf32>
    %2 = dist.slice %gathered_again over @m axes ["tp"] dim 0 unit 1 : tensor<5xf32> -> tensor<3xf32>
    %3 = dist.all_gather %2 over @m axes ["tp"] dim 0 unit 1 : tensor<3xf32> -> tensor<5xf32>
    return %1, %3 : tensor<3xf32>, tensor<5xf32>
  }
}

// -----

// CHECK-LABEL: func.func @main
// CHECK-NEXT: %[[G:.*]] = dist.all_gather %arg0 {{.*}} : tensor<2x4xf16> -> tensor<4x4xf16>
// CHECK-NEXT: %[[C:.*]] = onnx.Cast(%[[G]]) {dist.stage = 0 : i64, {{.*}}to = 1 : i64} : (tensor<4x4xf16>) -> tensor<4x4xf32>
// CHECK-NEXT: return %[[C]], %[[C]]
module {
  dist.mesh @m <"tp" = 2>
  func.func @main(%one_gather_of_what_is_cast_then: tensor<2x4xf16>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
    %0 = onnx.Cast(%one_gather_of_what_is_cast_then) {dist.stage = 0 : i64, round_mode = "up", saturate = 1 : i64, to = 1 : i64} : (tensor<2x4xf16>) -> tensor<2x4xf32>
    %1 = dist.all_gather %0 over @m axes ["tp"] dim 0 unit 1 {dist.stage = 0 : i64} : tensor<2x4xf32> -> tensor<4x4xf32>
    %2 = dist.all_gather %0 over @m axes ["tp"] dim 0 unit 1 {dist.stage = 0 : i64} : tensor<2x4xf32> -> tensor<4x4xf32>
    return %1, %2 : tensor<4x4xf32>, tensor<4x4xf32>
  }
}

// -----

// Two sums and a third one that is of another kind.
// CHECK-LABEL: func.func @main
// CHECK-NEXT: %[[ALL:.*]] = onnx.Concat(%arg0, %arg1) {axis = 0 : i64, dist.stage = 0 : i64} : {{.*}} -> tensor<4x3xf32>
// CHECK-NEXT: %[[SUM:.*]] = dist.all_reduce %[[ALL]] over @m axes ["tp"] sum {dist.stage = 0 : i64} : tensor<4x3xf32>
// CHECK-NEXT: %[[NONE:.*]] = onnx.none
// CHECK-NEXT: %[[PARTS:.*]]:2 = onnx.Split(%[[SUM]], %[[NONE]]) {axis = 0 : i64, dist.stage = 0 : i64, num_outputs = 2 : i64}
// CHECK-NEXT: %[[MAX:.*]] = dist.all_reduce %arg2 over @m axes ["tp"] max
// CHECK-NEXT: return %[[PARTS]]#0, %[[PARTS]]#1, %[[MAX]]
// APART-LABEL: func.func @main
// APART-COUNT-3: dist.all_reduce
module {
  dist.mesh @m <"tp" = 2>
  func.func @main(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>, %c: tensor<2x3xf32>)
      -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
    %0 = dist.all_reduce %a over @m axes ["tp"] sum {dist.stage = 0 : i64} : tensor<2x3xf32>
    %1 = dist.all_reduce %b over @m axes ["tp"] sum {dist.stage = 0 : i64} : tensor<2x3xf32>
    %2 = dist.all_reduce %c over @m axes ["tp"] max {dist.stage = 0 : i64} : tensor<2x3xf32>
    return %0, %1, %2 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
  }
}
