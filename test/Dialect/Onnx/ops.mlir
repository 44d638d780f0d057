// RUN: dougong-opt %s | dougong-opt | FileCheck %s
// RUN: dougong-opt %s --mlir-print-op-generic | dougong-opt | FileCheck %s

// Weights: in a file, made by a recipe of every step, and inline.
// CHECK: onnx.weight @up : tensor<64x256xf16> = #onnx.external<"w.bin", offset = 0, length = 32768>
onnx.weight @up : tensor<64x256xf16> = #onnx.external<"w.bin", offset = 0, length = 32768>
// CHECK: onnx.weight @scale : tensor<256xf32> = dense<1.000000e+00> : tensor<256xf32>
onnx.weight @scale : tensor<256xf32> = dense<1.0> : tensor<256xf32>
// CHECK: onnx.weight @up.t : tensor<256x64xf16> = #onnx.derived<[@up], [#onnx.transpose<[1, 0]>]>
onnx.weight @up.t : tensor<256x64xf16> = #onnx.derived<[@up], [#onnx.transpose<[1, 0]>]>
// CHECK: onnx.weight @made : tensor<8x16x32xf32> = #onnx.derived<[@up, @scale], [#onnx.cast<f32>, #onnx.binary<"mul", 1>, #onnx.binary<"div", 1, true>, #onnx.reshape<[16, 1024]>, #onnx.slice<1, ["tp"], 4, 16>, #onnx.pack<32>]>
onnx.weight @made : tensor<8x16x32xf32> = #onnx.derived<[@up, @scale], [#onnx.cast<f32>, #onnx.binary<"mul", 1>, #onnx.binary<"div", 1, true>, #onnx.reshape<[16, 1024]>, #onnx.slice<1, ["tp"], 4, 16>, #onnx.pack<32>]>

// CHECK-LABEL: func.func @structure
func.func @structure(%x: tensor<?x?x64xf32, #onnx.dims<"batch", "past + seq", _>>) -> tensor<3xi64> {
  // CHECK: %{{.*}} = onnx.use @up : tensor<64x256xf16>
  %w = onnx.use @up : tensor<64x256xf16>
  // CHECK: %{{.*}} = onnx.none
  %none = onnx.none
  // CHECK: %{{.*}} = onnx.dim "past + seq"
  %n = onnx.dim "past + seq"
  // CHECK: onnx.custom "my.domain" "Foo"(%{{.*}}) {alpha = 1.000000e+00 : f32} : (tensor<64x256xf16>) -> tensor<*xf32>
  %y = onnx.custom "my.domain" "Foo"(%w) {alpha = 1.0 : f32} : (tensor<64x256xf16>) -> tensor<*xf32>
  // CHECK: onnx.launch @kernel(%{{.*}}, %{{.*}}) : (tensor<?x?x64xf32, #onnx.dims<"batch", "past + seq", _>>, index) -> tensor<?x64xf32, #onnx.dims<"batch", _>>
  %z = onnx.launch @kernel(%x, %n) : (tensor<?x?x64xf32, #onnx.dims<"batch", "past + seq", _>>, index) -> tensor<?x64xf32, #onnx.dims<"batch", _>>
  // CHECK: onnx.dims_tensor ["batch", "past + seq", "64"] : tensor<3xi64>
  %shape = onnx.dims_tensor ["batch", "past + seq", "64"] : tensor<3xi64>
  return %shape : tensor<3xi64>
}

// Types of ONNX that are no tensors of MLIR's own elements.
// CHECK-LABEL: func.func @types(
// CHECK-SAME:  tensor<2x!onnx.string>, %{{.*}}: !onnx.seq<tensor<*xf32>>, %{{.*}}: !onnx.opt<tensor<2xi64>>, %{{.*}}: !onnx.map<i64, tensor<*xf32>>, %{{.*}}: tensor<2xui8>, %{{.*}}: tensor<4xi4>, %{{.*}}: tensor<4xf8E4M3FN>
func.func @types(%0: tensor<2x!onnx.string>, %1: !onnx.seq<tensor<*xf32>>, %2: !onnx.opt<tensor<2xi64>>,
                 %3: !onnx.map<i64, tensor<*xf32>>, %4: tensor<2xui8>, %5: tensor<4xi4>,
                 %6: tensor<4xf8E4M3FN>) {
  return
}

// An operator of the standard, of com.microsoft, with absent operands, and with graphs.
// CHECK-LABEL: func.func @operators
func.func @operators(%x: tensor<2x3xf32>, %c: tensor<i1>) -> tensor<2x3xf32> {
  %none = onnx.none
  // CHECK: onnx.Clip(%{{.*}}, %{{.*}}, %{{.*}}) : (tensor<2x3xf32>, none, none) -> tensor<2x3xf32>
  %0 = onnx.Clip(%x, %none, %none) : (tensor<2x3xf32>, none, none) -> tensor<2x3xf32>
  // CHECK: onnx.ms.QuickGelu(%{{.*}}) {alpha = 1.702000e+00 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = onnx.ms.QuickGelu(%0) {alpha = 1.702 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: onnx.If(%{{.*}}) : (tensor<i1>) -> tensor<2x3xf32>
  // CHECK: onnx.yield %{{.*}} : tensor<2x3xf32>
  %2 = onnx.If(%c) : (tensor<i1>) -> tensor<2x3xf32> ({
    onnx.yield %1 : tensor<2x3xf32>
  }, {
    onnx.yield %x : tensor<2x3xf32>
  })
  return %2 : tensor<2x3xf32>
}
