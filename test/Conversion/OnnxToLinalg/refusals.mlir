// RUN: dougong-opt %s --split-input-file --convert-onnx-to-linalg --verify-diagnostics

func.func @negative_sparse_mixer(%x: tensor<5x8xf32>, %router: tensor<5x4xf32>,
    %w1: tensor<4x6x8xf32>, %w2: tensor<4x8x6xf32>) -> tensor<5x8xf32>
    attributes {dougong.kernel} {
  %none = onnx.none
  // expected-error @+1 {{use_sparse_mixer is not supported}}
  %0 = onnx.ms.MoE(%x, %router, %w1, %none, %w2, %none, %none, %none)
      {activation_alpha = 1.0 : f32, activation_beta = 0.0 : f32, activation_type = "silu",
       k = 2 : i64, normalize_routing_weights = 1 : i64, swiglu_fusion = 0 : i64,
       use_sparse_mixer = 1 : i64}
      : (tensor<5x8xf32>, tensor<5x4xf32>, tensor<4x6x8xf32>, none, tensor<4x8x6xf32>, none, none,
         none) -> tensor<5x8xf32>
  return %0 : tensor<5x8xf32>
}

// -----

func.func @negative_shares_of_other_experts(%x: tensor<5x8xf32>, %shares: tensor<5x4xf32>,
    %w1: tensor<3x6x8xf32>, %w2: tensor<3x8x6xf32>) -> tensor<5x8xf32>
    attributes {dougong.kernel} {
  %none = onnx.none
  // expected-error @+1 {{expected a share for each expert: shares are 4, weights those of 3 experts}}
  %0 = onnx.part.Experts(%x, %shares, %w1, %none, %none, %none, %w2, %none, %none, %none, %none,
      %none, %none, %none) {k = 2 : i64, num_experts = 4 : i64}
      : (tensor<5x8xf32>, tensor<5x4xf32>, tensor<3x6x8xf32>, none, none, none, tensor<3x8x6xf32>,
         none, none, none, none, none, none, none) -> tensor<5x8xf32>
  return %0 : tensor<5x8xf32>
}

// -----

func.func @negative_unknown_activation(%x: tensor<5x2x3xf32>, %w: tensor<1x4x3xf32>,
    %r: tensor<1x4x4xf32>) -> tensor<1x2x4xf32> attributes {dougong.kernel} {
  %none = onnx.none
  // expected-error @+1 {{activation Cube is not supported}}
  %0:2 = onnx.RNN(%x, %w, %r, %none, %none, %none)
      {activations = ["Cube"], direction = "forward", hidden_size = 4 : i64, layout = 0 : i64}
      : (tensor<5x2x3xf32>, tensor<1x4x3xf32>, tensor<1x4x4xf32>, none, none, none)
      -> (none, tensor<1x2x4xf32>)
  return %0#1 : tensor<1x2x4xf32>
}

// -----

func.func @negative_bits(%a: tensor<3x64xf32>, %b: tensor<5x4x6xui8>, %s: tensor<5x4xf32>)
    -> tensor<3x5xf32> attributes {dougong.kernel} {
  %none = onnx.none
  // expected-error @+1 {{weights of 3 bits are not supported}}
  %0 = onnx.ms.MatMulNBits(%a, %b, %s, %none, %none, %none) {K = 64 : i64, N = 5 : i64,
      accuracy_level = 0 : i64, bits = 3 : i64, block_size = 16 : i64}
      : (tensor<3x64xf32>, tensor<5x4x6xui8>, tensor<5x4xf32>, none, none, none)
      -> tensor<3x5xf32>
  return %0 : tensor<3x5xf32>
}

// -----

func.func @negative_negative_bits(%x: tensor<5x8xf32>, %r: tensor<5x8xf32>, %q1: tensor<8x12x4xui8>,
    %s1: tensor<8x12xf32>, %q2: tensor<8x8x6xui8>, %s2: tensor<8x8xf32>) -> tensor<5x8xf32>
    attributes {dougong.kernel} {
  %none = onnx.none
  // expected-error @+1 {{weights of -4 bits of quant_type int are not supported: expected 2, 4 or 8 bits of quant_type int}}
  %0 = onnx.ms.QMoE(%x, %r, %q1, %s1, %none, %q2, %s2, %none, %none, %none, %none, %none, %none, %none, %none)
      {activation_alpha = 1.0 : f32, activation_beta = 0.0 : f32, activation_type = "silu",
       block_size = 0 : i64, expert_weight_bits = -4 : i64, k = 2 : i64,
       normalize_routing_weights = 1 : i64, quant_type = "int", swiglu_fusion = 0 : i64,
       use_sparse_mixer = 0 : i64}
      : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<8x12x4xui8>, tensor<8x12xf32>, none,
         tensor<8x8x6xui8>, tensor<8x8xf32>, none, none, none, none, none, none, none, none)
      -> tensor<5x8xf32>
  return %0 : tensor<5x8xf32>
}

// -----

func.func @negative_scan_state(%s: tensor<?xf32, #onnx.dims<"n">>, %x: tensor<5x4xf32>)
    -> tensor<4xf32> attributes {dougong.kernel} {
  // expected-error @+1 {{operator 'Scan' cannot be compiled: a state whose shape changes is not supported}}
  %0 = onnx.Scan(%s, %x) {num_scan_inputs = 1 : i64}
      : (tensor<?xf32, #onnx.dims<"n">>, tensor<5x4xf32>) -> tensor<4xf32> ({
  ^bb0(%state: tensor<?xf32, #onnx.dims<"n">>, %row: tensor<4xf32>):
    onnx.yield %row : tensor<4xf32>
  })
  return %0 : tensor<4xf32>
}
