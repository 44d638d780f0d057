//===- Passes.td - the normalize phase ------------------------------------===//
#ifndef DOUGONG_ONNX_PASSES
#define DOUGONG_ONNX_PASSES

include "mlir/Pass/PassBase.td"

def InferShapesPass : Pass<"onnx-infer-shapes", "::mlir::ModuleOp"> {
  let summary = "gives every value a ranked type with static or named extents";
  let description = [{
    Propagates shapes, and the contents of small integer tensors, from the
    arguments of each function, over symbols. Equalities that operators imply
    are solved: of two names for one extent that of a model input stays, so the
    mask dim `past_seq_len + seq_len` becomes `past_sequence_len + sequence_len`
    where the cache says so. What cannot be decided is recorded on the function:

    * `onnx.checks`: conditions to be checked at program entry, each a
      dictionary `{lhs, op = "==" or "<=", rhs, node}`; with `or`, lhs may be
      equal to that too. Equalities that follow
      from the argument types are not repeated: whoever calls the function
      checks its dims against them.
    * `onnx.data_dependent`: symbols whose values depend on data.
    * `onnx.dim_ranges`: a dictionary of symbol to `[min, max]`, for the ranges
      that were given or follow (an absent max is not bounded).

    Fails, naming the ONNX node, where shapes contradict each other and at
    operators without shape inference.

    Before:

    ```mlir
    func.func @main(%a: tensor<?x4xf32, #onnx.dims<"n", _>>,
                    %b: tensor<?x4xf32, #onnx.dims<"count", _>>) -> tensor<*xf32> {
      %0 = onnx.Add(%a, %b) : (...) -> tensor<*xf32>
      return %0 : tensor<*xf32>
    }
    ```

    After:

    ```mlir
    func.func @main(%a: tensor<?x4xf32, #onnx.dims<"n", _>>,
                    %b: tensor<?x4xf32, #onnx.dims<"n", _>>)
        -> tensor<?x4xf32, #onnx.dims<"n", _>> {
      %0 = onnx.Add(%a, %b) : (...) -> tensor<?x4xf32, #onnx.dims<"n", _>>
      return %0 : tensor<?x4xf32, #onnx.dims<"n", _>>
    }
    ```
  }];
  let options = [
    ListOption<"dims", "dims", "std::string",
               "extents of symbols: name=8, name=0..8192, or input[axis]=8">,
  ];
  let dependentDialects = ["::dougong::onnx::OnnxDialect", "::mlir::func::FuncDialect"];
}

def SimplifyGraphPass : Pass<"onnx-simplify-graph", "::mlir::ModuleOp"> {
  let summary = "removes operators that do nothing, and writes variants of operators in one form";
  let description = [{
    Identity, Dropout in inference, casts to the same type, reshapes, transposes,
    expansions and slices that change nothing, and reductions to one operand
    (Concat, Sum, Max, Min, Mean of one) go. CastLike becomes Cast; the variants
    of Constant become `value`. A product by a concat of weights becomes a concat
    of products. Dead operators go. Needs inferred types.

    Before:

    ```mlir
    %0 = onnx.Identity(%x) : (tensor<2xf32>) -> tensor<2xf32>
    %1 = onnx.Constant() {value_ints = array<i64: 1, 2>} : () -> tensor<2xi64>
    ```

    After: uses of `%0` are uses of `%x`, and

    ```mlir
    %1 = onnx.Constant() {value = dense<[1, 2]> : tensor<2xi64>} : () -> tensor<2xi64>
    ```
  }];
  let dependentDialects = ["::dougong::onnx::OnnxDialect"];
}

def FoldShapesPass : Pass<"onnx-fold-shapes", "::mlir::ModuleOp"> {
  let summary = "replaces shape arithmetic by its result";
  let description = [{
    A small integer tensor whose elements are known as expressions over the
    symbols of the inputs becomes `onnx.dims_tensor`, or `onnx.Constant` where
    no symbol is left; chains of Shape, Gather, Concat and their kin that
    computed it go. Contents that depend on data stay computed. Needs inferred
    types.

    Before:

    ```mlir
    %0 = onnx.Shape(%x) {end = 1 : i64} : (tensor<?x64xf32, #onnx.dims<"n", _>>) -> tensor<1xi64>
    %1 = onnx.Constant() {value = dense<[16, 4]> : tensor<2xi64>} : () -> tensor<2xi64>
    %2 = onnx.Concat(%0, %1) {axis = 0 : i64} : (tensor<1xi64>, tensor<2xi64>) -> tensor<3xi64>
    ```

    After:

    ```mlir
    %2 = onnx.dims_tensor ["n", "16", "4"] : tensor<3xi64>
    ```
  }];
  let dependentDialects = ["::dougong::onnx::OnnxDialect"];
}

