// RUN: dougong-opt %s --cpu-pack-weights=columns=32 | FileCheck %s

// Matrices that lie one behind the other, as those of a recurrence's two directions, are
// each packed by itself.
// CHECK-DAG: #[[FIRST:.*]] = affine_map<(d0, d1, d2) -> (0, d1 floordiv 32, d2, d1 mod 32)>
// CHECK-DAG: #[[SECOND:.*]] = affine_map<(d0, d1, d2) -> (1, d1 floordiv 32, d2, d1 mod 32)>
// CHECK:     onnx.weight @w.t021.pack32 : tensor<2x2x4x32xf32> = #onnx.derived<[@w], [#onnx.transpose<[0, 2, 1]>, #onnx.pack<32>]>
onnx.weight @w : tensor<2x40x4xf32> = #onnx.external<"w.bin", offset = 0, length = 1280>

// CHECK-LABEL: func.func private @both(
// CHECK-SAME:      tensor<2x2x4x32xf32>
// CHECK:         linalg.generic {indexing_maps = [#{{.*}}, #[[FIRST]], #{{.*}}]
// CHECK:         linalg.generic {indexing_maps = [#{{.*}}, #[[SECOND]], #{{.*}}]
func.func private @both(%ctx: !llvm.ptr, %x: tensor<3x4xf32>, %w: tensor<2x40x4xf32>,
    %init: tensor<3x40xf32>) -> tensor<3x40xf32> attributes {dougong.kernel} {
  %0 = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (0, n, k)>,
                                        affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<3x4xf32>, tensor<2x40x4xf32>) outs(%init : tensor<3x40xf32>) {
    ^bb0(%p: f32, %q: f32, %acc: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
  } -> tensor<3x40xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (1, n, k)>,
                                        affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<3x4xf32>, tensor<2x40x4xf32>) outs(%0 : tensor<3x40xf32>) {
    ^bb0(%p: f32, %q: f32, %acc: f32):
      %m = arith.mulf %p, %q : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
  } -> tensor<3x40xf32>
  return %1 : tensor<3x40xf32>
}

func.func @main(%x: tensor<3x4xf32>, %init: tensor<3x40xf32>) -> tensor<3x40xf32> {
  %w = onnx.use @w : tensor<2x40x4xf32>
  %0 = onnx.launch @both(%x, %w, %init) : (tensor<3x4xf32>, tensor<2x40x4xf32>, tensor<3x40xf32>) -> tensor<3x40xf32>
  return %0 : tensor<3x40xf32>
}
