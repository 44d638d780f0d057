// RUN: dougong-opt %s --pass-pipeline='builtin.module(func.func(cpu-bufferize-kernels))' | FileCheck %s

#id = affine_map<(d0) -> (d0)>

// Results become trailing arguments and are written in place.
// CHECK-LABEL: func.func private @in_place(
// CHECK-SAME:      %{{[^:]*}}: !llvm.ptr, %[[X:[^:]*]]: memref<?xf32>, %[[OUT:[^:]*]]: memref<?xf32>)
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     copy
// CHECK:         linalg.generic
// CHECK-SAME:        ins(%[[X]] : memref<?xf32>) outs(%[[OUT]] : memref<?xf32>)
// CHECK:         return{{$}}
func.func private @in_place(%ctx: !llvm.ptr, %x: tensor<?xf32>) -> tensor<?xf32>
    attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %y = arith.negf %a : f32
      linalg.yield %y : f32
  } -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// A reshaped result is written through a view of the out-parameter.
// CHECK-LABEL: func.func private @reshaped_result(
// CHECK-SAME:      %[[OUT:[^:]*]]: memref<2x3xf32>)
// CHECK:         %[[FLAT:.*]] = memref.collapse_shape %[[OUT]]
// CHECK-NOT:     copy
// CHECK:         linalg.generic
// CHECK-SAME:        outs(%[[FLAT]] : memref<6xf32>)
func.func private @reshaped_result(%ctx: !llvm.ptr, %x: tensor<6xf32>) -> tensor<2x3xf32>
    attributes {dougong.kernel} {
  %e = tensor.empty() : tensor<6xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<6xf32>) outs(%e : tensor<6xf32>) {
    ^bb0(%a: f32, %o: f32):
      %y = arith.negf %a : f32
      linalg.yield %y : f32
  } -> tensor<6xf32>
  %s = tensor.expand_shape %r [[0, 1]] output_shape [2, 3] : tensor<6xf32> into tensor<2x3xf32>
  return %s : tensor<2x3xf32>
}

// What is joined of several dynamic extents is written through a view of them.
// CHECK-LABEL: func.func private @joined_result(
// CHECK-SAME:      memref<?x?xf32>, %[[OUT:[^:]*]]: memref<?xf32>)
// CHECK:         %[[GRID:.*]] = memref.reinterpret_cast %[[OUT]] to offset: [0]
// CHECK-SAME:        : memref<?xf32> to memref<?x?xf32>
// CHECK:         linalg.copy {{.*}} outs(%[[GRID]] : memref<?x?xf32>)
#id2 = affine_map<(d0, d1) -> (d0, d1)>
func.func private @joined_result(%ctx: !llvm.ptr, %x: tensor<?x?xf32>) -> tensor<?xf32>
    attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c0 : tensor<?x?xf32>
  %n = tensor.dim %x, %c1 : tensor<?x?xf32>
  %e = tensor.empty(%m, %n) : tensor<?x?xf32>
  %r = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %y = arith.negf %a : f32
      linalg.yield %y : f32
  } -> tensor<?x?xf32>
  %s = tensor.collapse_shape %r [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  return %s : tensor<?xf32>
}

// An input that is passed on is copied, by linalg: never by the runtime.
// CHECK-LABEL: func.func private @passed_on(
// CHECK-NOT:     memref.copy
// CHECK:         linalg.copy
// CHECK-NOT:     memref.copy
func.func private @passed_on(%ctx: !llvm.ptr, %x: tensor<4xf32>) -> tensor<4xf32>
    attributes {dougong.kernel} {
  return %x : tensor<4xf32>
}

// Inputs are never written: the update goes to a copy.
// CHECK-LABEL: func.func private @input_is_read_only(
// CHECK-SAME:      %[[X:[^:]*]]: memref<4xf32>, %{{[^:]*}}: f32, %[[OUT:[^:]*]]: memref<4xf32>)
// CHECK-NOT:     memref.store %{{.*}}, %[[X]]
// CHECK:         return
func.func private @input_is_read_only(%ctx: !llvm.ptr, %x: tensor<4xf32>, %v: f32)
    -> tensor<4xf32> attributes {dougong.kernel} {
  %c1 = arith.constant 1 : index
  %r = tensor.insert %v into %x[%c1] : tensor<4xf32>
  return %r : tensor<4xf32>
}

// Other functions are left alone.
// CHECK-LABEL: func.func private @no_kernel(%{{.*}}: tensor<4xf32>) -> tensor<4xf32>
func.func private @no_kernel(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
