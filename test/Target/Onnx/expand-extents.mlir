// RUN: dougong-opt %s --onnx-expand-extents -split-input-file | FileCheck %s

// An extent that a tensor has is read off it; others are computed. What was made
// once is used again.
  // CHECK: func.func @main(%[[X:[a-z0-9]+]]: tensor<?x?xf32
  func.func @main(%x: tensor<?x?xf32, #onnx.dims<"batch", "seq">>) -> (tensor<3xi64>, tensor<i64>, tensor<1x1xi32>) {
    // CHECK: %[[B:.*]] = onnx.Shape(%[[X]]) {end = 1 : i64, start = 0 : i64}
    // CHECK: %[[S:.*]] = onnx.Shape(%[[X]]) {end = 2 : i64, start = 1 : i64}
    // CHECK: %[[DOUBLE:.*]] = onnx.Mul(%{{.*}}, %[[S]])
    // CHECK: %[[SEVEN:.*]] = onnx.Constant() {value = dense<7> : tensor<1xi64>}
    // CHECK: %[[SHAPE:.*]] = onnx.Concat(%[[B]], %[[DOUBLE]], %[[SEVEN]]) {axis = 0 : i64}
    %shape = onnx.dims_tensor ["batch", "2 * seq", "7"] : tensor<3xi64>
    // floor: the rest goes before the division; ceiling: what is missing is added.
    // CHECK: %[[REST:.*]] = onnx.Mod(%[[S]], %{{.*}}) {fmod = 0 : i64}
    // CHECK: %[[LESS:.*]] = onnx.Sub(%[[S]], %[[REST]])
    // CHECK: %[[HALF:.*]] = onnx.Div(%[[LESS]], %{{.*}})
    // CHECK: %[[SCALAR:.*]] = onnx.Reshape(%[[HALF]], %{{.*}}) {{.*}} : (tensor<1xi64>, tensor<0xi64>) -> tensor<i64>
    %half = onnx.dims_tensor ["seq floordiv 2"] : tensor<i64>
    // CHECK: %[[NEGATIVE:.*]] = onnx.Neg(%[[B]])
    // CHECK: %[[MISSING:.*]] = onnx.Mod(%[[NEGATIVE]], %{{.*}})
    // CHECK: %[[MORE:.*]] = onnx.Add(%[[B]], %[[MISSING]])
    // CHECK: %[[PART:.*]] = onnx.Div(%[[MORE]], %{{.*}})
    // CHECK: %[[MATRIX:.*]] = onnx.Reshape(%[[PART]], %{{.*}}) {{.*}} : (tensor<1xi64>, tensor<2xi64>) -> tensor<1x1xi64>
    // CHECK: %[[NARROW:.*]] = onnx.Cast(%[[MATRIX]]) {{.*}}to = 6 : i64
    %part = onnx.dims_tensor ["batch ceildiv 2"] : tensor<1x1xi32>
    // CHECK-NOT: dims_tensor
    // CHECK: return %[[SHAPE]], %[[SCALAR]], %[[NARROW]]
    return %shape, %half, %part : tensor<3xi64>, tensor<i64>, tensor<1x1xi32>
  }

// -----

// A symbol that no tensor has alone is what is left of a sum; an expression that a
// tensor has whole is not taken apart.
  // CHECK: func.func @main(%[[MASK:[a-z0-9]+]]: tensor<?xi64, #onnx.dims<"past + seq">>, %[[IDS:[a-z0-9]+]]: tensor<?xi64
  func.func @main(%mask: tensor<?xi64, #onnx.dims<"past + seq">>, %ids: tensor<?xi64, #onnx.dims<"seq">>) -> (tensor<1xi64>, tensor<1xi64>) {
    // CHECK: %[[ALL:.*]] = onnx.Shape(%[[MASK]])
    %all = onnx.dims_tensor ["past + seq"] : tensor<1xi64>
    // CHECK: %[[SEQ:.*]] = onnx.Shape(%[[IDS]])
    // CHECK: %[[PAST:.*]] = onnx.Sub(%[[ALL]], %[[SEQ]])
    %past = onnx.dims_tensor ["past"] : tensor<1xi64>
    // CHECK: return %[[ALL]], %[[PAST]]
    return %all, %past : tensor<1xi64>, tensor<1xi64>
  }

// -----

// Data tell an extent: it is read off the result that has it.
  func.func @main(%x: tensor<4xf32>) -> tensor<1xi64> {
    // CHECK: %[[FOUND:.*]] = onnx.NonZero
    %found = onnx.NonZero(%x) : (tensor<4xf32>) -> tensor<1x?xi64, #onnx.dims<_, "found">>
    // CHECK: %[[COUNT:.*]] = onnx.Shape(%[[FOUND]]) {end = 2 : i64, start = 1 : i64}
    // CHECK: return %[[COUNT]]
    %count = onnx.dims_tensor ["found"] : tensor<1xi64>
    return %count : tensor<1xi64>
  }
