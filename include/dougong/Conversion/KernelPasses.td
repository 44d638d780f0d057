//===- KernelPasses.td - from a program to kernels and a schedule ---------===//
#ifndef DOUGONG_CONVERSION_KERNELPASSES
#define DOUGONG_CONVERSION_KERNELPASSES

include "mlir/Pass/PassBase.td"

def AssignLayoutsPass : Pass<"assign-layouts", "::mlir::ModuleOp"> {
  let summary = "lets convolutions read and write their channels last";
  let description = [{
    Convolutions of floats take and make tensors `[n, space..., c]` instead of
    `[n, c, space...]` and carry the attribute `dougong.channels_last`; their
    weights stay as they are. Pools, element-wise ops, concatenations and
    transposes of such tensors follow, so that Transposes are left only where
    the model's order is read: at its inputs and outputs and before ops that
    depend on the order. The channels of a pixel are then one run of memory, and
    a vector of them is one load.

    Before:

    ```mlir
    %0 = onnx.Conv(%x, %w, %b) : ... -> tensor<1x64x15x40xf32>
    %1 = onnx.Relu(%0) : ... -> tensor<1x64x15x40xf32>
    %2 = onnx.Conv(%1, %v, %b) : ... -> tensor<1x32x15x40xf32>
    ```

    After:

    ```mlir
    %t = onnx.Transpose(%x) {perm = [0, 2, 3, 1]} : ...
    %0 = onnx.Conv(%t, %w, %b) {dougong.channels_last} : ... -> tensor<1x15x40x64xf32>
    %1 = onnx.Relu(%0) : ... -> tensor<1x15x40x64xf32>
    %2 = onnx.Conv(%1, %v, %b) {dougong.channels_last} : ... -> tensor<1x15x40x32xf32>
    %3 = onnx.Transpose(%2) {perm = [0, 3, 1, 2]} : ... -> tensor<1x32x15x40xf32>
    ```
  }];
  let dependentDialects = ["::dougong::onnx::OnnxDialect"];
}

def FormKernelsPass : Pass<"form-kernels", "::mlir::ModuleOp"> {
  let summary = "groups operators into kernel functions, equal ones once";
  let description = [{
    Moves every computing op of `@main` into a kernel function, fused with the
    element-wise ops that alone consume its result, and leaves `onnx.launch` in
    its place. The kernel's types use formal symbols (`"s0"`, `"s1"`, ...): a
    dynamic extent is a dim of a tensor argument or an index argument. Kernels
    that are equal but for their names are one function. View ops (Reshape,
    Squeeze, Unsqueeze, Flatten, Identity) stay: the schedule aliases buffers.

    Before:

    ```mlir
    func.func @main(%x: tensor<?x4xf32, #onnx.dims<"n", _>>)
        -> tensor<?x4xf32, #onnx.dims<"n", _>> {
      %0 = onnx.Relu(%x) : ...
      return %0
    }
    ```

    After:

    ```mlir
    func.func private @kernel_0(%ctx: !llvm.ptr,
        %x: tensor<?x4xf32, #onnx.dims<"s0", _>> {onnx.dims = #onnx.dims<"s0", _>})
        -> tensor<?x4xf32, #onnx.dims<"s0", _>> attributes {dougong.kernel} {...}
    func.func @main(...) {
      %0 = onnx.launch @kernel_0(%x) : ...
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::func::FuncDialect"];
}

def ExpandCollectivesPass : Pass<"expand-collectives", "::mlir::ModuleOp"> {
  let summary = "brings collectives to the form that the host has";
  let description = [{
    The host's collectives join and cut along a leading dim of one entry for
    each rank. This pass moves the data around them with onnx ops (Reshape,
    Transpose, Pad, Slice), drops padding after a gather, and turns
    `dist.slice` into a selection by `dist.axis_index`.

    Before:

    ```mlir
    %z = dist.all_gather %y over @m0 axes ["tp"] dim 1 unit 1
        : tensor<4x126xf32> -> tensor<4x251xf32>
    ```

    After:

    ```mlir
    %0 = onnx.Reshape(%y, ...) : ... -> tensor<1x4x126xf32>
    %1 = dist.all_gather %0 over @m0 axes ["tp"] dim 0 unit 1
        : tensor<1x4x126xf32> -> tensor<2x4x126xf32>
    %2 = onnx.Transpose(%1) ... -> tensor<4x2x126xf32>
    %3 = onnx.Reshape(%2, ...) ... -> tensor<4x252xf32>
    %z = onnx.Slice(%3, ...) ... -> tensor<4x251xf32>
    ```
  }];
  let dependentDialects = ["::dougong::onnx::OnnxDialect"];
}

def BuildSchedulePass : Pass<"build-schedule", "::mlir::ModuleOp"> {
  let summary = "places buffers in one arena and writes the program's entry points";
  let description = [{
    Replaces `@main` (launches of bufferized kernels, view ops, collectives) by
    `@dougong_program_abi`, `@dougong_program_shapes` and
    `@dougong_program_run` of the program ABI. Extents are evaluated once, from
    the dims of the inputs. Every intermediate value has a slot of the arena
    whose offset is an expression over these extents; values whose lives do not
    overlap share slots. What the packager needs (order of weights, checks,
    communication calls) is left in module attributes `dougong.weights`,
    `dougong.checks` and `dougong.calls`; what took a slow path, for the report,
    in `dougong.fallbacks`.
  }];
  let dependentDialects = [
    "::mlir::LLVM::LLVMDialect", "::mlir::func::FuncDialect", "::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect", "::mlir::cf::ControlFlowDialect"
  ];
}

#endif // DOUGONG_CONVERSION_KERNELPASSES
