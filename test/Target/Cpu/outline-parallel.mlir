// RUN: dougong-opt %s --cpu-outline-parallel --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func private @kernel_0(
// CHECK-SAME:      %[[CTX:[^:]*]]: !llvm.ptr
// CHECK:         %[[RECORD:.*]] = llvm.alloca
// CHECK:         llvm.store %{{.*}}, %[[RECORD]]
// CHECK:         %[[COUNT:.*]] = arith.index_cast %{{.*}} : index to i64
// CHECK:         %[[HOST:.*]] = llvm.load %[[CTX]]
// CHECK:         %[[SLOT:.*]] = llvm.getelementptr %[[HOST]][8]
// CHECK:         %[[FN:.*]] = llvm.load %[[SLOT]]
// CHECK:         llvm.call %[[FN]](%[[CTX]], %{{.*}}, %[[RECORD]], %[[COUNT]], %{{.*}})
// CHECK-NOT:     scf.parallel
// CHECK:       func.func private @kernel_0_body_0(%{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64)
// CHECK:         scf.for
// CHECK:           memref.store
func.func private @kernel_0(%ctx: !llvm.ptr, %x: memref<?xf32>, %n: index, %grain: index)
    attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  scf.parallel (%i) = (%c0) to (%n) step (%grain) {
    memref.store %zero, %x[%i] : memref<?xf32>
    scf.reduce
  }
  return
}

// -----

func.func private @no_context(%n: index) attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @+1 {{a kernel with a parallel loop must take the context first}}
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    scf.reduce
  }
  return
}
