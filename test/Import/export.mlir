// What a model carries beside its graph comes back, and so do its operators.
// RUN: %python %S/models.py notes %t.onnx && dougong-translate --onnx-to-mlir --mlir-print-debuginfo %t.onnx -o %t.mlir
// RUN: dougong-translate --mlir-to-onnx %t.mlir -o %t.back.onnx && %python %S/compare_notes.py %t.onnx %t.back.onnx
// RUN: %python %S/models.py custom %t.onnx && dougong-translate --onnx-to-mlir --mlir-print-debuginfo %t.onnx -o %t.mlir 2>/dev/null
// RUN: dougong-translate --mlir-to-onnx %t.mlir -o %t.back.onnx && %python %S/compare_notes.py %t.onnx %t.back.onnx

// Beside the original the new model refers to its bytes; elsewhere they are copied.
// RUN: rm -rf %t.dir && mkdir -p %t.dir/a %t.dir/b && %python %S/models.py weights %t.dir/a/w.onnx
// RUN: dougong-translate --onnx-to-mlir --mlir-print-debuginfo %t.dir/a/w.onnx -o %t.mlir
// RUN: dougong-translate --mlir-to-onnx %t.mlir -o %t.dir/a/same.onnx && not ls %t.dir/a/same.onnx.data
// RUN: dougong-translate --mlir-to-onnx %t.mlir -o %t.dir/b/other.onnx && ls %t.dir/b/other.onnx.data
// RUN: %python -c "import onnx,sys; [print(sorted((t.name, onnx.numpy_helper.to_array(t).tolist()) for t in onnx.load(p).graph.initializer)) for p in sys.argv[1:]]" %t.dir/a/same.onnx %t.dir/b/other.onnx | uniq | count 1
// RUN: not dougong-translate --mlir-to-onnx %t.mlir -o %t.dir/a/w.onnx 2>&1 | FileCheck %s --check-prefix=OVER
// OVER: error: file '{{.*}}w.onnx' holds weights of the model: write to another file

// RUN: split-file %s %t.ir
// RUN: not dougong-translate --mlir-to-onnx %t.ir/derived.mlir -o %t.derived.onnx 2>&1 | FileCheck %s --check-prefix=DERIVED
// DERIVED: error: a derived weight cannot be exported: its bytes are made by packaging
// RUN: not dougong-translate --mlir-to-onnx %t.ir/foreign.mlir -o %t.foreign.onnx 2>&1 | FileCheck %s --check-prefix=FOREIGN
// FOREIGN: error: cannot be exported: it is no operator of ONNX

//--- derived.mlir
onnx.weight @w : tensor<2x3xf32> = #onnx.external<"w.bin", offset = 0, length = 24>
onnx.weight @t : tensor<3x2xf32> = #onnx.derived<[@w], [#onnx.transpose<[1, 0]>]>
func.func @main() -> tensor<3x2xf32> {
  %0 = onnx.use @t : tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}
//--- foreign.mlir
func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = arith.addf %x, %x : tensor<2xf32>
  return %0 : tensor<2xf32>
}
