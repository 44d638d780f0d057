// RUN: dougong-opt %s --pass-pipeline='builtin.module(func.func(cpu-emit-loops{lanes=16 tile-rows=8 tile-vectors=2},canonicalize,cse))' | FileCheck %s
// RUN: dougong-opt %s --pass-pipeline='builtin.module(func.func(cpu-emit-loops{lanes=8 tile-rows=6 tile-vectors=2 parallel=false},canonicalize,cse))' | FileCheck %s --check-prefix=AVX2
// RUN: dougong-opt %s --pass-pipeline='builtin.module(func.func(cpu-emit-loops{lanes=8 tile-rows=6 tile-vectors=2 pair-products=true},canonicalize,cse))' | FileCheck %s --check-prefix=PAIRS

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(m, n) -> (m, n)>

// 16 accumulators stay in registers over the whole reduction; the fill is their
// initial value, the relu runs on them, the temporary is gone.
// CHECK-LABEL: func.func private @matmul_relu
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     linalg
// CHECK:         scf.parallel
// CHECK:           scf.for {{.*}} iter_args(
// CHECK:             %{{.*}}:16 = scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>,
// CHECK-COUNT-16:      arith.mulf {{.*}} fastmath<contract> : vector<16xf32>
// CHECK:               scf.yield
// CHECK:             arith.maximumf {{.*}} : vector<16xf32>
// CHECK:             vector.store
// AVX2-LABEL: func.func private @matmul_relu
// AVX2-NOT:     scf.parallel
// AVX2:         %{{.*}}:12 = scf.for {{.*}} -> (vector<8xf32>,
func.func private @matmul_relu(%ctx: !llvm.ptr, %a: memref<1024x512xf32>, %b: memref<512x512xf32>,
    %out: memref<1024x512xf32>) attributes {dougong.kernel} {
  %zero = arith.constant 0.0 : f32
  %t = memref.alloc() : memref<1024x512xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<1024x512xf32>)
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<1024x512xf32>, memref<512x512xf32>) outs(%t : memref<1024x512xf32>) {
    ^bb0(%x: f32, %y: f32, %acc: f32):
      %p = arith.mulf %x, %y : f32
      %s = arith.addf %acc, %p : f32
      linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<1024x512xf32>) outs(%out : memref<1024x512xf32>) {
    ^bb0(%x: f32, %o: f32):
      %y = arith.maximumf %x, %zero : f32
      linalg.yield %y : f32
  }
  return
}

// Contiguous dims are one loop; whole vectors without a mask.
// CHECK-LABEL: func.func private @elementwise
// CHECK-NOT:     mask
// CHECK:         vector.load
// CHECK:         arith.negf {{.*}} : vector<16xf32>
// CHECK:         vector.store
// CHECK-NOT:     mask
// CHECK:         return
func.func private @elementwise(%ctx: !llvm.ptr, %x: memref<4x7x64xf32>, %out: memref<4x7x64xf32>)
    attributes {dougong.kernel} {
  linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : memref<4x7x64xf32>) outs(%out : memref<4x7x64xf32>) {
    ^bb0(%a: f32, %o: f32):
      %y = arith.negf %a : f32
      linalg.yield %y : f32
  }
  return
}

// A row is summed in four accumulators, which meet at the end; its tail is
// masked.
// CHECK-LABEL: func.func private @row_sum
// CHECK:         %{{.*}}:4 = scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK:         vector.maskedload
// CHECK:         arith.select
// CHECK:         vector.reduction <add>, {{.*}} fastmath<reassoc> : vector<16xf32> into f32
func.func private @row_sum(%ctx: !llvm.ptr, %x: memref<8x1000xf32>, %out: memref<8xf32>)
    attributes {dougong.kernel} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%out : memref<8xf32>)
  linalg.generic {indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<8x1000xf32>) outs(%out : memref<8xf32>) {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      linalg.yield %s : f32
  }
  return
}

// Bools are bytes in memory.
// CHECK-LABEL: func.func private @bools
// CHECK:         builtin.unrealized_conversion_cast {{.*}} : memref<?xi1> to memref<?xi8>
// CHECK-NOT:     vector<{{[0-9]+}}xi1>{{$}}
// CHECK:         vector.store {{.*}} : memref<?xi8>, vector<16xi8>
func.func private @bools(%ctx: !llvm.ptr, %x: memref<64xf32>, %out: memref<64xi1>)
    attributes {dougong.kernel} {
  linalg.generic {indexing_maps = [affine_map<(n) -> (n)>, affine_map<(n) -> (n)>],
                  iterator_types = ["parallel"]}
      ins(%x : memref<64xf32>) outs(%out : memref<64xi1>) {
    ^bb0(%a: f32, %o: i1):
      %c = arith.cmpf une, %a, %a : f32
      linalg.yield %c : i1
  }
  return
}

// Two indices of the reduction for each lane: 6 rows by 2 vectors of sums, the odd
// index goes with a 0.
// PAIRS-LABEL: func.func private @integers
// PAIRS:         scf.for {{.*}} -> (vector<8xi32>,
// PAIRS:           vector.load {{.*}} vector<16xi8>
// PAIRS:           vector.load {{.*}} vector<16xi8>
// PAIRS-COUNT-12:  llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
// PAIRS:           scf.yield
// PAIRS:         vector.shuffle {{.*}} [0, 1, 2, 3, 8, 9, 10, 11]
// PAIRS:         vector.store
func.func private @integers(%ctx: !llvm.ptr, %a: memref<60x33xi16>, %b: memref<33x64xi8>,
    %out: memref<60x64xi32>) attributes {dougong.kernel} {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<60x33xi16>, memref<33x64xi8>) outs(%out : memref<60x64xi32>) {
    ^bb0(%x: i16, %y: i8, %acc: i32):
      %p = arith.extsi %x : i16 to i32
      %q = arith.extsi %y : i8 to i32
      %r = arith.muli %p, %q : i32
      %s = arith.addi %acc, %r : i32
      linalg.yield %s : i32
  }
  return
}

// What no vectors compute is noted for the report, unless it is small.
// CHECK-LABEL: func.func private @interleaved
// CHECK-SAME:    dougong.fallbacks = [{node = "/rotate", reason = "it computes one element at a time, for no dim gives vectors"}]
func.func private @interleaved(%ctx: !llvm.ptr, %a: memref<64x64xf32>, %out: memref<64x128xf32>)
    attributes {dougong.kernel} {
  linalg.generic {indexing_maps = [#id, affine_map<(m, n) -> (m, n * 2)>], iterator_types = ["parallel", "parallel"]}
      ins(%a : memref<64x64xf32>) outs(%out : memref<64x128xf32>) {
    ^bb0(%x: f32, %o: f32):
      linalg.yield %x : f32
  } loc("/rotate")
  return
}

// CHECK-LABEL: func.func private @small
// CHECK-NOT:     dougong.fallbacks
// CHECK-SAME:    {
func.func private @small(%ctx: !llvm.ptr, %a: memref<8x8xf32>, %out: memref<8x16xf32>)
    attributes {dougong.kernel} {
  linalg.generic {indexing_maps = [#id, affine_map<(m, n) -> (m, n * 2)>], iterator_types = ["parallel", "parallel"]}
      ins(%a : memref<8x8xf32>) outs(%out : memref<8x16xf32>) {
    ^bb0(%x: f32, %o: f32):
      linalg.yield %x : f32
  } loc("/small")
  return
}
