//===- Passes.td - plan, shard and stage ----------------------------------===//
#ifndef DOUGONG_DIST_PASSES
#define DOUGONG_DIST_PASSES

include "mlir/Pass/PassBase.td"

def PlanPass : Pass<"dist-plan", "::mlir::ModuleOp"> {
  let summary = "declares meshes and stages, and says what to cut";
  let description = [{
    Reads a strategy: a file (`strategy`), or its short form (`parallel`).
    Declares a `dist.mesh` and a `dist.stage` for each stage, gives each op its
    stage, and writes shardings (`dist.in`, `dist.out`, on arguments
    `dist.sharding`) where the strategy asks for them. Without a strategy the
    model gets one stage on a mesh of one rank.

    Where a mesh has an axis `tp` and the strategy does not say how to use it,
    weight matrices are cut in the manner of Megatron: a product whose input is
    not cut yet cuts its output features (column), one whose input features are
    cut already adds up partial results (row). Embedding tables are cut along
    the vocabulary. Attention that takes query, key and value in one tensor gets
    an operand for each first, and a packed product a product for each part. An
    axis `dp` cuts the batch dim of all inputs, an axis `cp` their tokens, and of
    what a stage gets from earlier ones. With `sequence: tp` (short form `sp`)
    norms and residuals are cut along the sequence where weights are whole.

    With `microbatches` (short form `mb`) nothing is cut: it is proved that rows of the batch do not
    depend on each other, and the module gets `dist.micro_batches`, the symbol of the batch and the
    number of its parts that go through the stages one behind the other.

    An axis `ep` (or the axis that `experts` names) shares out whole experts:
    mixtures become shares, which the router gives, and one `onnx.part.Experts`
    whose weights are cut along the experts. Along `dp` or `cp`, which cut rows
    too, dist-partition sends each row to the ranks of its experts and back.

    A device configuration of the model (`configuration`, IR version 11) is a strategy too: its
    pipeline stages are stages, its devices the ranks of a grid, its sharding specs directives.

    Example: `dist-plan{parallel=tp=2}` makes

    ```mlir
    dist.mesh @mesh0 <"tp" = 2>
    dist.stage @stage0 on @mesh0
    func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
      %w = onnx.use @up : tensor<8x16xf32>
      %y = onnx.MatMul(%x, %w) {dist.in = [unit, #dist.sharding<@mesh0, [{}, {"tp"} ]>]} : ...
    ```
  }];
  let options = [
    Option<"parallel", "parallel", "std::string", "",
           "short form of a strategy, e.g. tp=2,pp=2,dp=2">,
    Option<"strategyFile", "strategy", "std::string", "", "file of a strategy (YAML)">,
    Option<"configuration", "configuration", "std::string", "",
           "device configuration of the model that is the strategy">,
    Option<"chosen", "chosen", "std::string", "",
           "short form for a strategy that says nothing of stages and meshes">,
    ListOption<"pools", "pools", "std::string", "pool of each stage of `chosen`">,
    ListOption<"states", "state", "std::string",
               "INPUT=OUTPUT: what is kept between steps; * stands for the same text in both">
  ];
  let dependentDialects = ["::dougong::dist::DistDialect"];
}

def PropagatePass : Pass<"dist-propagate", "::mlir::ModuleOp"> {
  let summary = "completes the shardings of all values";
  let description = [{
    Spreads the given shardings over the sharding rules of the ops, forward and
    backward, until nothing changes; then writes `dist.in` and `dist.out` to
    every op (with `partial` on results of which each rank has a contribution
    only), and `dist.sharding` to the arguments. `dist.replicated` says of an op
    why it is not cut.

    Before: a `dist.in` on one MatMul. After:

    ```mlir
    %h = onnx.MatMul(%x, %up) {dist.in = [#dist.sharding<@mesh0, [{}, {} ]>, ...],
                               dist.out = [#dist.sharding<@mesh0, [{}, {"tp"} ]>]} : ...
    %y = onnx.MatMul(%h, %down) {..., dist.out = [#dist.sharding<@mesh0, [{}, {} ],
                                                  partial ["tp" sum]>]} : ...
    ```
  }];
  let dependentDialects = ["::dougong::dist::DistDialect"];
}

def PartitionPass : Pass<"dist-partition", "::mlir::ModuleOp"> {
  let summary = "from whole values to each rank's part";
  let description = [{
    Rewrites `@main` to what one rank computes: local types, weights cut by
    `#onnx.slice` at the end of their recipes, reductions of partial results,
    moves between shardings, transfers between stages. Attributes and shape
    operands follow. Padding of uneven cuts never reaches valid elements: it is
    masked where a reduction would see it.

    Arguments and results carry `onnx.name`, `dist.sharding`, `dist.global` (the
    type of the whole value) and `dist.stage`. A model input that is wanted in
    several ways is an argument for each of them.

    ```mlir
    %h = onnx.MatMul(%x, %up.tp) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
    %p = onnx.MatMul(%h, %down.tp) : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
    %y = dist.all_reduce %p over @mesh0 axes ["tp"] sum : tensor<4x8xf32>
    ```
  }];
  let dependentDialects = ["::dougong::dist::DistDialect"];
}

