// RUN: dougong-opt %s --cpu-pack-weights="columns=16 lanes=8" | FileCheck %s

// Weights of channels-last convolutions: the recipes end in the order that tiles
// read, and no step holds a transposition.

#x = affine_map<(n, h, w, o, kh, kw, i) -> (n, h + kh, w + kw, i)>
#w = affine_map<(n, h, w, o, kh, kw, i) -> (o, i, kh, kw)>
#y = affine_map<(n, h, w, o, kh, kw, i) -> (n, h, w, o)>
#dx = affine_map<(n, h, w, o, kh, kw) -> (n, h + kh, w + kw, o)>
#dw = affine_map<(n, h, w, o, kh, kw) -> (o, 0, kh, kw)>
#dy = affine_map<(n, h, w, o, kh, kw) -> (n, h, w, o)>

// CHECK-DAG: #[[PANELS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d4, d5, d3 floordiv 16, d6, d3 mod 16)>
// CHECK-DAG: #[[NARROW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d4, d5, d3 floordiv 8, d6, d3 mod 8)>
// CHECK-DAG: #[[DEPTHWISE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (0, d4, d5, d3)>
// CHECK-DAG: onnx.weight @w.t2310.pack16 : tensor<3x3x2x4x16xf32> = #onnx.derived<[@w], [#onnx.transpose<[2, 3, 1, 0]>, #onnx.pack<16>]>
// CHECK-DAG: onnx.weight @v.t2310.pack8 : tensor<3x3x1x4x8xf32> = #onnx.derived<[@v], [#onnx.transpose<[2, 3, 1, 0]>, #onnx.pack<8>]>
// CHECK-DAG: onnx.weight @d.t1230 : tensor<1x3x3x4xf32> = #onnx.derived<[@d], [#onnx.transpose<[1, 2, 3, 0]>]>
onnx.weight @w : tensor<20x4x3x3xf32> = #onnx.external<"w.bin", offset = 0, length = 2880>
onnx.weight @v : tensor<6x4x3x3xf32> = #onnx.external<"w.bin", offset = 2880, length = 864>
onnx.weight @d : tensor<4x1x3x3xf32> = #onnx.external<"w.bin", offset = 3744, length = 144>

// CHECK-LABEL: func.func private @panels(
// CHECK-SAME:      tensor<3x3x2x4x16xf32>
// CHECK-NOT:     linalg.transpose
// CHECK:         indexing_maps = [#{{.*}}, #[[PANELS]], #{{.*}}]
func.func private @panels(%ctx: !llvm.ptr, %x: tensor<1x9x9x4xf32>, %w: tensor<20x4x3x3xf32>,
    %init: tensor<1x7x7x20xf32>) -> tensor<1x7x7x20xf32> attributes {dougong.kernel} {
  %r = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x9x9x4xf32>, tensor<20x4x3x3xf32>) outs(%init : tensor<1x7x7x20xf32>) {
    ^bb0(%p: f32, %q: f32, %acc: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
  } -> tensor<1x7x7x20xf32>
  return %r : tensor<1x7x7x20xf32>
}

// Six channels take one vector, not half a panel of padding.
// CHECK-LABEL: func.func private @narrow(
// CHECK:         indexing_maps = [#{{.*}}, #[[NARROW]], #{{.*}}]
func.func private @narrow(%ctx: !llvm.ptr, %x: tensor<1x9x9x4xf32>, %w: tensor<6x4x3x3xf32>,
    %init: tensor<1x7x7x6xf32>) -> tensor<1x7x7x6xf32> attributes {dougong.kernel} {
  %r = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x9x9x4xf32>, tensor<6x4x3x3xf32>) outs(%init : tensor<1x7x7x6xf32>) {
    ^bb0(%p: f32, %q: f32, %acc: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
  } -> tensor<1x7x7x6xf32>
  return %r : tensor<1x7x7x6xf32>
}

