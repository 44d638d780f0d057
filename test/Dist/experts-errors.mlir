// RUN: dougong-opt %s -split-input-file -verify-diagnostics '-pass-pipeline=builtin.module(dist-plan{parallel=ep=8})'

// More ranks than experts.
module {
  onnx.weight @w1 : tensor<4x12x8xf32> = #onnx.external<"w.bin", offset = 0, length = 1536>
  onnx.weight @w2 : tensor<4x8x12xf32> = #onnx.external<"w.bin", offset = 1536, length = 1536>
  func.func @few(%x: tensor<6x8xf32> {onnx.name = "x"}, %router: tensor<6x4xf32> {onnx.name = "router"})
      -> (tensor<6x8xf32> {onnx.name = "y"}) {
    %none = onnx.none
    %w1 = onnx.use @w1 : tensor<4x12x8xf32>
    %w2 = onnx.use @w2 : tensor<4x8x12xf32>
    // expected-error @+1 {{has 4 experts for the 8 ranks of axis "ep": ep=4 would work}}
    %y = onnx.ms.MoE(%x, %router, %w1, %none, %w2, %none, %none, %none) {activation_type = "silu", k = 2 : i64}
        : (tensor<6x8xf32>, tensor<6x4xf32>, tensor<4x12x8xf32>, none, tensor<4x8x12xf32>, none, none, none) -> tensor<6x8xf32>
    return %y : tensor<6x8xf32>
  }
}

// -----

// No experts.
module {
  // expected-error @+1 {{expert parallelism has nothing to cut: no operator is MoE or QMoE, and no experts are written out under the indices of a TopK; use tp, dp or pp}}
  func.func @none(%x: tensor<6x8xf32> {onnx.name = "x"}) -> (tensor<6x8xf32> {onnx.name = "y"}) {
    %y = onnx.Relu(%x) : (tensor<6x8xf32>) -> tensor<6x8xf32>
    return %y : tensor<6x8xf32>
  }
}

// -----

// A router that the mixture cannot do without.
module {
  onnx.weight @w : tensor<4x8x8xf32> = #onnx.external<"w.bin", offset = 0, length = 1024>
  func.func @sparse_mixer(%x: tensor<6x8xf32> {onnx.name = "x"}, %router: tensor<6x4xf32> {onnx.name = "router"})
      -> (tensor<6x8xf32> {onnx.name = "y"}) {
    %none = onnx.none
    %w = onnx.use @w : tensor<4x8x8xf32>
    // expected-error @+1 {{its experts cannot be cut: expected an input of rank 2 or 3, a router [rows, experts] with at least k = 2 experts, and no sparse mixer, got 'tensor<6x8xf32>' and 'tensor<6x4xf32>'}}
    %y = onnx.ms.MoE(%x, %router, %w, %none, %w, %none, %none, %none) {activation_type = "silu", k = 2 : i64, use_sparse_mixer = 1 : i64}
        : (tensor<6x8xf32>, tensor<6x4xf32>, tensor<4x8x8xf32>, none, tensor<4x8x8xf32>, none, none, none) -> tensor<6x8xf32>
    return %y : tensor<6x8xf32>
  }
}

// -----

// Experts that are written out, but not as act(x * up) * down.
module {
  onnx.weight @w : tensor<8x8xf32> = #onnx.external<"w.bin", offset = 0, length = 256>
  func.func @other_experts(%x: tensor<6x8xf32> {onnx.name = "x"}, %scores: tensor<6x2xf32> {onnx.name = "scores"})
      -> (tensor<6x8xf32> {onnx.name = "y"}) {
    %one = onnx.Constant() {value = dense<1> : tensor<1xi64>} : () -> tensor<1xi64>
    %last = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
    %n0 = onnx.Constant() {value = dense<0> : tensor<i64>} : () -> tensor<i64>
    %w = onnx.use @w : tensor<8x8xf32>
    // expected-note @+1 {{they are chosen by this node}}
    %parts, %chosen = onnx.TopK(%scores, %one) {axis = -1 : i64, largest = 1 : i64, sorted = 1 : i64} : (tensor<6x2xf32>, tensor<1xi64>) -> (tensor<6x1xf32>, tensor<6x1xi64>)
    %0 = onnx.MatMul(%x, %w) : (tensor<6x8xf32>, tensor<8x8xf32>) -> tensor<6x8xf32>
    // expected-error @+1 {{the experts of this router are written out in a form that cannot be cut by experts: the expert is not act(x * up) * down or (act(x * gate) * (x * up)) * down of weights without biases, act one of silu, relu and the gelu by tanh; use tp, which cuts every expert}}
    %1 = onnx.Equal(%chosen, %n0) : (tensor<6x1xi64>, tensor<i64>) -> tensor<6x1xi1>
    %2 = onnx.Cast(%1) {to = 1 : i64} : (tensor<6x1xi1>) -> tensor<6x1xf32>
    %3 = onnx.Mul(%parts, %2) : (tensor<6x1xf32>, tensor<6x1xf32>) -> tensor<6x1xf32>
    %4 = onnx.ReduceSum(%3, %last) {keepdims = 1 : i64} : (tensor<6x1xf32>, tensor<1xi64>) -> tensor<6x1xf32>
    %5 = onnx.Mul(%0, %4) : (tensor<6x8xf32>, tensor<6x1xf32>) -> tensor<6x8xf32>
    return %5 : tensor<6x8xf32>
  }
}
