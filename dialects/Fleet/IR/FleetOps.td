//===- FleetOps.td - the declarations of a site ---------------------------===//
#ifndef DOUGONG_FLEET_OPS
#define DOUGONG_FLEET_OPS

include "Fleet/IR/FleetAttrs.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/IR/SymbolInterfaces.td"

class Fleet_Op<string mnemonic, list<Trait> traits = []>
    : Op<Fleet_Dialect, mnemonic, traits>;

// A declaration inside a site.
class Fleet_SiteMember<string mnemonic, list<Trait> traits = []>
    : Fleet_Op<mnemonic, !listconcat([HasParent<"SiteOp">], traits)>;

def Fleet_Count : ConfinedAttr<I64Attr, [IntPositive]>;

def Fleet_SiteOp : Fleet_Op<"site",
    [Symbol, SymbolTable, NoTerminator, SingleBlock, NoRegionArguments]> {
  let summary = "a datacentre, or a part of one";
  let description = [{
    Holds declarations of chips, levels, pools, cross paths, policies, growth
    steps and failure domains, in any order. `details` holds title, location,
    sources and power budget. `this_machine` says that the chips are the machine
    that compiles: any number of ranks share them.

    Example:

    ```mlir
    fleet.site @lab {
      fleet.level @node size(2) bandwidth(<5.6e10 "B/s" recalled>) latency(<1.0e-5 "s" recalled>)
      fleet.pool @ascend chip(@ascend_910b3) count(2) path([@node])
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, UnitAttr:$this_machine,
                       OptionalAttr<DictionaryAttr>:$details);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name (`this_machine` $this_machine^)? (`details` `(` $details^ `)`)?
    attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
}

def Fleet_ChipOp : Fleet_SiteMember<"chip", [Symbol]> {
  let summary = "a kind of chip";
  let description = [{
    What the vendor's runtime addresses as one device. `target` names the code
    generator that emits programs for it; `stand_in` says that these programs run
    on something else than the chip (the host CPU): the same numbers, another
    speed. `peak` maps data types to dense peaks in "OP/s"; `memory`, `reserved`
    and `bandwidth` are those of the device memory.

    A pool may refer to a chip that the site does not declare: then the chip of
    that name in the catalogue is meant.

    Example:

    ```mlir
    fleet.chip @x1 vendor("Example") domestic target("cpu") stand_in
        peak({fp16 = #fleet.figure<1.0e14 "OP/s" published "X">})
        memory(<34359738368 "B" published "X">) bandwidth(<1.0e12 "B/s" derived "X">)
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$vendor, UnitAttr:$domestic,
                       OptionalAttr<StrAttr>:$target, UnitAttr:$stand_in,
                       OptionalAttr<DictionaryAttr>:$peak,
                       OptionalAttr<Fleet_FigureAttr>:$memory,
                       OptionalAttr<Fleet_FigureAttr>:$reserved,
                       OptionalAttr<Fleet_FigureAttr>:$bandwidth,
                       OptionalAttr<DictionaryAttr>:$details);
  let assemblyFormat = [{
    $sym_name `vendor` `(` $vendor `)` (`domestic` $domestic^)?
    (`target` `(` $target^ `)`)? (`stand_in` $stand_in^)? (`peak` `(` $peak^ `)`)?
    (`memory` `(` $memory^ `)`)? (`reserved` `(` $reserved^ `)`)?
    (`bandwidth` `(` $bandwidth^ `)`)? (`details` `(` $details^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

def Fleet_LevelOp : Fleet_SiteMember<"level", [Symbol]> {
  let summary = "a level of network";
  let description = [{
    Joins `size` chips, counted over all levels inside it; without a size, all
    chips of the pools that have it in their path. `bandwidth` is that of one
    chip into the level, and counts as `direction` says; `latency` is that of one
    message; `oversubscription` is at least 1.

    Example:

    ```mlir
    fleet.level @rack size(128) bandwidth(<5.0e10 "B/s" published "X">) direction uni
        latency(<4.0e-6 "s" published "X">)
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<Fleet_Count>:$size,
                       OptionalAttr<Fleet_FigureAttr>:$bandwidth,
                       DefaultValuedAttr<Fleet_LinkDirection,
                                         "::dougong::fleet::LinkDirection::Unknown">:$direction,
                       OptionalAttr<Fleet_FigureAttr>:$latency,
                       OptionalAttr<Fleet_FigureAttr>:$oversubscription,
                       OptionalAttr<DictionaryAttr>:$details);
  let assemblyFormat = [{
    $sym_name (`size` `(` $size^ `)`)? (`bandwidth` `(` $bandwidth^ `)`)?
    (`direction` $direction^)? (`latency` `(` $latency^ `)`)?
    (`oversubscription` `(` $oversubscription^ `)`)? (`details` `(` $details^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

def Fleet_PoolOp : Fleet_SiteMember<"pool",
    [Symbol, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "equal chips that one vendor's collectives can join";
  let description = [{
    `count` chips of kind `chip`, spread evenly over `nodes` nodes (default 1).
    `path` lists the levels that join them, innermost first; sizes must not
    shrink along it. `target` replaces the chip's own.

    Example:

    ```mlir
    fleet.pool @ascend chip(@ascend_910b3) count(64) nodes(8) path([@node, @spine])
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$chip, Fleet_Count:$count,
                       DefaultValuedAttr<Fleet_Count, "1">:$nodes,
                       OptionalAttr<FlatSymbolRefArrayAttr>:$path,
                       OptionalAttr<StrAttr>:$target, OptionalAttr<DictionaryAttr>:$details);
  let assemblyFormat = [{
    $sym_name `chip` `(` $chip `)` `count` `(` $count `)` (`nodes` `(` $nodes^ `)`)?
    (`path` `(` $path^ `)`)? (`target` `(` $target^ `)`)? (`details` `(` $details^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

def Fleet_CrossPathOp : Fleet_SiteMember<"cross_path",
    [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "how data crosses between two pools";
  let description = [{
    Either way. `@"*"` stands for any pool. `host_staged` copies through host
    memory and has no collectives; a library may have some (`details`).

    Example:

    ```mlir
    fleet.cross_path @ascend to @metax via host_staged bandwidth(<1.2e10 "B/s" recalled>)
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$from, FlatSymbolRefAttr:$to, Fleet_CrossVia:$via,
                       OptionalAttr<Fleet_FigureAttr>:$bandwidth,
                       OptionalAttr<Fleet_FigureAttr>:$latency,
                       OptionalAttr<DictionaryAttr>:$details);
  let assemblyFormat = [{
    $from `to` $to `via` $via (`bandwidth` `(` $bandwidth^ `)`)?
    (`latency` `(` $latency^ `)`)? (`details` `(` $details^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

def Fleet_PolicyOp : Fleet_SiteMember<"policy"> {
  let summary = "a rule that the site, or a job on it, must obey";
  let description = [{
    `"domestic-share"`: the share of domestic chips, by `basis`, must be above
    `threshold` (a ratio; 1 means all of them).

    Example:

    ```mlir
    fleet.policy "domestic-share" threshold(<0.5 "" published "SHA">) basis chips scope site
    ```
  }];
  let arguments = (ins StrAttr:$policy, Fleet_FigureAttr:$threshold, Fleet_PolicyBasis:$basis,
                       Fleet_JudgedScope:$scope, OptionalAttr<DictionaryAttr>:$details);
  let assemblyFormat = [{
    $policy `threshold` `(` $threshold `)` `basis` $basis `scope` $scope
    (`details` `(` $details^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

def Fleet_GrowthOp : Fleet_SiteMember<"growth",
    [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a step of the site's growth";
  let description = [{
    From `date` on, the pool (or the site) has `count` chips. Without a date the
    step is planned for an unknown time.

    Example:

    ```mlir
    fleet.growth count(<100000 "" published "X">) pool(@ascend) date("2028")
    ```
  }];
  let arguments = (ins Fleet_FigureAttr:$count, OptionalAttr<FlatSymbolRefAttr>:$pool,
                       OptionalAttr<StrAttr>:$date);
  let assemblyFormat = [{
    `count` `(` $count `)` (`pool` `(` $pool^ `)`)? (`date` `(` $date^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

def Fleet_FailureDomainOp : Fleet_SiteMember<"failure_domain",
    [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "things that fail together";
  let description = [{
    One domain for each instance of a level. Times are in "s".

    Example:

    ```mlir
    fleet.failure_domain "server" level(@node) mtbf(<3600000 "s" recalled>)
    ```
  }];
  let arguments = (ins StrAttr:$domain, FlatSymbolRefAttr:$level,
                       OptionalAttr<Fleet_FigureAttr>:$mtbf,
                       OptionalAttr<Fleet_FigureAttr>:$mttr);
  let assemblyFormat = [{
    $domain `level` `(` $level `)` (`mtbf` `(` $mtbf^ `)`)? (`mttr` `(` $mttr^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

#endif // DOUGONG_FLEET_OPS
