// RUN: dougong-opt %s --onnx-simplify-graph --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @chain_of_nothing
// CHECK-SAME:    %[[X:.*]]: tensor<2x3xf32>
// CHECK-NEXT:    return %[[X]]
func.func @chain_of_nothing(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %none = onnx.none
  %shape = onnx.Constant() {value = dense<[2, -1]> : tensor<2xi64>} : () -> tensor<2xi64>
  %0 = onnx.Identity(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1, %mask = onnx.Dropout(%0, %none, %none) : (tensor<2x3xf32>, none, none) -> (tensor<2x3xf32>, none)
  %2 = onnx.Cast(%1) {to = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = onnx.Reshape(%2, %shape) : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<2x3xf32>
  %4 = onnx.Transpose(%3) {perm = array<i64: 0, 1>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %5 = onnx.Concat(%4) {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %5 : tensor<2x3xf32>
}

// -----

// The type alone does not tell that nothing happens here.

// CHECK-LABEL: func.func @no_fold
// CHECK:         onnx.Transpose
// CHECK:         onnx.Slice
func.func @no_fold(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %none = onnx.none
  %start = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %end = onnx.Constant() {value = dense<-4> : tensor<1xi64>} : () -> tensor<1xi64>
  %0 = onnx.Transpose(%x) : (tensor<3x3xf32>) -> tensor<3x3xf32>
  %1 = onnx.Slice(%0, %start, %end, %none, %start) : (tensor<3x3xf32>, tensor<1xi64>, tensor<1xi64>, none, tensor<1xi64>) -> tensor<3x3xf32>
  return %1 : tensor<3x3xf32>
}

// -----

// CHECK-LABEL: func.func @one_form
// CHECK:         onnx.Constant() {value = dense<[1, 2]> : tensor<2xi64>}
// CHECK:         onnx.Constant() {value = dense<5.000000e-01> : tensor<f32>}
// CHECK:         onnx.Cast(%{{.*}}) {{{.*}}to = 10 : i64}
func.func @one_form(%like: tensor<1xf16>, %x: tensor<4xf32>) -> (tensor<2xi64>, tensor<f32>, tensor<4xf16>) {
  %0 = onnx.Constant() {value_ints = array<i64: 1, 2>} : () -> tensor<2xi64>
  %1 = onnx.Constant() {value_float = 0.5 : f32} : () -> tensor<f32>
  %2 = onnx.CastLike(%x, %like) : (tensor<4xf32>, tensor<1xf16>) -> tensor<4xf16>
  return %0, %1, %2 : tensor<2xi64>, tensor<f32>, tensor<4xf16>
}

// -----

// The branch that is never taken need not be valid.

// CHECK-LABEL: func.func @taken_branch
// CHECK-NOT:     onnx.If
// CHECK:         %[[R:.*]] = onnx.Relu
// CHECK:         return %[[R]]
func.func @taken_branch(%x: tensor<2xf32>) -> tensor<2xf32> {
  %yes = onnx.Constant() {value = dense<true> : tensor<i1>} : () -> tensor<i1>
  %none = onnx.Constant() {value = dense<> : tensor<0xi64>} : () -> tensor<0xi64>
  %0 = onnx.If(%yes) : (tensor<i1>) -> tensor<2xf32> ({
    %bad = onnx.Reshape(%x, %none) : (tensor<2xf32>, tensor<0xi64>) -> tensor<*xf32>
    onnx.yield %bad : tensor<*xf32>
  }, {
    %good = onnx.Relu(%x) : (tensor<2xf32>) -> tensor<2xf32>
    onnx.yield %good : tensor<2xf32>
  })
  return %0 : tensor<2xf32>
}

// -----

// Weights are not put together in each step: their products are.

onnx.weight @q : tensor<6x4xf32> = #onnx.external<"w.bin", offset = 0, length = 96>
onnx.weight @k : tensor<2x4xf32> = #onnx.external<"w.bin", offset = 96, length = 32>

// CHECK-LABEL: func.func @product_by_concat
// CHECK-DAG:     %[[Q:.*]] = onnx.use @q
// CHECK-DAG:     %[[K:.*]] = onnx.use @k
// CHECK:         %[[QT:.*]] = onnx.Transpose(%[[Q]]) {{.*}} -> tensor<4x6xf32>
// CHECK:         %[[XQ:.*]] = onnx.MatMul(%{{.*}}, %[[QT]]) {{.*}} -> tensor<?x3x6xf32, #onnx.dims<"n", _, _>>
// CHECK:         %[[KT:.*]] = onnx.Transpose(%[[K]]) {{.*}} -> tensor<4x2xf32>
// CHECK:         %[[XK:.*]] = onnx.MatMul(%{{.*}}, %[[KT]]) {{.*}} -> tensor<?x3x2xf32, #onnx.dims<"n", _, _>>
// CHECK:         onnx.Concat(%[[XQ]], %[[XK]]) {axis = 2 : i64}
func.func @product_by_concat(%x: tensor<?x3x4xf32, #onnx.dims<"n", _, _>>)
    -> tensor<?x3x8xf32, #onnx.dims<"n", _, _>> {
  %q = onnx.use @q : tensor<6x4xf32>
  %k = onnx.use @k : tensor<2x4xf32>
  %w = onnx.Concat(%q, %k) {axis = 0 : i64} : (tensor<6x4xf32>, tensor<2x4xf32>) -> tensor<8x4xf32>
  %t = onnx.Transpose(%w) {perm = array<i64: 1, 0>} : (tensor<8x4xf32>) -> tensor<4x8xf32>
  %y = onnx.MatMul(%x, %t) : (tensor<?x3x4xf32, #onnx.dims<"n", _, _>>, tensor<4x8xf32>) -> tensor<?x3x8xf32, #onnx.dims<"n", _, _>>
  return %y : tensor<?x3x8xf32, #onnx.dims<"n", _, _>>
}

// -----

// Rows put together are summed over: nothing to split.

onnx.weight @a : tensor<2x4xf32> = #onnx.external<"w.bin", offset = 0, length = 32>

// CHECK-LABEL: func.func @negative_rows
// CHECK:         onnx.Concat
// CHECK-NEXT:    onnx.MatMul
func.func @negative_rows(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %a = onnx.use @a : tensor<2x4xf32>
  %w = onnx.Concat(%a, %a) {axis = 0 : i64} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
  %y = onnx.MatMul(%x, %w) : (tensor<3x4xf32>, tensor<4x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
