//===- Passes.td - conversions between dialects ---------------------------===//
#ifndef DOUGONG_CONVERSION_PASSES
#define DOUGONG_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def ConvertOnnxToLinalgPass : Pass<"convert-onnx-to-linalg", "::mlir::func::FuncOp"> {
  let summary = "lowers the operators of a kernel to linalg on tensors";
  let description = [{
    Works on functions with the attribute `dougong.kernel`; leaves others alone.
    Types lose their `#onnx.dims` encoding and integers their signedness. Extents
    come from the kernel's arguments: an index argument with the attribute
    `onnx.dim`, or a tensor argument with the attribute `onnx.dims`. Fails, naming
    the node, for an operator without a lowering and for an extent that the
    arguments do not give.

    Before:

    ```mlir
    func.func private @kernel_0(%ctx: !llvm.ptr,
        %x: tensor<?x4xf32, #onnx.dims<"s0", _>> {onnx.dims = #onnx.dims<"s0", _>})
        -> tensor<?x4xf32, #onnx.dims<"s0", _>> attributes {dougong.kernel} {
      %0 = onnx.Neg(%x) : (tensor<?x4xf32, #onnx.dims<"s0", _>>)
          -> tensor<?x4xf32, #onnx.dims<"s0", _>>
      return %0 : tensor<?x4xf32, #onnx.dims<"s0", _>>
    }
    ```

    After:

    ```mlir
    func.func private @kernel_0(%ctx: !llvm.ptr, %x: tensor<?x4xf32> {...})
        -> tensor<?x4xf32> attributes {dougong.kernel} {
      %c0 = arith.constant 0 : index
      %n = tensor.dim %x, %c0 : tensor<?x4xf32>
      %init = tensor.empty(%n) : tensor<?x4xf32>
      %0 = linalg.generic {...} ins(%x) outs(%init) { arith.negf }
      return %0 : tensor<?x4xf32>
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect", "::mlir::LLVM::LLVMDialect"
  ];
}

#endif // DOUGONG_CONVERSION_PASSES
