//===- DistOps.td - meshes, stages, communication -------------------------===//
#ifndef DOUGONG_DIST_OPS
#define DOUGONG_DIST_OPS

include "Dist/IR/DistAttrs.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Dist_Op<string mnemonic, list<Trait> traits = []> : Op<Dist_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Structure
//===----------------------------------------------------------------------===//

def Dist_MeshOp : Dist_Op<"mesh", [Symbol]> {
  let summary = "ranks arranged along named axes";
  let description = [{
    Row-major: the last axis is the fastest. `on` names the pool of chips (or
    the chip type) that the ranks come from. `first_rank` is given when ranks
    are assigned.

    Example:

    ```mlir
    dist.mesh @m0 <"dp" = 2, "tp" = 4> on @site::@ascend first_rank 8
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$axes, DenseI64ArrayAttr:$sizes,
                       OptionalAttr<SymbolRefAttr>:$on, OptionalAttr<I64Attr>:$first_rank);
  let assemblyFormat = [{
    $sym_name custom<MeshAxes>($axes, $sizes) (`on` $on^)? (`first_rank` $first_rank^)? attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Number of ranks.
    int64_t getNumRanks();
    /// Size of `axis`, or nothing if the mesh has no such axis.
    std::optional<int64_t> getAxisSize(::llvm::StringRef axis);
    /// Product of the sizes of `axes`, or nothing if one is unknown.
    std::optional<int64_t> getNumShards(::llvm::ArrayRef<::mlir::StringAttr> axes);
  }];
}

def Dist_StageOp : Dist_Op<"stage", [Symbol, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a part of the model that runs on one mesh";
  let description = [{
    Stages are numbered in the order of their declarations. The ops of a stage
    carry its number in the attribute `dist.stage`; after the `stage` phase they
    are the module that `runs` names. `nodes` is a summary for people: the
    first and last ONNX node.

    Example:

    ```mlir
    dist.stage @stage0 on @m0 runs @program0 nodes ["embed/Gather", "layers.1/Add"]
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$mesh,
                       OptionalAttr<FlatSymbolRefAttr>:$program,
                       OptionalAttr<StrArrayAttr>:$nodes);
  let assemblyFormat = [{
    $sym_name `on` $mesh (`runs` $program^)? (`nodes` $nodes^)? attr-dict
  }];
}

def Dist_LinkOp : Dist_Op<"link", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a value that enters, leaves, or goes from stage to stage";
  let description = [{
    An end is a port of a stage (an output of its program as source, an input
    as target) or the name of an input or output of the model. The shardings at
    the two ends may differ; they are found on the programs.

    Example:

    ```mlir
    dist.link "input_ids" -> @stage0[0]
    dist.link @stage0[0] -> @stage1[2] value "v_model.layers.0.Add_34"
    dist.link @stage1[0] -> "logits"
    ```
  }];
  let arguments = (ins AnyAttr:$source, OptionalAttr<I64Attr>:$source_port, AnyAttr:$target,
                       OptionalAttr<I64Attr>:$target_port, OptionalAttr<StrAttr>:$value);
  let assemblyFormat = [{
    custom<LinkEnd>($source, $source_port) `->` custom<LinkEnd>($target, $target_port)
    (`value` $value^)? attr-dict
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Communication
//===----------------------------------------------------------------------===//

// An op of the ranks that differ only on `axes`. Ranks of such a group are
// numbered row-major over `axes` as listed.
class Dist_GroupOp<string mnemonic, list<Trait> traits = []>
    : Dist_Op<mnemonic, traits # [DeclareOpInterfaceMethods<SymbolUserOpInterface>]>;

def Dist_AllReduceOp : Dist_GroupOp<"all_reduce", [SameOperandsAndResultType]> {
  let summary = "the reduction of all ranks' values, on every rank";
  let description = [{
    Element-wise over the group; padding is reduced with the rest.

    Example:

    ```mlir
    %z = dist.all_reduce %y over @m0 axes ["tp"] sum : tensor<1x128x4096xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, FlatSymbolRefAttr:$mesh, StrArrayAttr:$axes,
                       Dist_ReductionAttr:$reduction);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `over` $mesh `axes` $axes $reduction attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
}

def Dist_AllGatherOp : Dist_GroupOp<"all_gather"> {
  let summary = "all ranks' parts of a dim, joined, on every rank";
  let description = [{
    Concatenates the parts along `dim` in group order and drops the padding:
    the result has the whole extent d of the dim, the operand the local extent
    unit * ceil(ceil(d / unit) / n).

    A host gathers into a buffer [n, operand dims...]; a lowering then copies
    part r to offset r * (local extent) of `dim`, cut off at d. For dim 0 the
    buffer is the result already (its first d rows).

    Example:

    ```mlir
    %z = dist.all_gather %y over @m0 axes ["tp"] dim 1 unit 1
        : tensor<4x126xf32> -> tensor<4x251xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, FlatSymbolRefAttr:$mesh, StrArrayAttr:$axes,
                       I64Attr:$dim, I64Attr:$unit);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `over` $mesh `axes` $axes `dim` $dim `unit` $unit attr-dict
    `:` type($input) `->` type($result)
  }];
}

def Dist_ReduceScatterOp : Dist_GroupOp<"reduce_scatter"> {
  let summary = "each rank's part of the reduction of all ranks' values";
  let description = [{
    Reduces element-wise and leaves each rank its part of `dim`, of local extent
    unit * ceil(ceil(d / unit) / n); padding is zero. A lowering first lays the
    operand out as [n, result dims...], filled up with zeros.

    Example:

    ```mlir
    %z = dist.reduce_scatter %y over @m0 axes ["tp"] dim 1 unit 1 sum
        : tensor<4x128xf32> -> tensor<4x64xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, FlatSymbolRefAttr:$mesh, StrArrayAttr:$axes,
                       I64Attr:$dim, I64Attr:$unit, Dist_ReductionAttr:$reduction);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `over` $mesh `axes` $axes `dim` $dim `unit` $unit $reduction attr-dict
    `:` type($input) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Dist_AllToAllOp : Dist_GroupOp<"all_to_all"> {
  let summary = "moves a cut from one dim to another";
  let description = [{
    The operand is cut along `concat` and whole along `split`; the result is cut
    along `split` and whole along `concat` (padding dropped). A lowering lays
    the operand out as [n, ...] along `split`, filled up with zeros, and joins
    what it receives along `concat`.

    Example:

    ```mlir
    %z = dist.all_to_all %y over @m0 axes ["tp"] split 2 unit 16 concat 1 unit 1
        : tensor<4x8x64xf32> -> tensor<4x16x32xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, FlatSymbolRefAttr:$mesh, StrArrayAttr:$axes,
                       I64Attr:$split, I64Attr:$split_unit, I64Attr:$concat, I64Attr:$concat_unit);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `over` $mesh `axes` $axes `split` $split `unit` $split_unit
    `concat` $concat `unit` $concat_unit attr-dict `:` type($input) `->` type($result)
  }];
}

def Dist_RaggedAllToAllOp : Dist_GroupOp<"ragged_all_to_all"> {
  let summary = "rows go to the ranks that want them";
  let description = [{
    The first rows of the operand are runs for the members of the group, in
    order: counts[m] rows for member m. The result begins with the runs that the
    members sent here, in order, of received[m] rows; rows behind them are zero.
    How many rows move depends on data; what the types say is room for the most
    that there can be. With `received` as counts the same op sends rows back to
    where they came from, in the order in which they left.

    Example:

    ```mlir
    %there, %received = dist.ragged_all_to_all %x counts %counts over @m0 axes ["ep"]
        : tensor<64x80xf32>, tensor<4xi64> -> tensor<128x80xf32>, tensor<4xi64>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, 1DTensorOf<[I64]>:$counts, FlatSymbolRefAttr:$mesh,
                       StrArrayAttr:$axes);
  let results = (outs AnyRankedTensor:$result, 1DTensorOf<[I64]>:$received);
  let assemblyFormat = [{
    $input `counts` $counts `over` $mesh `axes` $axes attr-dict
    `:` type($input) `,` type($counts) `->` type($result) `,` type($received)
  }];
}

def Dist_PermuteOp : Dist_GroupOp<"permute", [SameOperandsAndResultType]> {
  let summary = "every rank's value, on another rank";
  let description = [{
    Ranks of a group are numbered row-major over `axes`, and over `from`, the same
    axes in another order. Each rank gets the value of the rank whose number over
    `from` is its own over `axes`: a dim that was cut along `from` is then cut
    along `axes`, in the same parts.

    Example:

    ```mlir
    %z = dist.permute %y over @m0 axes ["tp", "dp"] from ["dp", "tp"] : tensor<4x32xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, FlatSymbolRefAttr:$mesh, StrArrayAttr:$axes,
                       StrArrayAttr:$from);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `over` $mesh `axes` $axes `from` $from attr-dict `:` type($result)
  }];
}

