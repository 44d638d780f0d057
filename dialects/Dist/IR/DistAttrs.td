//===- DistAttrs.td - shardings -------------------------------------------===//
#ifndef DOUGONG_DIST_ATTRS
#define DOUGONG_DIST_ATTRS

include "Dist/IR/DistDialect.td"

class Dist_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Dist_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Dist_Reduction : I32EnumAttr<"Reduction", "what combines partial results", [
    I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"Min", 2, "min">, I32EnumAttrCase<"Prod", 3, "prod">]> {
  let cppNamespace = "::dougong::dist";
  let genSpecializedAttr = 0;
}
def Dist_ReductionAttr : EnumAttr<Dist_Dialect, Dist_Reduction, "reduction"> {
  let assemblyFormat = "$value";
}

def Dist_CutAttr : Dist_Attr<"Cut", "cut"> {
  let summary = "how one dim is cut";
  let description = [{
    The dim is cut into blocks of `unit` elements, and these are shared out in
    runs of ceil(blocks / n) over the n ranks of `axes` (major first). Without
    axes the dim is whole. The local extent is unit * ceil(blocks / n) on every
    rank; what lies beyond the end of the dim is padding.

    Example: `#dist.cut<{"tp" : unit 16}>`
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$axes,
                        DefaultValuedParameter<"int64_t", "1">:$unit);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Dist_PartialAttr : Dist_Attr<"Partial", "partial"> {
  let summary = "an axis over which a value is still to be reduced";
  let description = [{ Example: `#dist.partial<"tp" sum>` }];
  let parameters = (ins "::mlir::StringAttr":$axis, "::dougong::dist::Reduction":$reduction);
  let assemblyFormat = "`<` $axis $reduction `>`";
}

def Dist_ShardingAttr : Dist_Attr<"Sharding", "sharding"> {
  let summary = "how a tensor is spread over a mesh";
  let description = [{
    One entry for each dim: the axes that cut it (see `#dist.cut`). Axes that
    occur nowhere hold copies. `partial` lists axes on which every rank holds a
    contribution only: the value is the reduction of these. An axis occurs at
    most once. Part of an axis is written by giving the mesh two axes instead
    of one.

    Example: `#dist.sharding<@m0, [{"dp"}, {}, {"tp" : unit 16} ], partial ["ep" sum]>`
  }];
  let parameters = (ins "::mlir::FlatSymbolRefAttr":$mesh,
                        ArrayRefParameter<"::dougong::dist::CutAttr">:$dims,
                        ArrayRefParameter<"::dougong::dist::PartialAttr">:$partial);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Whether every rank holds the whole value.
    bool isReplicated() const;
  }];
}

#endif // DOUGONG_DIST_ATTRS
