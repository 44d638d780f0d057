// Collectives become exchanges along leading dims, which are all that the host has.
// RUN: dougong-opt %s --expand-collectives | FileCheck %s

// CHECK-LABEL: func.func @main
// Rows are filled up to 6, part r goes to rank r; 3 x 3 columns are joined and cut off at 7.
// CHECK: onnx.Pad{{.*}} -> tensor<6x3xf32>
// CHECK: dist.all_to_all %{{.*}} over @m axes ["tp"] split 0 unit 1 concat 1 unit 1 : tensor<3x1x2x3xf32> -> tensor<1x3x2x3xf32>
// CHECK: onnx.Transpose{{.*}} -> tensor<2x3x3xf32>
// CHECK: %[[MOVED:.*]] = onnx.Slice{{.*}} -> tensor<2x7xf32>
// CHECK: dist.all_gather {{.*}} dim 0 unit 1 : tensor<1x5x3xf32> -> tensor<3x5x3xf32>
// CHECK: %[[WHOLE:.*]] = onnx.Slice{{.*}} -> tensor<5x7xf32>
// CHECK: onnx.Pad{{.*}} -> tensor<6x2xf32>
// CHECK: dist.reduce_scatter {{.*}} dim 0 unit 1 sum : tensor<3x2x2xf32> -> tensor<1x2x2xf32>
// CHECK: %[[SCATTERED:.*]] = onnx.Reshape{{.*}} -> tensor<2x2xf32>
// CHECK: %[[RANK:.*]] = dist.axis_index over @m axes ["tp"]
// CHECK: onnx.Pad(%[[WHOLE]]
// CHECK: %[[PART:.*]] = onnx.Gather(%{{.*}}, %[[RANK]]) {{.*}} -> tensor<2x7xf32>
// CHECK: return %[[MOVED]], %[[WHOLE]], %[[SCATTERED]], %[[PART]]
module {
  dist.mesh @m <"tp" = 3>
  func.func @main(%x: tensor<5x3xf32>, %z: tensor<5x2xf32>)
      -> (tensor<2x7xf32>, tensor<5x7xf32>, tensor<2x2xf32>, tensor<2x7xf32>) {
    %0 = dist.all_to_all %x over @m axes ["tp"] split 0 unit 1 concat 1 unit 1 : tensor<5x3xf32> -> tensor<2x7xf32>
    %1 = dist.all_gather %x over @m axes ["tp"] dim 1 unit 1 : tensor<5x3xf32> -> tensor<5x7xf32>
    %2 = dist.reduce_scatter %z over @m axes ["tp"] dim 0 unit 1 sum : tensor<5x2xf32> -> tensor<2x2xf32>
    %3 = dist.slice %1 over @m axes ["tp"] dim 0 unit 1 : tensor<5x7xf32> -> tensor<2x7xf32>
    return %0, %1, %2, %3 : tensor<2x7xf32>, tensor<5x7xf32>, tensor<2x2xf32>, tensor<2x7xf32>
  }
}
