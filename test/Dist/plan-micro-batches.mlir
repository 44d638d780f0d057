// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=pp=2,mb=3})' | FileCheck %s
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=pp=2,mb=3},dist-propagate,dist-partition,dist-stage,dist-print-result)' -o /dev/null | FileCheck %s --check-prefix=RESULT
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=pp=2,mb=1})' | FileCheck %s --check-prefix=ONE

// The batch is noted, and nothing is cut: programs see fewer rows. What does not depend
// on the batch, here the positions, is the same for all micro-batches; a shape follows
// the rows, and a fill is the same in each.
// CHECK: module attributes {dist.micro_batches = {batch = "batch", count = 3 : i64}}
// CHECK-NOT: dist.sharding
// RESULT: "micro_batches": {
// RESULT-NEXT: "batch": "batch",
// RESULT-NEXT: "count": 3
// One is none.
// ONE-NOT: micro_batches
module {
  onnx.weight @w : tensor<8x8xf32> = #onnx.external<"w.bin", offset = 0, length = 256>
  func.func @main(%x: tensor<?x?x8xf32, #onnx.dims<"batch", "seq", _>> {onnx.name = "x"},
                  %s: tensor<?xf32, #onnx.dims<"seq">> {onnx.name = "s"})
      -> (tensor<?x?x2x4xf32, #onnx.dims<"batch", "seq", _, _>> {onnx.name = "y"}, tensor<?xf32, #onnx.dims<"seq">> {onnx.name = "z"}) {
    %w = onnx.use @w : tensor<8x8xf32>
    %fill = onnx.dims_tensor ["batch", "seq", "8"] : tensor<3xi64>
    %heads = onnx.dims_tensor ["batch", "seq", "2", "4"] : tensor<4xi64>
    %a = onnx.MatMul(%x, %w) : (tensor<?x?x8xf32, #onnx.dims<"batch", "seq", _>>, tensor<8x8xf32>) -> tensor<?x?x8xf32, #onnx.dims<"batch", "seq", _>>
    %ones = onnx.ConstantOfShape(%fill) {value = dense<1.0> : tensor<1xf32>} : (tensor<3xi64>) -> tensor<?x?x8xf32, #onnx.dims<"batch", "seq", _>>
    %b = onnx.Add(%a, %ones) : (tensor<?x?x8xf32, #onnx.dims<"batch", "seq", _>>, tensor<?x?x8xf32, #onnx.dims<"batch", "seq", _>>) -> tensor<?x?x8xf32, #onnx.dims<"batch", "seq", _>>
    %y = onnx.Reshape(%b, %heads) : (tensor<?x?x8xf32, #onnx.dims<"batch", "seq", _>>, tensor<4xi64>) -> tensor<?x?x2x4xf32, #onnx.dims<"batch", "seq", _, _>>
    %z = onnx.Tanh(%s) : (tensor<?xf32, #onnx.dims<"seq">>) -> tensor<?xf32, #onnx.dims<"seq">>
    return %y, %z : tensor<?x?x2x4xf32, #onnx.dims<"batch", "seq", _, _>>, tensor<?xf32, #onnx.dims<"seq">>
  }
}
