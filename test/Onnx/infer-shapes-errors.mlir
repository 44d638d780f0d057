// RUN: dougong-opt %s --onnx-infer-shapes --split-input-file --verify-diagnostics

func.func @negative_broadcast(%a: tensor<2x3xf32>, %b: tensor<4xf32>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.Add' op shapes [2, 3] and [4] do not broadcast: dim 1 is 3 and 4}}
  %0 = onnx.Add(%a, %b) : (tensor<2x3xf32>, tensor<4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_inner_dims(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.MatMul' op inner dims of [2, 3] and [4, 5] must be equal, got 3 and 4}}
  %0 = onnx.MatMul(%a, %b) : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_reshape(%a: tensor<2x3xf32>) -> tensor<*xf32> {
  %shape = onnx.Constant() {value = dense<[4, -1]> : tensor<2xi64>} : () -> tensor<2xi64>
  // expected-error @below {{'onnx.Reshape' op shape [2, 3] cannot be reshaped to [4, -1]: 6 is not a multiple of 4}}
  %0 = onnx.Reshape(%a, %shape) : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_axis(%a: tensor<2x3xf32>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.Softmax' op axis 2 is out of range for rank 2}}
  %0 = onnx.Softmax(%a) {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_window(%x: tensor<1x1x2x2xf32>, %w: tensor<1x1x3x3xf32>) -> tensor<*xf32> {
  %none = onnx.none
  // expected-error @below {{'onnx.Conv' op window of 3 does not fit dim 0 of [2, 2] with pads 0 and 0}}
  %0 = onnx.Conv(%x, %w, %none) : (tensor<1x1x2x2xf32>, tensor<1x1x3x3xf32>, none) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// expected-error @below {{input 'x' has an unknown rank}}
func.func @negative_unranked_input(%a: tensor<*xf32> {onnx.name = "x"}) -> tensor<*xf32> {
  return %a : tensor<*xf32>
}

// -----

func.func @negative_custom(%a: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.custom' op operator 'my.domain.Foo' is not known, and the model does not declare the shapes of its results}}
  %0 = onnx.custom "my.domain" "Foo"(%a) : (tensor<2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_scan_rank(%x: tensor<2xf32>, %s: tensor<3xf32>) -> (tensor<*xf32>) {
  // expected-error @below {{'onnx.Scan' op carried value 0 changes its rank, from [2] to [1, 2]}}
  %0 = onnx.Scan(%x, %s) {num_scan_inputs = 1 : i64} : (tensor<2xf32>, tensor<3xf32>) -> tensor<*xf32> ({
  ^bb0(%v: tensor<*xf32>, %e: tensor<*xf32>):
    %axis = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
    %next = onnx.Unsqueeze(%v, %axis) : (tensor<*xf32>, tensor<1xi64>) -> tensor<*xf32>
    onnx.yield %next : tensor<*xf32>
  })
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_gather_nd_depth(%x: tensor<4x5xf32>, %i: tensor<3x?xi64, #onnx.dims<_, "depth">> {onnx.name = "i"}) -> (tensor<*xf32>) {
  // expected-error @below {{'onnx.GatherND' op the last extent of indices, depth, is not known at compile time, and with it the rank of the result; fix it with --dim}}
  %0 = onnx.GatherND(%x, %i) {batch_dims = 0 : i64} : (tensor<4x5xf32>, tensor<3x?xi64, #onnx.dims<_, "depth">>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_blocks(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  // expected-error @below {{blocksize must be positive, and its square fit 64 bits, got 4294967296}}
  %0 = onnx.DepthToSpace(%x) {blocksize = 4294967296 : i64} : (tensor<1x4x4x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @long_list(%x: tensor<1xf32>, %shape: tensor<1152921504606846976xi64>) -> tensor<*xf32> {
  // expected-error @below {{operand 1, a list with an element for each dim, has 1152921504606846976 elements, expected at most 64}}
  %0 = onnx.Expand(%x, %shape) : (tensor<1xf32>, tensor<1152921504606846976xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @many_axes(%x: tensor<2x3xf32>, %axes: tensor<3xi64>) -> tensor<*xf32> {
  // expected-error @below {{3 axes, the operand has rank 2}}
  %0 = onnx.ReduceSum(%x, %axes) {keepdims = 1 : i64} : (tensor<2x3xf32>, tensor<3xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// Of several operands that are wrong only the first is told.
func.func @one_error(%q: tensor<1x2x8xf32>) -> tensor<*xf32> {
  %none = onnx.none
  // expected-error @below {{the heads of operand 1 with shape [1, 2, 8]: 8 is not a multiple of 3}}
  %y, %k, %v, %s = onnx.Attention(%q, %q, %q, %none, %none, %none, %none) {q_num_heads = 1 : i64, kv_num_heads = 3 : i64} : (tensor<1x2x8xf32>, tensor<1x2x8xf32>, tensor<1x2x8xf32>, none, none, none, none) -> (tensor<*xf32>, none, none, none)
  return %y : tensor<*xf32>
}

// -----

func.func @negative_kernel_shape(%x: tensor<1x1x9x9xf32>, %w: tensor<1x1x3x2xf32>) -> tensor<*xf32> {
  %none = onnx.none
  // expected-error @below {{'onnx.Conv' op dim 3 of the weights and its entry in kernel_shape must be equal, got 2 and 3}}
  %0 = onnx.Conv(%x, %w, %none) {kernel_shape = array<i64: 3, 3>} : (tensor<1x1x9x9xf32>, tensor<1x1x3x2xf32>, none) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_signal_parts(%x: tensor<2x8x3xf32>) -> tensor<*xf32> {
  %none = onnx.none
  // expected-error @below {{'onnx.DFT' op the last dim of the signal is 3, expected 1 or 2}}
  %0 = onnx.DFT(%x, %none, %none) : (tensor<2x8x3xf32>, none, none) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_scatter_ranks(%x: tensor<4x5xf32>, %i: tensor<3x2xi64>, %u: tensor<3x5xf32>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.ScatterND' op the last extent of indices and what the ranks of data and updates leave for it must be equal, got 2 and 1}}
  %0 = onnx.ScatterND(%x, %i, %u) : (tensor<4x5xf32>, tensor<3x2xi64>, tensor<3x5xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_grid(%t: tensor<2x2x3xf32>, %s: tensor<5xi64>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.AffineGrid' op rows of theta and spatial dims must be equal, got 2 and 3}}
  %0 = onnx.AffineGrid(%t, %s) : (tensor<2x2x3xf32>, tensor<5xi64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_pooled_shape(%x: tensor<1x2x8x8xf32>, %r: tensor<3x5xf32>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.MaxRoiPool' op pooled_shape is [3], expected two positive numbers}}
  %0 = onnx.MaxRoiPool(%x, %r) {pooled_shape = array<i64: 3>, spatial_scale = 1.0 : f32} : (tensor<1x2x8x8xf32>, tensor<3x5xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_regions(%x: tensor<1x2x8x8xf32>, %r: tensor<2x4xf32>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.MaxRoiPool' op a region of rois is 4 numbers, expected 5: image, x1, y1, x2, y2}}
  %0 = onnx.MaxRoiPool(%x, %r) {pooled_shape = array<i64: 3, 3>, spatial_scale = 1.0 : f32} : (tensor<1x2x8x8xf32>, tensor<2x4xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_norm(%x: tensor<1x2x8x8xf32>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.LpPool' op p is -1, expected at least 1}}
  %0 = onnx.LpPool(%x) {auto_pad = "NOTSET", ceil_mode = 0 : i64, kernel_shape = array<i64: 2, 2>, p = -1 : i64} : (tensor<1x2x8x8xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_global_norm(%x: tensor<1x2x8x8xf32>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.GlobalLpPool' op p is 0, expected at least 1}}
  %0 = onnx.GlobalLpPool(%x) {p = 0 : i64} : (tensor<1x2x8x8xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_pixel_format(%x: tensor<100xui8>) -> tensor<*xui8> {
  // expected-error @below {{'onnx.ImageDecoder' op pixel_format is 'YUV', expected RGB, BGR or Grayscale}}
  %0 = onnx.ImageDecoder(%x) {pixel_format = "YUV"} : (tensor<100xui8>) -> tensor<*xui8>
  return %0 : tensor<*xui8>
}

// -----

func.func @negative_recurrent(%x: tensor<5x2x4xf32>, %w: tensor<1x12x4xf32>, %r: tensor<1x12x3xf32>) -> tensor<*xf32> {
  %none = onnx.none
  // expected-error @below {{'onnx.GRU' op units of all gates and their dim of W must be equal, got 12 and 9}}
  %0:2 = onnx.GRU(%x, %w, %r, %none, %none, %none) : (tensor<5x2x4xf32>, tensor<1x12x4xf32>, tensor<1x12x3xf32>, none, none, none) -> (tensor<*xf32>, tensor<*xf32>)
  return %0#0 : tensor<*xf32>
}

// -----

// Operands that kernels read as far as others reach.
func.func @negative_scatter_updates(%d: tensor<5x7xf32>, %i: tensor<3x1xi64>, %u: tensor<1x2xf32>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.ScatterND' op dim 0 of updates [1, 2] must be equal, got 1 and 3}}
  %0 = onnx.ScatterND(%d, %i, %u) : (tensor<5x7xf32>, tensor<3x1xi64>, tensor<1x2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_bias(%x: tensor<1x1x4x4xf32>, %w: tensor<3x1x2x2xf32>, %b: tensor<2xf32>) -> tensor<*xf32> {
  // expected-error @below {{'onnx.Conv' op dim 0 of the bias [2] must be equal, got 2 and 3}}
  %0 = onnx.Conv(%x, %w, %b) : (tensor<1x1x4x4xf32>, tensor<3x1x2x2xf32>, tensor<2xf32>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_window_length(%x: tensor<1x64xf32>, %w: tensor<4xf32>) -> tensor<*xf32> {
  %step = onnx.Constant() {value = dense<8> : tensor<i64>} : () -> tensor<i64>
  %length = onnx.Constant() {value = dense<20> : tensor<i64>} : () -> tensor<i64>
  // expected-error @below {{'onnx.STFT' op dim 0 of window [4] must be equal, got 4 and 20}}
  %0 = onnx.STFT(%x, %step, %w, %length) : (tensor<1x64xf32>, tensor<i64>, tensor<4xf32>, tensor<i64>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_gather_bits(%d: tensor<4x8xui8>, %i: tensor<2xi64>, %s: tensor<4x1xf32>) -> tensor<*xf32> {
  %none = onnx.none
  // expected-error @below {{'onnx.ms.GatherBlockQuantized' op bits must be 2, 4 or 8, got 0}}
  %0 = onnx.ms.GatherBlockQuantized(%d, %i, %s, %none) {bits = 0 : i64, block_size = 16 : i64, gather_axis = 0 : i64, quantize_axis = 1 : i64} : (tensor<4x8xui8>, tensor<2xi64>, tensor<4x1xf32>, none) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_gather_scales(%d: tensor<4x8xui8>, %i: tensor<2xi64>, %s: tensor<1x1xf32>) -> tensor<*xf32> {
  %none = onnx.none
  // expected-error @below {{'onnx.ms.GatherBlockQuantized' op dim 0 of scales [1, 1] must be equal, got 1 and 4}}
  %0 = onnx.ms.GatherBlockQuantized(%d, %i, %s, %none) {bits = 4 : i64, block_size = 16 : i64, gather_axis = 0 : i64, quantize_axis = 1 : i64} : (tensor<4x8xui8>, tensor<2xi64>, tensor<1x1xf32>, none) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_block_size(%x: tensor<4x8xi8>, %s: tensor<4x8xf32>) -> tensor<*xf32> {
  %none = onnx.none
  // expected-error @below {{'onnx.DequantizeLinear' op block_size must be 0 (no blocks) or more, got -4}}
  %0 = onnx.DequantizeLinear(%x, %s, %none) {axis = 1 : i64, block_size = -4 : i64} : (tensor<4x8xi8>, tensor<4x8xf32>, none) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_conv_weight(%x: tensor<1x6x9xf32>, %w: tensor<6x3x4xf32>) -> tensor<*xf32> {
  %none = onnx.none
  // expected-error @below {{'onnx.CausalConvWithState' op dim 1 of weight, one channel each must be equal, got 3 and 1}}
  %0, %1 = onnx.CausalConvWithState(%x, %w, %none, %none) : (tensor<1x6x9xf32>, tensor<6x3x4xf32>, none, none) -> (tensor<*xf32>, tensor<*xf32>)
  return %0 : tensor<*xf32>
}

// -----

func.func @negative_decay(%q: tensor<2x3x8xf32>, %d: tensor<1x1x2xf32>) -> tensor<*xf32> {
  %none = onnx.none
  // expected-error @below {{'onnx.LinearAttention' op dim 0 of decay [1, 1, 2] must be equal, got 1 and 2}}
  %0, %1 = onnx.LinearAttention(%q, %q, %q, %none, %d, %none) {q_num_heads = 2 : i64, kv_num_heads = 2 : i64, update_rule = "gated"} : (tensor<2x3x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32>, none, tensor<1x1x2xf32>, none) -> (tensor<*xf32>, tensor<*xf32>)
  return %0 : tensor<*xf32>
}
