// RUN: dougong-opt %s --pass-pipeline="builtin.module(func.func(convert-onnx-to-linalg))" --split-input-file | FileCheck %s

// A static 1 and missing leading dims are read through the map, not expanded.
// CHECK-DAG: #[[$ALL:.+]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[$ROW:.+]] = affine_map<(d0, d1) -> (d1)>
// CHECK-DAG: #[[$COLUMN:.+]] = affine_map<(d0, d1) -> (d0, 0)>
// CHECK-LABEL: func.func private @broadcast_row_and_column
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32> {onnx.dims = #onnx.dims<"s0", _>}
// CHECK: %[[N:.+]] = tensor.dim %[[X]]
// CHECK: tensor.empty(%[[N]]) : tensor<?x4xf32>
// CHECK: linalg.generic {indexing_maps = [#[[$ALL]], #[[$ROW]], #[[$ALL]]]
// CHECK: arith.addf {{.*}} fastmath<contract>
// CHECK: linalg.generic {indexing_maps = [#[[$ALL]], #[[$COLUMN]], #[[$ALL]]]
// CHECK: arith.mulf
func.func private @broadcast_row_and_column(%ctx: !llvm.ptr,
    %x: tensor<?x4xf32, #onnx.dims<"s0", _>> {onnx.dims = #onnx.dims<"s0", _>},
    %b: tensor<4xf32>,
    %c: tensor<?x1xf32, #onnx.dims<"s0", _>> {onnx.dims = #onnx.dims<"s0", _>})
    -> tensor<?x4xf32, #onnx.dims<"s0", _>> attributes {dougong.kernel} {
  %0 = onnx.Add(%x, %b) : (tensor<?x4xf32, #onnx.dims<"s0", _>>, tensor<4xf32>) -> tensor<?x4xf32, #onnx.dims<"s0", _>>
  %1 = onnx.Mul(%0, %c) : (tensor<?x4xf32, #onnx.dims<"s0", _>>, tensor<?x1xf32, #onnx.dims<"s0", _>>) -> tensor<?x4xf32, #onnx.dims<"s0", _>>
  return %1 : tensor<?x4xf32, #onnx.dims<"s0", _>>
}

// -----

// Another name may be 1 at run time: the index is chosen then.
// CHECK-LABEL: func.func private @broadcast_of_unknown_extent
// CHECK: %[[ONE:.+]] = arith.cmpi eq
// CHECK: linalg.generic
// CHECK: %[[I:.+]] = linalg.index 0
// CHECK: %[[AT:.+]] = arith.select %[[ONE]], %{{.+}}, %[[I]]
// CHECK: tensor.extract %{{.+}}[%[[AT]]]
func.func private @broadcast_of_unknown_extent(%ctx: !llvm.ptr,
    %x: tensor<?xf32, #onnx.dims<"s0">> {onnx.dims = #onnx.dims<"s0">},
    %y: tensor<?xf32, #onnx.dims<"s1">> {onnx.dims = #onnx.dims<"s1">})
    -> tensor<?xf32, #onnx.dims<"s0">> attributes {dougong.kernel} {
  %0 = onnx.Sub(%x, %y) : (tensor<?xf32, #onnx.dims<"s0">>, tensor<?xf32, #onnx.dims<"s1">>) -> tensor<?xf32, #onnx.dims<"s0">>
  return %0 : tensor<?xf32, #onnx.dims<"s0">>
}

// -----

// Half precision is computed in f32 and rounded once at the end.
// CHECK-LABEL: func.func private @half_precision
// CHECK: linalg.generic
// CHECK: arith.extf %{{.+}} : f16 to f32
// CHECK: math.tanh %{{.+}} : f32
// CHECK: arith.truncf %{{.+}} : f32 to f16
func.func private @half_precision(%ctx: !llvm.ptr, %x: tensor<3xf16>) -> tensor<3xf16> attributes {dougong.kernel} {
  %0 = onnx.Tanh(%x) : (tensor<3xf16>) -> tensor<3xf16>
  return %0 : tensor<3xf16>
}

// -----

// Signedness is that of the original type.
// CHECK-LABEL: func.func private @unsigned_comparison
// CHECK-SAME: tensor<3xi8>
// CHECK: arith.cmpi ugt
func.func private @unsigned_comparison(%ctx: !llvm.ptr, %x: tensor<3xui8>, %y: tensor<3xui8>) -> tensor<3xi1> attributes {dougong.kernel} {
  %0 = onnx.Greater(%x, %y) : (tensor<3xui8>, tensor<3xui8>) -> tensor<3xi1>
  return %0 : tensor<3xi1>
}
