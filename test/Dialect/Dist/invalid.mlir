// RUN: dougong-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{'dist.mesh' op has axis "tp" twice}}
dist.mesh @m0 <"tp" = 2, "tp" = 3>

// -----

// expected-error @+1 {{'dist.mesh' op axis "tp" must have a size of at least 1, got 0}}
dist.mesh @m0 <"tp" = 0>

// -----

// expected-error @+1 {{'dist.mesh' op has more ranks than 2^31}}
dist.mesh @m0 <"a" = 100000, "b" = 100000>

// -----

// expected-error @+1 {{'dist.stage' op mesh @m7 is not declared in this module}}
dist.stage @stage0 on @m7

// -----

dist.mesh @m0 <"tp" = 2>
// expected-error @+1 {{'dist.stage' op program @program0 is not a module in this module}}
dist.stage @stage0 on @m0 runs @program0

// -----

// expected-error @+1 {{'dist.link' op stage @stage0 is not declared in this module}}
dist.link "x" -> @stage0[0]

// -----

// expected-error @+1 {{axis "tp" occurs twice in a sharding}}
func.func private @f() attributes {test.s = #dist.sharding<@m0, [{"tp"}, {"tp"}]>}

// -----

// expected-error @+1 {{the unit of a cut must be at least 1, got 0}}
func.func private @f() attributes {test.s = #dist.sharding<@m0, [{"tp" : unit 0}]>}

// -----

// expected-error @+1 {{expected sum, max, min or prod, got mean}}
func.func private @f() attributes {test.s = #dist.sharding<@m0, [{}], partial ["tp" mean]>}

// -----

// expected-note @+1 {{mesh declared here}}
dist.mesh @m0 <"tp" = 2>
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'dist.all_reduce' op mesh @m0 has no axis "ep"}}
  %0 = dist.all_reduce %x over @m0 axes ["ep"] sum : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

dist.mesh @m0 <"tp" = 2>
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'dist.all_reduce' op axis "tp" is listed twice}}
  %0 = dist.all_reduce %x over @m0 axes ["tp", "tp"] sum : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

dist.mesh @m0 <"tp" = 2>
func.func @f(%x: tensor<4x!onnx.string>) -> tensor<4x!onnx.string> {
  // expected-error @+1 {{'dist.all_reduce' op elements of '!onnx.string' cannot be reduced}}
  %0 = dist.all_reduce %x over @m0 axes ["tp"] sum : tensor<4x!onnx.string>
  return %0 : tensor<4x!onnx.string>
}

// -----

dist.mesh @m0 <"tp" = 2>
func.func @f(%x: tensor<4xf8E5M2>) -> tensor<2xf8E5M2> {
  // expected-error @+1 {{'dist.reduce_scatter' op elements of 'f8E5M2' cannot be reduced}}
  %0 = dist.reduce_scatter %x over @m0 axes ["tp"] dim 0 unit 1 sum : tensor<4xf8E5M2> -> tensor<2xf8E5M2>
  return %0 : tensor<2xf8E5M2>
}

// -----

// 251 elements on 2 ranks: 126 each, with one of padding.
dist.mesh @m0 <"tp" = 2>
func.func @f(%x: tensor<4x125xf32>) -> tensor<4x251xf32> {
  // expected-error @+1 {{'dist.all_gather' op dim 1 of the local part must have extent 126, got 125}}
  %0 = dist.all_gather %x over @m0 axes ["tp"] dim 1 unit 1 : tensor<4x125xf32> -> tensor<4x251xf32>
  return %0 : tensor<4x251xf32>
}

// -----

// 3 heads of 16 on 2 ranks: 2 heads each.
dist.mesh @m0 <"tp" = 2>
func.func @f(%x: tensor<48xf32>) -> tensor<24xf32> {
  // expected-error @+1 {{'dist.slice' op dim 0 of the local part must have extent 32, got 24}}
  %0 = dist.slice %x over @m0 axes ["tp"] dim 0 unit 16 : tensor<48xf32> -> tensor<24xf32>
  return %0 : tensor<24xf32>
}

// -----

dist.mesh @m0 <"tp" = 2>
func.func @f(%x: tensor<4xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{'dist.slice' op dim 1 is out of range for rank 1}}
  %0 = dist.slice %x over @m0 axes ["tp"] dim 1 unit 1 : tensor<4xf32> -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

dist.mesh @m0 <"tp" = 2>
func.func @f(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // expected-error @+1 {{'dist.all_to_all' op split and concat must be different dims, got 0}}
  %0 = dist.all_to_all %x over @m0 axes ["tp"] split 0 unit 1 concat 0 unit 1 : tensor<2x4xf32> -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

dist.mesh @m0 <"tp" = 2>
func.func @f(%x: tensor<4x3xf32>, %counts: tensor<3xi64>) -> tensor<8x3xf32> {
  // expected-error @+1 {{'dist.ragged_all_to_all' op expected a count for each of 2 ranks, got 'tensor<3xi64>'}}
  %0, %1 = dist.ragged_all_to_all %x counts %counts over @m0 axes ["tp"] : tensor<4x3xf32>, tensor<3xi64> -> tensor<8x3xf32>, tensor<3xi64>
  return %0 : tensor<8x3xf32>
}

// -----

dist.mesh @m0 <"tp" = 2>
func.func @f(%x: tensor<4x3xf32>, %counts: tensor<2xi64>) -> tensor<8x2xf32> {
  // expected-error @+1 {{'dist.ragged_all_to_all' op rows of operand and result must be of one type, got 'tensor<4x3xf32>' and 'tensor<8x2xf32>'}}
  %0, %1 = dist.ragged_all_to_all %x counts %counts over @m0 axes ["tp"] : tensor<4x3xf32>, tensor<2xi64> -> tensor<8x2xf32>, tensor<2xi64>
  return %0 : tensor<8x2xf32>
}

// -----

dist.mesh @m0 <"tp" = 2>
dist.mesh @m1 <"tp" = 4>
func.func @f(%x: tensor<4x32xf32>) -> tensor<4x32xf32> {
  // expected-error @+1 {{'dist.transfer' op result must have type 'tensor<4x16xf32>', got 'tensor<4x32xf32>'}}
  %0 = dist.transfer %x from <@m0, [{}, {"tp"}]> to <@m1, [{}, {"tp"}]> of tensor<4x64xf32>
      : tensor<4x32xf32> -> tensor<4x32xf32>
  return %0 : tensor<4x32xf32>
}

// -----

dist.mesh @m0 <"tp" = 2>
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'dist.transfer' op partial values cannot be transferred: reduce the operand first}}
  %0 = dist.transfer %x from <@m0, [{}], partial ["tp" sum]> to <@m0, [{}]> of tensor<4xf32>
      : tensor<4xf32> -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

dist.mesh @m0 <"tp" = 2, "dp" = 2>
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'dist.permute' op the senders must be numbered over the same axes in another order, got ["dp"] and ["dp", "tp"]}}
  %0 = dist.permute %x over @m0 axes ["dp", "tp"] from ["dp"] : tensor<4xf32>
  return %0 : tensor<4xf32>
}