def FuseQuantizedOpsPass : Pass<"onnx-fuse-quantized-ops", "::mlir::ModuleOp"> {
  let summary = "makes integer operators of those between DequantizeLinear and QuantizeLinear";
  let description = [{
    For graphs in the QDQ form, where float operators stand between
    DequantizeLinear and QuantizeLinear:

    * What only moves elements (Reshape, Transpose, Slice, Concat, Gather, Pad,
      MaxPool, ...) moves the integers: DequantizeLinear sinks below it, and
      QuantizeLinear rises above it. A pair of the two with equal parameters that
      meet then goes.
    * MatMul, Gemm and Conv of two factors of at most 8 bits, the first with one
      scale and the second with one or one for each column (output channel),
      become MatMulInteger and ConvInteger, whose sums are dequantised once.
    * MatMul and Gemm of a real factor with a constant matrix of 4 or 8 bits, with
      one scale, one for each column, or one for each block along K, become
      `onnx.ms.MatMulNBits`: the matrix stays in its few bits. (Not where 32 rows or
      more are known at compile time: a real copy is then several times as fast.)

    Element-wise operators, softmax, pools and norms stay: kernels dequantise what
    they read and quantise what they write in registers. So does what does not match: factors
    of 16 bits, other granularities, sums whose products may not fit in 32 bits.

    The result is that of the graph as it stands, where real numbers are exact,
    but for the rounding of float32: sums of integers are exact, where those of
    real numbers round. A value that is quantised is therefore within one step of
    the definition, and differs only where it lies between two steps but for that
    rounding. (QLinearMatMul and QLinearConv round the same sums, with the product of all
    scales.) Movement is exact.

    Before:

    ```mlir
    %0 = onnx.DequantizeLinear(%a, %s, %z) : (tensor<4x8xui8>, tensor<f32>, tensor<ui8>) -> tensor<4x8xf32>
    %1 = onnx.DequantizeLinear(%b, %t, %none) {axis = 1 : i64} : (tensor<8x6xi8>, tensor<6xf32>, none) -> tensor<8x6xf32>
    %2 = onnx.MatMul(%0, %1) : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
    ```

    After:

    ```mlir
    %0 = onnx.MatMulInteger(%a, %b, %z, %none) : (tensor<4x8xui8>, tensor<8x6xi8>, tensor<ui8>, none) -> tensor<4x6xi32>
    %1 = onnx.Mul(%t, %s) : (tensor<6xf32>, tensor<f32>) -> tensor<6xf32>
    %2 = onnx.DequantizeLinear(%0, %1, %none) {axis = 1 : i64} : (tensor<4x6xi32>, tensor<6xf32>, none) -> tensor<4x6xf32>
    ```
  }];
  let dependentDialects = ["::dougong::onnx::OnnxDialect"];
}

def FoldConstantsPass : Pass<"onnx-fold-constants", "::mlir::ModuleOp"> {
  let summary = "evaluates operators on small constants";
  let description = [{
    Evaluates arithmetic, comparisons, casts and rearrangements of
    `onnx.Constant`s whose result is at most `max-bytes` long. Results over 1 KiB
    become weights. Element-wise arithmetic rounds as the element type does;
    transcendental functions are not folded. Weights are never read: what is made
    of them is the work of `onnx-derive-weights`.

    Before:

    ```mlir
    %0 = onnx.Constant() {value = dense<[1, 2]> : tensor<2xi64>} : () -> tensor<2xi64>
    %1 = onnx.Cast(%0) {to = 1 : i64} : (tensor<2xi64>) -> tensor<2xf32>
    ```

    After:

    ```mlir
    %1 = onnx.Constant() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
    ```
  }];
  let options = [
    Option<"maxBytes", "max-bytes", "int64_t", "65536", "greatest result to evaluate">,
  ];
  let dependentDialects = ["::dougong::onnx::OnnxDialect"];
}

