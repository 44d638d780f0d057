//===- Passes.td - passes of the CPU target -------------------------------===//
#ifndef DOUGONG_TARGET_CPU_PASSES
#define DOUGONG_TARGET_CPU_PASSES

include "mlir/Pass/PassBase.td"

def CpuPackWeightsPass : Pass<"cpu-pack-weights", "::mlir::ModuleOp"> {
  let summary = "lays weights of contractions down in panels of columns";
  let description = [{
    Where every launch of a kernel passes a weight for an argument, and the
    kernel only reads it in sums of products, the argument gets the order in
    which a register tile reads it, and the launches use a weight with a longer
    recipe: packaging lays the bytes down once. n, the result's innermost dim
    (columns, output channels), becomes the last dim, the others follow the
    loops that sum over them. A contraction's weight is then cut in panels: a
    matrix becomes `[ceil(n / columns), k, columns]`, the weights of a
    channels-last convolution `[kh, kw, ceil(n / columns), ci, columns]`; at most
    `lanes` columns make one panel of `lanes`, a single one none. A depthwise
    convolution's become `[1, kh, kw, n]`. Small weights that are constants of
    the kernel change in the same way. New weights are also listed in the module
    attribute `dougong.added_weights` as (weight, suffix of the new name, type,
    steps), so that programs with equal code and other weights can be given the
    same.

    Before:

    ```mlir
    %w = onnx.use @up : tensor<64x256xf32>
    %y = onnx.launch @kernel_0(%x, %w) : ...
    ```

    After:

    ```mlir
    onnx.weight @up.pack32 : tensor<8x64x32xf32> = #onnx.derived<[@up], [#onnx.pack<32>]>
    %w = onnx.use @up.pack32 : tensor<8x64x32xf32>
    ```
  }];
  let options = [Option<"columns", "columns", "int64_t", "32", "columns of a panel">,
                 Option<"lanes", "lanes", "int64_t", "16", "f32 lanes of a vector">];
  let dependentDialects = ["::dougong::onnx::OnnxDialect"];
}

