// RUN: dougong-opt %s --cpu-verify-kernels --split-input-file --verify-diagnostics

func.func private @copy(%a: memref<4xf32, strided<[2]>>, %b: memref<4xf32>) attributes {dougong.kernel} {
  // expected-error @+1 {{memref.copy of a part of a buffer (a call of the runtime) left in function 'copy'}}
  memref.copy %a, %b : memref<4xf32, strided<[2]>> to memref<4xf32>
  return
}

// -----

// This is a memcpy.
func.func private @whole_copy(%a: memref<4xf32>, %b: memref<4xf32>) attributes {dougong.kernel} {
  memref.copy %a, %b : memref<4xf32> to memref<4xf32>
  return
}

// -----

func.func private @allocation() attributes {dougong.kernel} {
  // expected-error @+1 {{an allocation left in function 'allocation'}}
  %t = memref.alloc() : memref<4xf32>
  return
}

// -----

func.func private @odd_vector(%a: memref<64xf32>) attributes {dougong.kernel} {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{a vector whose length is no power of two left in function 'odd_vector'}}
  %v = vector.load %a[%c0] : memref<64xf32>, vector<48xf32>
  return
}
