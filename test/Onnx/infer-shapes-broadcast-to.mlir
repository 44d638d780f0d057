// RUN: dougong-opt %s --split-input-file --onnx-infer-shapes | FileCheck %s

// C may have one row or as many as the product: its symbol is not that of A.
// CHECK:      func.func @gemm(
// CHECK-SAME:   tensor<?x3xf32, #onnx.dims<"m", _>>
// CHECK-SAME:   tensor<?x4xf32, #onnx.dims<"rows", _>>
// CHECK-SAME:   onnx.checks = [{lhs = "rows", node = {{.*}}, op = "==", or = "m", rhs = "1"}]
// CHECK:      onnx.Gemm
// CHECK-SAME:   -> tensor<?x4xf32, #onnx.dims<"m", _>>
func.func @gemm(%a: tensor<?x3xf32, #onnx.dims<"m", _>> {onnx.name = "a"}, %b: tensor<3x4xf32> {onnx.name = "b"},
                %c: tensor<?x4xf32, #onnx.dims<"rows", _>> {onnx.name = "c"}) -> tensor<*xf32> {
  %0 = onnx.Gemm(%a, %b, %c) {alpha = 1.0 : f32, beta = 1.0 : f32, transA = 0 : i64, transB = 0 : i64}
      : (tensor<?x3xf32, #onnx.dims<"m", _>>, tensor<3x4xf32>, tensor<?x4xf32, #onnx.dims<"rows", _>>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// Of 2 or more rows there must be as many as the product has.
// CHECK:      func.func @gemm_rows(
// CHECK-SAME:   tensor<?x4xf32, #onnx.dims<"m", _>> {onnx.name = "c"}
func.func @gemm_rows(%a: tensor<?x3xf32, #onnx.dims<"m", _>> {onnx.name = "a"}, %b: tensor<3x4xf32> {onnx.name = "b"},
                     %c: tensor<?x4xf32, #onnx.dims<"rows", _>> {onnx.name = "c"}) -> tensor<*xf32>
    attributes {onnx.dim_ranges = {rows = array<i64: 2>}} {
  %0 = onnx.Gemm(%a, %b, %c) {alpha = 1.0 : f32, beta = 1.0 : f32, transA = 0 : i64, transB = 0 : i64}
      : (tensor<?x3xf32, #onnx.dims<"m", _>>, tensor<3x4xf32>, tensor<?x4xf32, #onnx.dims<"rows", _>>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
