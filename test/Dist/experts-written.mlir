// Experts that are written out one by one become one operator of stacked weights.
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=ep=2})' | FileCheck %s --check-prefix=PLAN
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=ep=2},dist-propagate,dist-verify-propagated,dist-partition,dist-verify-partitioned)' | FileCheck %s --check-prefix=WHOLE
// RUN: dougong-opt %s '-pass-pipeline=builtin.module(dist-plan{parallel=dp=2,ep=2},dist-propagate,dist-verify-propagated,dist-partition,dist-verify-partitioned)' | FileCheck %s --check-prefix=ROWS

// PLAN-DAG: onnx.weight @g0.t.expert : tensor<1x12x8xf32> = #onnx.derived<[@g0], [#onnx.reshape<[1, 12, 8]>]>
// PLAN-DAG: onnx.weight @g0.t.experts : tensor<2x12x8xf32> = #onnx.derived<[@g0.t.expert, @g1.expert], [#onnx.binary<"concat", 1>]>
// PLAN-LABEL: func.func @written
// PLAN-NOT: onnx.MatMul
// PLAN: onnx.part.Experts({{.*}}activation_type = "silu", {{.*}}num_experts = 2 : i64, {{.*}} : (tensor<6x8xf32>, tensor<6x2xf32>, tensor<2x12x8xf32>, none, none, none, tensor<2x8x12xf32>, none, none, none, tensor<2x12x8xf32>,
// PLAN: return
// WHOLE-LABEL: func.func @written
// WHOLE: onnx.part.Experts({{.*}}tensor<1x12x8xf32>
// WHOLE-NEXT: dist.all_reduce
// ROWS-LABEL: func.func @written
// ROWS-COUNT-2: dist.ragged_all_to_all
// ROWS-NOT: = dist.
// ROWS: return
module {
  onnx.weight @g0 : tensor<12x8xf32> = #onnx.external<"w.bin", offset = 0, length = 384>
  onnx.weight @g0.t : tensor<8x12xf32> = #onnx.derived<[@g0], [#onnx.transpose<[1, 0]>]>
  onnx.weight @u0 : tensor<8x12xf32> = #onnx.external<"w.bin", offset = 384, length = 384>
  onnx.weight @d0 : tensor<12x8xf32> = #onnx.external<"w.bin", offset = 768, length = 384>
  onnx.weight @g1 : tensor<8x12xf32> = #onnx.external<"w.bin", offset = 1152, length = 384>
  onnx.weight @u1 : tensor<8x12xf32> = #onnx.external<"w.bin", offset = 1536, length = 384>
  onnx.weight @d1 : tensor<12x8xf32> = #onnx.external<"w.bin", offset = 1920, length = 384>
  func.func @written(%x: tensor<6x8xf32> {onnx.name = "x"}, %scores: tensor<6x2xf32> {onnx.name = "scores"})
      -> (tensor<6x8xf32> {onnx.name = "y"}) {
    %one = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
    %last = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
    %n0 = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
    %n1 = onnx.Constant() {value = dense<1> : tensor<i64>} : () -> tensor<i64>
    %g0 = onnx.use @g0.t : tensor<8x12xf32>
    %u0 = onnx.use @u0 : tensor<8x12xf32>
    %d0 = onnx.use @d0 : tensor<12x8xf32>
    %g1 = onnx.use @g1 : tensor<8x12xf32>
    %u1 = onnx.use @u1 : tensor<8x12xf32>
    %d1 = onnx.use @d1 : tensor<12x8xf32>
    %parts, %chosen = onnx.TopK(%scores, %one) {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<6x2xf32>, tensor<1xi64>) -> (tensor<6x1xf32>, tensor<6x1xi64>)
    %0 = onnx.MatMul(%x, %g0) : (tensor<6x8xf32>, tensor<8x12xf32>) -> tensor<6x12xf32>
    %1 = onnx.Sigmoid(%0) : (tensor<6x12xf32>) -> tensor<6x12xf32>
    %2 = onnx.Mul(%0, %1) : (tensor<6x12xf32>, tensor<6x12xf32>) -> tensor<6x12xf32>
    %3 = onnx.MatMul(%x, %u0) : (tensor<6x8xf32>, tensor<8x12xf32>) -> tensor<6x12xf32>
    %4 = onnx.Mul(%2, %3) : (tensor<6x12xf32>, tensor<6x12xf32>) -> tensor<6x12xf32>
    %5 = onnx.MatMul(%4, %d0) : (tensor<6x12xf32>, tensor<12x8xf32>) -> tensor<6x8xf32>
    %6 = onnx.Equal(%chosen, %n0) : (tensor<6x1xi64>, tensor<i64>) -> tensor<6x1xi1>
    %7 = onnx.Cast(%6) {to = 1 : i64} : (tensor<6x1xi1>) -> tensor<6x1xf32>
    %8 = onnx.Mul(%parts, %7) : (tensor<6x1xf32>, tensor<6x1xf32>) -> tensor<6x1xf32>
    %9 = onnx.ReduceSum(%8, %last) {keepdims = 1 : i64} : (tensor<6x1xf32>, tensor<1xi64>) -> tensor<6x1xf32>
    %10 = onnx.Mul(%5, %9) : (tensor<6x8xf32>, tensor<6x1xf32>) -> tensor<6x8xf32>
    %11 = onnx.MatMul(%x, %g1) : (tensor<6x8xf32>, tensor<8x12xf32>) -> tensor<6x12xf32>
    %12 = onnx.Sigmoid(%11) : (tensor<6x12xf32>) -> tensor<6x12xf32>
    %13 = onnx.Mul(%11, %12) : (tensor<6x12xf32>, tensor<6x12xf32>) -> tensor<6x12xf32>
    %14 = onnx.MatMul(%x, %u1) : (tensor<6x8xf32>, tensor<8x12xf32>) -> tensor<6x12xf32>
    %15 = onnx.Mul(%13, %14) : (tensor<6x12xf32>, tensor<6x12xf32>) -> tensor<6x12xf32>
    %16 = onnx.MatMul(%15, %d1) : (tensor<6x12xf32>, tensor<12x8xf32>) -> tensor<6x8xf32>
    %17 = onnx.Equal(%chosen, %n1) : (tensor<6x1xi64>, tensor<i64>) -> tensor<6x1xi1>
    %18 = onnx.Cast(%17) {to = 1 : i64} : (tensor<6x1xi1>) -> tensor<6x1xf32>
    %19 = onnx.Mul(%parts, %18) : (tensor<6x1xf32>, tensor<6x1xf32>) -> tensor<6x1xf32>
    %20 = onnx.ReduceSum(%19, %last) {keepdims = 1 : i64} : (tensor<6x1xf32>, tensor<1xi64>) -> tensor<6x1xf32>
    %21 = onnx.Mul(%16, %20) : (tensor<6x8xf32>, tensor<6x1xf32>) -> tensor<6x8xf32>
    %22 = onnx.Add(%10, %21) : (tensor<6x8xf32>, tensor<6x8xf32>) -> tensor<6x8xf32>
    return %22 : tensor<6x8xf32>
  }
}