def Dist_SliceOp : Dist_GroupOp<"slice", [Pure]> {
  let summary = "this rank's part of a whole dim";
  let description = [{
    No communication. Takes elements [i * l, (i + 1) * l) of `dim`, where l is
    the local extent unit * ceil(ceil(d / unit) / n) and i this rank's number in
    the group; elements beyond d are zero.

    Example:

    ```mlir
    %z = dist.slice %y over @m0 axes ["tp"] dim 1 unit 1
        : tensor<4x251xf32> -> tensor<4x126xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, FlatSymbolRefAttr:$mesh, StrArrayAttr:$axes,
                       I64Attr:$dim, I64Attr:$unit);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `over` $mesh `axes` $axes `dim` $dim `unit` $unit attr-dict
    `:` type($input) `->` type($result)
  }];
}

def Dist_AxisIndexOp : Dist_GroupOp<"axis_index", [Pure]> {
  let summary = "this rank's number in its group";
  let description = [{
    Row-major over `axes`, from 0. A value of the run time: a program is the
    same for all its ranks.

    Example:

    ```mlir
    %i = dist.axis_index over @m0 axes ["tp"] : tensor<i64>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$mesh, StrArrayAttr:$axes);
  let results = (outs 0DTensorOf<[I64]>:$result);
  let assemblyFormat = "`over` $mesh `axes` $axes attr-dict `:` type($result)";
}

def Dist_TransferOp : Dist_Op<"transfer", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a value goes to the mesh of a later stage";
  let description = [{
    `global` is the type of the whole value; the operand is its part under
    `from`, the result that under `to`. The runner moves the intersections of
    the parts; padding of the result is zero.

    Example:

    ```mlir
    %t = dist.transfer %z from #dist.sharding<@m0, [{}, {"tp"} ]>
        to #dist.sharding<@m1, [{}, {} ]> of tensor<4x64xf32>
        : tensor<4x32xf32> -> tensor<4x64xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, Dist_ShardingAttr:$source, Dist_ShardingAttr:$target,
                       TypeAttr:$global);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `from` $source `to` $target `of` $global attr-dict `:` type($input) `->` type($result)
  }];
}

#endif // DOUGONG_DIST_OPS
