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
    $domain $op_type `(` $inputs `)` ($graphs^)? attr-dict `:` functional-type($inputs, $outputs)
  }];
}

#endif // DOUGONG_ONNX_STRUCTURE_OPS
