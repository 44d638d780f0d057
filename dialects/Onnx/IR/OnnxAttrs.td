//===- OnnxAttrs.td - symbolic dims, and where weight bytes are -----------===//
#ifndef DOUGONG_ONNX_ATTRS
#define DOUGONG_ONNX_ATTRS

include "Onnx/IR/OnnxDialect.td"
include "mlir/IR/TensorEncoding.td"

class Onnx_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Onnx_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Onnx_DimsAttr : Onnx_Attr<"Dims", "dims",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "the extents of a tensor's dynamic dims, as expressions over symbols";
  let description = [{
    One entry for each dim of the tensor: `_` where the extent is static, else
    an expression in the grammar of DimExpr over symbols of the model, in
    canonical form, so that equal extents are equal attributes.

    Example:

    ```mlir
    tensor<?x?x64xf32, #onnx.dims<"batch", "past + seq", _>>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$exprs);
  let hasCustomAssemblyFormat = 1;
}

def Onnx_ExternalAttr : Onnx_Attr<"External", "external"> {
  let summary = "bytes in a file";
  let description = [{
    `length` bytes at `offset` of `file`, a path relative to the model's folder
    (or the model file itself, for weights that are embedded in it). Bytes are
    little-endian and row-major, as ONNX lays them down.

    Example: `#onnx.external<"model.onnx.data", offset = 81920, length = 4096>`
  }];
  let parameters = (ins "::mlir::StringAttr":$file, "int64_t":$offset, "int64_t":$length);
  let assemblyFormat = "`<` $file `,` `offset` `=` $offset `,` `length` `=` $length `>`";
}

def Onnx_DerivedAttr : Onnx_Attr<"Derived", "derived"> {
  let summary = "a recipe that makes a weight from other weights";
  let description = [{
    `sources` are weights; `steps` are applied in order to the first source
    (further sources are parameters of the steps that say so, by index).
    Packaging runs the recipe once, streaming. Equal recipes are one weight.

    Example: `#onnx.derived<[@w, @s], [#onnx.cast<f32>, #onnx.binary<"mul", 1>]>`
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::FlatSymbolRefAttr">:$sources,
                        ArrayRefParameter<"::mlir::Attribute">:$steps);
  let assemblyFormat = "`<` `[` $sources `]` `,` `[` $steps `]` `>`";
}

def Onnx_TransposeStepAttr : Onnx_Attr<"TransposeStep", "transpose"> {
  let summary = "recipe step: permute dims";
  let description = [{ Example: `#onnx.transpose<[1, 0]>` }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$permutation);
  let assemblyFormat = "`<` `[` $permutation `]` `>`";
}

def Onnx_ReshapeStepAttr : Onnx_Attr<"ReshapeStep", "reshape"> {
  let summary = "recipe step: give a new shape to the same elements";
  let description = [{ Example: `#onnx.reshape<[4, 16]>` }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape);
  let assemblyFormat = "`<` `[` $shape `]` `>`";
}

def Onnx_CastStepAttr : Onnx_Attr<"CastStep", "cast"> {
  let summary = "recipe step: convert elements";
  let description = [{ Conversion as ONNX's Cast does it. Example: `#onnx.cast<f32>` }];
  let parameters = (ins "::mlir::Type":$type);
  let assemblyFormat = "`<` $type `>`";
}

def Onnx_BinaryStepAttr : Onnx_Attr<"BinaryStep", "binary"> {
  let summary = "recipe step: combine with another source, broadcasting";
  let description = [{
    `kind` is add, sub, mul or div; the other operand is source number `source`.
    With `reversed` the current value is the right operand.
    Example: `#onnx.binary<"mul", 1>`
  }];
  let parameters = (ins "::mlir::StringAttr":$kind, "unsigned":$source,
                        DefaultValuedParameter<"bool", "false">:$reversed);
  let assemblyFormat = "`<` $kind `,` $source (`,` $reversed^)? `>`";
}

def Onnx_SliceStepAttr : Onnx_Attr<"SliceStep", "slice"> {
  let summary = "recipe step: the part of one dim that a rank holds";
  let description = [{
    Cuts dim `dim` into blocks of `unit` elements and takes the run of
    ceil(blocks / n) blocks that belongs to this rank on mesh axes `axes` (n is
    the product of their sizes). A short run is padded with zeros.
    Example: `#onnx.slice<1, ["tp"], 4, 16>`
  }];
  let parameters = (ins "int64_t":$dim, ArrayRefParameter<"::mlir::StringAttr">:$axes,
                        "int64_t":$count, "int64_t":$unit);
  let assemblyFormat = "`<` $dim `,` `[` $axes `]` `,` $count `,` $unit `>`";
}

def Onnx_PartStepAttr : Onnx_Attr<"PartStep", "part"> {
  let summary = "recipe step: a run of elements of one dim";
  let description = [{
    Elements [begin, begin + size) of dim `dim`, the same on every rank.
    Example: `#onnx.part<1, 64, 32>`
  }];
  let parameters = (ins "int64_t":$dim, "int64_t":$begin, "int64_t":$size);
  let assemblyFormat = "`<` $dim `,` $begin `,` $size `>`";
}

def Onnx_PackStepAttr : Onnx_Attr<"PackStep", "pack"> {
  let summary = "recipe step: the layout that a matrix kernel reads";
  let description = [{
    Lays a [..., K, N] matrix down as [..., ceil(N / columns), K, columns], the
    last panel padded with zeros.
    Example: `#onnx.pack<32>`
  }];
  let parameters = (ins "int64_t":$columns);
  let assemblyFormat = "`<` $columns `>`";
}

#endif // DOUGONG_ONNX_ATTRS
