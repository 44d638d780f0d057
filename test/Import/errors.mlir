// What is refused, and how it is said: file, node, reason.
// RUN: rm -rf %t && mkdir -p %t/m && head -c 100 /dev/zero > %t/m/short.bin && touch %t/outside.bin && ln -s %t/outside.bin %t/m/link.bin
// RUN: for m in cycle experimental missing-file outside link short-file wrong-length overflow negative-dim element-type new-opset bomb wrong-type; do %python %S/models.py $m %t/m/$m.onnx; done
// RUN: %python %S/models.py weights %t/m/whole.onnx && head -c 300 %t/m/whole.onnx > %t/m/cut.onnx && touch %t/m/empty.onnx && echo hello > %t/m/text.onnx
// RUN: for m in cycle experimental missing-file outside link short-file wrong-length overflow negative-dim element-type new-opset bomb wrong-type cut empty text nosuch; do not dougong-translate --onnx-to-mlir %t/m/$m.onnx || exit 1; done 2>&1 | FileCheck %s

// CHECK: cycle.onnx:0:0: error: node 'first': input 'b' is made by the later node 'second': the graph is cyclic or its nodes are not sorted
// CHECK: experimental.onnx:0:0: error: node 'aten': operator ATen was an experiment that ONNX has removed
// CHECK: missing-file.onnx:0:0: error: tensor 'w' is in file 'nowhere.bin', which is not in the model's folder
// CHECK: outside.onnx:0:0: error: tensor 'w' refers to '../outside.bin', which leaves the model's folder
// CHECK: link.onnx:0:0: error: tensor 'w' is in file 'link.bin', a link that leaves the model's folder: it leads to '{{.*}}outside.bin'
// CHECK: short-file.onnx:0:0: error: tensor 'w' ends at byte 1032 of file 'short.bin', which has 100 bytes
// CHECK: wrong-length.onnx:0:0: error: tensor 'w' has 12 bytes in file 'short.bin', expected 1024 from its type and dims
// CHECK: overflow.onnx:0:0: error: tensor 'w' has a negative dim or more than 2^63 - 1 bytes
// CHECK: negative-dim.onnx:0:0: error: tensor 'w' has a negative dim or more than 2^63 - 1 bytes
// CHECK: element-type.onnx:0:0: error: tensor 'w' has unknown element type 99
// CHECK: new-opset.onnx:0:0: error: the model is of opset 99, this version reads up to 27
// CHECK: bomb.onnx:0:0: error: with its functions inlined the graph has more than 20000000 nodes
// CHECK: wrong-type.onnx:0:0: error: node 'mixed': 'onnx.Add' op operand 1 has element type 'f16', but operand 0 has 'f32'
// CHECK: cut.onnx:0:0: error: the file is no ONNX model or is cut off
// CHECK: empty.onnx:0:0: error: the file is empty
// CHECK: text.onnx:0:0: error: the file is no ONNX model or is damaged
// CHECK: nosuch.onnx:0:0: error: the file cannot be read: No such file or directory

// Graphs that are only planned may lack their weights, and mix element types.
// RUN: dougong-translate --onnx-to-mlir --allow-missing-data %t/m/missing-file.onnx | FileCheck %s --check-prefix=MISSING
// MISSING: onnx.weight @w : tensor<16x16xf32> = #onnx.external<"nowhere.bin", offset = 0, length = 1024>
// RUN: dougong-translate --onnx-to-mlir --allow-missing-data %t/m/wrong-type.onnx 2>&1 | FileCheck %s --check-prefix=MIXED
// MIXED: warning: node 'mixed': input 1 has element type 'f16', but 'f32' is required: a Cast was put in between
// MIXED: onnx.Cast(%{{.*}}) {{.*}}to = 1 : i64
