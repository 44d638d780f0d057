// RUN: dougong-opt %s --onnx-outline-blocks=min-ops=2 --split-input-file | FileCheck %s
// RUN: dougong-opt %s --onnx-outline-blocks="min-ops=2 statistics" --split-input-file | FileCheck %s --check-prefix=STATISTICS

// Three layers: weights are arguments, the residual input is carried, the
// constant axis is part of the block, and extents get formal names.

// STATISTICS:     1 distinct repeated blocks
// STATISTICS-NEXT:  @block_0: 3 operators x 3, 2 arguments, 1 results

// CHECK-LABEL: func.func @main
// CHECK-SAME:    %[[X:[^:]*]]: tensor<?x4xf32
// CHECK:         %[[A:.*]] = onnx.launch @block_0(%[[X]], %{{.*}}) : (tensor<?x4xf32, #onnx.dims<"n", _>>, tensor<4x4xf32>) -> tensor<?x4xf32, #onnx.dims<"n", _>>
// CHECK:         %[[B:.*]] = onnx.launch @block_0(%[[A]], %{{.*}})
// CHECK:         %[[C:.*]] = onnx.launch @block_0(%[[B]], %{{.*}})
// CHECK:         return %[[C]]
// CHECK:       func.func private @block_0(%[[Y:[^:]*]]: tensor<?x4xf32, #onnx.dims<"s0", _>>, %[[W:[^:]*]]: tensor<4x4xf32>) -> tensor<?x4xf32, #onnx.dims<"s0", _>>
// CHECK-NEXT:    %[[P:.*]] = onnx.MatMul(%[[Y]], %[[W]])
// CHECK-NEXT:    %[[S:.*]] = onnx.Softmax(%[[P]])
// CHECK-NEXT:    %[[R:.*]] = onnx.Add(%[[S]], %[[Y]])
// CHECK-NEXT:    return %[[R]]
onnx.weight @w0 : tensor<4x4xf32> = #onnx.external<"w.bin", offset = 0, length = 64>
onnx.weight @w1 : tensor<4x4xf32> = #onnx.external<"w.bin", offset = 64, length = 64>
onnx.weight @w2 : tensor<4x4xf32> = #onnx.external<"w.bin", offset = 128, length = 64>
func.func @main(%x: tensor<?x4xf32, #onnx.dims<"n", _>>) -> tensor<?x4xf32, #onnx.dims<"n", _>> {
  %w0 = onnx.use @w0 : tensor<4x4xf32>
  %0 = onnx.MatMul(%x, %w0) : (tensor<?x4xf32, #onnx.dims<"n", _>>, tensor<4x4xf32>) -> tensor<?x4xf32, #onnx.dims<"n", _>>
  %1 = onnx.Softmax(%0) {axis = -1 : i64} : (tensor<?x4xf32, #onnx.dims<"n", _>>) -> tensor<?x4xf32, #onnx.dims<"n", _>>
  %2 = onnx.Add(%1, %x) : (tensor<?x4xf32, #onnx.dims<"n", _>>, tensor<?x4xf32, #onnx.dims<"n", _>>) -> tensor<?x4xf32, #onnx.dims<"n", _>>
  %w1 = onnx.use @w1 : tensor<4x4xf32>
  %3 = onnx.MatMul(%2, %w1) : (tensor<?x4xf32, #onnx.dims<"n", _>>, tensor<4x4xf32>) -> tensor<?x4xf32, #onnx.dims<"n", _>>
  %4 = onnx.Softmax(%3) {axis = -1 : i64} : (tensor<?x4xf32, #onnx.dims<"n", _>>) -> tensor<?x4xf32, #onnx.dims<"n", _>>
  %5 = onnx.Add(%4, %2) : (tensor<?x4xf32, #onnx.dims<"n", _>>, tensor<?x4xf32, #onnx.dims<"n", _>>) -> tensor<?x4xf32, #onnx.dims<"n", _>>
  %w2 = onnx.use @w2 : tensor<4x4xf32>
  %6 = onnx.MatMul(%5, %w2) : (tensor<?x4xf32, #onnx.dims<"n", _>>, tensor<4x4xf32>) -> tensor<?x4xf32, #onnx.dims<"n", _>>
  %7 = onnx.Softmax(%6) {axis = -1 : i64} : (tensor<?x4xf32, #onnx.dims<"n", _>>) -> tensor<?x4xf32, #onnx.dims<"n", _>>
  %8 = onnx.Add(%7, %5) : (tensor<?x4xf32, #onnx.dims<"n", _>>, tensor<?x4xf32, #onnx.dims<"n", _>>) -> tensor<?x4xf32, #onnx.dims<"n", _>>
  return %8 : tensor<?x4xf32, #onnx.dims<"n", _>>
}

// -----

// Equal operators, but the second one uses its operands the other way round.

// STATISTICS: 0 distinct repeated blocks
// CHECK-LABEL: func.func @no_outline_of_different_edges
// CHECK-NOT:     onnx.launch
func.func @no_outline_of_different_edges(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = onnx.Relu(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = onnx.Sub(%0, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = onnx.Relu(%1) : (tensor<4xf32>) -> tensor<4xf32>
  %3 = onnx.Sub(%x, %2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %3 : tensor<4xf32>
}

// -----

// Numbers that are computed with are arguments where blocks differ in them, and
// stay inside where they do not; an axis is always part of the operator.

// STATISTICS:     1 distinct repeated blocks
// STATISTICS-NEXT:  @block_0: 3 operators x 2, 2 arguments, 1 results
// CHECK-LABEL: func.func @experts
// CHECK-DAG:     %[[ZERO:.*]] = onnx.Constant() {value = dense<0> : tensor<i64>}
// CHECK-DAG:     %[[ONE:.*]] = onnx.Constant() {value = dense<1> : tensor<i64>}
// CHECK:         %[[A:.*]] = onnx.launch @block_0(%[[X:.*]], %[[ZERO]])
// CHECK:         %[[B:.*]] = onnx.launch @block_0(%[[X]], %[[ONE]])
// CHECK:       func.func private @block_0(%[[Y:[^:]*]]: tensor<4x2xi64>, %[[N:[^:]*]]: tensor<i64>)
// CHECK:         %[[D:.*]] = onnx.Sub(%[[Y]], %[[N]])
// CHECK:         %[[FIVE:.*]] = onnx.Constant() {value = dense<5> : tensor<i64>}
// CHECK:         %[[M:.*]] = onnx.Mul(%[[D]], %[[FIVE]])
// CHECK:         %[[AXIS:.*]] = onnx.Constant() {value = dense<-1> : tensor<1xi64>}
// CHECK:         onnx.ReduceSum(%[[M]], %[[AXIS]])
func.func @experts(%x: tensor<4x2xi64>) -> (tensor<4xi64>, tensor<4xi64>) {
  %axis = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %five = onnx.Constant() {value = dense<5> : tensor<i64>} : () -> tensor<i64>
  %zero = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
  %one = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
  %0 = onnx.Sub(%x, %zero) : (tensor<4x2xi64>, tensor<i64>) -> tensor<4x2xi64>
  %1 = onnx.Mul(%0, %five) : (tensor<4x2xi64>, tensor<i64>) -> tensor<4x2xi64>
  %2 = onnx.ReduceSum(%1, %axis) {keepdims = 0 : i64} : (tensor<4x2xi64>, tensor<1xi64>) -> tensor<4xi64>
  %3 = onnx.Sub(%x, %one) : (tensor<4x2xi64>, tensor<i64>) -> tensor<4x2xi64>
  %4 = onnx.Mul(%3, %five) : (tensor<4x2xi64>, tensor<i64>) -> tensor<4x2xi64>
  %5 = onnx.ReduceSum(%4, %axis) {keepdims = 0 : i64} : (tensor<4x2xi64>, tensor<1xi64>) -> tensor<4xi64>
  return %2, %5 : tensor<4xi64>, tensor<4xi64>
}
