// RUN: dougong-opt %s --onnx-infer-shapes="dims=batch=2,past=0..64" | FileCheck %s
// RUN: dougong-opt %s --onnx-infer-shapes="dims=x[0]=3" | FileCheck %s --check-prefix=AXIS
// RUN: dougong-opt %s --onnx-infer-shapes="dims=x[1]=0..9" | FileCheck %s --check-prefix=AXIS-RANGE
// RUN: dougong-opt %s --onnx-infer-shapes="dims=past=0" | FileCheck %s --check-prefix=EMPTY
// RUN: not dougong-opt %s --onnx-infer-shapes="dims=past=0..8,past=9..12" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not dougong-opt %s --onnx-infer-shapes="dims=bach=2" 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not dougong-opt %s --onnx-infer-shapes="dims=batch" 2>&1 | FileCheck %s --check-prefix=FORM
// RUN: not dougong-opt %s --onnx-infer-shapes="dims=y[2]=1" 2>&1 | FileCheck %s --check-prefix=RANK
// RUN: not dougong-opt %s --onnx-infer-shapes="dims=batch=2,x[0]=3" 2>&1 | FileCheck %s --check-prefix=CONTRADICTION

// CHECK:      tensor<2x?xf32, #onnx.dims<_, "past">>
// CHECK-SAME: onnx.dim_ranges = {past = array<i64: 0, 64>}
// AXIS:       tensor<3x?xf32, #onnx.dims<_, "past">>
// AXIS-RANGE: onnx.dim_ranges = {past = array<i64: 0, 9>}
// EMPTY:      tensor<?x0xf32, #onnx.dims<"batch", _>>
// NONE:       error: dim 'past=9..12' leaves no extent for past: another range or the model excludes it
// UNKNOWN:    error: dim 'bach' is not in the model; it has batch, past
// FORM:       error: dim 'batch' is not of the form name=value, name=min..max or input[axis]=value
// RANK:       error: dim 'y[2]=1': input 'y' has rank 1
// CONTRADICTION: error: dim 'x[0]=3' contradicts the model, where it is 2
func.func @main(%x: tensor<?x?xf32, #onnx.dims<"batch", "past">> {onnx.name = "x"},
                %y: tensor<?xf32, #onnx.dims<"past">> {onnx.name = "y"}) -> tensor<*xf32> {
  %0 = onnx.Add(%x, %y) : (tensor<?x?xf32, #onnx.dims<"batch", "past">>, tensor<?xf32, #onnx.dims<"past">>) -> tensor<*xf32>
  return %0 : tensor<*xf32>
}
