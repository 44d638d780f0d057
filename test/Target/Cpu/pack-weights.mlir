// RUN: dougong-opt %s --cpu-pack-weights=columns=32 | FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#bt = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>

// CHECK-DAG: #[[STRAIGHT:.*]] = affine_map<(d0, d1, d2) -> (d1 floordiv 32, d2, d1 mod 32)>
// CHECK:     dougong.added_weights = [
// CHECK-SAME:    [@w, ".pack32", tensor<2x4x32xf32>, [#onnx.pack<32>]]
// CHECK:     onnx.weight @w.pack32 : tensor<2x4x32xf32> = #onnx.derived<[@w], [#onnx.pack<32>]>
// CHECK:     onnx.weight @t.t.pack32 : tensor<2x4x32xf32> = #onnx.derived<[@t], [#onnx.transpose<[1, 0]>, #onnx.pack<32>]>
onnx.weight @w : tensor<4x40xf32> = #onnx.external<"w.bin", offset = 0, length = 640>
onnx.weight @t : tensor<40x4xf32> = #onnx.external<"w.bin", offset = 640, length = 640>

// CHECK-LABEL: func.func private @straight(
// CHECK-SAME:      %[[W:[^:]*]]: tensor<2x4x32xf32>
// CHECK:         indexing_maps = [#{{.*}}, #[[STRAIGHT]], #{{.*}}]
func.func private @straight(%ctx: !llvm.ptr, %x: tensor<3x4xf32>, %w: tensor<4x40xf32>,
    %init: tensor<3x40xf32>) -> tensor<3x40xf32> attributes {dougong.kernel} {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<3x4xf32>, tensor<4x40xf32>) outs(%init : tensor<3x40xf32>) {
    ^bb0(%p: f32, %q: f32, %acc: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
  } -> tensor<3x40xf32>
  return %r : tensor<3x40xf32>
}

// CHECK-LABEL: func.func private @transposed(
// CHECK-SAME:      tensor<2x4x32xf32>
func.func private @transposed(%ctx: !llvm.ptr, %x: tensor<3x4xf32>, %w: tensor<40x4xf32>,
    %init: tensor<3x40xf32>) -> tensor<3x40xf32> attributes {dougong.kernel} {
  %r = linalg.generic {indexing_maps = [#a, #bt, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<3x4xf32>, tensor<40x4xf32>) outs(%init : tensor<3x40xf32>) {
    ^bb0(%p: f32, %q: f32, %acc: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
  } -> tensor<3x40xf32>
  return %r : tensor<3x40xf32>
}

// Not every launch passes a weight: the argument stays.
// CHECK-LABEL: func.func private @mixed(
// CHECK-SAME:      tensor<4x40xf32>
func.func private @mixed(%ctx: !llvm.ptr, %x: tensor<3x4xf32>, %w: tensor<4x40xf32>,
    %init: tensor<3x40xf32>) -> tensor<3x40xf32> attributes {dougong.kernel} {
  %r = linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<3x4xf32>, tensor<4x40xf32>) outs(%init : tensor<3x40xf32>) {
    ^bb0(%p: f32, %q: f32, %acc: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
  } -> tensor<3x40xf32>
  return %r : tensor<3x40xf32>
}

// CHECK-LABEL: func.func @main
// CHECK:         %[[PACKED:.*]] = onnx.use @w.pack32 : tensor<2x4x32xf32>
// CHECK:         onnx.launch @straight(%{{.*}}, %[[PACKED]], %{{.*}})
func.func @main(%x: tensor<3x4xf32>, %y: tensor<4x40xf32>, %init: tensor<3x40xf32>)
    -> (tensor<3x40xf32>, tensor<3x40xf32>, tensor<3x40xf32>, tensor<3x40xf32>) {
  %w = onnx.use @w : tensor<4x40xf32>
  %t = onnx.use @t : tensor<40x4xf32>
  %0 = onnx.launch @straight(%x, %w, %init) : (tensor<3x4xf32>, tensor<4x40xf32>, tensor<3x40xf32>) -> tensor<3x40xf32>
  %1 = onnx.launch @transposed(%x, %t, %init) : (tensor<3x4xf32>, tensor<40x4xf32>, tensor<3x40xf32>) -> tensor<3x40xf32>
  %2 = onnx.launch @mixed(%x, %w, %init) : (tensor<3x4xf32>, tensor<4x40xf32>, tensor<3x40xf32>) -> tensor<3x40xf32>
  %3 = onnx.launch @mixed(%x, %y, %init) : (tensor<3x4xf32>, tensor<4x40xf32>, tensor<3x40xf32>) -> tensor<3x40xf32>
  return %0, %1, %2, %3 : tensor<3x40xf32>, tensor<3x40xf32>, tensor<3x40xf32>, tensor<3x40xf32>
}
