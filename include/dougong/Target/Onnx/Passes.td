//===- Passes.td - passes of the export to ONNX ---------------------------===//
#ifndef DOUGONG_TARGET_ONNX_PASSES
#define DOUGONG_TARGET_ONNX_PASSES

include "mlir/Pass/PassBase.td"

def ExpandExtentsPass : Pass<"onnx-expand-extents", "::mlir::ModuleOp"> {
  let summary = "computes extents with operators";
  let description = [{
    ONNX has no extents as values: an `onnx.dims_tensor` becomes arithmetic on what
    `onnx.Shape` says of arguments, and of results before it. Where no tensor has an
    extent, it is solved from one that contains it: `past` from `past + seq` and
    `seq`. An extent that follows from nothing is an error.

    Before:

    ```mlir
    %shape = onnx.dims_tensor ["batch", "2 * seq"] : tensor<2xi64>
    ```

    After:

    ```mlir
    %b = onnx.Shape(%x) {end = 1 : i64, start = 0 : i64} : ... -> tensor<1xi64>
    %s = onnx.Shape(%x) {end = 2 : i64, start = 1 : i64} : ... -> tensor<1xi64>
    %d = onnx.Mul(%two, %s) : ... -> tensor<1xi64>
    %shape = onnx.Concat(%b, %d) {axis = 0 : i64} : ... -> tensor<2xi64>
    ```
  }];
}

def DeriveAxisIndexPass : Pass<"dist-derive-axis-index", "::mlir::ModuleOp"> {
  let summary = "makes the numbers of a rank weights";
  let description = [{
    A graph that is the same for all ranks cannot know its rank: the result of a
    `dist.axis_index` becomes a weight that each rank has its own part of.

    Before:

    ```mlir
    %i = dist.axis_index over @mesh axes ["tp"] : tensor<i64>
    ```

    After:

    ```mlir
    onnx.weight @axis_index.tp.all : tensor<2xi64> = dense<[0, 1]> : tensor<2xi64>
    onnx.weight @axis_index.tp : tensor<i64> =
        #onnx.derived<[@axis_index.tp.all], [#onnx.slice<0, ["tp"], 2, 1>, #onnx.reshape<[]>]>
    %i = onnx.use @axis_index.tp : tensor<i64>
    ```
  }];
}

#endif // DOUGONG_TARGET_ONNX_PASSES
