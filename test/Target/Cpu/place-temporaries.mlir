// RUN: dougong-opt %s --cpu-place-temporaries --split-input-file --verify-diagnostics | FileCheck %s
// RUN: dougong-opt %s --cpu-place-temporaries --canonicalize --split-input-file --verify-diagnostics | FileCheck %s --check-prefix=SIZE

// Small ones of constant size go to the stack.
// CHECK-LABEL: func.func private @small(
// CHECK-SAME:      %{{[^:]*}}: !llvm.ptr)
// CHECK:         memref.alloca() {alignment = 64 : i64} : memref<16xf32>
// CHECK-NOT:   @small_workspace
func.func private @small(%ctx: !llvm.ptr) attributes {dougong.kernel} {
  %t = memref.alloc() : memref<16xf32>
  %c0 = arith.constant 0 : index
  %v = memref.load %t[%c0] : memref<16xf32>
  return
}

// -----

// Others are views of a workspace, whose size is a function of the arguments.
// CHECK-LABEL: func.func private @large(
// CHECK-SAME:      %[[X:[^:]*]]: memref<?xf32>, %[[N:[^:]*]]: index, %[[W:[^:]*]]: memref<?xi8>)
// CHECK:         memref.view %[[W]]
// CHECK-LABEL: func.func private @large_workspace(
// CHECK-SAME:      %[[X:[^:]*]]: memref<?xf32>, %[[N:[^:]*]]: index) -> index
// CHECK:         memref.dim %[[X]]
// CHECK:         return
func.func private @large(%ctx: !llvm.ptr, %x: memref<?xf32>, %n: index)
    attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %m = memref.dim %x, %c0 : memref<?xf32>
  %t = memref.alloc(%m, %n) : memref<?x?xf32>
  %v = memref.load %t[%c0, %c0] : memref<?x?xf32>
  return
}

// -----

// Buffers whose lives do not overlap share bytes.
// SIZE-LABEL: func.func private @shared_workspace(
// SIZE:         %[[BYTES:.*]] = arith.constant 400000 : index
// SIZE:         return %[[BYTES]]
func.func private @shared(%ctx: !llvm.ptr) attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<100000xf32>
  memref.store %zero, %t[%c0] : memref<100000xf32>
  %u = memref.alloc() : memref<100000xf32>
  memref.store %zero, %u[%c0] : memref<100000xf32>
  return
}

// -----

func.func private @data_dependent(%ctx: !llvm.ptr, %x: memref<1xindex>)
    attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %n = memref.load %x[%c0] : memref<1xindex>
  // expected-error @+1 {{a temporary buffer's extent depends on data}}
  %t = memref.alloc(%n) : memref<?xf32>
  %v = memref.load %t[%c0] : memref<?xf32>
  return
}
