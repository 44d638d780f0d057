// RUN: dougong-opt %s --split-input-file --onnx-infer-shapes | FileCheck %s
// Extents that are symbols where operators are mostly given numbers.

// The user chooses n, and both 1 and 7 are legal: the result is 7.
// CHECK:      func.func @open_broadcast(
// CHECK-SAME:   onnx.checks = [{lhs = "n", node = {{.*}}, op = "==", or = "7", rhs = "1"}]
// CHECK:      onnx.Mul
// CHECK-SAME:   -> tensor<7xf32>
func.func @open_broadcast(%a: tensor<?xf32, #onnx.dims<"n">> {onnx.name = "a"}, %b: tensor<7xf32> {onnx.name = "b"}) -> tensor<*xf32> {
  %0 = onnx.Mul(%a, %b) : (tensor<?xf32, #onnx.dims<"n">>, tensor<7xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// A window of the weights' extents.
// CHECK:      func.func @window(
// CHECK:      onnx.Conv
// CHECK-SAME:   -> tensor<1x4x?xf32, #onnx.dims<_, _, "length - 2 * width + 3">>
func.func @window(%x: tensor<1x3x?xf32, #onnx.dims<_, _, "length">> {onnx.name = "x"},
                  %w: tensor<4x3x?xf32, #onnx.dims<_, _, "width">> {onnx.name = "w"}) -> tensor<*xf32> {
  %none = onnx.none
  %0 = onnx.Conv(%x, %w, %none) {pads = array<i64: 0, 1>, dilations = array<i64: 2>}
      : (tensor<1x3x?xf32, #onnx.dims<_, _, "length">>, tensor<4x3x?xf32, #onnx.dims<_, _, "width">>, none) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// kernel_shape says what the symbol is.
// CHECK:      func.func @kernel_shape(
// CHECK-SAME:   tensor<4x3x5xf32> {onnx.name = "w"}
func.func @kernel_shape(%x: tensor<1x3x20xf32> {onnx.name = "x"},
                        %w: tensor<4x3x?xf32, #onnx.dims<_, _, "width">> {onnx.name = "w"}) -> tensor<*xf32> {
  %none = onnx.none
  %0 = onnx.Conv(%x, %w, %none) {kernel_shape = array<i64: 5>}
      : (tensor<1x3x20xf32>, tensor<4x3x?xf32, #onnx.dims<_, _, "width">>, none) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// Ranks say how long index tuples are.
// CHECK:      func.func @scatter(
// CHECK-SAME:   tensor<?x2xi64, #onnx.dims<"count", _>> {onnx.name = "i"}
func.func @scatter(%x: tensor<4x5x6xf32> {onnx.name = "x"}, %i: tensor<?x?xi64, #onnx.dims<"count", "depth">> {onnx.name = "i"},
                   %u: tensor<?x6xf32, #onnx.dims<"count", _>> {onnx.name = "u"}) -> tensor<*xf32> {
  %0 = onnx.ScatterND(%x, %i, %u) : (tensor<4x5x6xf32>, tensor<?x?xi64, #onnx.dims<"count", "depth">>, tensor<?x6xf32, #onnx.dims<"count", _>>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// The declared rank of an output tells which axes a reduction leaves.
// CHECK:      func.func @reduction(
// CHECK:      onnx.ReduceSum
// CHECK-SAME:   -> tensor<?x?xf32
func.func @reduction(%x: tensor<?x3x4xf32, #onnx.dims<"n", _, _>> {onnx.name = "x"}, %axes: tensor<1xi64> {onnx.name = "axes"}) -> (tensor<*xf32> {onnx.rank = 2 : i64}) {
  %0 = onnx.ReduceSum(%x, %axes) {keepdims = 0 : i64} : (tensor<?x3x4xf32, #onnx.dims<"n", _, _>>, tensor<1xi64>) -> tensor<*xf32>
  %1 = onnx.Sqrt(%0) : (tensor<*xf32>) -> tensor<*xf32>
  return %1 : tensor<*xf32>
}

// -----

// Sizes that are data: the extents come with the run.
// CHECK:      func.func @grid(
// CHECK-SAME:   tensor<?x2x3xf32, #onnx.dims<"n", _, _>> {onnx.name = "t"}
// CHECK-SAME:   tensor<4xi64> {onnx.name = "s"}
// CHECK:      onnx.AffineGrid
// CHECK-SAME:   -> tensor<?x?x?x2xf32, #onnx.dims<"n", "AffineGrid:0.1", "AffineGrid:0.2", _>>
func.func @grid(%t: tensor<?x2x?xf32, #onnx.dims<"n", _, "columns">> {onnx.name = "t"}, %s: tensor<?xi64, #onnx.dims<"count">> {onnx.name = "s"}) -> tensor<*xf32> {
  %0 = onnx.AffineGrid(%t, %s) : (tensor<?x2x?xf32, #onnx.dims<"n", _, "columns">>, tensor<?xi64, #onnx.dims<"count">>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