def MergeCollectivesPass : Pass<"dist-merge-collectives", "::mlir::ModuleOp"> {
  let summary = "fewer and smaller collectives";
  let description = [{
    On a partitioned module:

    - equal collectives of one operand are one;
    - an `all_reduce` of which only a part is used is a `reduce_scatter`;
    - a `reduce_scatter` that is gathered again is an `all_reduce`;
    - a slice of what was gathered along the same axes, or a gather of what was
      sliced, is nothing;
    - what a `Cast` made wider is moved before it is cast;
    - all-reduces of one kind, group and type of at most `merge-bytes` bytes each,
      none of which waits for another one, are one over all.

    The result is the same, bit for bit. Collectives do not return before they are
    done, so order alone hides none of their time.

    ```mlir
    %0 = dist.all_reduce %x over @mesh0 axes ["tp"] sum : tensor<8x4xf32>
    %1 = dist.slice %0 over @mesh0 axes ["tp"] dim 0 unit 1 : tensor<8x4xf32> -> tensor<4x4xf32>
    ```

    becomes

    ```mlir
    %1 = dist.reduce_scatter %x over @mesh0 axes ["tp"] dim 0 unit 1 sum
        : tensor<8x4xf32> -> tensor<4x4xf32>
    ```
  }];
  let options = [
    Option<"mergeBytes", "merge-bytes", "int64_t", "16384",
           "the most bytes of an all_reduce that is put together with others">
  ];
  let dependentDialects = ["::dougong::dist::DistDialect"];
}

def StagePass : Pass<"dist-stage", "::mlir::ModuleOp"> {
  let summary = "one module for each stage";
  let description = [{
    Cuts `@main` at its transfers. The ops of stage k move to `@main` of the
    module `@program<k>`, with the weights and the mesh that they use; values
    that cross are results there and arguments elsewhere. `dist.link` ops say
    what goes where. Meshes get their first ranks, in the order of the stages.

    ```mlir
    module {
      dist.mesh @mesh0 <"tp" = 2> first_rank 0
      dist.stage @stage0 on @mesh0 runs @program0
      dist.link "x" -> @stage0[0]
      dist.link @stage0[0] -> "y"
      module @program0 { ... func.func @main(...) ... }
    }
    ```
  }];
  let dependentDialects = ["::dougong::dist::DistDialect"];
}

def VerifyPropagatedPass : Pass<"dist-verify-propagated", "::mlir::ModuleOp"> {
  let summary = "checks what holds after dist-propagate";
  let description = [{
    Every op but constants has a stage and shardings for all tensors, on the
    mesh of its stage, that its sharding rule allows: dims of one factor are cut
    together, dims of none are whole. No op reads a value of a later stage.
    Both ends of a state have one sharding.
  }];
}

def VerifyPartitionedPass : Pass<"dist-verify-partitioned", "::mlir::ModuleOp"> {
  let summary = "checks what holds after dist-partition";
  let description = [{
    Types of arguments and results are the local parts of their whole types. An
    op uses values of its own stage only, except a transfer. Ops with regions
    hold no communication. Every extent follows from the extents of the inputs
    of its stage.
  }];
}

def VerifyStagedPass : Pass<"dist-verify-staged", "::mlir::ModuleOp"> {
  let summary = "checks what holds after dist-stage";
  let description = [{
    Every stage runs a program with one function. Every port has its link, every
    input of a program exactly one; links run from earlier to later stages, and
    whole types agree at both ends. Meshes have first ranks and do not overlap.
  }];
}

def PrintResultPass : Pass<"dist-print-result", "::mlir::ModuleOp"> {
  let summary = "prints what packaging would read, as JSON";
  let description = [{
    For people and tests: meshes, stages, links, and for each program its ports,
    its communication in call order and the work of one rank.

    Example: `dougong-opt --dist-print-result staged.mlir -o /dev/null`
  }];
}

def PrintRulesPass : Pass<"dist-print-rules", "::mlir::ModuleOp"> {
  let summary = "prints what may be cut of each operator, as JSON";
  let description = [{
    For people and tests: a line for each ONNX operator with its node, the factors
    of its sharding rule, and for each operand and result the extents of its dims
    with the factor that cuts them and the elements of a unit of it. Of a
    partitioned module the extents are those of a rank.

    Example: `dougong-opt --dist-print-rules whole.mlir -o /dev/null`
  }];
}

#endif // DOUGONG_DIST_PASSES
