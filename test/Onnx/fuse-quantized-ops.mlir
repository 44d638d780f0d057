// RUN: dougong-opt %s --onnx-fuse-quantized-ops --split-input-file | FileCheck %s
// RUN: dougong-opt %s --onnx-fuse-quantized-ops --split-input-file --mlir-print-local-scope --mlir-print-debuginfo | FileCheck %s --check-prefix=NAMES

// The sums are dequantised once, by the product of the scales; what follows stays.
// CHECK-LABEL: func.func @product(
// CHECK-SAME:      %[[A:[^:]*]]: tensor<?x8xui8, #onnx.dims<"n", _>>, %[[B:[^:]*]]: tensor<8x6xi8>
// CHECK-DAG:     %[[S:.*]] = onnx.Constant() {value = dense<5.000000e-01> : tensor<f32>}
// CHECK-DAG:     %[[T:.*]] = onnx.Constant() {value = dense<{{.*}}> : tensor<6xf32>}
// CHECK-DAG:     %[[Z:.*]] = onnx.Constant() {value = dense<3> : tensor<ui8>}
// CHECK:         %[[SUM:.*]] = onnx.MatMulInteger(%[[A]], %[[B]], %[[Z]], %{{.*}}) : {{.*}} -> tensor<?x6xi32, #onnx.dims<"n", _>>
// CHECK:         %[[SCALE:.*]] = onnx.Mul(%[[T]], %[[S]])
// CHECK:         %[[Y:.*]] = onnx.DequantizeLinear(%[[SUM]], %[[SCALE]], %{{.*}}) {axis = 1 : i64{{.*}}
// CHECK:         onnx.Relu(%[[Y]])
// CHECK-NOT:     onnx.MatMul(
func.func @product(%a: tensor<?x8xui8, #onnx.dims<"n", _>>, %b: tensor<8x6xi8>) -> tensor<?x6xf32, #onnx.dims<"n", _>> {
  %none = onnx.none
  %s = onnx.Constant() {value = dense<5.0e-01> : tensor<f32>} : () -> tensor<f32>
  %z = onnx.Constant() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %t = onnx.Constant() {value = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>} : () -> tensor<6xf32>
  %0 = onnx.DequantizeLinear(%a, %s, %z) : (tensor<?x8xui8, #onnx.dims<"n", _>>, tensor<f32>, tensor<ui8>) -> tensor<?x8xf32, #onnx.dims<"n", _>>
  %1 = onnx.DequantizeLinear(%b, %t, %none) {axis = 1 : i64} : (tensor<8x6xi8>, tensor<6xf32>, none) -> tensor<8x6xf32>
  %2 = onnx.MatMul(%0, %1) : (tensor<?x8xf32, #onnx.dims<"n", _>>, tensor<8x6xf32>) -> tensor<?x6xf32, #onnx.dims<"n", _>>
  %3 = onnx.Relu(%2) : (tensor<?x6xf32, #onnx.dims<"n", _>>) -> tensor<?x6xf32, #onnx.dims<"n", _>>
  return %3 : tensor<?x6xf32, #onnx.dims<"n", _>>
}

// -----

// CHECK-LABEL: func.func @convolution(
// CHECK:         %[[SUM:.*]] = onnx.ConvInteger(%{{.*}}) {{.*}}pads = array<i64: 1, 1, 1, 1>{{.*}} -> tensor<1x4x5x5xi32>
// CHECK:         %[[REAL:.*]] = onnx.DequantizeLinear(%[[SUM]], %{{.*}}) {axis = 1 : i64{{.*}}
// CHECK:         %[[BIAS:.*]] = onnx.Reshape(%{{.*}}) {{.*}}: (tensor<4xf32>, tensor<3xi64>) -> tensor<4x1x1xf32>
// CHECK:         %[[Y:.*]] = onnx.Add(%[[REAL]], %[[BIAS]])
// CHECK-NEXT:    return %[[Y]]

// All parts have the node's name.
// NAMES:         onnx.ConvInteger{{.*}} loc("convolve")
// NAMES:         onnx.DequantizeLinear{{.*}} loc("convolve")
// NAMES:         onnx.Add{{.*}} loc("convolve")
func.func @convolution(%x: tensor<1x3x5x5xui8>, %w: tensor<4x3x3x3xi8>, %t: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<1x4x5x5xf32> {
  %none = onnx.none
  %s = onnx.Constant() {value = dense<5.0e-01> : tensor<f32>} : () -> tensor<f32>
  %z = onnx.Constant() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %0 = onnx.DequantizeLinear(%x, %s, %z) : (tensor<1x3x5x5xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x3x5x5xf32>
  %1 = onnx.DequantizeLinear(%w, %t, %none) {axis = 0 : i64} : (tensor<4x3x3x3xi8>, tensor<4xf32>, none) -> tensor<4x3x3x3xf32>
  %2 = onnx.Conv(%0, %1, %c) {pads = array<i64: 1, 1, 1, 1>} : (tensor<1x3x5x5xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<1x4x5x5xf32> loc("convolve")
  return %2 : tensor<1x4x5x5xf32>
}

// -----

// Movement is one of integers; a pair with equal parameters goes, one with others
// quantises anew.
// CHECK-LABEL: func.func @movement(
// CHECK-SAME:      %[[X:[^:]*]]: tensor<2x3xui8>
// CHECK:         %[[T:.*]] = onnx.Transpose(%[[X]]) {{.*}} -> tensor<3x2xui8>
// CHECK:         %[[R:.*]] = onnx.DequantizeLinear(%[[T]],
// CHECK:         %[[Q:.*]] = onnx.QuantizeLinear(%[[R]],
// CHECK:         return %[[T]], %[[Q]]
func.func @movement(%x: tensor<2x3xui8>) -> (tensor<3x2xui8>, tensor<3x2xui8>) {
  %s = onnx.Constant() {value = dense<5.0e-01> : tensor<f32>} : () -> tensor<f32>
  %t = onnx.Constant() {value = dense<7.0e-01> : tensor<f32>} : () -> tensor<f32>
  %z = onnx.Constant() {value = dense<3> : tensor<ui8>} : () -> tensor<ui8>
  %0 = onnx.DequantizeLinear(%x, %s, %z) : (tensor<2x3xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x3xf32>
  %1 = onnx.Transpose(%0) {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %2 = onnx.QuantizeLinear(%1, %s, %z) : (tensor<3x2xf32>, tensor<f32>, tensor<ui8>) -> tensor<3x2xui8>
  %3 = onnx.QuantizeLinear(%1, %t, %z) : (tensor<3x2xf32>, tensor<f32>, tensor<ui8>) -> tensor<3x2xui8>
  return %2, %3 : tensor<3x2xui8>, tensor<3x2xui8>
}

// -----

// What is computed is quantised before it is moved.
// CHECK-LABEL: func.func @rise(
// CHECK:         %[[E:.*]] = onnx.Exp
// CHECK:         %[[Q:.*]] = onnx.QuantizeLinear(%[[E]],
// CHECK:         %[[T:.*]] = onnx.Transpose(%[[Q]])
// CHECK-NEXT:    return %[[T]]
func.func @rise(%x: tensor<2x3xf32>) -> tensor<3x2xui8> {
  %none = onnx.none
  %s = onnx.Constant() {value = dense<5.0e-01> : tensor<f32>} : () -> tensor<f32>
  %0 = onnx.Exp(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = onnx.Transpose(%0) {perm = array<i64: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %2 = onnx.QuantizeLinear(%1, %s, %none) : (tensor<3x2xf32>, tensor<f32>, none) -> tensor<3x2xui8>
  return %2 : tensor<3x2xui8>
}

// -----

// Four bits in blocks stay four bits: two numbers in a byte, moved by 8.
onnx.weight @w : tensor<8x6xi4> = #onnx.external<"w.bin", offset = 0, length = 24>
// CHECK-LABEL: func.func @packed(
// CHECK-DAG:     onnx.Transpose({{.*}} -> tensor<6x8xi4>
// CHECK-DAG:     onnx.Constant() {value = dense<8> : tensor<i16>}
// CHECK-DAG:     onnx.Slice({{.*}} -> tensor<6x2x2x1xui8>
// CHECK-DAG:     %[[S:.*]] = onnx.Transpose({{.*}} -> tensor<6x2xf32>
// CHECK-DAG:     %[[B:.*]] = onnx.Reshape({{.*}} -> tensor<6x2x2xui8>
// CHECK:         onnx.ms.MatMulNBits(%{{.*}}, %[[B]], %[[S]], %{{.*}}) {K = 8 : i64, N = 6 : i64, {{.*}}bits = 4 : i64, block_size = 4 : i64
func.func @packed(%a: tensor<5x8xf32>, %t: tensor<2x6xf32>) -> tensor<5x6xf32> {
  %none = onnx.none
  %w = onnx.use @w : tensor<8x6xi4>
  %0 = onnx.DequantizeLinear(%w, %t, %none) {axis = 0 : i64, block_size = 4 : i64} : (tensor<8x6xi4>, tensor<2x6xf32>, none) -> tensor<8x6xf32>
  %1 = onnx.MatMul(%a, %0) : (tensor<5x8xf32>, tensor<8x6xf32>) -> tensor<5x6xf32>
  return %1 : tensor<5x6xf32>
}

// -----

// What does not match stays: 16 bits,
// CHECK-LABEL: func.func @wide(
// CHECK:         onnx.MatMul(
func.func @wide(%a: tensor<4x8xui16>, %b: tensor<8x6xi8>, %s: tensor<f32>) -> tensor<4x6xf32> {
  %none = onnx.none
  %0 = onnx.DequantizeLinear(%a, %s, %none) : (tensor<4x8xui16>, tensor<f32>, none) -> tensor<4x8xf32>
  %1 = onnx.DequantizeLinear(%b, %s, %none) : (tensor<8x6xi8>, tensor<f32>, none) -> tensor<8x6xf32>
  %2 = onnx.MatMul(%0, %1) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  return %2 : tensor<4x6xf32>
}

// -----

// scales along the sum,
// CHECK-LABEL: func.func @along_k(
// CHECK:         onnx.MatMul(
func.func @along_k(%a: tensor<4x8xui8>, %b: tensor<8x6xi8>, %s: tensor<f32>, %t: tensor<8xf32>) -> tensor<4x6xf32> {
  %none = onnx.none
  %0 = onnx.DequantizeLinear(%a, %s, %none) : (tensor<4x8xui8>, tensor<f32>, none) -> tensor<4x8xf32>
  %1 = onnx.DequantizeLinear(%b, %t, %none) {axis = 0 : i64} : (tensor<8x6xi8>, tensor<8xf32>, none) -> tensor<8x6xf32>
  %2 = onnx.MatMul(%0, %1) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  return %2 : tensor<4x6xf32>
}

// -----

// sums that may not fit in 32 bits,
// CHECK-LABEL: func.func @long_sum(
// CHECK:         onnx.MatMul(
func.func @long_sum(%a: tensor<4x40000xui8>, %b: tensor<40000x6xui8>, %s: tensor<f32>) -> tensor<4x6xf32> {
  %none = onnx.none
  %0 = onnx.DequantizeLinear(%a, %s, %none) : (tensor<4x40000xui8>, tensor<f32>, none) -> tensor<4x40000xf32>
  %1 = onnx.DequantizeLinear(%b, %s, %none) : (tensor<40000x6xui8>, tensor<f32>, none) -> tensor<40000x6xf32>
  %2 = onnx.MatMul(%0, %1) : (tensor<4x40000xf32>, tensor<40000x6xf32>) -> tensor<4x6xf32>
  return %2 : tensor<4x6xf32>
}

// -----

// a scale that only the run tells (a negative one would turn the order around),
// CHECK-LABEL: func.func @unknown_scale(
// CHECK:         onnx.MaxPool({{.*}} -> (tensor<1x3x4x4xf32>, none)
// CHECK:         onnx.QuantizeLinear
func.func @unknown_scale(%x: tensor<1x3x8x8xui8>, %s: tensor<f32>) -> tensor<1x3x4x4xui8> {
  %none = onnx.none
  %0 = onnx.DequantizeLinear(%x, %s, %none) : (tensor<1x3x8x8xui8>, tensor<f32>, none) -> tensor<1x3x8x8xf32>
  %1, %i = onnx.MaxPool(%0) {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x3x8x8xf32>) -> (tensor<1x3x4x4xf32>, none)
  %2 = onnx.QuantizeLinear(%1, %s, %none) : (tensor<1x3x4x4xf32>, tensor<f32>, none) -> tensor<1x3x4x4xui8>
  return %2 : tensor<1x3x4x4xui8>
}

// -----

// and what pads with a number other than 0.
// CHECK-LABEL: func.func @padding(
// CHECK:         onnx.Pad({{.*}} -> tensor<4xf32>
func.func @padding(%x: tensor<2xui8>) -> tensor<4xf32> {
  %none = onnx.none
  %s = onnx.Constant() {value = dense<5.0e-01> : tensor<f32>} : () -> tensor<f32>
  %pads = onnx.Constant() {value = dense<1> : tensor<2xi64>} : () -> tensor<2xi64>
  %0 = onnx.DequantizeLinear(%x, %s, %none) : (tensor<2xui8>, tensor<f32>, none) -> tensor<2xf32>
  %1 = onnx.Pad(%0, %pads, %s, %none) : (tensor<2xf32>, tensor<2xi64>, tensor<f32>, none) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

// Many rows: each weight would be unpacked again and again.
onnx.weight @w : tensor<8x6xi8> = #onnx.external<"w.bin", offset = 0, length = 48>
// CHECK-LABEL: func.func @many_rows(
// CHECK:         onnx.MatMul(
func.func @many_rows(%a: tensor<4x8x8xf32>, %s: tensor<f32>) -> tensor<4x8x6xf32> {
  %none = onnx.none
  %w = onnx.use @w : tensor<8x6xi8>
  %0 = onnx.DequantizeLinear(%w, %s, %none) : (tensor<8x6xi8>, tensor<f32>, none) -> tensor<8x6xf32>
  %1 = onnx.MatMul(%a, %0) : (tensor<4x8x8xf32>, tensor<8x6xf32>) -> tensor<4x8x6xf32>
  return %1 : tensor<4x8x6xf32>
}

// -----

// An inner dim without a bound becomes a condition: 2^31 - 1 over 255 * 255 products.
// CHECK-LABEL: func.func @unbounded(
// CHECK-SAME:      onnx.checks = [{lhs = "k", node = {{.*}}, op = "<=", rhs = "33025"}]
// CHECK:         onnx.MatMulInteger(
func.func @unbounded(%a: tensor<4x?xui8, #onnx.dims<_, "k">>, %b: tensor<?x6xui8, #onnx.dims<"k", _>>, %s: tensor<f32>) -> tensor<4x6xf32> {
  %none = onnx.none
  %0 = onnx.DequantizeLinear(%a, %s, %none) : (tensor<4x?xui8, #onnx.dims<_, "k">>, tensor<f32>, none) -> tensor<4x?xf32, #onnx.dims<_, "k">>
  %1 = onnx.DequantizeLinear(%b, %s, %none) : (tensor<?x6xui8, #onnx.dims<"k", _>>, tensor<f32>, none) -> tensor<?x6xf32, #onnx.dims<"k", _>>
  %2 = onnx.MatMul(%0, %1) : (tensor<4x?xf32, #onnx.dims<_, "k">>, tensor<?x6xf32, #onnx.dims<"k", _>>) -> tensor<4x6xf32>
  return %2 : tensor<4x6xf32>
}

// -----

// CHECK-LABEL: func.func @bounded(
// CHECK-NOT:       onnx.checks
// CHECK:         onnx.MatMulInteger(
func.func @bounded(%a: tensor<4x?xui8, #onnx.dims<_, "k">>, %b: tensor<?x6xui8, #onnx.dims<"k", _>>, %s: tensor<f32>) -> tensor<4x6xf32> attributes {onnx.dim_ranges = {k = array<i64: 0, 1024>}} {
  %none = onnx.none
  %0 = onnx.DequantizeLinear(%a, %s, %none) : (tensor<4x?xui8, #onnx.dims<_, "k">>, tensor<f32>, none) -> tensor<4x?xf32, #onnx.dims<_, "k">>
  %1 = onnx.DequantizeLinear(%b, %s, %none) : (tensor<?x6xui8, #onnx.dims<"k", _>>, tensor<f32>, none) -> tensor<?x6xf32, #onnx.dims<"k", _>>
  %2 = onnx.MatMul(%0, %1) : (tensor<4x?xf32, #onnx.dims<_, "k">>, tensor<?x6xf32, #onnx.dims<"k", _>>) -> tensor<4x6xf32>
  return %2 : tensor<4x6xf32>
}