def CpuFuseKernelsPass : Pass<"cpu-fuse-kernels", "::mlir::func::FuncOp"> {
  let summary = "fuses element-wise ops of a kernel, on tensors";
  let description = [{
    Makes one `linalg.generic` of chains of element-wise ops, and fuses an
    element-wise producer into a reduction that reads each element once. Never
    fuses into a contraction: the producer would be computed again for each
    column. Breaks ops such as `linalg.softmax` into generics first.

    Before: `%1 = linalg.generic {addf} (%x, %b); %2 = linalg.generic {tanh} (%1)`.
    After: `%2 = linalg.generic {addf; tanh} (%x, %b)`.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def CpuBufferizeKernelsPass : Pass<"cpu-bufferize-kernels", "::mlir::func::FuncOp"> {
  let summary = "turns a kernel's tensors into buffers, its results into out-parameters";
  let description = [{
    One-shot bufferization of one function with the attribute `dougong.kernel`.
    Tensor arguments become read-only memrefs, results trailing memrefs that
    are written in place. All have the identity layout. Copies that remain are
    `linalg.copy`, never `memref.copy` (a slow call of the runtime).

    Before:

    ```mlir
    func.func private @kernel_0(%ctx: !llvm.ptr, %x: tensor<?xf32>) -> tensor<?xf32>
        attributes {dougong.kernel}
    ```

    After:

    ```mlir
    func.func private @kernel_0(%ctx: !llvm.ptr, %x: memref<?xf32>, %out: memref<?xf32>)
        attributes {dougong.kernel}
    ```
  }];
}

def CpuPlaceTemporariesPass : Pass<"cpu-place-temporaries", "::mlir::ModuleOp"> {
  let summary = "replaces allocations in kernels by stack or workspace memory";
  let description = [{
    Small constant-size buffers go on the stack (at most `max-stack` bytes for
    each kernel). The others are views of a trailing argument
    `%workspace: memref<?xi8>`, and `@<kernel>_workspace` computes its size from
    the other arguments. Buffers whose lives do not overlap share bytes.

    Before: `%t = memref.alloc(%n) : memref<?xf32>` in `@kernel_0`.
    After: `%t = memref.view %workspace[%c0][%n] : memref<?xi8> to memref<?xf32>`
    and `func.func private @kernel_0_workspace(...) -> index`.
  }];
  let options = [
    Option<"maxStack", "max-stack", "int64_t", "16384", "bytes of stack that a kernel may use">
  ];
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

def CpuEmitLoopsPass : Pass<"cpu-emit-loops", "::mlir::func::FuncOp"> {
  let summary = "writes vectorised, register-tiled, parallel loops for the linalg ops of a kernel";
  let description = [{
    Replaces each linalg op on memrefs by a loop nest of our own: contractions
    (also convolutions) keep a tile of `rows` x `vectors` accumulators in
    registers over the whole reduction; the element-wise op that reads their
    result runs on these registers. Row reductions use several accumulators.
    Tails are masked. What it cannot do stays and becomes scalar loops.
    Independent tiles become a `scf.parallel` whose step is the grain: each of
    its iterations is worth a task of the host's pool.

    Example: `linalg.matmul` becomes
    `scf.parallel { scf.for %n { scf.for %m { scf.for %k iter_args(16 vectors) } } }`.
  }];
  let options = [
    Option<"lanes", "lanes", "unsigned", "16", "f32 lanes of a vector">,
    Option<"tileRows", "tile-rows", "unsigned", "8", "rows of a register tile">,
    Option<"tileVectors", "tile-vectors", "unsigned", "2", "vectors in a row of a register tile">,
    Option<"pairProducts", "pair-products", "bool", "false",
           "use x86's sums of two 16-bit products for sums of products of narrow integers">,
    Option<"parallel", "parallel", "bool", "true", "emit parallel loops">
  ];
  let dependentDialects = ["::mlir::vector::VectorDialect", "::mlir::scf::SCFDialect",
                           "::mlir::LLVM::LLVMDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
}

def CpuOutlineParallelPass : Pass<"cpu-outline-parallel", "::mlir::ModuleOp"> {
  let summary = "turns parallel loops into calls of the host's thread pool";
  let description = [{
    The body of each `scf.parallel` of one dimension in a kernel becomes a
    function `(argument, begin, end)`; captured values travel in a struct on
    the caller's stack; the loop becomes an indirect call of `parallel_for` of
    the host table that `%ctx`, the kernel's first argument, points to.

    Before: `scf.parallel (%i) = (%c0) to (%n) step (%grain) {...}` in `@kernel_0`.
    After: `llvm.call %parallel_for(%ctx, @kernel_0_body_0, %captures, %count, %c1)`.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect"];
}

def CpuExpandMathPass : Pass<"cpu-expand-math", "::mlir::func::FuncOp"> {
  let summary = "replaces f32 math functions by polynomials";
  let description = [{
    `math.exp` and what is built on it with our own range-reduced polynomial
    (relative error below 3e-7, infinities, NaN and denormals right); tanh, erf,
    log and others with MLIR's. f16 and bf16 are computed in f32. Functions
    without a good polynomial (sin and cos of large arguments, pow, f64) stay
    calls of libm.

    Example: `math.exp %x : vector<16xf32>` becomes 14 fused multiply-adds and
    integer ops.
  }];
  let dependentDialects = ["::mlir::vector::VectorDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
}

def CpuVerifyKernelsPass : Pass<"cpu-verify-kernels", "::mlir::ModuleOp"> {
  let summary = "fails when a kernel holds what is silently slow";
  let description = [{
    No `memref.copy` of a part of a buffer (a call, 30 times slower than a loop), no
    allocation, no vector whose length is not a power of two (legalised to
    scalar shuffles) may be left in a kernel.

    Example error: `an allocation left in function 'kernel_0'`.
  }];
}

#endif // DOUGONG_TARGET_CPU_PASSES