// CHECK-LABEL: func.func private @depthwise(
// CHECK-SAME:      tensor<1x3x3x4xf32>
// CHECK:         indexing_maps = [#{{.*}}, #[[DEPTHWISE]], #{{.*}}]
func.func private @depthwise(%ctx: !llvm.ptr, %x: tensor<1x9x9x4xf32>, %w: tensor<4x1x3x3xf32>,
    %init: tensor<1x7x7x4xf32>) -> tensor<1x7x7x4xf32> attributes {dougong.kernel} {
  %r = linalg.generic {indexing_maps = [#dx, #dw, #dy], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<1x9x9x4xf32>, tensor<4x1x3x3xf32>) outs(%init : tensor<1x7x7x4xf32>) {
    ^bb0(%p: f32, %q: f32, %acc: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
  } -> tensor<1x7x7x4xf32>
  return %r : tensor<1x7x7x4xf32>
}

// A small weight is a constant of its kernel; one output channel is a dot product,
// read along its input channels.
// CHECK-LABEL: func.func private @constants(
// CHECK-DAG:     arith.constant dense<{{\[\[\[\[}}1.000000e+00], [3.000000e+00]], {{\[\[}}2.000000e+00], [4.000000e+00]]]]> : tensor<1x2x2x1xf32>
// CHECK-DAG:     arith.constant dense<{{\[\[\[\[\[}}1.000000e+00, 3.000000e+00, 0.000000e+00, 0.000000e+00, 0.000000e+00, 0.000000e+00, 0.000000e+00, 0.000000e+00], [2.000000e+00, 4.000000e+00, 0.000000e+00, {{.*}} : tensor<1x1x1x2x8xf32>
func.func private @constants(%ctx: !llvm.ptr, %x: tensor<1x7x8x2xf32>, %init: tensor<1x7x7x1xf32>,
    %wide: tensor<1x7x8x2xf32>) -> (tensor<1x7x7x1xf32>, tensor<1x7x8x2xf32>) attributes {dougong.kernel} {
  %one = arith.constant dense<[[[[1.0, 2.0]], [[3.0, 4.0]]]]> : tensor<1x2x1x2xf32>
  %two = arith.constant dense<[[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]]]> : tensor<2x2x1x1xf32>
  %r = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %one : tensor<1x7x8x2xf32>, tensor<1x2x1x2xf32>) outs(%init : tensor<1x7x7x1xf32>) {
    ^bb0(%p: f32, %q: f32, %acc: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
  } -> tensor<1x7x7x1xf32>
  %t = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %two : tensor<1x7x8x2xf32>, tensor<2x2x1x1xf32>) outs(%wide : tensor<1x7x8x2xf32>) {
    ^bb0(%p: f32, %q: f32, %acc: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
  } -> tensor<1x7x8x2xf32>
  return %r, %t : tensor<1x7x7x1xf32>, tensor<1x7x8x2xf32>
}

func.func @main(%x: tensor<1x9x9x4xf32>, %i: tensor<1x7x7x20xf32>, %j: tensor<1x7x7x6xf32>, %k: tensor<1x7x7x4xf32>) {
  %w = onnx.use @w : tensor<20x4x3x3xf32>
  %v = onnx.use @v : tensor<6x4x3x3xf32>
  %d = onnx.use @d : tensor<4x1x3x3xf32>
  %0 = onnx.launch @panels(%x, %w, %i) : (tensor<1x9x9x4xf32>, tensor<20x4x3x3xf32>, tensor<1x7x7x20xf32>) -> tensor<1x7x7x20xf32>
  %1 = onnx.launch @narrow(%x, %v, %j) : (tensor<1x9x9x4xf32>, tensor<6x4x3x3xf32>, tensor<1x7x7x6xf32>) -> tensor<1x7x7x6xf32>
  %2 = onnx.launch @depthwise(%x, %d, %k) : (tensor<1x9x9x4xf32>, tensor<4x1x3x3xf32>, tensor<1x7x7x4xf32>) -> tensor<1x7x7x4xf32>
  return
}