def DeriveWeightsPass : Pass<"onnx-derive-weights", "::mlir::ModuleOp"> {
  let summary = "moves computations on weights into recipes";
  let description = [{
    What is computed from weights and constants alone by Transpose, Cast,
    Reshape, Squeeze, Unsqueeze, Flatten, Slice, Add, Sub, Mul, Div and DequantizeLinear
    becomes a weight with an `#onnx.derived` recipe, which packaging runs. Recipes
    are composed (a recipe's sources are never derived if its first source can
    take the steps over), and equal recipes are one weight. Weights that nothing
    uses any more go. Needs inferred types.

    Before:

    ```mlir
    onnx.weight @w : tensor<4x8xf32> = #onnx.external<"w.bin", offset = 0, length = 128>
    ...
    %0 = onnx.use @w : tensor<4x8xf32>
    %1 = onnx.Transpose(%0) {perm = array<i64: 1, 0>} : (tensor<4x8xf32>) -> tensor<8x4xf32>
    ```

    After:

    ```mlir
    onnx.weight @w : tensor<4x8xf32> = #onnx.external<"w.bin", offset = 0, length = 128>
    onnx.weight @w.t : tensor<8x4xf32> = #onnx.derived<[@w], [#onnx.transpose<[1, 0]>]>
    ...
    %1 = onnx.use @w.t : tensor<8x4xf32>
    ```
  }];
  let dependentDialects = ["::dougong::onnx::OnnxDialect"];
}

def OutlineBlocksPass : Pass<"onnx-outline-blocks", "::mlir::ModuleOp"> {
  let summary = "moves repeated blocks of operators into functions";
  let description = [{
    Finds runs of operators that repeat one after another (the layers of a
    transformer), equal up to weights and the names of symbols, and moves each
    distinct one into a private function with formal symbols `s0`, `s1`, ... and
    its weights as arguments. With `statistics` prints what it found.

    Before:

    ```mlir
    %0 = onnx.MatMul(%x, %w0) : ...
    %1 = onnx.Relu(%0) : ...
    %2 = onnx.MatMul(%1, %w1) : ...
    %3 = onnx.Relu(%2) : ...
    ```

    After:

    ```mlir
    %1 = onnx.launch @block_0(%x, %w0) : ...
    %3 = onnx.launch @block_0(%1, %w1) : ...
    ```
  }];
  let options = [
    Option<"minOps", "min-ops", "unsigned", "4", "fewest operators in a block (at least 2)">,
    Option<"statistics", "statistics", "bool", "false",
           "print the distinct blocks to stdout">,
  ];
  let dependentDialects = ["::dougong::onnx::OnnxDialect", "::mlir::func::FuncDialect"];
}

def ExposeValuesPass : Pass<"onnx-expose-values", "::mlir::ModuleOp"> {
  let summary = "makes inner values outputs of the model";
  let description = [{
    Adds every value that `@main` computes outside of regions as a result, under
    its ONNX name (`onnx.name`), in the order in which the values are computed:
    tensors of numbers and bools that have a name which no input or output has.
    For debugging: what is computed can be compared value by value.

    Before:

    ```mlir
    func.func @main(%x: tensor<2xf32>) -> (tensor<2xf32> {onnx.name = "y"}) {
      %0 = onnx.Exp(%x) : (...) -> tensor<2xf32> loc("e"(fused<{outputs = ["h"]}>[...]))
      %1 = onnx.Abs(%0) : (...) -> tensor<2xf32>
      return %1 : tensor<2xf32>
    }
    ```

    After:

    ```mlir
    func.func @main(%x: tensor<2xf32>)
        -> (tensor<2xf32> {onnx.name = "y"}, tensor<2xf32> {onnx.name = "h"}) {
      ...
      return %1, %0 : tensor<2xf32>, tensor<2xf32>
    }
    ```
  }];
  let dependentDialects = ["::dougong::onnx::OnnxDialect", "::mlir::func::FuncDialect"];
}

def BoxSequencesPass : Pass<"onnx-box-sequences", "::mlir::ModuleOp"> {
  let summary = "makes sequences and optional values the elements of scalars";
  let description = [{
    What follows places, moves and hands over tensors only; a sequence is one more
    element type to it, whose elements the operator library makes and reads. The
    shapes of the tensors inside are forgotten.

    Before:

    ```mlir
    %0 = onnx.SequenceConstruct(%a, %b) : (...) -> !onnx.seq<tensor<2xf32>>
    ```

    After:

    ```mlir
    %0 = onnx.SequenceConstruct(%a, %b) : (...) -> tensor<!onnx.seq<tensor<*xf32>>>
    ```
  }];
  let dependentDialects = ["::dougong::onnx::OnnxDialect", "::mlir::func::FuncDialect"];
}

def VerifyNormalizedPass : Pass<"onnx-verify-normalized", "::mlir::ModuleOp"> {
  let summary = "proves what holds after the normalize phase";
  let description = [{
    Fails, naming the ONNX node, unless

    * every tensor has a ranked type with static or named extents, of which the static
      ones alone make at most 2^48 elements;
    * no operator is left that normalize removes (Identity, CastLike, Upsample,
      Scatter), and constants have the form `value`;
    * no operator rearranges or casts a weight.

    Example: `dougong-opt --onnx-verify-normalized model.mlir`
  }];
}

#endif // DOUGONG_ONNX_PASSES
