// RUN: dougong-opt %s --onnx-infer-shapes --split-input-file | FileCheck %s

// Two names for one extent: the shorter one of two input names stays.

// CHECK-LABEL: func.func @main
// CHECK-SAME:    tensor<?x4xf32, #onnx.dims<"n", _>>, {{.*}}tensor<?x4xf32, #onnx.dims<"n", _>>)
// CHECK-SAME:    -> tensor<?x4xf32, #onnx.dims<"n", _>>
func.func @main(%a: tensor<?x4xf32, #onnx.dims<"n", _>>,
                %b: tensor<?x4xf32, #onnx.dims<"count", _>>) -> tensor<*xf32> {
  %0 = onnx.Add(%a, %b) : (tensor<?x4xf32, #onnx.dims<"n", _>>, tensor<?x4xf32, #onnx.dims<"count", _>>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}

// -----

// A compound dim of the mask is the length of the cache plus the new positions,
// under other names. No check is needed: the argument types say it.

// CHECK-LABEL: func.func @main
// CHECK-SAME:    tensor<?x?xi1, #onnx.dims<"seq", "past + seq">>
// CHECK-NOT:     onnx.checks
// CHECK:         onnx.Attention
// CHECK-SAME:    -> (tensor<1x?x8xf32, #onnx.dims<_, "seq", _>>, tensor<1x2x?x4xf32, #onnx.dims<_, _, "past + seq", _>>
func.func @main(%q: tensor<1x?x8xf32, #onnx.dims<_, "seq", _>>,
                %mask: tensor<?x?xi1, #onnx.dims<"seq_len", "past_len + seq_len">>,
                %pk: tensor<1x2x?x4xf32, #onnx.dims<_, _, "past", _>>,
                %pv: tensor<1x2x?x4xf32, #onnx.dims<_, _, "past", _>>)
    -> (tensor<*xf32>, tensor<*xf32>, tensor<*xf32>) {
  %none = onnx.none
  %y, %k, %v, %qk = onnx.Attention(%q, %q, %q, %mask, %pk, %pv, %none) {q_num_heads = 2 : i64, kv_num_heads = 2 : i64}
      : (tensor<1x?x8xf32, #onnx.dims<_, "seq", _>>, tensor<1x?x8xf32, #onnx.dims<_, "seq", _>>, tensor<1x?x8xf32, #onnx.dims<_, "seq", _>>, tensor<?x?xi1, #onnx.dims<"seq_len", "past_len + seq_len">>, tensor<1x2x?x4xf32, #onnx.dims<_, _, "past", _>>, tensor<1x2x?x4xf32, #onnx.dims<_, _, "past", _>>, none)
      -> (tensor<*xf32>, tensor<*xf32>, tensor<*xf32>, none)
  return %y, %k, %v : tensor<*xf32>, tensor<*xf32>, tensor<*xf32>
}

// -----

// A table of 128 positions, cut to the sequence: it must not be longer.

// CHECK-LABEL: func.func @main
// CHECK-SAME:    onnx.checks = [{lhs = "seq", node = "{{.*}}", op = "<=", rhs = "128"}]
// CHECK-SAME:    onnx.dim_ranges = {seq = array<i64: 0, 128>}
// CHECK:         onnx.Slice
// CHECK-SAME:    -> tensor<?x4xf32, #onnx.dims<"seq", _>>
// CHECK:         onnx.Add
// CHECK-SAME:    -> tensor<?x4xf32, #onnx.dims<"seq", _>>
func.func @main(%x: tensor<?x4xf32, #onnx.dims<"seq", _>>, %table: tensor<128x4xf32>) -> tensor<*xf32> {
  %zero = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  %none = onnx.none
  %length = onnx.Shape(%x) {end = 1 : i64} : (tensor<?x4xf32, #onnx.dims<"seq", _>>) -> tensor<1xi64>
  %part = onnx.Slice(%table, %zero, %length, %none, %none) : (tensor<128x4xf32>, tensor<1xi64>, tensor<1xi64>, none, none) -> tensor<*xf32>
  %sum = onnx.Add(%x, %part) : (tensor<?x4xf32, #onnx.dims<"seq", _>>, tensor<*xf32>) -> tensor<*xf32>
  return %sum : tensor<*xf32>
}

// -----

// A whole dim read backwards has its extent, also if that is 0.

// CHECK-LABEL: func.func @main
// CHECK:         onnx.Slice
// CHECK-SAME:    -> tensor<?xf32, #onnx.dims<"seq">>
func.func @main(%x: tensor<?xf32, #onnx.dims<"seq">>) -> tensor<*xf32> {
  %axis = onnx.Constant() {value = dense<0> : tensor<1xi64>} : () -> tensor<1xi64>
  %last = onnx.Constant() {value = dense<-1> : tensor<1xi64>} : () -> tensor<1xi64>
  %end = onnx.Constant() {value = dense<-9223372036854775807> : tensor<1xi64>} : () -> tensor<1xi64>
  %y = onnx.Slice(%x, %last, %end, %axis, %last) : (tensor<?xf32, #onnx.dims<"seq">>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

// The new shape is computed from the old one; -1 is what is left.

// CHECK-LABEL: func.func @main
// CHECK:         onnx.Reshape
// CHECK-SAME:    -> tensor<?x?x16x4xf32, #onnx.dims<"batch", "seq", _, _>>
// CHECK:         onnx.Reshape
// CHECK-SAME:    -> tensor<?x64xf32, #onnx.dims<"batch * seq", _>>
func.func @main(%x: tensor<?x?x64xf32, #onnx.dims<"batch", "seq", _>>) -> (tensor<*xf32>, tensor<*xf32>) {
  %head = onnx.Shape(%x) {end = 2 : i64} : (tensor<?x?x64xf32, #onnx.dims<"batch", "seq", _>>) -> tensor<2xi64>
  %tail = onnx.Constant() {value_ints = array<i64: -1, 4>} : () -> tensor<2xi64>
  %shape = onnx.Concat(%head, %tail) {axis = 0 : i64} : (tensor<2xi64>, tensor<2xi64>) -> tensor<4xi64>
  %0 = onnx.Reshape(%x, %shape) : (tensor<?x?x64xf32, #onnx.dims<"batch", "seq", _>>, tensor<4xi64>) -> tensor<*xf32>
  %flat = onnx.Constant() {value = dense<[-1, 64]> : tensor<2xi64>} : () -> tensor<2xi64>
  %1 = onnx.Reshape(%0, %flat) : (tensor<*xf32>, tensor<2xi64>) -> tensor<*xf32>
  return %0, %1 : tensor<*xf32>, tensor<*xf32>
}

// -----

// Extents that depend on data are symbols named after the node.

// CHECK-LABEL: func.func @main
// CHECK-SAME:    onnx.data_dependent = ["NonZero:0.1"]
// CHECK:         onnx.NonZero
// CHECK-SAME:    -> tensor<2x?xi64, #onnx.dims<_, "NonZero:0.1">>
func.func @main(%x: tensor<2x3xf32>) -> tensor<*xi64> {
  %0 = onnx.NonZero(%x) : (tensor<2x3xf32>) -> tensor<*xi64>
  return %0 : tensor<*xi64>
}

// -----

// The body of a loop makes the carried value longer: its extent gets a symbol.

// CHECK-LABEL: func.func @main
// CHECK-SAME:    onnx.data_dependent = ["Loop:0.0"]
// CHECK:         onnx.Loop
// CHECK-SAME:    -> (tensor<?xf32, #onnx.dims<"Loop:0.0">>, tensor<5x2xf32>)
func.func @main(%x: tensor<1xf32>, %step: tensor<2xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
  %trips = onnx.Constant() {value = dense<5> : tensor<i64>} : () -> tensor<i64>
  %none = onnx.none
  %0:2 = onnx.Loop(%trips, %none, %x) : (tensor<i64>, none, tensor<1xf32>) -> (tensor<*xf32>, tensor<*xf32>) ({
  ^bb0(%i: tensor<i64>, %go: tensor<i1>, %v: tensor<*xf32>):
    %next = onnx.Concat(%v, %step) {axis = 0 : i64} : (tensor<*xf32>, tensor<2xf32>) -> tensor<*xf32>
    onnx.yield %go, %next, %step : tensor<i1>, tensor<*xf32>, tensor<2xf32>
  })
  return %0#0, %0#1 : tensor<*xf32>, tensor<*xf32>
}

// -----

// Whether a dim is 1 or 128 is decided by an equation that comes later.

// CHECK-LABEL: func.func @main
// CHECK-SAME:    %{{.*}}: tensor<128x4xf32>
func.func @main(%x: tensor<?x4xf32, #onnx.dims<"n", _>>, %bias: tensor<128x4xf32>, %w: tensor<4x128xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
  %0 = onnx.Add(%x, %bias) : (tensor<?x4xf32, #onnx.dims<"n", _>>, tensor<128x4xf32>) -> tensor<*xf32>
  %1 = onnx.MatMul(%w, %x) : (tensor<4x128xf32>, tensor<?x4xf32, #onnx.dims<"n", _>>) -> tensor<*xf32>
  return %0, %1 : tensor<*xf32>, tensor<*xf32>
}

// -----

// What is taken out of a sequence has the extents that all its tensors have, and
// new symbols for the others.

// CHECK-LABEL: func.func @main
// CHECK:         onnx.SequenceAt
// CHECK-SAME:    -> tensor<?x3xf32, #onnx.dims<"SequenceAt:0.0", _>>
// CHECK:         onnx.ConcatFromSequence
// CHECK-SAME:    -> tensor<?x?x3xf32, #onnx.dims<"ConcatFromSequence:0.0", "ConcatFromSequence:0.1", _>>
func.func @main(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %i: tensor<i64>)
    -> (tensor<*xf32>, tensor<*xf32>) {
  %0 = onnx.SequenceConstruct(%a, %b) : (tensor<2x3xf32>, tensor<4x3xf32>) -> !onnx.seq<tensor<*xf32>>
  %1 = onnx.SequenceAt(%0, %i) : (!onnx.seq<tensor<*xf32>>, tensor<i64>) -> tensor<*xf32>
  %2 = onnx.ConcatFromSequence(%0) {axis = 0 : i64, new_axis = 1 : i64} : (!onnx.seq<tensor<*xf32>>) -> tensor<*xf32>
  return %1, %2 : tensor<*xf32>, tensor<*xf32>
}
