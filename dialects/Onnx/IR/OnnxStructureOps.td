//===- OnnxStructureOps.td - ops around the operators ---------------------===//
#ifndef DOUGONG_ONNX_STRUCTURE_OPS
#define DOUGONG_ONNX_STRUCTURE_OPS

include "Onnx/IR/OnnxBase.td"
include "mlir/IR/SymbolInterfaces.td"

def Onnx_WeightOp : Op<Onnx_Dialect, "weight", [Symbol]> {
  let summary = "a constant of the model, by reference";
  let description = [{
    Declares a weight as a symbol of the module. `value` says where its bytes
    are: `#onnx.external` (in a file), or `#onnx.derived` (made from other
    weights at packaging time by a recipe). The bytes are never in IR.

    Example:

    ```mlir
    onnx.weight @up : tensor<64x256xf16> = #onnx.external<"w.bin", offset = 0, length = 32768>
    onnx.weight @up.t : tensor<256x64xf16> = #onnx.derived<[@up], [#onnx.transpose<[1, 0]>]>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type, AnyAttr:$value);
  let assemblyFormat = "$sym_name `:` $type `=` $value attr-dict";
  let hasVerifier = 1;
}

def Onnx_UseOp : Op<Onnx_Dialect, "use", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a weight";
  let description = [{
    Example:

    ```mlir
    %w = onnx.use @up : tensor<64x256xf16>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def Onnx_NoneOp : Op<Onnx_Dialect, "none", [Pure, ConstantLike]> {
  let summary = "an operand that is absent";
  let description = [{
    Example:

    ```mlir
    %none = onnx.none
    ```
  }];
  let results = (outs NoneType:$result);
  let assemblyFormat = "attr-dict";
  let hasFolder = 1;
}

def Onnx_DimOp : Op<Onnx_Dialect, "dim", [Pure]> {
  let summary = "the value of an extent expression at run time";
  let description = [{
    `expr` is an expression of `#onnx.dims` encodings. Lowerings create this op
    wherever they need an extent; it is resolved from the function's arguments
    (an index argument with the attribute `onnx.dim`, or a dim of a tensor
    argument), or computed from the model's symbols.

    Example:

    ```mlir
    %n = onnx.dim "past + seq"
    ```
  }];
  let arguments = (ins StrAttr:$expr);
  let results = (outs Index:$result);
  let assemblyFormat = "$expr attr-dict";
}

def Onnx_DimsTensorOp : Op<Onnx_Dialect, "dims_tensor", [Pure]> {
  let summary = "a small integer tensor whose elements are extent expressions";
  let description = [{
    What is left of shape arithmetic after `onnx-fold-shapes`: the target of a
    Reshape, the bounds of a Slice, the limit of a Range. `exprs` are the
    elements in row-major order, in the grammar of `#onnx.dims`; symbols are
    those of the model. Contents without symbols are an `onnx.Constant`.

    Example:

    ```mlir
    %shape = onnx.dims_tensor ["batch", "past + seq", "64"] : tensor<3xi64>
    %limit = onnx.dims_tensor ["seq"] : tensor<i64>
    ```
  }];
  let arguments = (ins StrArrayAttr:$exprs);
  let results = (outs StaticShapeTensorOf<[AnyInteger]>:$result);
  let assemblyFormat = "$exprs attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Onnx_LaunchOp : Op<Onnx_Dialect, "launch", []> {
  let summary = "runs a kernel";
  let description = [{
    Stands in the schedule of a program for a fused group of operators that was
    moved to a kernel function. Operands are the group's tensors, then the
    extents (index values) that the kernel cannot read off them. The kernel's
    own argument types use formal symbols, so they need not equal the operand
    types; element types and ranks do.

    Example:

    ```mlir
    %y = onnx.launch @kernel_0(%x, %w, %n)
        : (tensor<?x64xf32, #onnx.dims<"batch", _>>, tensor<64xf32>, index)
        -> tensor<?x64xf32, #onnx.dims<"batch", _>>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyType>:$inputs);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let assemblyFormat = "$kernel `(` $inputs `)` attr-dict `:` functional-type($inputs, $outputs)";
}

def Onnx_YieldOp : Op<Onnx_Dialect, "yield", [Pure, Terminator, ReturnLike]> {
  let summary = "ends a graph attribute with the values of its outputs";
  let description = [{
    Example:

    ```mlir
    onnx.yield %a, %b : tensor<f32>, tensor<2xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def Onnx_CustomOp : Op<Onnx_Dialect, "custom", [RecursiveMemoryEffects]> {
  let summary = "a node of an operator that the dialect does not know";
  let description = [{
    Carries any node unharmed: its domain, operator type, attributes and graph
    attributes. Results are of unknown shape unless the file declares them.

    Example:

    ```mlir
    %y = onnx.custom "my.domain" "Foo"(%x) {alpha = 1.0 : f32}
        : (tensor<2xf32>) -> tensor<*xf32>
    ```
  }];
  let arguments = (ins StrAttr:$domain, StrAttr:$op_type, Variadic<AnyType>:$inputs,
                       OptionalAttr<StrArrayAttr>:$region_names);
  let results = (outs Variadic<AnyType>:$outputs);
  let regions = (region VariadicRegion<AnyRegion>:$graphs);
  let assemblyFormat = [{
    $domain $op_type `(` $inputs `)` attr-dict `:` functional-type($inputs, $outputs) ($graphs^)?
  }];
}

#endif // DOUGONG_ONNX_STRUCTURE_OPS
