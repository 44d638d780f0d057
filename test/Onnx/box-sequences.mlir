// RUN: dougong-opt %s --onnx-box-sequences | FileCheck %s

// Sequences and optional values become elements of scalars, in regions too; what
// they say of shapes is forgotten.

// CHECK-LABEL: func.func @main
// CHECK-SAME:    %arg0: tensor<!onnx.seq<tensor<*xf32>>>, %arg1: tensor<i64>
// CHECK-SAME:    -> tensor<!onnx.opt<!onnx.seq<tensor<*xf32>>>>
// CHECK:       onnx.SequenceAt(%arg0, %arg1)
// CHECK-SAME:    -> tensor<2xf32>
// CHECK:       onnx.SequenceInsert
// CHECK-SAME:    -> tensor<!onnx.seq<tensor<*xf32>>>
// CHECK:       onnx.Optional
// CHECK-SAME:    -> tensor<!onnx.opt<!onnx.seq<tensor<*xf32>>>>
func.func @main(%s: !onnx.seq<tensor<2xf32>>, %i: tensor<i64>)
    -> !onnx.opt<!onnx.seq<tensor<2xf32>>> {
  %none = onnx.none
  %0 = onnx.SequenceAt(%s, %i) : (!onnx.seq<tensor<2xf32>>, tensor<i64>) -> tensor<2xf32>
  %1 = onnx.SequenceInsert(%s, %0, %none) : (!onnx.seq<tensor<2xf32>>, tensor<2xf32>, none) -> !onnx.seq<tensor<2xf32>>
  %2 = onnx.Optional(%1) : (!onnx.seq<tensor<2xf32>>) -> !onnx.opt<!onnx.seq<tensor<2xf32>>>
  return %2 : !onnx.opt<!onnx.seq<tensor<2xf32>>>
}
