// Whole experts on the ranks of an axis.
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=ep=2})' | FileCheck %s --check-prefix=PLAN
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=ep=2},dist-propagate,dist-verify-propagated,dist-partition,dist-verify-partitioned)' | FileCheck %s --check-prefix=WHOLE
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=dp=2,ep=2},dist-propagate,dist-verify-propagated,dist-partition,dist-verify-partitioned)' | FileCheck %s --check-prefix=ROWS
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=ep=3},dist-propagate,dist-verify-propagated,dist-partition,dist-verify-partitioned)' | FileCheck %s --check-prefix=UNEVEN
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=ep=2,tp=2},dist-propagate,dist-verify-propagated,dist-partition,dist-verify-partitioned)' | FileCheck %s --check-prefix=INNER

// The router chooses on every rank; shares and weights are cut by experts.
// PLAN-LABEL: func.func @moe
// PLAN: onnx.TopK
// PLAN: %[[SHARES:.*]] = onnx.ReduceSum({{.*}} -> tensor<6x4xf32>
// PLAN: onnx.part.Experts(%{{.*}}, %[[SHARES]], {{.*}}activation_type = "silu", {{.*}}dist.in = [unit, unit, #dist.sharding<@mesh0, [{"ep"}, {}, {}]>, {{.*}}k = 2 : i64, num_experts = 4 : i64
// PLAN-NOT: onnx.ms.MoE

// Rows whole: one all-reduce adds the experts of all ranks up.
// WHOLE-LABEL: func.func @moe
// WHOLE-NOT: = dist.all
// WHOLE: onnx.part.Experts({{.*}}tensor<6x8xf32>, tensor<6x2xf32>, tensor<2x12x8xf32>, none, none, tensor<2x12xf32>, tensor<2x8x12xf32>, none, none, tensor<2x8xf32>,
// WHOLE-NEXT: dist.all_reduce %{{.*}} over @mesh0 axes ["ep"] sum
// WHOLE-NOT: = dist.
// WHOLE: return

// Rows cut along the same axis: one exchange there and one back. 3 rows go to 2
// experts each: room for 6 there, and for 6 from both ranks.
// ROWS-LABEL: func.func @moe
// ROWS-NOT: = dist.
// ROWS: %[[COUNTS:.*]] = onnx.ReduceSum({{.*}} -> tensor<2xi64>
// ROWS: %[[THERE:[a-z0-9_]+]], %[[RECEIVED:[a-z0-9_]+]] = dist.ragged_all_to_all %{{.*}} counts %[[COUNTS]] over @mesh0 axes ["dp"] {{.*}} : tensor<6x10xf32>, tensor<2xi64> -> tensor<6x10xf32>, tensor<2xi64>
// ROWS-NEXT: onnx.Constant
// ROWS-NEXT: %[[PARTS:.*]]:2 = onnx.Split(%[[THERE]],
// ROWS-NEXT: %[[Y:.*]] = onnx.part.Experts(%[[PARTS]]#0, %[[PARTS]]#1, {{.*}}tensor<6x8xf32>, tensor<6x2xf32>, tensor<2x12x8xf32>,
// ROWS-NEXT: %[[BACK:[a-z0-9_]+]], %{{.*}} = dist.ragged_all_to_all %[[Y]] counts %[[RECEIVED]] over @mesh0 axes ["dp"] {{.*}} : tensor<6x8xf32>, tensor<2xi64> -> tensor<6x8xf32>, tensor<2xi64>
// ROWS-NOT: = dist.
// ROWS: onnx.ScatterND({{.*}}%[[BACK]]) {{.*}}reduction = "add"} {{.*}} -> tensor<3x8xf32>
// ROWS-NOT: = dist.
// ROWS: return

// 4 experts on 3 ranks: 2, 2 and none; shares of experts that are not there are 0.
// UNEVEN-LABEL: func.func @moe
// UNEVEN: %[[SHARES:.*]] = onnx.Where({{.*}} -> tensor<6x2xf32>
// UNEVEN: onnx.part.Experts(%{{.*}}, %[[SHARES]], {{.*}}tensor<2x12x8xf32>
// UNEVEN-NEXT: dist.all_reduce

// Experts along one axis, their inner width along another: one all-reduce over both.
// The bias behind it is added by the first rank of "tp" alone, for the experts that it has.
// INNER-LABEL: func.func @moe
// INNER: %[[INDEX:.*]] = dist.axis_index over @mesh0 axes ["tp"]
// INNER: %[[FIRST:.*]] = onnx.Equal(%[[INDEX]]
// INNER: %[[BIAS:.*]] = onnx.Where(%[[FIRST]]
// INNER: onnx.part.Experts({{.*}}%[[BIAS]]{{.*}}tensor<2x6x8xf32>, none, none, tensor<2x6xf32>, tensor<2x8x6xf32>
// INNER-NEXT: dist.all_reduce %{{.*}} over @mesh0 axes ["ep", "tp"] sum
// INNER-NOT: = dist.all
// INNER: return
module {
  onnx.weight @w1 : tensor<4x12x8xf32> = #onnx.external<"w.bin", offset = 0, length = 1536>
  onnx.weight @b1 : tensor<4x12xf32> = #onnx.external<"w.bin", offset = 1536, length = 192>
  onnx.weight @w2 : tensor<4x8x12xf32> = #onnx.external<"w.bin", offset = 1728, length = 1536>
  onnx.weight @b2 : tensor<4x8xf32> = #onnx.external<"w.bin", offset = 3264, length = 128>
  func.func @moe(%x: tensor<6x8xf32> {onnx.name = "x"}, %router: tensor<6x4xf32> {onnx.name = "router"})
      -> (tensor<6x8xf32> {onnx.name = "y"}) {
    %none = onnx.none
    %w1 = onnx.use @w1 : tensor<4x12x8xf32>
    %b1 = onnx.use @b1 : tensor<4x12xf32>
    %w2 = onnx.use @w2 : tensor<4x8x12xf32>
    %b2 = onnx.use @b2 : tensor<4x8xf32>
    %y = onnx.ms.MoE(%x, %router, %w1, %b1, %w2, %b2, %none, %none)
        {activation_type = "silu", k = 2 : i64, normalize_routing_weights = 1 : i64}
        : (tensor<6x8xf32>, tensor<6x4xf32>, tensor<4x12x8xf32>, tensor<4x12xf32>, tensor<4x8x12xf32>, tensor<4x8xf32>, none, none) -> tensor<6x8xf32>
    return %y : tensor<6x8xf32>
  }
}
